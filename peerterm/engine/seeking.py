"""Looks for chunks on this machine before they are fetched: candidates that only their digests turn into chunks.

A candidate is the part file itself, beyond what a killed engine had noted of it, a chunk that a stream left in the
cache, or an earlier version of the same file, compared at the same place. Works in a thread, a few chunks at a
time, while all else goes on. Made by ``engine.attempt``, fed by ``engine.fetching``.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerterm.core.manifest import CHUNK_BYTES, chunk_count
from peerterm.errors import PeertermError
from peerterm.store.completion import to_its_end
from peerterm.store.copying import copy_chunks, file_at

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from peerterm.core.content import LookFor
    from peerterm.core.ids import Root
    from peerterm.engine.plan import WantedFile
    from peerterm.store.partfile import PartFile
    from peerterm.store.reading import SharedFile
    from peerterm.store.stream_cache import StreamCache

BATCH_CHUNKS = 16
"""Chunks looked for in one thread call; those not found are fetched from then on."""

BATCH_FILES = 64
"""Files of which one thread call finds out where a look is worth while."""

MAX_UNNOTED = 4096
"""Chunks of one file read from its part beyond what was noted: more than any disk writes between two notes."""

MAX_MISSES = 128
"""Chunks in a row that an earlier version had otherwise, after which it is given up."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What became of a look for some chunks of a content.

    Attributes:
        chunks: All that were looked for.
        unnoted: Sums of those the part file had, for the journal.
        copied: Sums of those copied from the cache or an earlier version, likewise.
    """

    root: Root
    chunks: Collection[int]
    unnoted: dict[int, bytes]
    copied: dict[int, bytes]


class Seeking:
    """The looks of one attempt, one after the other."""

    def __init__(self, versions: Sequence[Path], cache: StreamCache, *, is_resumed: bool) -> None:
        """Look in the part of an earlier attempt if ``is_resumed``, and at ``versions``, files or folders."""
        self._tops = versions
        self._cache = cache
        self._is_resumed = is_resumed
        self._candidates: dict[Root, _Candidates] = {}
        self._waiting: asyncio.Queue[tuple[LookFor, _Candidates]] = asyncio.Queue()

    def is_worth_while(self, root: Root, size: int | None) -> bool:
        """Whether a look for a file may yield anything: of one chunk, an earlier version has nothing."""
        has_versions = bool(self._tops) and (size is None or size > CHUNK_BYTES)
        return self._is_resumed or has_versions or bool(self._cache.numbers(root))

    def look_for(self, wanted: LookFor, file: WantedFile, part: PartFile) -> None:
        """Look for chunks of a file when their turn comes."""
        if wanted.root not in self._candidates:
            path = file.places[0].path
            self._candidates[wanted.root] = _Candidates(
                part, self._cache, self._tops, path, is_resumed=self._is_resumed
            )
        self._waiting.put_nowait((wanted, self._candidates[wanted.root]))

    def forget(self, root: Root) -> None:
        """Look for nothing more of a content."""
        self._candidates.pop(root, None)

    async def run(self, on_looked: Callable[[Looked], None], on_failed: Callable[[PeertermError], None]) -> None:
        """Look until cancelled; a failure of the disk that is written goes to ``on_failed`` and ends it."""
        try:
            while True:
                batch = [await self._waiting.get()]
                while len(batch) < BATCH_FILES and not self._waiting.empty():
                    batch.append(self._waiting.get_nowait())
                likely = await to_its_end(asyncio.to_thread(_likely, batch))
                for (wanted, candidates), chunks in zip(batch, likely, strict=True):
                    on_looked(Looked(wanted.root, set(wanted.chunks).difference(chunks), {}, {}))
                    for first in range(0, len(chunks), BATCH_CHUNKS):
                        some = chunks[first : first + BATCH_CHUNKS]
                        on_looked(await to_its_end(asyncio.to_thread(candidates.take, wanted, some)))
        except PeertermError as error:
            on_failed(error)


def _likely(batch: list[tuple[LookFor, _Candidates]]) -> list[list[int]]:
    return [candidates.likely(wanted) for wanted, candidates in batch]


class _Candidates:
    """Where the chunks of one file may be. Used by one thread at a time."""

    def __init__(
        self, part: PartFile, cache: StreamCache, tops: Sequence[Path], path: tuple[str, ...], *, is_resumed: bool
    ) -> None:
        self._part = part
        self._cache = cache
        self._tops = tops if part.size > CHUNK_BYTES else ()
        self._path = path
        self._versions: dict[SharedFile, int] | None = None  # with the chunks in a row that each had otherwise
        self._unnoted: set[int] = set()
        self._left = MAX_UNNOTED if is_resumed else 0

    def likely(self, wanted: LookFor) -> list[int]:
        """Return those of some chunks that are worth reading for."""
        chunks = wanted.chunks
        if self._versions is None:
            found = (file_at(top, self._path) for top in self._tops)
            self._versions = {version: 0 for version in found if version}
        unnoted = self._part.written(chunks)[: self._left] if self._left else []
        self._left -= len(unnoted)
        self._unnoted.update(unnoted)
        end = max((chunk_count(version.size) for version in self._versions), default=0)
        known = self._unnoted.union(self._cache.numbers(wanted.root))
        return [chunk for chunk in chunks if chunk < end or chunk in known]

    def take(self, wanted: LookFor, chunks: list[int]) -> Looked:
        """Take what is here of some chunks.

        Raises:
            StorageError: The disk that is written refuses.
        """
        unnoted = self._part.verify(filter(self._unnoted.__contains__, chunks), wanted.accepts)
        copied = self._from_cache(wanted, [chunk for chunk in chunks if chunk not in unnoted])
        assert self._versions is not None, "what is likely was found out before"
        for version, misses in list(self._versions.items()):
            left = [chunk for chunk in chunks if chunk not in unnoted and chunk not in copied]
            found = copy_chunks(version, self._part, left, wanted.accepts)
            copied |= found
            self._versions[version] = 0 if found else misses + len(left)
            if self._versions[version] >= MAX_MISSES:
                del self._versions[version]
        return Looked(wanted.root, chunks, unnoted, copied)

    def _from_cache(self, wanted: LookFor, chunks: list[int]) -> dict[int, bytes]:
        copied: dict[int, bytes] = {}
        for chunk in chunks:
            data = self._cache.read(wanted.root, chunk)
            if data and wanted.accepts(chunk, memoryview(data)):
                copied[chunk] = self._part.write_chunk(chunk, memoryview(data))
        return copied
