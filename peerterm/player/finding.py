"""Which player to use: the one that is asked for, or the best that is installed. Starts none."""

from __future__ import annotations

import platform
import shlex
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerterm.display import clean
from peerterm.errors import UsageError
from peerterm.player.mpv import Mpv
from peerterm.player.other import FFPLAY_ARGUMENTS, VLC_ARGUMENTS, CommandPlayer
from peerterm.player.remote import lacks_screen

if TYPE_CHECKING:
    from collections.abc import Mapping

Found = Mpv | CommandPlayer

AUTO = "auto"
NONE = "none"
PLAYERS = ("mpv", "vlc", "ffplay")
"""Those known by name, the best first."""

_INSTALL = {"debian": "sudo apt install mpv", "fedora": "sudo dnf install mpv", "macos": "brew install mpv"}


@dataclass(frozen=True, slots=True)
class Choice:
    """Which player to use.

    Attributes:
        player: ``None`` if none is wanted, nobody could see it, or it is missed.
        advice: What to do about one that is missed; empty if none is.
    """

    player: Found | None
    advice: str = ""


def choose(wish: str, environment: Mapping[str, str], *, is_demanded: bool = False) -> Choice:
    """Return the player to use where this process runs.

    Args:
        wish: As for ``find``.
        environment: The variables of this process.
        is_demanded: Whether it is wanted also where no player could show anything.

    Raises:
        UsageError: What is wished is no player.
    """
    is_unseen = lacks_screen(environment) and not is_demanded
    found = None if is_unseen else find(wish)
    if found is not None or is_unseen or wish == NONE:
        return Choice(found)
    missing = "no player is" if wish == AUTO else f"{clean(wish.split(maxsplit=1)[0])} is not"
    return Choice(None, f"{missing} installed; {how_to_install()}")


def find(preference: str = AUTO) -> Found | None:
    """Return the player to use; ``None`` if none is wanted or what is asked for is not installed.

    Args:
        preference: ``auto``, ``none``, one of ``PLAYERS``, or a command in which ``{url}`` stands for the stream's
            address and ``{title}`` for its title, quoted as for a shell, though none runs it.

    Raises:
        UsageError: The preference is neither.
    """
    if preference == NONE:
        return None
    if preference == AUTO:
        return next((found for name in PLAYERS if (found := _known(name))), None)
    return _known(preference) if preference in PLAYERS else _command(preference)


def how_to_install(system: str | None = None) -> str:
    """Return what installs a player on this machine, in one line.

    Args:
        system: One of ``debian``, ``fedora``, ``macos`` to ask for another than this machine's.
    """
    system = _system() if system is None else system
    return f"install mpv: {_INSTALL.get(system, 'see https://mpv.io/installation')}"


def _known(name: str) -> Found | None:
    program = shutil.which(name)
    if program is None:
        return None
    if name == "mpv":
        return Mpv(program)
    return CommandPlayer(name, program, VLC_ARGUMENTS if name == "vlc" else FFPLAY_ARGUMENTS)


def _command(text: str) -> CommandPlayer | None:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"the player {clean(text)!r} is no command: {error}") from error
    if not any("{url}" in word for word in words[1:]):
        raise UsageError(
            f"the player {clean(text)!r} is not known",
            f"use {AUTO}, {NONE}, {', '.join(PLAYERS)}, or a command with {{url}} where the address goes",
        )
    program = shutil.which(words[0])
    return CommandPlayer(clean(words[0]), program, tuple(words[1:])) if program else None


def _system() -> str:
    """Return which entry of ``_INSTALL`` fits this machine; empty if none does."""
    if sys.platform == "darwin":
        return "macos"
    try:
        release = platform.freedesktop_os_release()
    except OSError:  # it does not say
        return ""
    names = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    return next((name for name in names if name in _INSTALL), "")
