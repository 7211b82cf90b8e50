"""A stream that is watched from another machine: whether that is so, and what to run there. Pure."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")
_SSH_PORT = "22"


def lacks_screen(environment: Mapping[str, str]) -> bool:
    """Whether this is an SSH session in which no player could show anything."""
    return "SSH_CONNECTION" in environment and not any(environment.get(name) for name in _SCREENS)


def tunnel_command(url: str, environment: Mapping[str, str]) -> str:
    """Return what makes a URL of this machine lead here on the one that the SSH session comes from.

    Its port is the same there: the URL's server answers to no other. Empty where this is no SSH session.
    """
    match environment.get("SSH_CONNECTION", "").split():
        case [_, _, host, ssh_port]:
            port = urlsplit(url).port
            user = environment.get("USER", "")
            words = ["ssh", "-L", f"{port}:127.0.0.1:{port}"]
            words += [] if ssh_port == _SSH_PORT else ["-p", ssh_port]
            return shlex.join([*words, f"{user}@{host}" if user else host])
    return ""
