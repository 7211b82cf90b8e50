"""Indexing a share: walk it, hash what is new, describe every folder. Blocking; the engine runs it in a thread.

A scan never follows a symbolic link, reads regular files only, and hashes nothing whose (device, inode, size,
mtime) it is told is known. What cannot be shared is left out with a reason; only a fault of the whole share is an
error. Nothing is written and nothing is kept: the caller stores the result.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from peerterm.core.ids import HASH_BYTES, Root
from peerterm.core.listing import MAX_ENTRIES, MAX_MTIME, EntryKind, ListingEntry, encode_listing
from peerterm.core.manifest import CHUNK_BYTES, MAX_FILE_BYTES
from peerterm.core.names import MAX_DEPTH, MAX_NAME_BYTES, MAX_PATH_BYTES, check_name
from peerterm.errors import InvalidName, InvalidPath
from peerterm.store.hashing import Hashes, Meter, ScanCancelled, ScanProgress, hash_bytes, hash_file
from peerterm.store.reading import FOLDER_FLAGS, READ_FLAGS, open_beneath

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Executor
    from pathlib import Path

    from peerterm.store.ignore import IgnoreRules

__all__ = ["FileKey", "KnownFile", "Scan", "ScanCancelled", "ScanProgress", "ScanResult", "ScannedEntry", "Skipped"]

MAX_SKIPPED = 1000
"""Most entries that are reported as left out; more are only counted."""

MAX_RETRIES = 3
"""How often a file that changes while it is hashed is hashed again."""

# A path travels with the share's name before it.
_MAX_LEVELS = MAX_DEPTH - 1
_MAX_RELATIVE_BYTES = MAX_PATH_BYTES - MAX_NAME_BYTES - 1

_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}


class FileKey(NamedTuple):
    """What tells that a file is still the one hashed before."""

    device: int
    inode: int
    size: int
    mtime_ns: int


class KnownFile(NamedTuple):
    """The hashes of a file, from an earlier scan."""

    root: Root
    sha256: bytes


class ScannedEntry(NamedTuple):
    """A file or folder as indexed.

    ``path`` counts from the share's top, which itself is ``()``. A folder has the size and number of the files
    below it, no ``sha256``, and an ``mtime_ns`` of 0, as in its listing.
    """

    path: tuple[str, ...]
    kind: EntryKind
    size: int
    files: int
    root: Root
    sha256: bytes | None
    executable: bool
    mtime_ns: int
    device: int
    inode: int
    ctime_ns: int


class Skipped(NamedTuple):
    """Something left out, and why. ``path`` is relative, made safe to encode."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class ScanResult:
    """A whole share.

    Attributes:
        entries: Everything shared; a folder stands before what is in it.
        skipped: What was left out and why, but not what is ignored; at most ``MAX_SKIPPED``.
        skipped_count: How much was left out in all.
        digests: Joined chunk digests of contents of several chunks that were hashed now, listings included.
        listings: The bytes of every folder's listing.
    """

    entries: list[ScannedEntry]
    skipped: list[Skipped]
    skipped_count: int
    digests: dict[Root, bytes]
    listings: dict[Root, bytes]


@dataclass(slots=True)
class _Folder:
    path: tuple[str, ...]
    parent: _Folder | None
    status: os.stat_result
    children: list[ScannedEntry] = field(default_factory=list)


class _Pending(NamedTuple):
    folder: _Folder
    path: tuple[str, ...]
    size: int


class _Unfit(Exception):
    """Something that cannot be shared; its text is the reason."""


class Scan:
    """One scan of one share. ``run`` it once; ``cancel`` and ``progress`` are for other threads."""

    def __init__(
        self,
        path: Path,
        *,
        ignore: IgnoreRules,
        cache: Mapping[FileKey, KnownFile],
        threads: int,
        bytes_per_second: int | None,
    ) -> None:
        """Prepare a scan.

        Args:
            path: The share's top, a folder or a single file.
            ignore: What to leave out.
            cache: Hashes from earlier scans.
            threads: How many files are hashed at once, at least 1.
            bytes_per_second: Read no faster than this; ``None`` for full speed.
        """
        self._path = path
        self._ignore = ignore
        self._cache = cache
        self._threads = threads
        self._meter = Meter(bytes_per_second)
        self._entries = 0
        self._folders: list[_Folder] = []
        self._pending: deque[_Pending] = deque()
        self._lock = Lock()  # guards the next two
        self._skipped: list[Skipped] = []
        self._skipped_count = 0
        self._digests: dict[Root, bytes] = {}

    def run(self) -> ScanResult:
        """Scan the share.

        Raises:
            InvalidPath: The top is missing, unreadable, a link or not regular, or the share has too many entries.
            ScanCancelled: ``cancel`` was called.
        """
        try:
            top = os.open(self._path, READ_FLAGS)
        except OSError as error:
            is_link = error.errno == errno.ELOOP
            hint = "share what the link points to" if is_link else "check the path and its permissions"
            raise InvalidPath(f"{self._path}: {_reason(error)}", hint) from error
        try:
            status = os.fstat(top)
            if stat.S_ISDIR(status.st_mode):
                return self._scan_folder(top, status)
            return self._scan_file(top, status)
        finally:
            os.close(top)

    def cancel(self) -> None:
        """Make ``run`` raise ``ScanCancelled`` soon."""
        self._meter.cancel()

    def progress(self) -> ScanProgress:
        """Return how far the scan is."""
        return self._meter.progress()

    def _scan_folder(self, top: int, status: os.stat_result) -> ScanResult:
        waiting = [_Folder((), None, status)]
        while waiting:
            waiting += self._walk(top, waiting.pop())
        self._hash_pending(top)
        entries, listings = self._describe()
        return ScanResult(entries, self._skipped, self._skipped_count, self._digests, listings)

    def _scan_file(self, top: int, status: os.stat_result) -> ScanResult:
        holder = _Folder((), None, status)  # stands in for the folder that a lone file has not
        try:
            self._take_file(holder, (), status)
        except _Unfit as error:
            raise InvalidPath(f"{self._path}: {error}") from error
        self._hash_pending(top)
        if self._skipped:
            raise InvalidPath(f"{self._path}: {self._skipped[0].reason}")
        return ScanResult(holder.children, [], 0, self._digests, {})

    def _walk(self, top: int, folder: _Folder) -> list[_Folder]:
        """Take in a folder's direct children; return those that are folders."""
        below: list[_Folder] = []
        try:
            descriptor = open_beneath(top, folder.path, FOLDER_FLAGS) if folder.path else os.dup(top)
        except OSError as error:
            self._skip(folder.path, error)
            return below
        self._folders.append(folder)
        prefix = "".join(f"{name}/" for name in folder.path)
        try:
            with os.scandir(descriptor) as entries:
                seen: set[str] = set()
                for entry in entries:
                    self._meter.check()
                    if entry.name in seen:  # a folder that changes while it is read may name a file twice (POSIX)
                        continue
                    seen.add(entry.name)
                    relative = prefix + entry.name
                    if not self._ignore.ignores(relative, entry.is_dir(follow_symlinks=False)):
                        self._visit(folder, relative, entry, below)
        except OSError as error:
            self._skip(folder.path, error)
        finally:
            os.close(descriptor)
        return below

    def _visit(self, folder: _Folder, relative: str, entry: os.DirEntry[str], below: list[_Folder]) -> None:
        path = (*folder.path, entry.name)
        try:
            check_name(entry.name)
            _check_place(path, relative)
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                below.append(_Folder(path, folder, status))
            else:
                self._take_file(folder, path, status)
        except (OSError, InvalidName, _Unfit) as error:
            self._skip(path, error)
            return
        self._entries += 1
        if self._entries > MAX_ENTRIES:
            raise InvalidPath(f"{self._path}: more than {MAX_ENTRIES:,} files and folders", "share parts of it")

    def _take_file(self, folder: _Folder, path: tuple[str, ...], status: os.stat_result) -> None:
        """Take in a file at once if its hashes are known, else note that it waits for them."""
        _check_file(status)
        size = status.st_size
        known = self._cache.get(FileKey(status.st_dev, status.st_ino, size, status.st_mtime_ns))
        self._meter.add(size, known=known is not None)
        if known is None:
            self._pending.append(_Pending(folder, path, size))
        else:
            folder.children.append(_file_entry(path, status, known))

    def _skip(self, path: tuple[str, ...], error: Exception) -> None:
        shown = os.fsencode("/".join(path)).decode(errors="backslashreplace")
        with self._lock:
            self._skipped_count += 1
            if len(self._skipped) < MAX_SKIPPED:
                self._skipped.append(Skipped(shown, _reason(error)))

    def _hash_pending(self, top: int) -> None:
        """Hash what the cache did not know, several files at once."""
        self._meter.start_hashing()
        threads = min(self._threads, len(self._pending))
        if not threads:
            return
        with ThreadPoolExecutor(threads) as helper, ThreadPoolExecutor(threads) as workers:
            for worked in [workers.submit(self._work, top, helper) for _ in range(threads)]:
                worked.result()

    def _work(self, top: int, helper: Executor) -> None:
        buffer = bytearray(CHUNK_BYTES)
        while True:
            try:
                pending = self._pending.popleft()
            except IndexError:
                return
            try:
                entry = self._hash(top, pending, buffer, helper)
            except (OSError, _Unfit) as error:
                self._skip(pending.path, error)
                self._meter.finish(pending.size, None)
            else:
                pending.folder.children.append(entry)
                self._meter.finish(pending.size, entry.size)

    def _hash(self, top: int, pending: _Pending, buffer: bytearray, helper: Executor) -> ScannedEntry:
        """Hash a file, again if it changes meanwhile."""
        path = pending.path
        for _ in range(1 + MAX_RETRIES):
            descriptor = open_beneath(top, path, READ_FLAGS) if path else os.open(self._path, READ_FLAGS)
            try:
                before = os.fstat(descriptor)
                _check_file(before)
                hashes = hash_file(descriptor, before, buffer, helper, self._meter)
            finally:
                os.close(descriptor)
            if hashes:
                self._keep(hashes)
                return _file_entry(path, before, KnownFile(hashes.root, hashes.sha256))
        raise _Unfit("keeps changing while it is read")

    def _keep(self, hashes: Hashes) -> None:
        if len(hashes.digests) > HASH_BYTES:
            self._digests[hashes.root] = hashes.digests

    def _describe(self) -> tuple[list[ScannedEntry], dict[Root, bytes]]:
        """List every folder, the deepest first: a folder's listing names the roots of those in it."""
        entries: list[ScannedEntry] = []
        listings: dict[Root, bytes] = {}
        for folder in reversed(self._folders):
            listing = encode_listing(
                ListingEntry(at.path[-1], at.kind, at.size, at.files, at.root, at.executable, at.mtime_ns)
                for at in folder.children
            )
            hashes = hash_bytes(listing)
            self._keep(hashes)
            listings[hashes.root] = listing
            entry = _folder_entry(folder, hashes.root)
            entries += (child for child in folder.children if child.kind == "file")
            entries.append(entry)
            if folder.parent:
                folder.parent.children.append(entry)
        entries.reverse()
        return entries, listings


def _file_entry(path: tuple[str, ...], status: os.stat_result, known: KnownFile) -> ScannedEntry:
    return ScannedEntry(
        path,
        "file",
        status.st_size,
        1,
        known.root,
        known.sha256,
        bool(status.st_mode & stat.S_IXUSR),
        status.st_mtime_ns,
        status.st_dev,
        status.st_ino,
        status.st_ctime_ns,
    )


def _folder_entry(folder: _Folder, root: Root) -> ScannedEntry:
    status = folder.status
    return ScannedEntry(
        path=folder.path,
        kind="folder",
        size=sum(child.size for child in folder.children),
        files=sum(child.files for child in folder.children),
        root=root,
        sha256=None,
        executable=False,
        mtime_ns=0,
        device=status.st_dev,
        inode=status.st_ino,
        ctime_ns=status.st_ctime_ns,
    )


def _check_place(path: tuple[str, ...], relative: str) -> None:
    if len(path) > _MAX_LEVELS:
        raise _Unfit("too many folders deep")
    if len(relative.encode()) > _MAX_RELATIVE_BYTES:
        raise _Unfit("its path is too long")


def _check_file(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _Unfit(_KINDS.get(stat.S_IFMT(status.st_mode), "not a regular file"))
    if status.st_size > MAX_FILE_BYTES:
        raise _Unfit("larger than 1 TiB")
    if abs(status.st_mtime_ns) > MAX_MTIME:
        raise _Unfit("its modification time is out of range")


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
