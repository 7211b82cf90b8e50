"""Sending to single peers, and taking what they send: what users wish of offers.

What follows from a wish is performed by ``engine.offer_driver``; who may have what is decided by ``engine.grants``.
"""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from peerterm.api.events import Notice, OfferIndexing
from peerterm.core.lines import MAX_ITEMS, OFFER, Item
from peerterm.core.offer import Draft, Say, title
from peerterm.engine.tasks import Tasks, tolerate
from peerterm.errors import EngineBusy, InvalidName, PeertermError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence

    from peerterm.api.views import OfferView
    from peerterm.core.ids import PeerId
    from peerterm.core.offer import Effect, Offer
    from peerterm.engine.bus import Bus
    from peerterm.engine.downloading import Downloads
    from peerterm.engine.grants import Grants
    from peerterm.engine.offer_driver import OfferDriver
    from peerterm.engine.peers import Peers
    from peerterm.store.grants import PrivateShare
    from peerterm.store.hashing import ScanProgress
    from peerterm.store.offers import OfferStore

_Result = TypeVar("_Result")


class Sending:
    """The offers of this engine, as its user wishes them."""

    def __init__(
        self,
        store: OfferStore,
        driver: OfferDriver,
        *,
        own_names: Sequence[str],
        accept_from: Collection[str],
        grants: Grants,
        downloads: Downloads,
        peers: Peers,
        bus: Bus,
    ) -> None:
        self._store = store
        self._driver = driver
        self._own_names = own_names
        self._accept_from = accept_from
        self._grants = grants
        self._downloads = downloads
        self._peers = peers
        self._bus = bus
        self._tasks = Tasks()

    async def run(self) -> None:
        """Serve until cancelled."""
        async with self._tasks:
            for offer in self._driver.offers:
                self.offered(offer)
            await self._driver.run()

    def offered(self, offer: Offer) -> None:
        """Take an offer as it is now; the user may have said that this peer's are always accepted."""
        if not offer.is_own and offer.state == "offered" and offer.peer in self._accept_from:
            self._tasks.start(self._accept_unasked(offer))

    async def _accept_unasked(self, offer: Offer) -> None:
        try:
            await self.accept(offer.id, "", ())
        except PeertermError as error:
            if self._driver.offers.latest(offer).state == "offered":  # else the user was faster
                self._bus.publish(Notice(level="warning", text=f"{offer.name} is not accepted: {error.advice}"))

    def views(self) -> list[OfferView]:
        """Return all offers, oldest first."""
        return [self._driver.view(offer) for offer in self._driver.offers]

    # See ``EngineApi``

    async def send(self, peers: Sequence[str], paths: Sequence[str]) -> list[OfferView]:
        """See ``EngineApi.send``."""
        recipients = dict.fromkeys([await self._recipient(peer) for peer in dict.fromkeys(peers)])
        wanted = dict.fromkeys(paths)
        if not recipients or not wanted:
            raise UsageError("nothing to send, or nobody to send it to", "peerterm send PEER PATH")
        if len(wanted) > MAX_ITEMS:
            raise UsageError(
                f"{len(wanted)} paths; at most {MAX_ITEMS} are sent at once", "send the folder they are in"
            )
        shares: list[PrivateShare] = []
        try:
            for path in wanted:
                shares.append(await self._grants.offer(Path(path), self._indexing(path)))
        except InvalidName as error:
            await self._discard(shares)
            raise InvalidName(error.message, "rename it, then send it") from error
        except BaseException:
            await self._discard(shares)
            raise
        return await self._to_its_end(self._send(list(recipients), shares))

    async def accept(self, reference: str, directory: str, numbers: Sequence[int]) -> OfferView:
        """See ``EngineApi.accept``."""
        self._driver.offers.find(reference)
        place = await self._downloads.place(directory)
        return await self._to_its_end(self._answer(self._driver.offers.accept(reference, numbers, str(place))))

    async def decline(self, reference: str) -> OfferView:
        """See ``EngineApi.decline``."""
        return await self._to_its_end(self._answer(self._driver.offers.decline(reference)))

    async def withdraw(self, reference: str) -> OfferView:
        """See ``EngineApi.withdraw``."""
        return await self._to_its_end(self._answer(self._driver.offers.withdraw(reference)))

    # How

    async def _recipient(self, reference: str) -> PeerId:
        if reference in self._own_names:
            raise UsageError("that is this machine itself", "name a peer by its id: peerterm peers lists them")
        return await self._peers.wait_for_known(reference)

    def _indexing(self, path: str) -> Callable[[ScanProgress], None]:
        def told(scan: ScanProgress) -> None:
            files, size, done = scan.files, scan.bytes, scan.done_bytes
            self._bus.publish(OfferIndexing(path=path, files=files, bytes=size, done_bytes=done, eta=scan.eta))

        return told

    async def _send(self, recipients: Sequence[PeerId], shares: Sequence[PrivateShare]) -> list[OfferView]:
        """Offer what is indexed; what is granted to nobody in the end is forgotten."""
        items = tuple(Item(share.name, share.kind, share.root, share.size, share.files) for share in shares)
        drafts: list[Draft] = []
        try:
            for peer in recipients:
                drafts.append(Draft(secrets.token_hex(8), peer, items))
                self._driver.offers.draft(drafts[-1])
            made = [await self._make(draft, shares) for draft in drafts]
            await self._driver.performed([])
        finally:
            for draft in drafts:
                self._driver.perform(self._driver.offers.undo(draft))
            await self._discard(shares)
        return [self._driver.view(self._driver.offers[offer_hash]) for offer_hash in made]

    async def _make(self, draft: Draft, shares: Iterable[PrivateShare]) -> bytes:
        """Grant the items, then say so: whoever hears of them can have them. Return the hash of the line."""
        await self._store.draft(draft)
        for share in shares:
            await self._grants.grant(share.share_id, draft.peer, draft.grant)
        return await self._driver.say(draft.peer, OFFER, f"offers {title(draft.items)}", items=draft.items)

    async def _discard(self, shares: Iterable[PrivateShare]) -> None:
        for share in shares:
            await tolerate("forget what was indexed", self._grants.discard, share.share_id)

    async def _answer(self, effects: list[Effect]) -> OfferView:
        """Perform a wish, of which the last effect is the line to say."""
        *kept, said = effects
        assert isinstance(said, Say)
        offer = self._driver.offers[said.about]
        await self._driver.performed(kept)
        await self._driver.say(said.peer, said.kind, said.text, about=said.about)
        for _ in range(2):  # what comes of that line stands before it, and what comes of that
            offer = self._driver.offers.latest(offer)
            await self._driver.performed([])
        return self._driver.view(self._driver.offers.latest(offer))

    async def _to_its_end(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Let something go on though whoever waits for it is cancelled, but not when the engine stops."""
        done: asyncio.Future[_Result] = asyncio.get_running_loop().create_future()

        async def run() -> None:
            try:
                result = await work
            except PeertermError as error:
                if not done.done():
                    done.set_exception(error)
            else:
                if not done.done():
                    done.set_result(result)
            finally:
                done.cancel()

        if self._tasks.start(run()) is None:
            work.close()
            raise EngineBusy("the engine is stopping", "try again when it runs")
        try:
            return await asyncio.shield(done)
        finally:
            done.cancel()
