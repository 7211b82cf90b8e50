"""Where a profile keeps its files. Makes the folders, never their content; everyone is handed a ``Paths``."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from peerterm.errors import InvalidPath

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_SOCKET_PATH_BYTES = 100
"""Longest usable path of a Unix socket: the system takes 108 bytes on Linux, 104 elsewhere, with a NUL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """The files of one profile. ``home`` and the socket's folder exist and belong to this user."""

    home: Path
    config: Path
    database: Path
    key: Path
    lock: Path
    log: Path
    start_log: Path
    socket: Path

    @classmethod
    def resolve(cls, profile: str | None, env: Mapping[str, str]) -> Paths:
        """Find the profile and make its folders, open to this user only.

        Args:
            profile: Folder of the profile; without one, ``PEERTERM_HOME``, then the platform's data folder.
            env: The process environment.

        Raises:
            InvalidPath: A folder cannot be made, or belongs to somebody else.
        """
        home = _home(profile, env)
        try:
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            home = home.resolve(strict=True)
            _make_private(home / "run")
            socket = home / "run" / "control.sock"
            if len(os.fsencode(socket)) > MAX_SOCKET_PATH_BYTES:
                socket = _short_socket(home, env)
        except OSError as error:
            raise InvalidPath(
                f"{error.filename or home}: the profile folder cannot be used: {error.strerror}",
                "choose another one: --profile DIR, or PEERTERM_HOME",
            ) from error
        return cls(
            home=home,
            config=home / "config.toml",
            database=home / "peerterm.db",
            key=home / "key.pem",
            lock=home / "lock",
            log=home / "peerterm.log",
            start_log=home / "start.log",
            socket=socket,
        )


def _home(profile: str | None, env: Mapping[str, str]) -> Path:
    chosen = profile or env.get("PEERTERM_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_data_path  # noqa: PLC0415 - only the default profile needs it

    return user_data_path("peerterm")


def _short_socket(home: Path, env: Mapping[str, str]) -> Path:
    """Name a socket outside a profile whose own path is too long for one."""
    runtime = env.get("XDG_RUNTIME_DIR", "")
    name = hashlib.sha256(os.fsencode(home)).hexdigest()[:24] + ".sock"
    for base in (runtime, tempfile.gettempdir()):
        socket = Path(base) / f"peerterm-{os.getuid()}" / name
        if base and Path(base).is_dir() and len(os.fsencode(socket)) <= MAX_SOCKET_PATH_BYTES:
            _make_private(socket.parent)
            return socket
    raise InvalidPath(f"{home}: no folder is short enough for the control socket", "choose a shorter --profile DIR")


def _make_private(folder: Path) -> None:
    """Make a folder that only this user may enter; refuse a foreign one or a link somebody planted.

    Raises:
        InvalidPath: It is no folder, or not ours.
        OSError: It cannot be made.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise InvalidPath(f"{folder}: not a folder of this user", "remove it, or choose another --profile DIR")
    if found.st_mode & 0o077:
        folder.chmod(0o700)
