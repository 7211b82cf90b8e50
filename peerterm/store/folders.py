"""The single steps a ``Destination`` takes in open folders: opening, claiming, syncing, publishing.

Nothing here follows a link or replaces what exists.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import stat
from contextlib import suppress

from peerterm.store.partfile import set_mode
from peerterm.store.reading import FOLDER_FLAGS, READ_FLAGS

PART_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

MANY_FILES = 64
"""Files synced one by one; more are cheaper to sync with all else on their file system."""

_NO_LOCKS = {errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOTSUP}  # some network file systems


def open_folder(name: str, parent: int, *, create: bool) -> int:
    """Open a folder in an open one; ``create`` it first if it is not there."""
    try:
        return os.open(name, FOLDER_FLAGS, dir_fd=parent)
    except FileNotFoundError:
        if not create:
            raise
    with suppress(FileExistsError):  # another lane was faster
        os.mkdir(name, dir_fd=parent)
    return os.open(name, FOLDER_FLAGS, dir_fd=parent)


def exists(name: str, folder: int) -> bool:
    """Whether anything in an open folder bears the name."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def claim(descriptor: int) -> bool:
    """Claim a part until its descriptor is closed; return whether no other engine has."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True


def publish_file(folder: int, part: str, name: str) -> None:
    """Sync a part file and rename it to a name that is free, with the permissions a new file gets here.

    The name is reserved first: a rename alone would overwrite. The reservation also shows what the umask allows.
    """
    descriptor = os.open(part, PART_FLAGS, dir_fd=folder)
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


def publish_folder(parent: int, top: int, part: str, name: str) -> None:
    """Rename a part folder to a name that is free, with the permissions a new folder gets here."""
    os.mkdir(name, dir_fd=parent)
    try:
        mode = stat.S_IMODE(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
        set_mode(top, mode, executable=True)
        os.rename(part, name, src_dir_fd=parent, dst_dir_fd=parent)
    except OSError:
        os.rmdir(name, dir_fd=parent)
        raise


def sync_tree(top: int) -> None:
    """Make every file and folder below ``top`` durable, and ``top`` itself.

    After ``MANY_FILES`` one by one, the rest is left to one call for the whole file system where there is such a
    call: a journal commit for each of thousands of files takes longer than fetching them.
    """

    def fail(error: OSError) -> None:
        raise error

    synced = 0
    for _, _, files, folder in os.fwalk(".", topdown=False, onerror=fail, dir_fd=top):
        for name in files:
            descriptor = os.open(name, READ_FLAGS, dir_fd=folder)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            synced += 1
            if synced == MANY_FILES and _sync_file_system(top):
                return
        sync_folder(folder)


def _sync_file_system(descriptor: int) -> bool:
    """Make everything on the file system of an open folder durable; return whether the system can (syncfs(2))."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if call is None:
        return False
    if call(descriptor):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return True


def sync_folder(descriptor: int) -> None:
    """Make durable which names are in an open folder."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems sync files only
            raise
