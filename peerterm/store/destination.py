"""Where one transfer lands: its part files, and the move to their final names.

A single file is fetched into ``NAME.peerterm-part`` beside its destination; a folder into a private folder
``NAME.peerterm-part`` in which every unfinished file bears the suffix too. Every name passes ``core.names``; below
the download folder every step is taken from an open folder and follows no link; nothing that exists is ever
overwritten. Lane threads write and read chunks; all else is blocking too and belongs in a thread.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Self

from peerterm.core.names import (
    PART_SUFFIX,
    check_name,
    check_path,
    collision_key,
    landing_name,
    numbered,
    part_name,
)
from peerterm.errors import InvalidName, StorageError
from peerterm.store.openfiles import OpenFiles
from peerterm.store.partfile import PartFile, set_mode
from peerterm.store.reading import FOLDER_FLAGS, READ_FLAGS, storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from peerterm.core.listing import EntryKind

MAX_OPEN_FILES = 16
"""Most part files that one transfer keeps open between two uses."""

MAX_NUMBER = 9999
"""Highest number tried for a name that is taken."""

_PART_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}


class Destination:
    """The place of one transfer on this disk. Make it with ``open``; it holds descriptors until ``close``.

    Attributes:
        part: Name of the part file or part folder, for ``open`` to find it again; once finished, the final name.
        resumed: Whether the part of an earlier run was found, so that what it holds counts.
    """

    def __init__(self, directory: Path, descriptor: int, name: str, kind: EntryKind) -> None:
        self.part = ""
        self.resumed = False
        self._directory = directory
        self._descriptor = descriptor
        self._name = name
        self._is_folder = kind == "folder"
        self._top = -1  # the part itself; held open, so that its inode number stays its own
        self._finished = False
        self._files = OpenFiles(MAX_OPEN_FILES)
        self._one_case: dict[tuple[str, ...], tuple[str, ...]] | None = None

    @classmethod
    def open(cls, directory: Path, name: str, kind: EntryKind, part: str = "") -> Self:
        """Prepare a transfer's part file or part folder.

        Args:
            directory: The download folder; created if missing.
            name: What is fetched; its leading dots are neutralised.
            kind: File or folder.
            part: ``Destination.part`` of an earlier run of the same transfer, to go on with it.

        Raises:
            InvalidName: The name is unsafe.
            StorageError: The folder cannot be made or written.
        """
        name = landing_name(name)
        with storage_errors(directory):
            directory.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        destination = cls(directory, descriptor, name, kind)
        try:
            with storage_errors(directory / name):
                destination._start(part)
        except (InvalidName, StorageError):
            destination.close()
            raise
        return destination

    def file(self, path: tuple[str, ...], size: int) -> PartFile:
        """Return the part file for one file. Nothing is created before something is written.

        Args:
            path: Components below the folder that is fetched; ``()`` if a single file is.
            size: Bytes it will have.

        Raises:
            InvalidName: A component is unsafe.
            StorageError: This disk takes another file's name for the same.
        """
        check_path(path)
        if bool(path) != self._is_folder:
            raise ValueError(f"{path} in a transfer of a {'folder' if self._is_folder else 'file'}")
        if self._one_case is not None:
            other = self._one_case.setdefault(tuple(map(collision_key, path)), path)
            if other != path:
                raise StorageError(
                    f"{self._shown(path)}: this disk cannot tell its name from that of {self._shown(other)}",
                    "fetch into a folder on a disk that tells upper from lower case",
                )
        publish = partial(self._publish_inner, path) if path else _nothing
        return PartFile(self._shown(path), size, partial(self._using, path), publish)

    def folder(self, path: tuple[str, ...]) -> None:
        """Create a folder below the one that is fetched; fine if it exists.

        Raises:
            InvalidName: A component is unsafe.
            StorageError: The disk refuses.
        """
        check_path(path)
        with storage_errors(self._shown(path)):
            os.close(self._enter(path, create=True))

    def finish(self) -> Path:
        """Make what was fetched durable and give it its final name, or a numbered one; return its path.

        Every ``PartFile`` must be finished.

        Raises:
            StorageError: The disk refuses, or somebody replaced the part. The part stays, to try again.
        """
        with storage_errors(self._directory / self._name):
            if not self._finished:
                self._require_own()
                self._publish()
            _sync_folder(self._descriptor)
        return self._directory / self.part

    def discard(self) -> None:
        """Remove the part file, or the part folder with all in it. Does nothing after ``finish``.

        Raises:
            StorageError: The disk refuses, or somebody replaced the part.
        """
        if self._finished:
            return
        self._files.stop()  # a lane that still writes would make anew what is being removed
        with storage_errors(self._directory / self.part), suppress(FileNotFoundError):
            self._require_own()
            if self._is_folder:
                shutil.rmtree(self.part, dir_fd=self._descriptor)
            else:
                os.unlink(self.part, dir_fd=self._descriptor)

    def close(self) -> None:
        """Close all descriptors; no part file can be used after. What is on disk stays."""
        self._files.close(*(at for at in (self._top, self._descriptor) if at >= 0))

    def _start(self, part: str) -> None:
        """Find the part of an earlier run, or create one that nobody else has."""
        self.resumed = bool(part) and self._adopt(part)
        if self.resumed:
            return
        for name in self._names():
            with suppress(FileExistsError):
                self._create(part_name(name))
                return
        raise self._no_name()

    def _create(self, part: str) -> None:
        if self._is_folder:
            os.mkdir(part, 0o700, dir_fd=self._descriptor)
            descriptor = os.open(part, FOLDER_FLAGS, dir_fd=self._descriptor)
        else:
            descriptor = os.open(part, _PART_FLAGS | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=self._descriptor)
        self._own(part, descriptor)

    def _adopt(self, part: str) -> bool:
        """Take over the part of an earlier run; return whether it is there and has no other name."""
        check_name(part.removesuffix(PART_SUFFIX))
        try:
            flags = FOLDER_FLAGS if self._is_folder else _PART_FLAGS
            descriptor = os.open(part, flags, dir_fd=self._descriptor)
        except OSError as error:
            if error.errno in _NOT_THERE:
                return False
            raise
        status = os.fstat(descriptor)
        if self._is_folder or (stat.S_ISREG(status.st_mode) and status.st_nlink <= 1):
            self._own(part, descriptor)
            return True
        os.close(descriptor)
        return False

    def _own(self, part: str, descriptor: int) -> None:
        self.part, self._top = part, descriptor
        with suppress(FileNotFoundError):
            shouted = part.removesuffix(PART_SUFFIX) + PART_SUFFIX.upper()
            if self._is_part(os.stat(shouted, dir_fd=self._descriptor, follow_symlinks=False)):
                self._one_case = {}

    def _require_own(self) -> None:
        """Make sure that the part is still the one this transfer made."""
        found = os.stat(self.part, dir_fd=self._descriptor, follow_symlinks=False)
        if not self._is_part(found):
            raise self._replaced()

    def _is_part(self, status: os.stat_result) -> bool:
        return os.path.samestat(status, os.fstat(self._top))

    def _replaced(self) -> StorageError:
        return StorageError(f"{self._directory / self.part}: replaced by something else", "look at it, then retry")

    def _names(self) -> Iterator[str]:
        yield self._name
        for number in range(2, MAX_NUMBER + 1):
            yield numbered(self._name, number, is_folder=self._is_folder)

    def _no_name(self) -> StorageError:
        return StorageError(f"{self._directory / self._name}: too many of this name", "choose another folder")

    def _shown(self, path: tuple[str, ...]) -> Path:
        return self._directory.joinpath(self.part, *path)

    def _using(self, path: tuple[str, ...], *, create: bool) -> AbstractContextManager[int]:
        return self._files.using(path, partial(self._open_part, path, create))

    def _open_part(self, path: tuple[str, ...], create: bool) -> int:
        """Open a file under its part name or, where it is finished, under its own."""
        if not path:
            descriptor = os.open(self.part, _PART_FLAGS, dir_fd=self._descriptor)
            if not self._is_part(os.fstat(descriptor)):
                os.close(descriptor)
                raise self._replaced()
            return descriptor
        folder = self._enter(path[:-1], create=create)
        try:
            part = part_name(path[-1])
            for name in (part, path[-1]):
                with suppress(FileNotFoundError):
                    return os.open(name, _PART_FLAGS, dir_fd=folder)
            if not create:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            # The part folder is private: all in it is ours, so no O_EXCL is needed (two lanes may come with the
            # first two chunks), and files may have the mode they will end with.
            return os.open(part, _PART_FLAGS | os.O_CREAT, 0o666, dir_fd=folder)
        finally:
            os.close(folder)

    def _enter(self, path: tuple[str, ...], *, create: bool) -> int:
        """Open a folder below the part folder, step by step."""
        current = os.dup(self._top)
        for name in path:
            try:
                below = _open_folder(name, current, create=create)
            finally:
                os.close(current)
            current = below
        return current

    def _publish(self) -> None:
        """Make the part durable and rename it to the first name that is free."""
        if self._is_folder:
            _sync_tree(self._top)
        for name in self._names():
            with suppress(FileExistsError):
                if self._is_folder:
                    _publish_folder(self._descriptor, self._top, self.part, name)
                else:
                    _publish_file(self._descriptor, self.part, name)
                self.part, self._finished = name, True
                return
        raise self._no_name()

    def _publish_inner(self, path: tuple[str, ...]) -> None:
        folder = self._enter(path[:-1], create=False)
        part, name = part_name(path[-1]), path[-1]
        try:
            if not _exists(part, folder):
                return  # it bears its final name already
            # No reservation as at the top: nobody else is here, and ext4 flushes a file renamed over another.
            if _exists(name, folder):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
        finally:
            os.close(folder)


def _nothing() -> None:
    pass


def _open_folder(name: str, parent: int, *, create: bool) -> int:
    try:
        return os.open(name, FOLDER_FLAGS, dir_fd=parent)
    except FileNotFoundError:
        if not create:
            raise
    with suppress(FileExistsError):  # another lane was faster
        os.mkdir(name, dir_fd=parent)
    return os.open(name, FOLDER_FLAGS, dir_fd=parent)


def _exists(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _publish_file(folder: int, part: str, name: str) -> None:
    """Sync a part file and rename it to a name that is free, with the permissions a new file gets here.

    The name is reserved first: a rename alone would overwrite. The reservation also shows what the umask allows.
    """
    descriptor = os.open(part, _PART_FLAGS, dir_fd=folder)
    try:
        os.fsync(descriptor)
        reserved = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=folder)
        mode = stat.S_IMODE(os.fstat(reserved).st_mode)
        os.close(reserved)
        executable = bool(os.fstat(descriptor).st_mode & stat.S_IXUSR)
        try:
            set_mode(descriptor, mode, executable=executable)
            os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            os.unlink(name, dir_fd=folder)
            raise
    finally:
        os.close(descriptor)


def _publish_folder(parent: int, top: int, part: str, name: str) -> None:
    """Rename a part folder to a name that is free, with the permissions a new folder gets here."""
    os.mkdir(name, dir_fd=parent)
    try:
        mode = stat.S_IMODE(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
        set_mode(top, mode, executable=True)
        os.rename(part, name, src_dir_fd=parent, dst_dir_fd=parent)
    except OSError:
        os.rmdir(name, dir_fd=parent)
        raise


def _sync_tree(top: int) -> None:
    """Make every file and folder below ``top`` durable, and ``top`` itself."""

    def fail(error: OSError) -> None:
        raise error

    for _, _, files, folder in os.fwalk(".", topdown=False, onerror=fail, dir_fd=top):
        for name in files:
            descriptor = os.open(name, READ_FLAGS, dir_fd=folder)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        _sync_folder(folder)


def _sync_folder(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems sync files only
            raise
