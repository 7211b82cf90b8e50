"""Chunks that streams fetched, kept for a while: the least recently used makes room, and the cap always holds.

One file without a name, divided into slots of a chunk each, so that a cache leaves nothing behind however the
engine ends. Any thread may use it. What is in it was verified by whoever put it there.
"""

from __future__ import annotations

import os
import tempfile
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

from peerterm.core.ids import Root
from peerterm.core.manifest import CHUNK_BYTES
from peerterm.errors import DiskFull
from peerterm.store.reading import storage_errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MIN_CACHE_BYTES = 256 * 1024 * 1024
"""Smallest cap: what players read ahead fits in, several times."""

Key: TypeAlias = tuple[Root, int]
"""A content, and the number of one of its chunks."""


@dataclass(slots=True, eq=False)
class _Slot:
    """A place in the file.

    Attributes:
        number: Counted from the file's start.
        length: Bytes of the chunk in it.
        users: Threads that read or write it now; it is not given away meanwhile.
    """

    number: int
    length: int = 0
    users: int = 0


class StreamCache:
    """Chunks by content and number.

    Invariant: every slot is free or holds one chunk, and there are at most ``cap // CHUNK_BYTES``.
    """

    def __init__(self, folder: Path, cap: int, on_evicted: Callable[[Root, int], None]) -> None:
        """Keep at most ``cap`` bytes in a file in ``folder``.

        Args:
            folder: Exists.
            cap: At least one chunk.
            on_evicted: Called with what is here no longer, in the thread that wrote; it must not call back.
        """
        self._folder = folder
        self._slots = cap // CHUNK_BYTES
        self._on_evicted = on_evicted
        self._lock = Lock()
        self._descriptor = -1
        self._made = 0
        self._free: list[_Slot] = []
        self._used: OrderedDict[Key, _Slot] = OrderedDict()

    def has(self, root: Root, index: int) -> bool:
        """Whether a chunk is here now."""
        with self._lock:
            return (root, index) in self._used

    def numbers(self, root: Root) -> tuple[int, ...]:
        """Return which chunks of a content are here now."""
        with self._lock:
            return tuple(index for other, index in self._used if other == root)

    @property
    def held_bytes(self) -> int:
        """What is kept."""
        with self._lock:
            return sum(slot.length for slot in self._used.values())

    def write(self, root: Root, index: int, data: memoryview) -> None:
        """Keep a chunk.

        Raises:
            DiskFull: There is no room for even one.
            StorageError: The disk refuses.
        """
        slot = self._take(root, index, len(data))
        try:
            self._write(slot, data)
        except DiskFull:
            self._lose(root, index)
            self._shrink()
            self.write(root, index, data)
        except BaseException:
            self._lose(root, index, slot)
            raise
        else:
            with self._lock:
                slot.users -= 1
                self._used[root, index] = slot

    def read(self, root: Root, index: int, start: int = 0, length: int = CHUNK_BYTES) -> bytes | None:
        """Return bytes of a chunk, ``None`` if it is not here; it counts as used.

        Raises:
            StorageError: The disk cannot be read.
        """
        key = root, index
        with self._lock:
            slot = self._used.get(key)
            if slot is None:
                return None
            self._used.move_to_end(key)
            slot.users += 1
        try:
            with storage_errors(self._folder):
                wanted = max(min(length, slot.length - start), 0)
                return os.pread(self._descriptor, wanted, slot.number * CHUNK_BYTES + start)
        finally:
            with self._lock:
                slot.users -= 1

    def forget(self, root: Root) -> None:
        """Give the room of a content to others. Whoever reads it now reads on."""
        with self._lock:
            for key in [key for key in self._used if key[0] == root and not self._used[key].users]:
                self._free.append(self._used.pop(key))

    def close(self) -> None:
        """Remove all; only when nobody uses it any more."""
        with self._lock:
            self._used.clear()
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def _take(self, root: Root, index: int, length: int) -> _Slot:
        """Return a slot nobody else uses; its chunk cannot be read before ``_give_back``."""
        with self._lock:
            if self._descriptor < 0:
                with storage_errors(self._folder), tempfile.TemporaryFile(dir=self._folder) as file:
                    self._descriptor = os.dup(file.fileno())
            slot = self._used.pop((root, index), None) or self._unused()  # whoever reads it reads the same bytes
            slot.length = length
            slot.users += 1
            return slot

    def _unused(self) -> _Slot:
        if self._free:
            return self._free.pop()
        if self._made < self._slots:
            self._made += 1
            return _Slot(self._made - 1)
        key = next((key for key, slot in self._used.items() if not slot.users), None)
        if key is None:
            raise DiskFull(f"{self._folder}: the cache of streams is in use to its last chunk", "try again")
        slot = self._used.pop(key)
        self._on_evicted(*key)
        return slot

    def _write(self, slot: _Slot, data: memoryview) -> None:
        done, offset = 0, slot.number * CHUNK_BYTES
        with storage_errors(self._folder):
            while done < len(data):
                done += os.pwrite(self._descriptor, data[done:], offset + done)

    def _lose(self, root: Root, index: int, slot: _Slot | None = None) -> None:
        """Say that a chunk could not be written; a slot that there is room for can be used for others."""
        with self._lock:
            if slot:
                slot.users -= 1
                self._free.append(slot)
            self._on_evicted(root, index)

    def _shrink(self) -> None:
        """Do with as many slots as the disk has room for, now that it has none for one of them.

        Raises:
            DiskFull: That is none.
        """
        with self._lock:
            self._made -= 1
            self._slots = self._made
            if not self._made:
                raise DiskFull(f"{self._folder}: no space left for what is streamed", "free some space")
