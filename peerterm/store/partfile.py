"""One file of a transfer while it is fetched: chunks in, chunks out, the whole checked and finished.

Made by ``Destination.file``, which decides where the file is; nothing here knows a folder or chooses a name.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Condition
from typing import TYPE_CHECKING, Protocol, Self

from xxhash import xxh3_64_digest

from peerterm.core.bitfield import Bitfield
from peerterm.core.manifest import (
    CHUNK_BYTES,
    MAX_FILE_BYTES,
    Buffer,
    chunk_count,
    chunk_digest,
    chunk_span,
    head_of,
)
from peerterm.errors import StorageError
from peerterm.store.completion import check_stopped
from peerterm.store.reading import READ_FLAGS, SharedFile, storage_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from peerterm.core.ids import Root

SUM_BYTES = 8
"""Length of a chunk's xxh3_64, by which damage on this disk is found; it proves nothing to anybody else."""

_NO_MODES = {errno.EPERM, errno.EACCES, errno.ENOTSUP}
_CLONE_RANGE = 0x4020940D  # FICLONERANGE of linux/fs.h, with struct file_clone_range
_CLONE_ARGUMENT = struct.Struct("=qQQQ")


class Using(Protocol):
    """Lends a descriptor that nobody else uses meanwhile."""

    def __call__(self, *, create: bool) -> AbstractContextManager[int]:
        """Open the file, and create it first if it is not there and may be."""
        ...


def chunk_sum(data: Buffer) -> bytes:
    """Return the sum of a chunk, ``SUM_BYTES`` long."""
    return xxh3_64_digest(data)


@dataclass(frozen=True, slots=True)
class FileMark:
    """How a file looked on this disk; ``reading.SharedFile`` has the same, with a path."""

    size: int
    mtime_ns: int
    inode: int
    device: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        """Take it from what ``stat`` said."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev)


class PartFile:
    """One file while it is fetched and after; a ``core.pieces.PieceSink``. Any number of threads may use it.

    Attributes:
        size: Bytes the file will have.
        mark: How it looks since it is finished; ``None`` until then.
    """

    def __init__(
        self,
        location: str,
        size: int,
        using: Using,
        publish: Callable[[], None],
    ) -> None:
        """Wire it up; use ``Destination.file``.

        Args:
            location: For messages.
            size: Bytes the file will have.
            using: Lends a descriptor of the file.
            publish: Gives the file its final name, if that is due before the whole transfer is done.
        """
        self.size = size
        self.mark: FileMark | None = None
        self._location = location
        self._using = using
        self._publish = publish
        self._changed = Condition()
        self._writing = 0
        self._is_finished = False

    def write_chunk(self, index: int, data: memoryview) -> bytes:
        """Write one chunk that passed its check, at its place; return its sum for the journal.

        Does nothing and returns nothing once the file is finished: a chunk asked of two sources may come a second
        time when the first has completed the file.

        Raises:
            DiskFull: No space is left.
            StorageError: The disk refuses; the chunk does not count as held.
        """
        offset, length = chunk_span(self.size, index)
        if len(data) != length:
            raise ValueError(f"{len(data)} bytes for a chunk of {length}")
        with self._changed:
            if self._is_finished:
                return b""
            self._writing += 1
        try:
            with storage_errors(self._location), self._using(create=True) as descriptor:
                done = 0
                while done < length:
                    done += os.pwrite(descriptor, data[done:], offset + done)
        finally:
            with self._changed:
                self._writing -= 1
                self._changed.notify_all()
        return chunk_sum(data)

    def clone_chunk(self, index: int, source: Path) -> bool:
        """Let the file share the disk blocks of a chunk at the same place in another; return whether the disk can.

        The bytes are not checked: read them back before they count.

        Raises:
            StorageError: The part cannot be opened.
        """
        offset, length = chunk_span(self.size, index)
        with storage_errors(self._location), self._using(create=True) as descriptor:
            return _clone(source, descriptor, offset, length)

    def read_chunk(self, index: int) -> bytes:
        """Return one chunk that was written before.

        Raises:
            StorageError: The disk cannot be read, or the file lost what it had.
        """
        offset, length = chunk_span(self.size, index)
        with storage_errors(self._location), self._using(create=False) as descriptor:
            data = os.pread(descriptor, length, offset)
        if len(data) != length:
            raise StorageError(f"{self._location}: shorter than it was", "something else changed it")
        return data

    def recheck(self, held: Bitfield, sums: bytes, stamp: str = "") -> Bitfield:
        """Return which journaled chunks the file still has: none if it is gone.

        Args:
            held: The chunks that were journaled; no other is read.
            sums: ``SUM_BYTES`` for each chunk of the file.
            stamp: If the file still bears it, nothing is read.

        Raises:
            StorageError: The disk cannot be read, or somebody replaced the part.
        """
        if stamp and self.stamp() == stamp:
            return Bitfield.from_bytes(held.size, held.to_bytes())
        kept, buffer = Bitfield(held.size), memoryview(bytearray(CHUNK_BYTES))
        with storage_errors(self._location), suppress(FileNotFoundError):
            for index in filter(held.has, range(held.size)):
                data = self._read(index, buffer)
                is_whole = len(data) == chunk_span(self.size, index)[1]
                if is_whole and chunk_sum(data) == sums[index * SUM_BYTES : (index + 1) * SUM_BYTES]:
                    kept.set(index)
        return kept

    def written(self, chunks: Iterable[int]) -> list[int]:
        """Return which of these chunks, in order, may have been written: those without a hole. Reads nothing.

        Raises:
            StorageError: The disk refuses, or somebody replaced the part.
        """
        found, data_at = list[int](), -1
        with (
            storage_errors(self._location),
            suppress(FileNotFoundError),
            self._using(create=False) as descriptor,
        ):
            for index in chunks:
                offset, length = chunk_span(self.size, index)
                if data_at < offset:
                    data_at = _seek(descriptor, offset, os.SEEK_DATA)
                if data_at <= offset and _seek(descriptor, offset, os.SEEK_HOLE) >= offset + length:
                    found.append(index)
        return found

    def verify(self, chunks: Iterable[int], accepts: Callable[[int, memoryview], bool]) -> dict[int, bytes]:
        """Return those of these chunks that are there, each with its sum for the journal.

        Args:
            chunks: Chunks that nobody writes meanwhile.
            accepts: Whether these bytes are that chunk.

        Raises:
            StorageError: The disk cannot be read, or somebody replaced the part.
        """
        found, buffer = dict[int, bytes](), memoryview(bytearray(CHUNK_BYTES))
        with storage_errors(self._location), suppress(FileNotFoundError):
            for index in chunks:
                data = self._read(index, buffer)
                if accepts(index, data):
                    found[index] = chunk_sum(data)
        return found

    def stamp(self) -> str:
        """Return what tells later whether the file was touched since; empty if there is none.

        Raises:
            StorageError: The disk refuses, or somebody replaced the part.
        """
        with storage_errors(self._location), suppress(FileNotFoundError):
            with self._using(create=False) as descriptor:
                now = os.fstat(descriptor)
            return f"{now.st_dev} {now.st_ino} {now.st_size} {now.st_mtime_ns} {now.st_ctime_ns}"
        return ""

    def finish(self, mtime_ns: int, executable: bool) -> FileMark:
        """Give the file its exact size, its time and, inside a folder, its final name. May be called again.

        Returns:
            How it looks now, which no later renaming changes.

        Raises:
            StorageError: The disk refuses, or the name is taken.
        """
        with self._changed:
            self._is_finished = True
            self._changed.wait_for(lambda: not self._writing)
        with storage_errors(self._location):
            with self._using(create=True) as descriptor:
                mark = finish_open(descriptor, self.size, mtime_ns, executable=executable)
            self._publish()
        self.mark = mark
        return mark

    def as_shared(self) -> SharedFile:
        """Return the finished file as one to copy from."""
        assert self.mark, "it is finished"
        mark = self.mark
        return SharedFile(Path(self._location), mark.size, mark.mtime_ns, mark.inode, mark.device)

    def sha256(self) -> bytes:
        """Return the flat SHA-256 of the file as it is on disk.

        Raises:
            StorageError: The disk cannot be read.
        """
        state, buffer, offset = hashlib.sha256(), bytearray(CHUNK_BYTES), 0
        with storage_errors(self._location), self._using(create=False) as descriptor:
            while count := os.preadv(descriptor, [buffer], offset):
                check_stopped()
                state.update(memoryview(buffer)[:count])
                offset += count
        return state.digest()

    def root(self) -> Root:
        """Return the root of the file as it is on disk, up to the size it ought to have.

        Raises:
            StorageError: The disk cannot be read.
        """
        digests, buffer, size = bytearray(), memoryview(bytearray(CHUNK_BYTES)), 0
        with storage_errors(self._location):
            for index in range(chunk_count(self.size)):
                data = self._read(index, buffer)
                if data:
                    digests += chunk_digest(data)
                size += len(data)
        return head_of(size, digests).root

    def _read(self, index: int, buffer: memoryview) -> memoryview:
        """Read what there is of a chunk into the start of ``buffer``."""
        check_stopped()
        offset, length = chunk_span(self.size, index)
        done = 0
        with self._using(create=False) as descriptor:
            while done < length and (count := os.preadv(descriptor, [buffer[done:length]], offset + done)):
                done += count
        return buffer[:done]


def _seek(descriptor: int, offset: int, whence: int) -> int:
    """Return where data or a hole comes next, per lseek(2); beyond any file if there is no more data."""
    try:
        return os.lseek(descriptor, offset, whence)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return MAX_FILE_BYTES + 1


def _clone(source: Path, descriptor: int, offset: int, length: int) -> bool:
    try:
        opened = os.open(source, READ_FLAGS)
    except OSError:
        return False
    try:
        fcntl.ioctl(descriptor, _CLONE_RANGE, _CLONE_ARGUMENT.pack(opened, offset, length, offset))
    except OSError:  # another disk, or one that cannot; if it is full, writing will say so
        return False
    finally:
        os.close(opened)
    return True


def finish_open(descriptor: int, size: int, mtime_ns: int, *, executable: bool) -> FileMark:
    """Give an open file its exact size, its time and its mode, and return how it looks then."""
    os.utime(descriptor, ns=(mtime_ns, mtime_ns))
    status = os.fstat(descriptor)
    if status.st_size != size:
        os.ftruncate(descriptor, size)
        os.utime(descriptor, ns=(mtime_ns, mtime_ns))
        status = os.fstat(descriptor)
    if executable or status.st_mode & 0o111:
        set_mode(descriptor, stat.S_IMODE(status.st_mode), executable=executable)
    return FileMark.of(status)


def set_mode(descriptor: int, mode: int, *, executable: bool) -> None:
    """Set the permissions of an open file; whoever may read an executable one may run it.

    Does nothing where the file system has no permissions, as FAT and many network shares.
    """
    mode &= ~0o111
    if executable:
        mode |= (mode & 0o444) >> 2
    try:
        os.fchmod(descriptor, mode)
    except OSError as error:
        if error.errno not in _NO_MODES:
            raise
