"""One download, from a content someone offers to a file or folder in its place.

Runs the machine of ``core.download`` over lanes: it asks peers what they have, performs the fetches the machine
wants, hands every outcome back, and lands what is complete. The machine decides; this module only does.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING

from peerterm.api.events import SourceDropped
from peerterm.api.views import SourceView, TransferView
from peerterm.core import download as machine
from peerterm.core.ids import Root
from peerterm.core.listing import MAX_LISTING_BYTES, decode_listing
from peerterm.core.rate import RateMeter
from peerterm.engine.holding import FileHolding, ListingHolding
from peerterm.engine.landing import Landing
from peerterm.engine.plan import Place, Plan, WantedFile
from peerterm.engine.swarm import Swarm
from peerterm.engine.tasks import Tasks
from peerterm.errors import IntegrityError, PeertermError, StorageError
from peerterm.net.lanes import Accepted, Refused, Rejected, SinkFailed
from peerterm.store.completion import to_its_end
from peerterm.store.destination import Destination

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from peerterm.api.views import TransferState
    from peerterm.core.ids import PeerId
    from peerterm.core.listing import ListingEntry
    from peerterm.engine.order import Order, Surroundings
    from peerterm.net.lanes import Outcome
    from peerterm.net.link import Link
    from peerterm.wire.messages import HaveUpdate

log = logging.getLogger("peerterm.transfer")

MAX_ACTIVE = 256
"""Contents of one transfer that are fetched at the same time."""
REPORT_SECONDS = 0.25
CONNECTING_SECONDS = 5.0
"""How long a transfer without a source is said to be connecting, not waiting."""


class Transfer:
    """One download under way.

    Invariant: a content is in ``_active`` from the moment it is wanted until it has landed or, if it is a listing,
    was unfolded; its value is ``None`` only while the size of a single file is unproven.
    """

    def __init__(self, order: Order, around: Surroundings) -> None:
        self.order = order
        self.state: TransferState = "connecting"
        self.error: PeertermError | None = None
        self.path: Path | None = None
        self.keeps_part = False
        self._around = around
        self._top = order.entry.root
        self._machine = machine.Download(Random())  # noqa: S311 - spreads load, guards nothing
        self._plan = Plan()
        self._active: dict[Root, FileHolding | ListingHolding | None] = {}
        self._listings: dict[Root, tuple[ListingHolding, list[ListingEntry]]] = {}
        self._listing_bytes = 0
        self._folders_to_start: deque[Root] = deque()
        self._files_to_start: Iterator[WantedFile] = iter(())
        self._swarm: Swarm | None = None  # while contents are fetched
        self._grown: dict[Root, list[int]] = {}
        self._landed_files = 0
        self._verified_bytes = 0
        self._started_at = time.monotonic()
        self._ended_at: float | None = None
        self._meter = RateMeter(self._started_at)
        self._tasks = Tasks()
        self._is_finished = asyncio.Event()

    async def run(self) -> None:
        """Download until it is done; the outcome is in ``state``, ``error`` and ``path``.

        Cancel: what was fetched is removed, unless ``keeps_part``.
        """
        try:
            await self._fetch()
            log.info("done transfer=%s path=%r", self.order.transfer_id, str(self.path))
        except PeertermError as error:
            self.state, self.error = "failed", error
            log.warning("failed transfer=%s reason=%r", self.order.transfer_id, error.message)
        except asyncio.CancelledError:
            self.state = "cancelled"
            raise
        finally:
            self._ended_at = time.monotonic()
            for root in list(self._active):
                self._forget(root)
            for root, (listing, _) in self._listings.items():
                self._around.uploads.release(root, listing)

    async def _fetch(self) -> None:
        async with self._destination() as destination:
            async with self._tasks:
                self._swarm = Swarm(self._top, self._active.keys(), self._machine, self._tasks, self._pump)
                self._landing = Landing(destination, self._landed, self._fail, sha256=self.order.sha256)
                self._tasks.start(self._landing.run())
                self._tasks.start(self._keep_time())
                self._start()
                try:
                    await self._is_finished.wait()
                finally:
                    self._swarm = None
                    self._tasks.cancel()
            if self.error:
                raise self.error
            self.state = "verifying"
            await self._landing.make_folders(self._plan.folders)
            self.path = await to_its_end(asyncio.to_thread(destination.finish))
            self.state = "done"

    @asynccontextmanager
    async def _destination(self) -> AsyncIterator[Destination]:
        order = self.order
        opening = asyncio.ensure_future(
            asyncio.to_thread(Destination.open, order.directory, order.name, order.entry.kind)
        )
        try:
            await to_its_end(asyncio.wait([opening]))
            yield opening.result()
        finally:
            if not opening.exception():
                await to_its_end(asyncio.to_thread(self._let_go, opening.result()))

    def _let_go(self, destination: Destination) -> None:
        try:
            if self.state != "done" and not self.keeps_part:
                destination.discard()
        except StorageError as error:
            log.warning("left over transfer=%s reason=%r", self.order.transfer_id, error.message)
        finally:
            destination.close()

    # What is wanted

    def _start(self) -> None:
        if self.order.entry.kind == "folder":
            self._plan.add_folder(self._top)
        self._want(self._top)
        for link in self._around.links():
            self.peer_online(link)

    def _want(self, root: Root, file: WantedFile | None = None) -> None:
        """Fetch a content: a planned file, a listing, or a single file whose size only its head will prove."""
        self._active[root] = None
        events = self._machine.add_content(root, file.size if file else None)
        if file:
            self._open(file)
        elif (content := self._machine.content(root)) and self._plan.is_listing(root):
            self._hold(root, ListingHolding(content))
        if self._swarm:
            self._swarm.want(root)
        self._take(events)

    def _open(self, file: WantedFile) -> None:
        part = self._landing.open(file)
        if content := self._machine.content(file.root):  # the empty content has nothing to fetch
            self._hold(file.root, FileHolding(content, part))

    def _hold(self, root: Root, holding: FileHolding | ListingHolding) -> None:
        self._active[root] = holding
        self._around.uploads.hold(root, holding)

    def _forget(self, root: Root) -> None:
        if holding := self._active.pop(root):
            self._around.uploads.release(root, holding)
        self._grown.pop(root, None)
        self._machine.remove_content(root)

    def _start_more(self) -> None:
        """Start as much of what is planned as may be under way at once: all listings first, so the end is known."""
        try:
            while len(self._active) < MAX_ACTIVE:
                if self._folders_to_start:
                    self._want(self._folders_to_start.popleft())
                elif wanted := next(self._files_to_start, None):
                    self._want(wanted.root, wanted)
                else:
                    break
        except PeertermError as error:  # a name this disk cannot keep
            self._fail(error)
        if self._plan.is_unfolded and self._landed_files == self._plan.files:
            self._is_finished.set()

    # What peers have

    def peer_online(self, link: Link) -> None:
        """Ask a peer that is online now whether it has what is wanted."""
        if self._swarm:
            self._swarm.meet(link)

    def peer_offline(self, peer: PeerId) -> None:
        """Stop to count on a peer."""
        if self._swarm:
            self._swarm.leave(peer)

    def have_update(self, link: Link, update: HaveUpdate) -> None:
        """Take a peer's news about a content.

        Raises:
            ProtocolViolation: They cannot be true of any content.
        """
        if self._swarm:
            self._swarm.updated(link, update)

    # What comes

    def _pump(self) -> None:
        if not self._swarm:
            return  # what is still in flight belongs to a transfer that is over
        for fetch in self._machine.pump(time.monotonic()):
            self._around.lanes.submit(fetch, self._active[fetch.piece.root], self._outcome)

    def _outcome(self, outcome: Outcome) -> None:
        if not self._swarm:
            return
        fetch, now = outcome.fetch, time.monotonic()
        match outcome.result:
            case Accepted(data=data):
                self._take(self._machine.arrived(fetch, data, now))
            case Rejected():
                self._take(self._machine.rejected(fetch, now))
            case Refused(refusal=refusal):
                self._machine.refused(fetch, refusal, now)
            case SinkFailed(error=error):
                self._machine.returned(fetch, now)
                self._fail(error)
        self._pump()

    def _take(self, events: list[machine.Event]) -> None:
        for event in events:
            match event:
                case machine.HeadKnown(root=root, size=size):
                    self._size_known(root, size)
                case machine.ChunkHeld(root=root, index=index, length=length):
                    self._chunk_held(root, index, length)
                case machine.ContentDone(root=root):
                    self._content_done(root)
                case machine.ContentImpossible(reason=reason):
                    self._fail(IntegrityError(f"{self.order.name}: the offer contradicts itself: {reason}"))
                case machine.SourceStruck(peer=peer, strikes=strikes):
                    log.warning(
                        "bad data transfer=%s peer=%s strikes=%d", self.order.transfer_id, peer[:8], strikes
                    )
                case machine.SourceDropped(peer=peer, strikes=strikes, reason=reason):
                    self._source_dropped(peer, strikes, reason)

    def _size_known(self, root: Root, size: int) -> None:
        if self._plan.is_listing(root):
            self._listing_bytes += size
            if self._listing_bytes > MAX_LISTING_BYTES:
                text = f"{self.order.name}: its listings have more than {MAX_LISTING_BYTES} bytes"
                self._fail(IntegrityError(text, "get parts of the folder"))
        elif self._active[root] is None:
            entry = self.order.entry
            try:
                self._open(self._plan.add_file(root, size, Place((), entry.executable, entry.mtime_ns)))
            except PeertermError as error:
                self._fail(error)

    def _chunk_held(self, root: Root, index: int, length: int) -> None:
        self._grown.setdefault(root, []).append(index)
        self._meter.add(length, time.monotonic())
        if not self._plan.is_listing(root):
            self._verified_bytes += length

    def _content_done(self, root: Root) -> None:
        holding = self._active[root]
        if not isinstance(holding, ListingHolding):
            if root not in self._plan.wanted:
                self._size_known(root, 0)
            self._landing.complete(root)
            return
        del self._active[root]
        self._machine.remove_content(root)
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
            self._fail(error)
            return
        if self._plan.is_unfolded:
            self._files_to_start = iter(self._plan.wanted.values())
        self._start_more()
        self._pump()

    def _landed(self, file: WantedFile) -> None:
        self._landed_files += len(file.places)
        self._verified_bytes += file.size * (len(file.places) - 1)
        self._forget(file.root)
        self._start_more()
        self._pump()

    def _source_dropped(self, peer: PeerId, strikes: int, reason: str) -> None:
        if self._swarm:
            self._swarm.drop(peer, for_good=reason != "silent")
        name = self._around.name_of(peer)
        log.warning("source dropped transfer=%s peer=%s reason=%r", self.order.transfer_id, peer[:8], reason)
        self._around.publish(
            SourceDropped(
                transfer_id=self.order.transfer_id, peer_id=peer, name=name, reason=reason, strikes=strikes
            )
        )

    def _fail(self, error: PeertermError) -> None:
        self.error = self.error or error
        self._is_finished.set()

    def abandon(self) -> None:
        """End a transfer that was cancelled before it began."""
        self.state, self._ended_at = "cancelled", time.monotonic()

    # What the user sees

    async def _keep_time(self) -> None:
        while True:
            now = time.monotonic()
            self._take(self._machine.tick(now))
            self._pump()
            for root, chunks in self._grown.items():
                self._around.uploads.grew(root, chunks)
            self._grown.clear()
            self._around.changed(self)
            deadline = self._machine.deadline()
            await asyncio.sleep(min(REPORT_SECONDS, max(deadline - now, 0.01)) if deadline else REPORT_SECONDS)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self._ended_at is not None

    def _state_now(self, *, has_source: bool, now: float) -> TransferState:
        if has_source:
            return "running"
        return "connecting" if now - self._started_at < CONNECTING_SECONDS else "waiting"

    def view(self) -> TransferView:
        """Return the transfer as clients see it."""
        now = self._ended_at or time.monotonic()
        entry = self.order.entry
        total = max(
            self._plan.total if self._plan.is_unfolded and self._plan.files else entry.size, self._verified_bytes
        )
        stats = self._machine.sources
        if not self.is_over and self.state != "verifying":
            self.state = self._state_now(has_source=any(source.is_present for source in stats.values()), now=now)
        rate = self._meter.rate(now) if self.state == "running" else 0.0
        return TransferView(
            transfer_id=self.order.transfer_id,
            direction="down",
            name=self.order.name,
            kind=entry.kind,
            root=self._top.hex(),
            state=self.state,
            bytes=self._verified_bytes,
            total=total,
            rate=rate,
            eta=(total - self._verified_bytes) / rate if rate else None,
            seconds=now - self._started_at,
            files=self._plan.files or entry.files,
            done_files=self._landed_files,
            path=str(self.path or ""),
            sources=[
                SourceView(
                    peer_id=peer,
                    name=self._around.name_of(peer),
                    bytes=source.verified_bytes,
                    rate=0.0 if self.is_over else source.rate,
                    state="active" if source.is_present else "dropped" if source.strikes else "gone",
                    strikes=source.strikes,
                )
                for peer, source in stats.items()
            ],
            error=self.error.advice if self.error else "",
            error_code=self.error.code if self.error else "",
        )
