"""The upload side of the disk: opening what is shared, and reading it only while it is what was indexed.

Called by the scanner and, through ``SharedFile``, from lane threads. Nothing here follows a symbolic link or waits
on a FIFO, and every file is judged by the descriptor that is read, never by its name.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from peerterm.core.manifest import chunk_span
from peerterm.errors import DiskFull, SourceChanged, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
FOLDER_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC

_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO}  # replaced by nothing, a link, a socket
_FULL = {errno.ENOSPC, errno.EDQUOT}


_HINTS = {
    errno.EACCES: "check who may read and write there, or choose another folder",
    errno.EPERM: "check who may read and write there, or choose another folder",
    errno.EROFS: "choose a folder on a disk that can be written",
    errno.EFBIG: "choose a folder on a disk that can hold files of this size",
    errno.EIO: "the disk may be failing: look into the system's log",
}


@contextmanager
def storage_errors(path: Path | str) -> Iterator[None]:
    """Map every operating-system error of the body to what it means for the thing at ``path``.

    Raises:
        DiskFull: No space, no inodes or no quota is left.
        StorageError: Anything else.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(f"{path}: no space left on the disk", "free some space, then resume") from error
        hint = _HINTS.get(error.errno or 0, "")
        raise StorageError(f"{path}: {error.strerror or error}", hint) from error


def open_beneath(top: int, path: Sequence[str], flags: int) -> int:
    """Open a path below the open folder ``top``, following no symbolic link on the way.

    Args:
        top: Descriptor of the folder; stays open.
        path: Components, at least one.
        flags: For the last component; ``O_NOFOLLOW`` and ``O_CLOEXEC`` are added.

    Raises:
        OSError: As ``os.open``; ELOOP or ENOTDIR where a link stands in the way.
    """
    current = top
    try:
        for name in path[:-1]:
            below = os.open(name, FOLDER_FLAGS, dir_fd=current)
            if current != top:
                os.close(current)
            current = below
        return os.open(path[-1], flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=current)
    finally:
        if current != top:
            os.close(current)


@dataclass(frozen=True, slots=True)
class SharedFile:
    """A file as it was indexed. ``path`` is absolute; the rest is what ``fstat`` said then."""

    path: Path
    size: int
    mtime_ns: int
    inode: int
    device: int

    def open(self) -> OpenFile:
        """Open it for reading; the caller closes it.

        Raises:
            SourceChanged: The file is gone, or another, or not what was indexed.
            StorageError: The disk or its permissions refuse.
        """
        with storage_errors(self.path):
            try:
                descriptor = os.open(self.path, READ_FLAGS)
            except OSError as error:
                if error.errno in _GONE:
                    raise self.changed() from error
                raise
        opened = OpenFile(self, descriptor)
        try:
            opened.check()
        except StorageError:
            opened.close()
            raise
        return opened

    def changed(self) -> SourceChanged:
        """Return the error that says this file is no longer what was indexed."""
        return SourceChanged(f"{self.path}: changed since it was indexed", "rescan the share")


class OpenFile:
    """A shared file, open for reading. ``read_chunk`` may be called from several threads at once."""

    def __init__(self, source: SharedFile, descriptor: int) -> None:
        self._source = source
        self._descriptor = descriptor

    def read_chunk(self, index: int, buffer: bytearray | memoryview) -> memoryview:
        """Read one chunk into the start of ``buffer``; return that part of it.

        Args:
            index: Chunk number, from 0.
            buffer: At least as long as the chunk.

        Raises:
            SourceChanged: The file is no longer what was indexed; what ``buffer`` holds now is worthless.
            StorageError: The disk cannot be read.
            IndexError: The file never had such a chunk.
        """
        offset, length = chunk_span(self._source.size, index)
        view = memoryview(buffer)[:length]
        done = 0
        with storage_errors(self._source.path):
            while done < length:
                count = os.preadv(self._descriptor, [view[done:]], offset + done)
                if count == 0:
                    raise self._source.changed()
                done += count
        self.check()
        return view

    def check(self) -> None:
        """Make sure that the open file still is what was indexed.

        Raises:
            SourceChanged: It is not.
            StorageError: The disk does not say.
        """
        then = self._source
        with storage_errors(then.path):
            now = os.fstat(self._descriptor)
        same = (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns) == (
            then.device,
            then.inode,
            then.size,
            then.mtime_ns,
        )
        if not same or not stat.S_ISREG(now.st_mode):
            raise then.changed()

    def close(self) -> None:
        """Close the file; it cannot be read again."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
