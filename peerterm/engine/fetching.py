"""The contents of one attempt that are on their way: which are wanted now, and what follows once they are here.

``engine.exchange`` does the fetching; the attempt knows what is wanted and where it goes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

from peerterm.api.events import SourceDropped
from peerterm.core import download as machine
from peerterm.core.ids import PeerId, Root
from peerterm.core.listing import MAX_LISTING_BYTES, decode_listing
from peerterm.core.manifest import CHUNK_BYTES, chunk_span
from peerterm.engine.exchange import Exchange
from peerterm.engine.holding import FileHolding, ListingHolding
from peerterm.engine.landing import Landing
from peerterm.engine.plan import Plan, WantedFile
from peerterm.engine.tasks import Tasks
from peerterm.errors import IntegrityError, PeertermError

if TYPE_CHECKING:
    from peerterm.core.bitfield import Bitfield
    from peerterm.core.budget import Budget
    from peerterm.core.listing import ListingEntry
    from peerterm.engine.order import Order, Surroundings
    from peerterm.engine.seeking import Looked, Seeking

log = logging.getLogger("peerterm.fetching")

MAX_ACTIVE = 256
"""Contents of one attempt that are fetched at the same time."""


class Owner(Protocol):
    """What an attempt does with what is fetched."""

    def open_single(self, size: int) -> WantedFile:
        """Plan the single file of this size, now that its head proves the size.

        Raises:
            PeertermError: It cannot be kept.
        """
        ...

    async def planned(self) -> None:
        """Go on, now that every listing has come."""
        ...

    def settle(self) -> None:
        """See whether everything is done, because something is."""
        ...

    def fail(self, error: PeertermError) -> None:
        """End the attempt."""
        ...


class Fetching:
    """The contents of one attempt that are on their way; implements ``exchange.Keeper``.

    Invariant: a content is in ``active`` from the moment it is wanted until it has landed or, if it is a listing,
    was unfolded; its value is ``None`` while it is copied from this machine, or the size of a single file is not
    proven.

    Attributes:
        exchange: Fetches them.
        machine: Decides what it asks of whom.
        verified_bytes: Bytes of files that are verified and on disk.
        local_bytes: Of these, bytes that were copied from this machine.
    """

    def __init__(
        self,
        order: Order,
        around: Surroundings,
        *,
        budget: Budget,
        plan: Plan,
        landing: Landing,
        seeking: Seeking,
        tasks: Tasks,
        owner: Owner,
    ) -> None:
        self.active: dict[Root, FileHolding | ListingHolding | None] = {}
        self.exchange = Exchange(
            order.entry.root,
            self.active.keys(),
            around,
            budgets=(around.budget, budget),
            tasks=tasks,
            keeper=self,
        )
        self.machine = self.exchange.machine
        self.verified_bytes = 0
        self.local_bytes = 0
        self._order = order
        self._around = around
        self._plan = plan
        self._landing = landing
        self._seeking = seeking
        self._tasks = tasks
        self._owner = owner
        self._emptied: set[PeerId] = set()  # who had nothing after all, and of whom that was told
        self._listings: dict[Root, tuple[ListingHolding, list[ListingEntry]]] = {}
        self._listing_bytes = 0
        self._folders_to_start: deque[Root] = deque()
        self._files_to_start: deque[tuple[WantedFile, Bitfield | None]] = deque()

    def start(self) -> None:
        """Look at what is here, and fetch from every peer that is online."""
        self._tasks.start(self._seeking.run(self._looked, self._owner.fail))
        self.exchange.start()

    def fetch(self, file: WantedFile, held: Bitfield | None) -> None:
        """Fetch a planned file when its turn comes; ``held`` chunks of it are on disk."""
        self._files_to_start.append((file, held))

    def unfinished(self) -> dict[Root, Bitfield | None]:
        """Return what is held of each planned content that has not landed; ``None`` if nothing is known to be."""
        waiting = {file.root: held for file, held in self._files_to_start}
        return waiting | {root: self.machine.held(root) for root in self.active}

    def release(self) -> None:
        """Offer nothing of this attempt any more."""
        for root in list(self.active):
            self.forget(root)
        for root, (listing, _) in self._listings.items():
            self._around.uploads.release(root, listing)

    # What is wanted

    def want(
        self,
        root: Root,
        file: WantedFile | None = None,
        held: Bitfield | None = None,
        *,
        is_recalled: bool = False,
    ) -> None:
        """Fetch a content: a planned file, a listing, or a single file whose size only its head will prove."""
        self.active[root] = None
        size = file.size if file else None
        is_sought = not self._plan.is_listing(root) and self._seeking.is_worth_while(root, size)
        events = self.machine.add_content(root, size, held, is_recalled=is_recalled, is_sought=is_sought)
        if file:
            self._open(file)
        elif (content := self.machine.content(root)) and self._plan.is_listing(root):
            self._hold(root, ListingHolding(content))
        if held and file:
            self.verified_bytes += bytes_of(held, file.size)
        self.exchange.want(root)
        self.exchange.take(events)

    def _open(self, file: WantedFile) -> None:
        part = self._landing.part_of(file)
        if content := self.machine.content(file.root):  # the empty content has nothing to fetch
            self._hold(file.root, FileHolding(content, part))

    def _hold(self, root: Root, holding: FileHolding | ListingHolding) -> None:
        self.active[root] = holding
        self._around.uploads.hold(root, holding)

    def forget(self, root: Root) -> None:
        """Stop to fetch and to offer a content."""
        if holding := self.active.pop(root):
            self._around.uploads.release(root, holding)
        self._seeking.forget(root)
        self.exchange.forget(root)

    def start_more(self) -> None:
        """Start as much of what is planned as may be under way at once: all listings first, so the end is known."""
        try:
            while len(self.active) < MAX_ACTIVE:
                if self._folders_to_start:
                    self.want(self._folders_to_start.popleft())
                elif self._files_to_start:
                    file, held = self._files_to_start.popleft()
                    self.want(file.root, file, held)
                else:
                    break
        except PeertermError as error:  # a name this disk cannot keep
            self._owner.fail(error)
        self._owner.settle()

    # What comes; see ``exchange.Keeper``

    def sink_of(self, root: Root) -> FileHolding | ListingHolding | None:
        """See ``exchange.Keeper``."""
        return self.active[root]

    def changed(self) -> None:
        """See ``exchange.Keeper``."""
        self._around.changed(self._order.transfer_id)

    def fail(self, error: PeertermError) -> None:
        """See ``exchange.Keeper``."""
        self._owner.fail(error)

    def _looked(self, looked: Looked) -> None:
        """Take chunks that were found here, and fetch those that were not."""
        if self.exchange.is_over:
            return
        root, found = looked.root, looked.unnoted | looked.copied
        events = self.machine.looked(root, looked.chunks, found, time.monotonic())
        for index, chunk_sum in found.items():
            self.chunk_written(root, index, chunk_sum)
        held = [event for event in events if isinstance(event, machine.ChunkHeld)]
        self.local_bytes += sum(event.length for event in held if event.index in looked.copied)
        self.exchange.take(events)
        self.exchange.pump()

    def chunk_written(self, root: Root, index: int, chunk_sum: bytes) -> None:
        """See ``exchange.Keeper``."""
        content = self.machine.content(root)
        if content and content.size and content.size > CHUNK_BYTES and not self._plan.is_listing(root):
            self._around.journal.note(self._order.transfer_id, root, content.size, index, chunk_sum)

    def take(self, events: list[machine.Event]) -> None:
        """See ``exchange.Keeper``."""
        for event in events:
            match event:
                case machine.HeadKnown(root=root, size=size):
                    self._size_known(root, size)
                case machine.LookFor(root=root):
                    if file := self._plan.wanted.get(root):
                        self._seeking.look_for(event, file, self._landing.part_of(file))
                case machine.ChunkHeld(root=root, length=length):
                    self._chunk_held(root, length)
                case machine.ContentDone(root=root):
                    self._content_done(root)
                case machine.ContentImpossible(reason=reason):
                    self._owner.fail(IntegrityError(f"{self._order.name}: the offer contradicts itself: {reason}"))
                case machine.SourceStruck() | machine.SourceDropped() | machine.SourceEmptied():
                    self._source_told(event)

    def _size_known(self, root: Root, size: int) -> None:
        if self._plan.is_listing(root):
            self._listing_bytes += size
            if self._listing_bytes > MAX_LISTING_BYTES:
                text = f"{self._order.name}: its listings have more than {MAX_LISTING_BYTES} bytes"
                self._owner.fail(IntegrityError(text, "get parts of the folder"))
        elif root not in self._plan.wanted:
            try:
                self._open(self._owner.open_single(size))
            except PeertermError as error:
                self._owner.fail(error)
        elif self._plan.wanted[root].size != size:
            self._owner.fail(
                IntegrityError(f"{self._order.name}: its part is of something else", "cancel --delete it")
            )
        elif not self._order.is_folder and (held := self.machine.held(root)):
            self.verified_bytes = bytes_of(held, size)

    def _chunk_held(self, root: Root, length: int) -> None:
        if not self._plan.is_listing(root):
            self.verified_bytes += length
            self._around.space.shrink(self._order.transfer_id, length)

    def _content_done(self, root: Root) -> None:
        holding = self.active[root]
        if not isinstance(holding, ListingHolding):
            if root not in self._plan.wanted:
                self._size_known(root, 0)
            elif not self._order.is_folder:
                self.verified_bytes = self._plan.wanted[root].size
            self._landing.complete(root)
            return
        del self.active[root]
        self.machine.remove_content(root)
        self._tasks.start(self._unfold(root, holding))

    async def _unfold(self, root: Root, holding: ListingHolding) -> None:
        """Plan what a folder holds; a sub-folder that equals one already known is unfolded with it."""
        try:
            entries = await asyncio.to_thread(decode_listing, holding.whole())
            self._listings[root] = holding, entries
            known = deque([root])
            while known:
                folder = known.popleft()
                for child in self._plan.unfold(folder, self._listings[folder][1]):
                    (known if child in self._listings else self._folders_to_start).append(child)
        except IntegrityError as error:
            self._owner.fail(error)
            return
        self.start_more()
        self.exchange.pump()
        if self._plan.is_unfolded:
            await self._owner.planned()

    def _source_told(self, event: machine.SourceStruck | machine.SourceDropped | machine.SourceEmptied) -> None:
        match event:
            case machine.SourceStruck(peer=peer, strikes=strikes):
                log.warning("bad data transfer=%s peer=%s strikes=%d", self._order.transfer_id, peer[:8], strikes)
            case machine.SourceDropped(peer=peer, reason=reason, strikes=strikes):
                self.exchange.drop(event)
                self._tell_dropped(peer, reason, strikes)
            case machine.SourceEmptied(peer=peer) if peer not in self._emptied:  # it is asked again and again
                self._emptied.add(peer)
                self._tell_dropped(peer, "what it had of it has changed or is gone", 0)

    def _tell_dropped(self, peer: PeerId, reason: str, strikes: int) -> None:
        name, transfer_id = self._around.name_of(peer), self._order.transfer_id
        log.warning("source dropped transfer=%s peer=%s reason=%r", transfer_id, peer[:8], reason)
        self._around.publish(
            SourceDropped(transfer_id=transfer_id, peer_id=peer, name=name, reason=reason, strikes=strikes)
        )


def bytes_of(held: Bitfield, size: int) -> int:
    """Return how many bytes of a content of this size are held."""
    if not held.count:
        return 0
    last = held.size - 1
    return held.count * CHUNK_BYTES - (CHUNK_BYTES - chunk_span(size, last)[1] if held.has(last) else 0)
