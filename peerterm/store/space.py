"""Room on the disks that downloads go to: what is free, less what transfers reserved, less what stays free.

Reserving early keeps two big downloads from filling a disk that has room for one. Only an account: other programs
write too, so a disk may still be found full. Blocks on slow disks, so it belongs in a thread; any number may call.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from peerterm.display import human_bytes
from peerterm.errors import DiskFull
from peerterm.store.reading import storage_errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from peerterm.core.ids import TransferId

MIN_FREE_BYTES = 1024**3
"""What stays free by default, or ``MIN_FREE_SHARE`` of the file system if that is more."""
MIN_FREE_SHARE = 0.02
MAX_FREE_SHARE = 0.1
"""By default no more of a file system than this stays free, so that small disks are of use."""


@dataclass(frozen=True, slots=True)
class Room:
    """A file system.

    Attributes:
        device: Its number.
        total: Its size in bytes.
        free: Bytes that a user may still write.
        free_files: Files that a user may still create; ``None`` where that has no limit.
    """

    device: int
    total: int
    free: int
    free_files: int | None


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes and files, needed or missing."""

    size: int = 0
    files: int = 0


@dataclass(slots=True)
class _Reservation:
    device: int
    size: int
    files: int


@dataclass(slots=True)
class Ledger:
    """The reservations of all transfers: plain arithmetic, no disk."""

    reserved: dict[TransferId, _Reservation] = field(default_factory=dict)

    def missing(self, room: Room, kept_free: int, need: Need) -> Need:
        """Return what a file system lacks to hold ``need``, beside what transfers reserved."""
        others = [each for each in self.reserved.values() if each.device == room.device]
        usable = room.free - kept_free - sum(each.size for each in others)
        lacking_files = 0
        if room.free_files is not None:
            lacking_files = need.files - (room.free_files - sum(each.files for each in others))
        return Need(max(need.size - usable, 0) if need.size else 0, max(lacking_files, 0))


def kept_free(room: Room, configured: int | None = None) -> int:
    """Return how many bytes of a file system downloads leave alone; ``None`` configures nothing."""
    if configured is not None:
        return configured
    return min(max(MIN_FREE_BYTES, int(room.total * MIN_FREE_SHARE)), int(room.total * MAX_FREE_SHARE))


def room_at(directory: Path) -> Room:
    """Return the file system that ``directory`` is on, or will be once it is made.

    Raises:
        StorageError: The disk cannot be asked.
    """
    with storage_errors(directory):
        for place in (directory, *directory.parents):
            try:
                device, found = place.stat().st_dev, os.statvfs(place)
            except (FileNotFoundError, NotADirectoryError):
                continue
            limit = found.f_favail if found.f_files else None
            return Room(device, found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize, limit)
    raise AssertionError("the top folder exists")


class SpaceAccount:
    """What the disks have room for."""

    def __init__(self, minimum_free: int | None = None, room_at: Callable[[Path], Room] = room_at) -> None:
        """Start without reservations.

        Args:
            minimum_free: Bytes that stay free on every file system; ``None`` for the default. May be set later.
            room_at: Asks the system.
        """
        self.minimum_free = minimum_free
        self._room_at = room_at
        self._ledger = Ledger()
        self._lock = Lock()

    def reserve(self, transfer_id: TransferId, directory: Path, bytes_needed: int, files: int) -> None:
        """Reserve what a transfer will still write; replaces what it had reserved.

        Raises:
            DiskFull: There is not so much; what the transfer had reserved is released.
            StorageError: The disk cannot be asked; likewise.
        """
        self.release(transfer_id)
        need, room = Need(bytes_needed, files), self._room_at(directory)
        kept = kept_free(room, self.minimum_free)
        with self._lock:
            missing = self._ledger.missing(room, kept, need)
            if missing == Need():
                self._ledger.reserved[transfer_id] = _Reservation(room.device, bytes_needed, files)
                return
        raise DiskFull(_told(directory, missing, kept), "free some space, or choose another folder with -o")

    def shrink(self, transfer_id: TransferId, size: int, files: int = 0) -> None:
        """Note that a transfer wrote so many bytes and created so many files; the system counts them now."""
        with self._lock:
            if reservation := self._ledger.reserved.get(transfer_id):
                reservation.size = max(reservation.size - size, 0)
                reservation.files = max(reservation.files - files, 0)

    def release(self, transfer_id: TransferId) -> None:
        """Forget what a transfer reserved; nothing is no error."""
        with self._lock:
            self._ledger.reserved.pop(transfer_id, None)

    def has_room(self, directory: Path, size: int, files: int) -> bool:
        """Whether so much could be reserved now.

        Raises:
            StorageError: The disk cannot be asked.
        """
        room = self._room_at(directory)
        with self._lock:
            return self._ledger.missing(room, kept_free(room, self.minimum_free), Need(size, files)) == Need()


def _told(directory: Path, missing: Need, kept: int) -> str:
    lacks = [human_bytes(missing.size)] if missing.size else []
    lacks += [f"{missing.files} free file entries"] if missing.files else []
    beside = f", beside the {human_bytes(kept)} that stay free" if missing.size and kept else ""
    return f"{directory}: its disk lacks {' and '.join(lacks)}{beside}"


def check_writable(directory: Path) -> None:
    """See whether a file can be made, written and synced in a folder, or where the folder would be made.

    Raises:
        StorageError: It cannot.
    """
    with storage_errors(directory):
        while not directory.exists() and directory != directory.parent:
            directory = directory.parent
        with tempfile.NamedTemporaryFile(dir=directory, prefix=".peerterm-") as probe:
            probe.write(b"peerterm")
            probe.flush()
            os.fsync(probe.fileno())
