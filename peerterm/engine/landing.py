"""The last step of a transfer: files that are complete get their name, time and mode, many in one thread call."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from peerterm.core.manifest import chunk_count
from peerterm.errors import IntegrityError, PeertermError, StorageError
from peerterm.store.completion import to_its_end, until_stopped
from peerterm.store.copying import copy_chunks

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerterm.core.ids import Root
    from peerterm.engine.plan import Place, WantedFile
    from peerterm.store.destination import Destination
    from peerterm.store.partfile import FileMark, PartFile

BATCH_FILES = 64


class Landing:
    """Owns the part files of one transfer from their first chunk to their final name."""

    def __init__(
        self,
        destination: Destination,
        on_landed: Callable[[WantedFile, list[FileMark]], None],
        on_failed: Callable[[PeertermError], None],
        *,
        sha256: bytes | None = None,
    ) -> None:
        """Land in ``destination``; a single file only if its flat SHA-256 is ``sha256``, where one is given."""
        self._destination = destination
        self._sha256 = sha256
        self._on_landed = on_landed
        self._on_failed = on_failed
        self._open: dict[Root, tuple[WantedFile, PartFile]] = {}
        self._complete: asyncio.Queue[Root] = asyncio.Queue()

    def open(self, wanted: WantedFile) -> PartFile:
        """Prepare the part file a content is fetched into; touches no disk yet."""
        place = wanted.places[0]
        part = self._destination.file(place.path, wanted.size, place.mtime_ns, executable=place.executable)
        self._open[wanted.root] = wanted, part
        return part

    def part_of(self, wanted: WantedFile) -> PartFile:
        """Return the part file of a content that was opened."""
        return self._open[wanted.root][1]

    def landed(self, wanted: WantedFile) -> PartFile:
        """Return a file that has landed, to be read."""
        return self._destination.file(wanted.places[0].path, wanted.size)

    def complete(self, root: Root) -> None:
        """Land a content all of whose chunks are held; ``on_landed`` follows."""
        self._complete.put_nowait(root)

    async def make_folders(self, folders: list[tuple[str, ...]]) -> None:
        """Create the folders of a transfer, parents first, the empty ones too."""

        def make() -> None:
            for path in folders:
                self._destination.folder(path)

        await to_its_end(asyncio.to_thread(make))

    async def run(self) -> None:
        """Land what completes, until cancelled; a failure of the disk goes to ``on_failed`` and ends it.

        Cancel: what takes long ends at the next chunk; the next attempt lands the file.
        """
        while True:
            batch = [self._open.pop(await self._complete.get())]
            while len(batch) < BATCH_FILES and not self._complete.empty():
                batch.append(self._open.pop(self._complete.get_nowait()))
            left = [(wanted, part) for wanted, part in batch if not self._tell(wanted, part)]
            try:
                marks = await until_stopped(self._land, left) if left else []
            except PeertermError as error:
                self._on_failed(error)
                return
            for (wanted, _), file_marks in zip(left, marks, strict=True):
                self._on_landed(wanted, file_marks)

    def _tell(self, wanted: WantedFile, part: PartFile) -> bool:
        """Tell of a file if writing it has finished it, as most small ones, for which no thread is needed."""
        if part.mark is None or len(wanted.places) > 1:
            return False
        self._on_landed(wanted, [part.mark])
        return True

    def _land(self, batch: list[tuple[WantedFile, PartFile]]) -> list[list[FileMark]]:
        """Give a batch of files their names; return how each looks at each of its places, in their order."""
        marks: list[list[FileMark]] = []
        for wanted, part in batch:
            if self._sha256 and (actual := part.sha256()) != self._sha256:
                raise IntegrityError(
                    f"the file fetched has SHA-256 {actual.hex()}, asked for was {self._sha256.hex()}",
                    "whoever offered it under that sum lied or is damaged; nothing was kept",
                )
            first = wanted.places[0]
            mark = part.finish(first.mtime_ns, first.executable)
            marks.append([mark, *(self._copy(part, wanted, place) for place in wanted.places[1:])])
        return marks

    def _copy(self, part: PartFile, wanted: WantedFile, place: Place) -> FileMark:
        """Put a finished file at a further place."""
        copy = self._destination.file(place.path, wanted.size, place.mtime_ns, executable=place.executable)
        chunks = range(chunk_count(wanted.size))
        if len(copy_chunks(part.as_shared(), copy, chunks, lambda _, __: True)) < len(chunks):
            raise StorageError(f"{part.as_shared().path}: changed, or cannot be read", "retry the transfer")
        return copy.finish(place.mtime_ns, place.executable)
