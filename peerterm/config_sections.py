"""What can be set, by section: each setting's default, its variable, its reader and its meaning in one line.

Reads no file and no variable. Used by ``config`` alone, which offers these classes to everyone else.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peerterm import config_values as values
from peerterm.core.names import MAX_DISPLAY_CHARACTERS


def _own_name() -> str:
    label = socket.gethostname().partition(".")[0]
    try:
        return values.peer_name(label[:MAX_DISPLAY_CHARACTERS])
    except values.BadValue:
        return "peerterm"


def _downloads() -> Path:
    from platformdirs import user_downloads_path  # noqa: PLC0415 - a verb without an engine never asks

    return user_downloads_path()


def _threads() -> int:
    return min(4, os.cpu_count() or 1)


def _setting(
    env: str,
    read: Callable[[object], Any],
    summary: str,
    *,
    default: Any = None,
    make: Callable[[], Any] | None = None,
) -> Any:
    metadata = {"env": env, "read": read, "help": summary}
    return field(default_factory=make or (lambda: default), metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """How this machine appears on the network."""

    name: str = _setting(
        "PEERTERM_NAME", values.peer_name, "what peers see; the host's name if not set", make=_own_name
    )
    port: int = _setting(
        "PEERTERM_PORT",
        values.integer(0, 65535),
        "TCP port; 0 is 47470, or another if that is taken",
        default=0,
    )
    interfaces: tuple[str, ...] = _setting(
        "PEERTERM_INTERFACE",
        values.several(values.text),
        "network interfaces to use; none named means all",
        default=(),
    )
    discovery_port: int = _setting(
        "PEERTERM_DISCOVERY_PORT",
        values.integer(1, 65535),
        "UDP port of beacons; all machines of a network must have the same",
        default=47470,
    )
    peers: tuple[str, ...] = _setting(
        "PEERTERM_PEER", values.several(values.address), "HOST:PORT of peers that beacons do not reach", default=()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSettings:
    """What is shared, and where downloads go."""

    download_dir: Path = _setting(  # noqa: RUF009 - a field, as the others
        "PEERTERM_DOWNLOAD_DIR", values.path, "folder for downloads", make=_downloads
    )
    accept_from: tuple[str, ...] = _setting(
        "PEERTERM_ACCEPT_FROM",
        values.several(values.peer_id),
        "whole ids of peers whose offers are accepted unasked",
        default=(),
    )
    share: tuple[Path, ...] = _setting(
        "PEERTERM_SHARE", values.several(values.path), "paths shared at each start", default=()
    )
    share_hidden: bool = _setting(
        "PEERTERM_SHARE_HIDDEN", values.switch, "also share files whose names begin with a dot", default=False
    )
    ignore: tuple[str, ...] = _setting(
        "PEERTERM_IGNORE",
        values.several(values.text),
        "patterns, as in .gitignore, of files never shared",
        default=(),
    )
    scan_threads: int = _setting(
        "PEERTERM_SCAN_THREADS", values.integer(1, 64), "threads that read files for the index", make=_threads
    )
    scan_rate: int = _setting(
        "PEERTERM_SCAN_RATE", values.rate, "most bytes a second read for the index; 0 is no limit", default=0
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSettings:
    """How much of the network and the disk downloads and uploads may take."""

    running: int = _setting(
        "PEERTERM_RUNNING",
        values.integer(1, 100),
        "downloads that run at once; further ones are queued",
        default=3,
    )
    down_limit: int = _setting(
        "PEERTERM_DOWN_LIMIT", values.rate, "most bytes a second received, such as 10MiB; 0 is no limit", default=0
    )
    up_limit: int = _setting(
        "PEERTERM_UP_LIMIT", values.rate, "most bytes a second sent, such as 1.5M; 0 is no limit", default=0
    )
    upload_slots: int = _setting(
        "PEERTERM_UPLOAD_SLOTS",
        values.integer(1, 64),
        "peers served at once; others wait their turn",
        default=8,
    )
    min_free: int | None = _setting(
        "PEERTERM_MIN_FREE",
        values.automatic(values.amount),
        "bytes downloads leave free on a disk; auto is 2 %, at least 1 GiB, at most 10 %",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """How films and songs are watched before they are here."""

    player: str = _setting(
        "PEERTERM_PLAYER",
        values.player,
        "what plays: auto, none, mpv, vlc, ffplay, or a command with {url}",
        default="auto",
    )
    cache: int = _setting(
        "PEERTERM_STREAM_CACHE",
        values.at_least(256 * 1024**2, values.amount),
        "most bytes kept of what was played, at least 256MiB",
        default=2 * 1024**3,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSettings:
    """How conversations draw attention."""

    bell: bool = _setting(
        "PEERTERM_BELL",
        values.switch,
        "ring the terminal's bell when somebody writes to you or names you",
        default=False,
    )
    notices: bool = _setting(
        "PEERTERM_NOTICES",
        values.switch,
        "say in #lan, to you alone, who comes and who goes",
        default=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSettings:
    """What a command of the user is told of."""

    on_event: str = _setting(
        "PEERTERM_ON_EVENT",
        values.command,
        "command that gets what happens as JSON on its stdin; none if empty",
        default="",
    )
    on_event_kinds: tuple[str, ...] = _setting(
        "PEERTERM_ON_EVENT_KINDS",
        values.several(values.one_of(*values.EVENT_KINDS)),
        "what it is told of",
        default=("transfer_done", "transfer_failed", "offer_received", "direct_message", "mention"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What the engine writes down."""

    level: str = _setting(
        "PEERTERM_LOG_LEVEL",
        values.one_of("debug", "info", "warning", "error"),
        "least level written",
        default="info",
    )
    size_bytes: int = _setting(
        "PEERTERM_LOG_SIZE_BYTES",
        values.integer(65536, 2**30),
        "size at which the log file is rotated",
        default=5 * 1024**2,
    )
    keep: int = _setting(
        "PEERTERM_LOG_KEEP", values.integer(2, 100), "log files kept, the current one included", default=3
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UiSettings:
    """How the full-screen program looks and which keys it takes."""

    theme: str = _setting(
        "PEERTERM_THEME",
        values.one_of("auto", "peerterm-dark", "peerterm-light", "peerterm-contrast", "ansi-dark", "ansi-light"),
        "colours; auto suits the terminal, the ansi ones are its own",
        default="auto",
    )
    mouse: str = _setting(
        "PEERTERM_MOUSE",
        values.one_of("auto", "on", "off"),
        "take the mouse; auto does so unless over SSH, where it selects text",
        default="auto",
    )
    ascii: str = _setting(
        "PEERTERM_ASCII",
        values.one_of("auto", "on", "off"),
        "draw with ASCII characters only; auto asks the locale",
        default="auto",
    )
    keymap: Mapping[str, str] = _setting(
        "PEERTERM_KEYMAP", values.keymap, "keys of your own by action, as files.get=d f5", make=dict
    )
