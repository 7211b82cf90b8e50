"""Drives the machine of ``core.offers``: keeps offers, says answers, fetches what was accepted and gives it up.

What an offer may become is the machine's; how lines travel is ``engine.talk_driver``'s; how contents are fetched
``engine.downloading``'s; what users wish ``engine.sending``'s. Nothing of what is offered to us reaches the disk
before it is accepted.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerterm.api.events import Notice, OfferChanged
from peerterm.core.catalog import CatalogEntry
from peerterm.core.ids import TransferId
from peerterm.core.life import State
from peerterm.core.lines import direct, is_room, other_of
from peerterm.core.offer import Cancel, Download, Drop, Revoke, Save, Say
from peerterm.core.offers import KINDS, Offers
from peerterm.engine.offer_view import view_of
from peerterm.engine.tasks import tolerate
from peerterm.errors import PeerRefused, PeertermError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from peerterm.api.views import OfferView
    from peerterm.core.ids import PeerId
    from peerterm.core.lines import Item
    from peerterm.core.offer import Effect, Offer
    from peerterm.core.talk_messages import Effect as TalkEffect
    from peerterm.core.talk_messages import Mark
    from peerterm.engine.bus import Bus
    from peerterm.engine.downloading import Downloads
    from peerterm.engine.granted import Granted
    from peerterm.engine.grants import Grants
    from peerterm.engine.peers import Peers
    from peerterm.engine.talk_driver import TalkDriver
    from peerterm.store.offers import OfferStore
    from peerterm.store.talk import KeptLine, TalkStore

log = logging.getLogger("peerterm.offer_driver")


@dataclass(slots=True, eq=False)
class _Batch:
    """What one input came to, when all lines up to ``heard`` were heard; ``done`` hears once it is kept."""

    effects: list[Effect]
    heard: int
    done: asyncio.Future[None] | None = None


class OfferDriver:
    """One machine, its store, and what its effects need.

    Attributes:
        offers: The machine; whatever its inputs return goes through ``perform`` or ``performed``.
        on_kept: Called with every offer that is another than before, once it is kept.
    """

    def __init__(
        self,
        store: OfferStore,
        lines: TalkStore,
        own_id: PeerId,
        *,
        talk: TalkDriver,
        grants: Grants,
        granted: Granted,
        downloads: Downloads,
        peers: Peers,
        bus: Bus,
    ) -> None:
        self.offers = Offers(own_id)
        self.on_kept: Callable[[Offer], None] = lambda offer: None
        self._store = store
        self._lines = lines
        self._own_id = own_id
        self._talk = talk
        self._grants = grants
        self._granted = granted
        self._downloads = downloads
        self._peers = peers
        self._bus = bus
        self._heard = 0
        self._noted = 0  # up to which line the store has heard
        self._transfers: set[str] = set()  # by which something that was accepted is fetched
        self._unsaved: list[Effect] = []  # what the disk refused to keep; the next start hears those lines again
        self._batches: deque[_Batch] = deque()
        self._hurry = asyncio.Event()

    async def load(self) -> None:
        """Take up what earlier runs left; to be called once grants, downloads and conversations are loaded.

        Raises:
            StorageError: The disk refused.
        """
        self.offers = Offers(self._own_id, await self._store.offers(), await self._store.drafts())
        self._heard = self._noted = await self._store.heard()
        for kept in await self._lines.lines_after(self._heard, KINDS):
            self.line_kept(kept)
        for mark in await self._lines.marks("delivered"):
            self.line_moved(mark)
        self.perform(self.offers.resume((grant.offer_id, grant.peer) for grant in self._granted))
        self._transfers = {fetch.transfer for offer in self.offers for fetch in offer.unsettled if fetch.transfer}
        for transfer in list(self._transfers):
            self.transfer_moved(TransferId(transfer))

    async def run(self) -> None:
        """Perform what is to be done until cancelled.

        Cancel: what is still to be kept is kept; the rest is resumed by the next engine.
        """
        try:
            while True:
                await self._hurry.wait()
                self._hurry.clear()
                while self._batches:
                    await self._perform_all(list(self._batches))
        finally:
            await self._keep(self._batches)

    def view(self, offer: Offer) -> OfferView:
        """Return an offer as clients see it."""
        return view_of(offer, self._peers.name_of(offer.peer), self._downloads.transfers)

    # What happens

    def line_kept(self, kept: KeptLine) -> None:
        """Take a line of any conversation."""
        if kept.line.kind in KINDS:
            self._heard = kept.id
            self.perform(self.offers.heard(kept.line))

    def line_moved(self, mark: Mark) -> None:
        """Take how far a log got."""
        if mark.kind == "delivered" and not is_room(mark.conversation):
            peer = other_of(mark.conversation, self._own_id)
            self.perform(self.offers.delivered(peer, mark.log_id.log, mark.seq))

    def transfer_moved(self, transfer_id: TransferId) -> None:
        """Take that a download is in another state, or forgotten."""
        if transfer_id not in self._transfers:
            return
        transfers = self._downloads.transfers
        state = transfers[transfer_id].life.state if transfer_id in transfers else State.CANCELLED
        is_over = state in (State.DONE, State.CANCELLED)
        if is_over:
            self._transfers.remove(transfer_id)
        for offer in self.offers:
            for fetch in offer.unsettled:
                if fetch.transfer == transfer_id and is_over:
                    has_landed = state is State.DONE
                    self.perform(self.offers.settled(offer.hash, fetch.number, has_landed=has_landed))
                elif fetch.transfer == transfer_id:
                    self._bus.publish(OfferChanged(offer=self.view(offer)))

    # Effects

    def perform(self, effects: list[Effect]) -> None:
        """Perform what an input came to, after all before it."""
        if effects:
            self._batches.append(_Batch(effects, self._heard))
            self._hurry.set()

    async def performed(self, effects: list[Effect]) -> None:
        """Perform what an input came to; return once it is kept, and all before it performed.

        Raises:
            StorageError: It could not be kept.
        """
        batch = _Batch(effects, self._heard, asyncio.get_running_loop().create_future())
        assert batch.done is not None
        self._batches.append(batch)
        self._hurry.set()
        await batch.done

    async def say(
        self, peer: PeerId, kind: str, text: str, *, about: bytes = b"", items: tuple[Item, ...] = ()
    ) -> bytes:
        """Say a line; return its hash once it is kept and the machine has heard it.

        Raises:
            EngineBusy: Too much waits to be taken by that peer.
            StorageError: Nothing was said.
        """
        [kept] = await self._talk.performed(self._said(peer, kind, text, about=about, items=items))
        return kept.line.hash

    def _said(
        self, peer: PeerId, kind: str, text: str, *, about: bytes, items: tuple[Item, ...] = ()
    ) -> list[TalkEffect]:
        place, sent_at, now = direct(self._own_id, peer), int(time.time() * 1000), time.monotonic()
        return self._talk.talk.said(place, text, kind=kind, about=about, items=items, sent_at=sent_at, now=now)

    async def _perform_all(self, batches: Sequence[_Batch]) -> None:
        """Perform what several inputs came to, in their order, once all of it is kept."""
        error = await self._keep(batches)
        for batch in batches:
            for effect in batch.effects:
                await self._perform(effect)
            if batch.done and not batch.done.done():
                batch.done.set_exception(error) if error else batch.done.set_result(None)
            self._batches.popleft()
        if self._noted != batches[-1].heard and not error:  # lines of which nothing came that is to be kept
            await tolerate("note what was heard", self._note, (), batches[-1].heard)

    async def _perform(self, effect: Effect) -> None:
        match effect:
            case Save(offer):
                self._bus.publish(OfferChanged(offer=self.view(offer)))
                self.on_kept(offer)
            case Say():
                self._answer(effect)
            case Revoke(grant, peer):
                await tolerate("forget a grant", self._grants.revoke, grant, peer)
            case Download(offer):
                await self._download(offer)
            case Cancel(offer):
                await self._cancel(self.offers.latest(offer))
            case _:
                pass  # done by the store

    async def _keep(self, batches: Collection[_Batch]) -> StorageError | None:
        effects = [effect for batch in batches for effect in batch.effects]
        kept = [*self._unsaved, *(effect for effect in effects if isinstance(effect, Save | Drop | Revoke))]
        if not kept:
            return None
        try:
            await self._note(kept, max((batch.heard for batch in batches), default=self._noted))
        except StorageError as error:
            log.warning("offers cannot be kept reason=%r", error.message)
            self._unsaved = kept
            return error
        self._unsaved = []
        return None

    async def _note(self, kept: Sequence[Effect], heard: int) -> None:
        await self._store.perform(kept, heard)
        self._noted = heard

    def _answer(self, said: Say) -> None:
        try:
            self._talk.perform(self._said(said.peer, said.kind, said.text, about=said.about))
        except PeertermError as error:  # what matters is said at the next start
            log.warning("not said kind=%s peer=%s reason=%r", said.kind, said.peer[:8], error.message)

    async def _download(self, offer: Offer) -> None:
        for fetch in offer.unsettled:
            if fetch.transfer:
                continue
            if self.offers.latest(offer).state != "accepted":
                return  # whatever ended it meanwhile cancels all
            item = offer.items[fetch.number - 1]
            entry = _entry_of(item)
            try:
                view = await self._downloads.fetch(entry, offer.directory)
            except PeertermError as error:
                self._bus.publish(Notice(level="error", text=f"{item.name} is not fetched: {error.advice}"))
                self.perform(self.offers.settled(offer.hash, fetch.number, has_landed=False))
            else:
                self._transfers.add(view.transfer_id)
                self.perform(self.offers.fetching(offer.hash, fetch.number, view.transfer_id))
                self.transfer_moved(TransferId(view.transfer_id))  # it may be over already

    async def _cancel(self, offer: Offer) -> None:
        name = self._peers.name_of(offer.peer)
        why = f"{name} withdrew the offer" if offer.state == "withdrawn" else "the offer was declined"
        error = PeerRefused(why, "ask for it to be sent again")
        for fetch in offer.unsettled:
            if fetch.transfer:
                await tolerate("end a download", self._downloads.give_up, TransferId(fetch.transfer), error)
            self.perform(self.offers.settled(offer.hash, fetch.number, has_landed=False))


def _entry_of(item: Item) -> CatalogEntry:
    """Return an item as what is to be fetched; an offer tells no time of change, so what comes is new."""
    return CatalogEntry(
        (item.name,), item.kind, item.size, item.files, item.root, mtime_ns=time.time_ns(), is_private=True
    )
