"""One attempt at a download, from what is on disk to a file or folder in its place.

Knows what is wanted and where it goes: takes up what an earlier attempt left, copies what is on this machine
already, leaves the rest to ``engine.fetching``, and lands what is complete.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from peerterm.core.ids import Root
from peerterm.core.manifest import page_count
from peerterm.engine.fetching import Fetching, bytes_of
from peerterm.engine.holding import FileHolding
from peerterm.engine.landing import Landing
from peerterm.engine.offering import Offering
from peerterm.engine.plan import Place, Plan, WantedFile
from peerterm.engine.recall import Recall
from peerterm.engine.seeking import Seeking
from peerterm.engine.tasks import Tasks
from peerterm.errors import PeertermError, StorageError
from peerterm.store.completion import to_its_end
from peerterm.store.destination import Destination

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from peerterm.core.bitfield import Bitfield
    from peerterm.core.budget import Budget
    from peerterm.engine.order import Order, Surroundings
    from peerterm.store.partfile import FileMark
    from peerterm.store.reading import SharedFile

log = logging.getLogger("peerterm.attempt")

REUSE_BATCH = 64
"""Files whose copies on this machine are looked for at once."""


class Attempt:
    """One run of a transfer; implements ``fetching.Owner``.

    Attributes:
        is_fetched: Whether everything is on disk and only the final name is missing.
        landed_files: Files that are complete.
        part: Name of the part on disk that is certainly this transfer's, with its ``inode``; empty if none is.
        path: Where everything is; ``None`` until it has its final name.
    """

    def __init__(
        self, order: Order, around: Surroundings, budget: Budget, on_part: Callable[[Destination], Awaitable[None]]
    ) -> None:
        self.order = order
        self.is_fetched = False
        self.landed_files = 0
        self.part = ""
        self.inode = 0
        self.path: Path | None = None
        self.fetching: Fetching | None = None
        self._around = around
        self._budget = budget
        self._on_part = on_part
        self._top = order.entry.root
        self._plan = Plan(order.only)
        self._recall = Recall(around.journal, order)
        self._copied: dict[Root, bytes] = {}  # digests of what comes from this machine, until it has landed
        self._tasks = Tasks()
        self._error: PeertermError | None = None
        self._no_room: PeertermError | None = None  # for a single file of the size that is said of it
        self._is_planned = False
        self._is_finished = asyncio.Event()

    async def run(self, part: str, inode: int) -> None:
        """Download until everything is in its place, which is ``path``.

        Args:
            part: Name of the part of an earlier attempt; empty for none.
            inode: Its inode number.

        Raises:
            PeertermError: It cannot go on. What was fetched stays in the part.

        Cancel: what was fetched stays in the part, and is noted. It may come too late: look at ``path``.
        """
        order = self.order
        try:
            async with self._destination(part, inode) as destination:
                await self._recall.load(destination)
                await self._on_part(destination)
                self._landing = Landing(destination, self._landed, self.fail, sha256=order.sha256)
                self._offering = Offering(self._around.uploads, self._landing.landed)
                self.fetching = Fetching(
                    order,
                    self._around,
                    budget=self._budget,
                    plan=self._plan,
                    landing=self._landing,
                    seeking=Seeking(
                        await self._around.reuse.versions(order),
                        self._around.cache,
                        is_resumed=destination.resumed,
                    ),
                    tasks=self._tasks,
                    owner=self,
                )
                try:
                    await self._fetch(self.fetching)
                finally:
                    await to_its_end(self._note_stop(self.fetching))
                self.is_fetched = True
                self._around.changed(order.transfer_id)
                await self._landing.make_folders(self._plan.folders_to_make())
                await to_its_end(self._finish(destination))
        finally:
            self._around.space.release(order.transfer_id)
            if self.fetching is not None:
                self.fetching.release()
                self._offering.close()

    async def _finish(self, destination: Destination) -> None:
        self.path = await asyncio.to_thread(destination.finish)

    async def _fetch(self, fetching: Fetching) -> None:
        async with self._tasks:
            self._tasks.start(self._landing.run())
            try:
                try:
                    await self._start(fetching)
                except PeertermError as error:
                    self.fail(error)
                await self._is_finished.wait()
            finally:
                fetching.exchange.stop()
                self._tasks.cancel()
        if self._error:
            raise self._error

    @asynccontextmanager
    async def _destination(self, part: str, inode: int) -> AsyncIterator[Destination]:
        order = self.order
        opening = asyncio.ensure_future(
            asyncio.to_thread(Destination.open, order.directory, order.name, order.entry.kind, part, inode)
        )
        try:
            await to_its_end(asyncio.wait([opening]))
            destination = opening.result()
            yield destination
        finally:
            if not opening.exception():
                destination = opening.result()
                if not destination.is_doubtful:
                    self.part, self.inode = destination.part, destination.inode
                await to_its_end(asyncio.to_thread(destination.close))

    async def _note_stop(self, fetching: Fetching) -> None:
        """Let the journal know that nobody writes any more, so that the next attempt need not read all again."""
        holdings = {root: held for root, held in fetching.active.items() if isinstance(held, FileHolding)}

        def stamps() -> dict[Root, str]:
            return {root: holding.stamp() for root, holding in holdings.items()}

        try:
            found = await asyncio.to_thread(stamps)
            await self._around.journal.mark_clean(self.order.transfer_id, found, durable=False)
        except StorageError as error:  # the next attempt reads what is there, which takes longer
            log.warning("no clean stop transfer=%s reason=%r", self.order.transfer_id, error.message)

    # What is wanted

    async def _start(self, fetching: Fetching) -> None:
        if self.order.is_folder:
            self._plan.add_folder(self._top)
            fetching.want(self._top)
        else:
            await self._start_single(fetching)
        fetching.start()

    async def _start_single(self, fetching: Fetching) -> None:
        if landed := self._recall.landed.get(()):
            self._count_landed(self._plan.add_file(self._top, landed.mark.size, self._own_place()), fetching)
            self._is_planned = True
            self.settle()
        elif noted := self._recall.contents.get(self._top):
            file = self._plan.add_file(self._top, noted.size, self._own_place())
            held = await self._recall.held(self._top, self._landing.open(file))
            self._is_planned = True
            fetching.want(self._top, file, held, is_recalled=True)
            await self._reserve(file.size - bytes_of(noted.held, noted.size), 1)
        elif not await self._copy_single(fetching):
            try:
                await self._reserve(self.order.entry.size, 1)
            except PeertermError as error:
                self._no_room = error
            fetching.want(self._top)

    def _own_place(self) -> Place:
        entry = self.order.entry
        return Place((), entry.executable, entry.mtime_ns)

    async def _copy_single(self, fetching: Fetching) -> bool:
        """Take a single file from this machine, if it is here; its size is proven by the bytes then."""
        found = await self._around.reuse.find([self._top])
        if self._top not in found:
            return False
        file = WantedFile(self._top, found[self._top][0].size, [self._own_place()])
        await self._reserve(file.size, 1)
        self._landing.open(file)
        if not await self._copy(file, found[self._top], fetching):
            return False
        self._plan.add_file(self._top, file.size, self._own_place())
        self._is_planned = True
        return True

    def open_single(self, size: int) -> WantedFile:
        """See ``fetching.Owner``."""
        file = self._plan.add_file(self._top, size, self._own_place())
        self._is_planned = True
        if size != self.order.entry.size:
            self._tasks.start(self._reserve_proven(size))
        elif self._no_room:
            raise self._no_room
        self._landing.open(file)
        return file

    async def planned(self) -> None:
        """Count what has landed, copy what is on this machine, fetch the rest. See ``fetching.Owner``."""
        fetching = self.fetching
        assert fetching, "it runs"
        try:
            left = [file for file in self._plan.wanted.values() if not self._has_landed(file)]
            for file in self._plan.wanted.values():
                if self._has_landed(file):
                    self._count_landed(file, fetching)
            await self._reserve(self._bytes_to_write(left), self._plan.files - self.landed_files)
            for first in range(0, len(left), REUSE_BATCH):
                batch = left[first : first + REUSE_BATCH]
                found = await self._around.reuse.find([file.root for file in batch])
                for file in batch:
                    held = await self._recall.held(file.root, self._landing.open(file))
                    if held or not (file.root in found and await self._copy(file, found[file.root], fetching)):
                        fetching.fetch(file, held)
                fetching.start_more()
                fetching.exchange.pump()
        except PeertermError as error:
            self.fail(error)
        self._is_planned = True
        self.settle()

    def _has_landed(self, file: WantedFile) -> bool:
        landed = self._recall.landed
        return all(place.path in landed and landed[place.path].root == file.root for place in file.places)

    def _count_landed(self, file: WantedFile, fetching: Fetching) -> None:
        """Count a file that an earlier attempt completed."""
        self.landed_files += len(file.places)
        fetching.verified_bytes += file.size * len(file.places)
        self._offering.add(file, b"")

    async def _copy(self, file: WantedFile, sources: list[SharedFile], fetching: Fetching) -> bool:
        digests = await self._around.reuse.copy(file.root, sources, self._landing.part_of(file))
        if digests is None:
            return False
        self._copied[file.root] = digests
        self._around.space.shrink(self.order.transfer_id, file.size)
        fetching.active[file.root] = None
        fetching.verified_bytes += file.size
        fetching.local_bytes += file.size
        self._landing.complete(file.root)
        return True

    def _bytes_to_write(self, left: list[WantedFile]) -> int:
        """Return how many bytes some files still need; what was noted of them takes its room already."""
        needed = sum(file.size * len(file.places) for file in left)
        noted = (self._recall.contents.get(file.root) for file in left)
        return needed - sum(bytes_of(each.held, each.size) for each in noted if each)

    async def _reserve(self, size: int, files: int) -> None:
        """Make sure that the disk has room for what is still to come; it shrinks as that comes.

        Raises:
            DiskFull: It has not.
        """
        order, reserve = self.order, self._around.space.reserve
        await to_its_end(asyncio.to_thread(reserve, order.transfer_id, order.directory, size, files))

    async def _reserve_proven(self, size: int) -> None:
        """Reserve for a single file of which another size was said; a few chunks may come meanwhile."""
        try:
            await self._reserve(size, 1)
        except PeertermError as error:
            self.fail(error)

    # What becomes of it

    def _landed(self, file: WantedFile, marks: list[FileMark]) -> None:
        fetching = self.fetching
        assert fetching, "it runs"
        self.landed_files += len(file.places)
        copied = file.size * (len(file.places) - 1)
        fetching.verified_bytes += copied
        self._around.space.shrink(self.order.transfer_id, copied, len(file.places))
        self._offering.add(file, self._digests_of(file, fetching))
        for place, mark in zip(file.places, marks, strict=True):
            self._around.journal.note_landed(self.order.transfer_id, place.path, file.root, mark)
        fetching.forget(file.root)
        fetching.start_more()
        fetching.exchange.pump()

    def _digests_of(self, file: WantedFile, fetching: Fetching) -> bytes:
        """Return a file's chunk digests, as far as they are known without reading it: empty or all."""
        if (content := fetching.machine.content(file.root)) and len(content.pages) == page_count(file.size):
            return b"".join(content.pages[page] for page in range(len(content.pages)))
        return self._copied.pop(file.root, b"")

    def settle(self) -> None:
        """See ``fetching.Owner``."""
        if self._is_planned and self._plan.is_unfolded and self.landed_files == self._plan.files:
            self._is_finished.set()

    def fail(self, error: PeertermError) -> None:
        """See ``fetching.Owner``."""
        self._error = self._error or error
        self._is_finished.set()

    @property
    def local_bytes(self) -> int:
        """Bytes that were copied from this machine."""
        return self.fetching.local_bytes if self.fetching else 0

    def pieces(self) -> Iterator[tuple[WantedFile, bool, Bitfield | None]]:
        """Yield every file in the order of the listings, whether it has landed, and else what is held of it."""
        unfinished = self.fetching.unfinished() if self.fetching else {}
        for file in list(self._plan.wanted.values()):
            yield file, file.root not in unfinished, unfinished.get(file.root)

    @property
    def total(self) -> int | None:
        """Bytes in all; ``None`` until they are known for certain."""
        return self._plan.total if self._is_planned else None

    @property
    def files(self) -> int | None:
        """Files in all; ``None`` until they are known for certain."""
        return self._plan.files if self._is_planned else None
