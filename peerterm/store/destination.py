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
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Self

from peerterm.core.manifest import CHUNK_BYTES
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
from peerterm.store.folders import (
    PART_FLAGS,
    claim,
    exists,
    open_folder,
    publish_file,
    publish_folder,
    sync_folder,
    sync_tree,
)
from peerterm.store.onechunk import OneChunkFile
from peerterm.store.openfiles import OpenFiles
from peerterm.store.partfile import FileMark, PartFile
from peerterm.store.reading import FOLDER_FLAGS, storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from peerterm.core.listing import EntryKind
    from peerterm.store.journal import Landed

MAX_OPEN_FILES = 16
"""Most part files that one transfer keeps open between two uses."""

MAX_OPEN_FOLDERS = 8
"""Most folders of one transfer kept open between two uses."""

MAX_NUMBER = 9999
"""Highest number tried for a name that is taken."""

_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}


class Destination:
    """The place of one transfer on this disk. Make it with ``open``; it holds descriptors until ``close``.

    Attributes:
        part: Name of the part file or part folder, for ``open`` to find it again; once finished, the final name.
        inode: Its inode number, for ``open`` too.
        resumed: Whether the part of an earlier run was found, so that what it holds counts.
        is_doubtful: Whether what was found may be somebody else's: unless some journaled chunk or landed file is
            there, ``start_anew``.
        is_published: Whether it bears its final name. If an earlier run gave it that and anything journaled is not
            there, the user changed it: ``start_anew``.
    """

    def __init__(self, directory: Path, descriptor: int, name: str, kind: EntryKind) -> None:
        self.part = ""
        self.inode = 0
        self.resumed = False
        self.is_doubtful = False
        self.is_published = False
        self._directory = directory
        self._descriptor = descriptor
        self._name = name
        self._is_folder = kind == "folder"
        self._top = -1  # the part itself; held open, so that its inode number stays its own
        self._files = OpenFiles(MAX_OPEN_FILES)
        self._folders = OpenFiles(MAX_OPEN_FOLDERS)
        self._begun: set[tuple[str, ...]] = set()  # of one chunk, and created by this run
        self._one_case: dict[tuple[str, ...], tuple[str, ...]] | None = None

    @classmethod
    def open(cls, directory: Path, name: str, kind: EntryKind, part: str = "", inode: int = 0) -> Self:
        """Prepare a transfer's part file or part folder.

        Args:
            directory: The download folder; created if missing.
            name: What is fetched; its leading dots are neutralised.
            kind: File or folder.
            part: ``Destination.part`` of an earlier run of the same transfer, to go on with it.
            inode: ``Destination.inode`` of that run.

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
                destination._start(part, inode)
        except (InvalidName, StorageError):
            destination.close()
            raise
        return destination

    def file(
        self, path: tuple[str, ...], size: int, mtime_ns: int | None = None, *, executable: bool = False
    ) -> PartFile:
        """Return the part file for one file. Nothing is created before something is written.

        Args:
            path: Components below the folder that is fetched; ``()`` if a single file is.
            size: Bytes it will have.
            mtime_ns: The time it is to have, if that is known by now: inside a folder, writing a file of one chunk
                then finishes it too.
            executable: Whether it is to be one; only with its time.

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
        if path and mtime_ns is not None and size <= CHUNK_BYTES:
            using = partial(self._using_whole, path)
            return OneChunkFile(self._shown(path), size, using, mtime_ns, executable=executable)
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
            if not self.is_published:
                self._require_own()
                self._publish()
            sync_folder(self._descriptor)
        return self._directory / self.part

    def check_landed(self, landed: Mapping[tuple[str, ...], Landed]) -> set[tuple[str, ...]]:
        """Return the paths of the files that still are as they landed; reads what a power cut can have hurt.

        Raises:
            StorageError: The disk cannot be read.
        """
        standing = set()
        with storage_errors(self._directory / self.part):
            for parent, paths in groupby(
                sorted(landed, key=lambda path: (path[:-1], path)), lambda path: path[:-1]
            ):
                with suppress(FileNotFoundError, NotADirectoryError):
                    folder = self._enter(parent, create=False) if self._is_folder else os.dup(self._descriptor)
                    try:
                        standing |= {path for path in paths if self._is_standing(folder, path, landed[path])}
                    finally:
                        os.close(folder)
        return standing

    def _is_standing(self, folder: int, path: tuple[str, ...], landed: Landed) -> bool:
        try:
            name = path[-1] if path else self.part
            found = FileMark.of(os.stat(name, dir_fd=folder, follow_symlinks=False))
        except FileNotFoundError:
            return False
        # Not the inode number: some file systems give a file a new one each time they are mounted.
        is_same = (found.size, found.mtime_ns) == (landed.mark.size, landed.mark.mtime_ns)
        return is_same and (landed.is_certain or self.file(path, landed.mark.size).root() == landed.root)

    def sync(self) -> None:
        """Make all that was written durable, under the names it has now.

        Raises:
            StorageError: The disk refuses.
        """
        with storage_errors(self._directory / self.part):
            if self._is_folder:
                sync_tree(self._top)
            else:
                os.fsync(self._top)
            sync_folder(self._descriptor)

    def start_anew(self) -> None:
        """Leave alone what ``open`` found and create a new part beside it.

        Raises:
            StorageError: The disk refuses.
        """
        with storage_errors(self._directory / self._name):
            self._files.close(self._top)
            self._folders.close()
            self._files, self._folders, self._top = OpenFiles(MAX_OPEN_FILES), OpenFiles(MAX_OPEN_FOLDERS), -1
            self.resumed = self.is_doubtful = False
            self._create_first(self._names())

    def discard(self) -> None:
        """Remove the part file, or the part folder with all in it; never what is finished or doubtful.

        Raises:
            StorageError: The disk refuses, or somebody replaced the part.
        """
        if self.is_published or self.is_doubtful:
            return
        self._stop()  # a lane that still writes would make anew what is being removed
        with storage_errors(self._directory / self.part), suppress(FileNotFoundError):
            self._require_own()
            if self._is_folder:
                shutil.rmtree(self.part, dir_fd=self._descriptor)
            else:
                os.unlink(self.part, dir_fd=self._descriptor)

    def close(self) -> None:
        """Close all descriptors once no lane uses one; no part file can be used after. What is on disk stays.

        Raises:
            StorageError: The disk tells only now that it refused; all are closed.
        """
        self._stop()
        held = [at for at in (self._top, self._descriptor) if at >= 0]
        self._top = self._descriptor = -1
        with storage_errors(self._directory / self.part), ExitStack() as closing:
            closing.callback(self._files.close, *held)
            closing.callback(self._folders.close)

    def _stop(self) -> None:
        """Let no lane write any more, and wait for those that do."""
        self._folders.stop()
        self._files.stop()

    def _start(self, part: str, inode: int) -> None:
        """Find the part of an earlier run, or what became of it, or create one that nobody else has."""
        self.resumed = bool(part) and (self._adopt(part) or self._adopt_published(inode))
        self.is_doubtful = self.resumed and self.inode != inode
        if not self.resumed:
            self._create_first(self._names())

    def _create_first(self, names: Iterable[str]) -> None:
        for name in names:
            with suppress(FileExistsError):
                self._create(part_name(name))
                return
        raise self._no_name()

    def _create(self, part: str) -> None:
        if self._is_folder:
            os.mkdir(part, 0o700, dir_fd=self._descriptor)
            descriptor = os.open(part, FOLDER_FLAGS, dir_fd=self._descriptor)
        else:
            descriptor = os.open(part, PART_FLAGS | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=self._descriptor)
        claim(descriptor)
        self._own(part, descriptor)

    def _adopt(self, part: str) -> bool:
        """Take over the part of an earlier run; return whether it is there, has no other name and no other user."""
        check_name(part.removesuffix(PART_SUFFIX))
        try:
            flags = FOLDER_FLAGS if self._is_folder else PART_FLAGS
            descriptor = os.open(part, flags, dir_fd=self._descriptor)
        except OSError as error:
            if error.errno in _NOT_THERE:
                return False
            raise
        status = os.fstat(descriptor)
        is_ours = self._is_folder or (stat.S_ISREG(status.st_mode) and status.st_nlink <= 1)
        if is_ours and claim(descriptor):
            self._own(part, descriptor)
            return True
        os.close(descriptor)
        return False

    def _adopt_published(self, inode: int) -> bool:
        """Take over what an earlier run published when it was killed before it could say so."""
        for name in self._names():
            try:
                found = os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
            except FileNotFoundError:
                return False
            if found.st_ino == inode and self._adopt(name):
                return True
        return False

    def _own(self, part: str, descriptor: int) -> None:
        self.part, self._top, self.inode = part, descriptor, os.fstat(descriptor).st_ino
        self.is_published = not part.endswith(PART_SUFFIX)
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

    def _shown(self, path: tuple[str, ...]) -> str:
        return "/".join((str(self._directory), self.part, *path))  # joinpath takes longer than writing the file

    def _using(self, path: tuple[str, ...], *, create: bool) -> AbstractContextManager[int]:
        return self._files.using(path, partial(self._open_part, path, create))

    @contextmanager
    def _using_whole(self, path: tuple[str, ...], *, create: bool) -> Iterator[int]:
        """Lend a file of one chunk, under its final name; it is used once, so no pool keeps it."""
        # The part folder is private: what is in it was put there by this run or by those it goes on from. Anything
        # else, and what was published since, is not ours to write.
        is_ours = path in self._begun or (self.resumed and not self.is_published)
        flags = PART_FLAGS | (os.O_CREAT | (0 if is_ours else os.O_EXCL) if create else 0)
        with self._inside(path[:-1], create=create) as folder:
            descriptor = os.open(path[-1], flags, 0o666, dir_fd=folder)
            try:
                self._begun.add(path)
                yield descriptor
            finally:
                os.close(descriptor)

    def _open_part(self, path: tuple[str, ...], create: bool) -> int:
        """Open a file under its part name or, where it is finished, under its own."""
        if not path:
            descriptor = os.open(self.part, PART_FLAGS, dir_fd=self._descriptor)
            if not self._is_part(os.fstat(descriptor)):
                os.close(descriptor)
                raise self._replaced()
            return descriptor
        with self._inside(path[:-1], create=create) as folder:
            part = part_name(path[-1])
            for name in (part, path[-1]):
                with suppress(FileNotFoundError):
                    return os.open(name, PART_FLAGS, dir_fd=folder)
            if not create:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            # The part folder is private: all in it is ours, so no O_EXCL is needed (two lanes may come with the
            # first two chunks), and files may have the mode they will end with.
            return os.open(part, PART_FLAGS | os.O_CREAT, 0o666, dir_fd=folder)

    def _inside(self, path: tuple[str, ...], *, create: bool) -> AbstractContextManager[int]:
        """Lend a descriptor of a folder below the part folder; the next file is likely to need it again."""
        return self._folders.using(path, partial(self._enter, path, create=create))

    def _enter(self, path: tuple[str, ...], *, create: bool) -> int:
        """Open a folder below the part folder, step by step."""
        current = os.open(".", FOLDER_FLAGS, dir_fd=self._top)  # not a dup, which would keep the claim on the part
        for name in path:
            try:
                below = open_folder(name, current, create=create)
            finally:
                os.close(current)
            current = below
        return current

    def _publish(self) -> None:
        """Make the part durable and rename it to the first name that is free."""
        if self._is_folder:
            sync_tree(self._top)
        for name in self._names():
            with suppress(FileExistsError):
                if self._is_folder:
                    publish_folder(self._descriptor, self._top, self.part, name)
                else:
                    publish_file(self._descriptor, self.part, name)
                self.part, self.is_published = name, True
                return
        raise self._no_name()

    def _publish_inner(self, path: tuple[str, ...]) -> None:
        part, name = part_name(path[-1]), path[-1]
        with self._inside(path[:-1], create=False) as folder:
            if not exists(part, folder):
                return  # it bears its final name already
            # No reservation as at the top: nobody else is here, and ext4 flushes a file renamed over another.
            if exists(name, folder):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)


def _nothing() -> None:
    pass
