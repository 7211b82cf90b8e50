"""Fetches the contents of one attempt: runs the machine of ``core.download`` over lanes.

It asks peers what they have, performs the fetches the machine wants, and hands every outcome back. The machine
decides, the attempt knows what is wanted and where it goes; this module only does.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict, deque
from random import Random
from typing import TYPE_CHECKING, Protocol

from peerterm.api.events import SourceDropped
from peerterm.core import download as machine
from peerterm.core.ids import Root
from peerterm.core.listing import MAX_LISTING_BYTES, decode_listing
from peerterm.core.manifest import CHUNK_BYTES, chunk_span
from peerterm.core.pieces import PieceKind
from peerterm.core.rate import RateMeter
from peerterm.engine.holding import FileHolding, ListingHolding
from peerterm.engine.landing import Landing
from peerterm.engine.plan import Plan, WantedFile
from peerterm.engine.swarm import Swarm
from peerterm.engine.tasks import Tasks
from peerterm.errors import IntegrityError, PeertermError
from peerterm.net.lanes import Accepted, Refused, Rejected, SinkFailed

if TYPE_CHECKING:
    from peerterm.core.bitfield import Bitfield
    from peerterm.core.budget import Budget
    from peerterm.core.ids import PeerId
    from peerterm.core.listing import ListingEntry
    from peerterm.engine.order import Order, Surroundings
    from peerterm.engine.seeking import Looked, Seeking
    from peerterm.net.lanes import Outcome
    from peerterm.net.link import Link
    from peerterm.wire.messages import HaveUpdate

log = logging.getLogger("peerterm.fetching")

MAX_ACTIVE = 256
"""Contents of one attempt that are fetched at the same time."""
REPORT_SECONDS = 0.25


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
    """The contents of one attempt that are on their way.

    Invariant: a content is in ``active`` from the moment it is wanted until it has landed or, if it is a listing,
    was unfolded; its value is ``None`` while it is copied from this machine, or the size of a single file is not
    proven.

    Attributes:
        machine: Decides what to ask of whom.
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
        self.machine = machine.Download(Random(), (around.budget, budget))  # noqa: S311 - spreads load
        self.active: dict[Root, FileHolding | ListingHolding | None] = {}
        self.verified_bytes = 0
        self.local_bytes = 0
        self.is_over = False
        self._is_pumping = False
        self._order = order
        self._around = around
        self._plan = plan
        self._landing = landing
        self._seeking = seeking
        self._tasks = tasks
        self._owner = owner
        self._listings: dict[Root, tuple[ListingHolding, list[ListingEntry]]] = {}
        self._listing_bytes = 0
        self._folders_to_start: deque[Root] = deque()
        self._files_to_start: deque[tuple[WantedFile, Bitfield | None]] = deque()
        self._swarm = Swarm(order.entry.root, self.active.keys(), self.machine, tasks, self._heard)
        self._grown: dict[Root, list[int]] = {}
        began = time.monotonic()
        self._meters: defaultdict[PeerId, RateMeter] = defaultdict(lambda: RateMeter(began))

    def start(self) -> None:
        """Ask every peer that is online, look at what is here, and keep time."""
        self._tasks.start(self._keep_time())
        self._tasks.start(self._seeking.run(self._looked, self._owner.fail))
        for link in self._around.links():
            self.peer_online(link)

    def fetch(self, file: WantedFile, held: Bitfield | None) -> None:
        """Fetch a planned file when its turn comes; ``held`` chunks of it are on disk."""
        self._files_to_start.append((file, held))

    def unfinished(self) -> dict[Root, Bitfield | None]:
        """Return what is held of each planned content that has not landed; ``None`` if nothing is known to be."""
        waiting = {file.root: held for file, held in self._files_to_start}
        return waiting | {root: self.machine.held(root) for root in self.active}

    def stop(self) -> None:
        """Take no more outcomes: what is still in flight belongs to an attempt that is over."""
        self.is_over = True
        self._around.lanes.forget(self._outcome)

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
        is_sought = not self._plan.is_listing(root) and self._seeking.is_worth_while(size)
        events = self.machine.add_content(root, size, held, is_recalled=is_recalled, is_sought=is_sought)
        if file:
            self._open(file)
        elif (content := self.machine.content(root)) and self._plan.is_listing(root):
            self._hold(root, ListingHolding(content))
        if held and file:
            self.verified_bytes += bytes_of(held, file.size)
        self._swarm.want(root)
        self._take(events)

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
        self._grown.pop(root, None)
        self._seeking.forget(root)
        self.machine.remove_content(root)

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

    # What peers have

    def peer_online(self, link: Link) -> None:
        """Ask a peer that is online now whether it has what is wanted."""
        self._swarm.meet(link)

    def peer_offline(self, peer: PeerId) -> None:
        """Stop to count on a peer."""
        self._swarm.leave(peer)

    def have_update(self, link: Link, update: HaveUpdate) -> None:
        """Take a peer's news about a content.

        Raises:
            ProtocolViolation: They cannot be true of any content.
        """
        self._swarm.updated(link, update)

    def _heard(self) -> None:
        self._around.changed(self._order.transfer_id)  # it may have no place to go on with a source
        self.pump()

    # What comes

    def pump(self) -> None:
        """Perform every fetch that the machine wants, once all that has come by now is taken in."""
        if not self._is_pumping:
            self._is_pumping = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        self._is_pumping = False
        if self.is_over:
            return
        for fetch in self.machine.pump(time.monotonic()):
            self._around.lanes.submit(fetch, self.active[fetch.piece.root], self._outcome)

    def _outcome(self, outcome: Outcome) -> None:
        if self.is_over:
            return
        fetch, now = outcome.fetch, time.monotonic()
        match outcome.result:
            case Accepted(data=data, chunk_sum=chunk_sum):
                events = self.machine.arrived(fetch, data, now)
                if fetch.piece.kind is PieceKind.CHUNK:
                    self._note_chunk(fetch.piece.root, fetch.piece.index, chunk_sum)
                self._take(events)
            case Rejected():
                self._take(self.machine.rejected(fetch, now))
            case Refused(refusal=refusal):
                self.machine.refused(fetch, refusal, now)
            case SinkFailed(error=error):
                self.machine.returned(fetch, now)
                self._owner.fail(error)
        self.pump()

    def _looked(self, looked: Looked) -> None:
        """Take chunks that were found here, and fetch those that were not."""
        if self.is_over:
            return
        root, found = looked.root, looked.unnoted | looked.copied
        events = self.machine.looked(root, looked.chunks, found, time.monotonic())
        for index, chunk_sum in found.items():
            self._note_chunk(root, index, chunk_sum)
        held = [event for event in events if isinstance(event, machine.ChunkHeld)]
        self.local_bytes += sum(event.length for event in held if event.index in looked.copied)
        self._take(events)
        self.pump()

    def _note_chunk(self, root: Root, index: int, chunk_sum: bytes) -> None:
        content = self.machine.content(root)
        if content and content.size and content.size > CHUNK_BYTES and not self._plan.is_listing(root):
            self._around.journal.note(self._order.transfer_id, root, content.size, index, chunk_sum)

    def _take(self, events: list[machine.Event]) -> None:
        for event in events:
            match event:
                case machine.HeadKnown(root=root, size=size):
                    self._size_known(root, size)
                case machine.LookFor(root=root):
                    if file := self._plan.wanted.get(root):
                        self._seeking.look_for(event, file, self._landing.part_of(file))
                case machine.ChunkHeld(root=root, index=index, peer=peer, length=length):
                    self._chunk_held(root, index, length, peer)
                case machine.ContentDone(root=root):
                    self._content_done(root)
                case machine.ContentImpossible(reason=reason):
                    self._owner.fail(IntegrityError(f"{self._order.name}: the offer contradicts itself: {reason}"))
                case machine.SourceStruck(peer=peer, strikes=strikes):
                    log.warning(
                        "bad data transfer=%s peer=%s strikes=%d", self._order.transfer_id, peer[:8], strikes
                    )
                case machine.SourceDropped(peer=peer, strikes=strikes, reason=reason):
                    self._source_dropped(peer, strikes, reason)

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

    def _chunk_held(self, root: Root, index: int, length: int, peer: PeerId | None) -> None:
        if peer:
            self._meters[peer].add(length, time.monotonic())
        self._grown.setdefault(root, []).append(index)
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
        self.pump()
        if self._plan.is_unfolded:
            await self._owner.planned()

    def _source_dropped(self, peer: PeerId, strikes: int, reason: str) -> None:
        self._swarm.drop(peer, for_good=reason != "silent")
        name = self._around.name_of(peer)
        log.warning("source dropped transfer=%s peer=%s reason=%r", self._order.transfer_id, peer[:8], reason)
        self._around.publish(
            SourceDropped(
                transfer_id=self._order.transfer_id, peer_id=peer, name=name, reason=reason, strikes=strikes
            )
        )

    # Time

    async def _keep_time(self) -> None:
        while True:
            now = time.monotonic()
            for peer in self.machine.sources:
                self.machine.heard(peer, self._around.lanes.last_byte_at(peer))
            self._take(self.machine.tick(now))
            self.pump()
            for root, chunks in self._grown.items():
                self._around.uploads.grew(root, chunks)
            self._grown.clear()
            self._around.changed(self._order.transfer_id)
            deadline = self.machine.deadline()
            await asyncio.sleep(min(REPORT_SECONDS, max(deadline - now, 0.01)) if deadline else REPORT_SECONDS)

    @property
    def rate(self) -> float:
        """Bytes per second that come in, the mean of the last seconds."""
        return sum(map(self.rate_of, list(self._meters)))

    def rate_of(self, peer: PeerId) -> float:
        """Return how many of them come from one source."""
        return self._meters[peer].rate(time.monotonic()) if peer in self._meters else 0.0


def bytes_of(held: Bitfield, size: int) -> int:
    """Return how many bytes of a content of this size are held."""
    if not held.count:
        return 0
    last = held.size - 1
    return held.count * CHUNK_BYTES - (CHUNK_BYTES - chunk_span(size, last)[1] if held.has(last) else 0)
