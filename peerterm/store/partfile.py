"""One file of a transfer while it is fetched: chunks in, chunks out, the whole checked and finished.

Made by ``Destination.file``, which decides where the file is; nothing here knows a folder or chooses a name.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from threading import Condition
from typing import TYPE_CHECKING, Protocol

from peerterm.core.manifest import CHUNK_BYTES, chunk_span
from peerterm.errors import StorageError
from peerterm.store.reading import storage_errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path


_NO_MODES = {errno.EPERM, errno.EACCES, errno.ENOTSUP}


class Using(Protocol):
    """Lends a descriptor that nobody else uses meanwhile."""

    def __call__(self, *, create: bool) -> AbstractContextManager[int]:
        """Open the file, and create it first if it is not there and may be."""
        ...


class PartFile:
    """One file while it is fetched and after; a ``core.pieces.PieceSink``. Any number of threads may use it."""

    def __init__(
        self,
        location: Path,
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
        self._location = location
        self._size = size
        self._using = using
        self._publish = publish
        self._changed = Condition()
        self._writing = 0
        self._is_finished = False

    def write_chunk(self, index: int, data: memoryview) -> None:
        """Write one chunk that passed its check, at its place; does nothing once the file is finished.

        A chunk asked of two sources may come a second time when the first has completed the file.

        Raises:
            DiskFull: No space is left.
            StorageError: The disk refuses; the chunk does not count as held.
        """
        offset, length = chunk_span(self._size, index)
        if len(data) != length:
            raise ValueError(f"{len(data)} bytes for a chunk of {length}")
        with self._changed:
            if self._is_finished:
                return
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

    def read_chunk(self, index: int) -> bytes:
        """Return one chunk that was written before.

        Raises:
            StorageError: The disk cannot be read, or the file lost what it had.
        """
        offset, length = chunk_span(self._size, index)
        with storage_errors(self._location), self._using(create=False) as descriptor:
            data = os.pread(descriptor, length, offset)
        if len(data) != length:
            raise StorageError(f"{self._location}: shorter than it was", "something else changed it")
        return data

    def finish(self, mtime_ns: int, executable: bool) -> None:
        """Give the file its exact size, its time and, inside a folder, its final name. May be called again.

        Raises:
            StorageError: The disk refuses, or the name is taken.
        """
        with self._changed:
            self._is_finished = True
            self._changed.wait_for(lambda: not self._writing)
        with storage_errors(self._location):
            with self._using(create=True) as descriptor:
                os.ftruncate(descriptor, self._size)
                set_mode(descriptor, stat.S_IMODE(os.fstat(descriptor).st_mode), executable=executable)
                os.utime(descriptor, ns=(mtime_ns, mtime_ns))
            self._publish()

    def sha256(self) -> bytes:
        """Return the flat SHA-256 of the file as it is on disk.

        Raises:
            StorageError: The disk cannot be read.
        """
        state, buffer, offset = hashlib.sha256(), bytearray(CHUNK_BYTES), 0
        with storage_errors(self._location), self._using(create=False) as descriptor:
            while count := os.preadv(descriptor, [buffer], offset):
                state.update(memoryview(buffer)[:count])
                offset += count
        return state.digest()


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
