"""The lock that makes sure one engine runs on a profile. Held by the engine's process, freed by its end."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Self

from peerterm.errors import EngineBusy, StorageError

if TYPE_CHECKING:
    from pathlib import Path


class ProfileLock:
    """Holds a profile while its ``with`` block runs. The system frees it however the process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            EngineBusy: Another process holds it.
            StorageError: The lock file cannot be used.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise StorageError(f"{self._path}: {error.strerror}", "check the profile folder") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise EngineBusy(
                f"another engine (pid {holder or 'unknown'}) runs on this profile",
                "use it: peerterm status; stop it: peerterm stop; or choose another: --profile DIR",
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        return self

    def __exit__(self, *_: object) -> None:
        """Free the lock; the file stays, so that nobody locks a file that is about to vanish."""
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)


def is_held(path: Path) -> bool:
    """Return whether an engine holds the profile. An engine that starts meanwhile may be told that it is busy."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
