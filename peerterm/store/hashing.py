"""Hashing one file for the scanner, and the meter that counts, slows and stops all hashing of one scan.

Nothing here opens, chooses or names a file. ``hash_file`` runs in the scanner's threads, several at once.
"""

from __future__ import annotations

import hashlib
import os
from threading import Event, Lock
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from peerterm.core.manifest import CHUNK_BYTES, chunk_digest, head_of

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from peerterm.core.ids import Root

_EMPTY_SHA256 = hashlib.sha256().digest()


class ScanCancelled(Exception):
    """The scan was told to stop. Not an error."""


class ScanProgress(NamedTuple):
    """How far a scan is. ``files`` and ``bytes`` grow until the walk is over; till then ``eta`` is ``None``."""

    files: int
    done_files: int
    bytes: int
    done_bytes: int
    seconds: float
    eta: float | None


class Hashes(NamedTuple):
    """The hashes of one content: its identity, its joined chunk digests and its flat SHA-256."""

    root: Root
    digests: bytes
    sha256: bytes


class Meter:
    """Counts what a scan has to do and has done. For any thread."""

    def __init__(self, bytes_per_second: int | None) -> None:
        self._bytes_per_second = bytes_per_second
        self._cancelled = Event()
        self._lock = Lock()
        self._files = self._done_files = self._bytes = self._done_bytes = self._known_bytes = 0
        self._started = self._due = monotonic()
        self._hashing_since: float | None = None

    def add(self, size: int, *, known: bool) -> None:
        """Count a file found; a known one is done already."""
        with self._lock:
            self._files += 1
            self._bytes += size
            if known:
                self._done_files += 1
                self._done_bytes += size
                self._known_bytes += size

    def start_hashing(self) -> None:
        """Note that all files are found."""
        self._hashing_since = monotonic()

    def pace(self, count: int) -> None:
        """Count bytes as hashed, and wait if that was faster than allowed.

        Raises:
            ScanCancelled: Within milliseconds of ``cancel``, however long the wait.
        """
        with self._lock:
            self._done_bytes += count
            if self._bytes_per_second:
                self._due = max(self._due, monotonic()) + count / self._bytes_per_second
            wait = self._due - monotonic()
        if self._cancelled.wait(max(0.0, wait)):
            raise ScanCancelled

    def take_back(self, count: int) -> None:
        """Uncount bytes whose hash came to nothing."""
        with self._lock:
            self._done_bytes -= count

    def finish(self, found: int, hashed: int | None) -> None:
        """Count a file as done.

        Args:
            found: Its size when it was added.
            hashed: Its size when it was hashed; ``None`` if it is left out after all.
        """
        with self._lock:
            self._bytes += (hashed or 0) - found
            if hashed is None:
                self._files -= 1
            else:
                self._done_files += 1

    def cancel(self) -> None:
        """Make ``pace`` and ``check`` raise in every thread, from now on."""
        self._cancelled.set()

    def check(self) -> None:
        """Stop here if the scan was cancelled.

        Raises:
            ScanCancelled: It was.
        """
        if self._cancelled.is_set():
            raise ScanCancelled

    def progress(self) -> ScanProgress:
        """Return how far the scan is; ``eta`` follows from the mean rate of hashing."""
        now = monotonic()
        with self._lock:
            hashed, left = self._done_bytes - self._known_bytes, self._bytes - self._done_bytes
            eta = None
            if self._hashing_since is not None and (hashed or not left):
                eta = left * (now - self._hashing_since) / hashed if left else 0.0
            return ScanProgress(
                self._files, self._done_files, self._bytes, self._done_bytes, now - self._started, eta
            )


def hash_bytes(data: bytes) -> Hashes:
    """Return the hashes of bytes in memory."""
    view = memoryview(data)
    digests = b"".join(chunk_digest(view[at : at + CHUNK_BYTES]) for at in range(0, len(view), CHUNK_BYTES))
    return Hashes(head_of(len(data), digests).root, digests, hashlib.sha256(data).digest())


def hash_file(
    descriptor: int, before: os.stat_result, buffer: bytearray, helper: Executor, meter: Meter
) -> Hashes | None:
    """Read a file once and hash it both ways: chunk by chunk, and flat.

    Args:
        descriptor: The open file, at its start.
        before: What ``fstat`` says of it.
        buffer: ``CHUNK_BYTES`` long, this thread's own.
        helper: Makes the flat hash of a large file beside its chunk digests.
        meter: Counts the bytes.

    Returns:
        The hashes; ``None`` if the file changed meanwhile.

    Raises:
        OSError: The disk cannot be read.
        ScanCancelled: The meter says so.
    """
    size, counted, steady = before.st_size, 0, False
    digests, flat = bytearray(), hashlib.sha256()
    try:
        while counted < size:
            view = memoryview(buffer)[: min(CHUNK_BYTES, size - counted)]
            if not _fill(descriptor, view):
                break
            flat_updated = helper.submit(flat.update, view) if size > CHUNK_BYTES else None
            digests += chunk_digest(view)
            if flat_updated:
                flat_updated.result()
            counted += len(view)
            meter.pace(len(view))
        steady = counted == size and _identity(os.fstat(descriptor)) == _identity(before)
    finally:
        if not steady:
            meter.take_back(counted)
    if not steady:
        return None
    # The digest of an only chunk is the flat hash.
    sha256 = flat.digest() if size > CHUNK_BYTES else bytes(digests) or _EMPTY_SHA256
    return Hashes(head_of(size, digests).root, bytes(digests), sha256)


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _fill(descriptor: int, view: memoryview) -> bool:
    """Read until ``view`` is full; return whether the file had as much."""
    done = 0
    while done < len(view):
        count = os.readv(descriptor, [view[done:]])
        if count == 0:
            return False
        done += count
    return True
