"""Readers of single setting values, from TOML or from text; reads no file.

Used by ``config``, and by verbs that take such values. Each takes a value and returns it in its proper type, or
raises ``BadValue``, which says what it must be.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peerterm.core.names import check_display_name
from peerterm.errors import InvalidName

MAX_AMOUNT = 2**62
MAX_RATE_BYTES = 2**40
AUTOMATIC = "auto"
_UNITS = {"": 1, "b": 1} | {
    prefix + end: base**power
    for power, prefix in enumerate("kmgt", start=1)
    for end, base in (("", 1000), ("b", 1000), ("ib", 1024))
}


class BadValue(ValueError):
    """Says what a value must be."""


def text(value: object) -> str:
    """Accept text."""
    if not isinstance(value, str):
        raise BadValue("must be text")
    if any("\ud800" <= character <= "\udfff" or character == "\0" for character in value):
        raise BadValue("must be UTF-8 without NUL")
    return value


def peer_name(value: object) -> str:
    """Accept what peers accept as a name."""
    name = text(value).strip()
    try:
        check_display_name(name)
    except InvalidName as error:
        raise BadValue(f"is no name for a peer: {error.message}") from error
    return name


def peer_id(value: object) -> str:
    """Accept the whole id of a peer: a part of it, or a name, would not say for certain who it is."""
    found = text(value).strip().lower()
    if not re.fullmatch(r"[0-9a-f]{64}", found):
        raise BadValue("must be the whole id of a peer, 64 hexadecimal digits")
    return found


def integer(least: int, most: int) -> Callable[[object], int]:
    """Accept a whole number within bounds."""

    def read(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value.strip()):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise BadValue(f"must be a whole number from {least} to {most}")
        return value

    return read


def amount(value: object) -> int:
    """Accept an amount of bytes: a whole number, or text such as ``700``, ``10M`` (1000 based) or ``4GiB``."""
    if isinstance(value, str):
        number = value.strip().lower().rstrip("kmgtib ")
        unit = value.strip().lower()[len(number) :].strip()
        try:
            value = int(float(number) * _UNITS[unit])
        except (ValueError, LookupError, OverflowError) as error:
            raise BadValue("must be bytes, written like 700, 10M or 4GiB") from error
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_AMOUNT:
        raise BadValue("must be bytes, from 0 to 2^62")
    return value


def at_least(least: int, read_one: Callable[[object], int]) -> Callable[[object], int]:
    """Accept numbers from ``least`` on."""

    def read(value: object) -> int:
        found = read_one(value)
        if found < least:
            raise BadValue(f"must be at least {least}")
        return found

    return read


def rate(value: object) -> int:
    """Accept bytes a second, as ``amount``, with or without ``/s``; ``none`` is 0."""
    if isinstance(value, str):
        value = value.strip().lower().removesuffix("/s")
    try:
        found = 0 if value == "none" else amount(value)
    except BadValue as error:
        raise BadValue("must be bytes a second, written like 0, 700k, 1.5M or 10MiB") from error
    if found > MAX_RATE_BYTES:
        raise BadValue("must be at most 1 TiB a second")
    return found


def automatic(read_one: Callable[[object], Any]) -> Callable[[object], Any]:
    """Accept ``auto`` too, which is ``None``."""

    def read(value: object) -> Any:
        if isinstance(value, str) and value.strip().lower() == AUTOMATIC:
            return None
        try:
            return read_one(value)
        except BadValue as error:
            raise BadValue(f"{error}, or {AUTOMATIC}") from error

    return read


_WORDS = dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(("false", "no", "off", "0"), False)


def switch(value: object) -> bool:
    """Accept true or false, or the usual words for them."""
    if isinstance(value, str):
        value = _WORDS.get(value.strip().lower())
    if not isinstance(value, bool):
        raise BadValue("must be true or false")
    return value


@dataclass(frozen=True, slots=True)
class OneOf:
    """Accepts one of some words; a program can offer them."""

    words: tuple[str, ...]

    def __call__(self, value: object) -> str:
        """Return the word."""
        if value not in self.words:
            raise BadValue(f"must be one of {', '.join(self.words)}")
        return str(value)


def one_of(*words: str) -> OneOf:
    """Accept one of some words."""
    return OneOf(words)


PLAYERS = ("auto", "none", "mpv", "vlc", "ffplay")
"""What a player may be called; anything else is a command."""


def player(value: object) -> str:
    """Accept what plays: a word of ``PLAYERS``, or a command in which ``{url}`` stands for what it plays."""
    found = text(value).strip()
    if found not in PLAYERS and "{url}" not in found:
        raise BadValue(f"must be one of {', '.join(PLAYERS)}, or a command with {{url}}")
    return found


EVENT_KINDS = (
    "peer_joined",
    "peer_left",
    "transfer_done",
    "transfer_failed",
    "offer_received",
    "message_received",
    "direct_message",
    "mention",
)
"""What a command of the user can be told of."""


def command(value: object) -> str:
    """Accept a command and its arguments, quoted as for a shell; nothing is none."""
    found = text(value).strip()
    try:
        words = shlex.split(found)
    except ValueError as error:
        raise BadValue(f"must be a command, quoted as for a shell: {error}") from error
    if found and not words[0]:
        raise BadValue("must be a command that begins with the name of a program")
    return found


def several(read_one: Callable[[object], Any]) -> Callable[[object], tuple[Any, ...]]:
    """Accept a list, or text separated by commas."""

    def read(value: object) -> tuple[Any, ...]:
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        if not isinstance(value, list | tuple):
            raise BadValue("must be a list")
        return tuple(read_one(item) for item in value)

    return read


def path(value: object) -> Path:
    """Accept an absolute path."""
    try:
        found = Path(text(value)).expanduser()
    except RuntimeError as error:
        raise BadValue("names the home of an unknown user") from error
    if not found.is_absolute():
        raise BadValue("must be an absolute path, or begin with ~")
    return found


def address(value: object) -> str:
    """Accept ``HOST:PORT``, with an IPv6 host in brackets."""
    given = text(value)
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.%\w]+\]|[^\s:\[\]/]+):([0-9]{1,5})", given)
    if not found or not 1 <= int(found[2]) <= 65535:
        raise BadValue("must be HOST:PORT")
    return given


_ACTION = re.compile(r"[a-z]+(\.[a-z_]+)+")
_KEY = re.compile(r"((ctrl|alt|shift|super)\+)*[A-Za-z0-9_]+")


def keymap(value: object) -> dict[str, str]:
    """Accept keys by action: a table, or text such as ``files.get=d g,peers.browse=enter``.

    Whether there is such an action, and whether keys clash, is for the program that has them.

    Returns:
        By action, its keys separated by commas, as Textual takes them.
    """
    if isinstance(value, str):
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        value = {action.strip(): keys for action, _, keys in pairs}
    if not isinstance(value, Mapping):
        raise BadValue("must be a table of keys by action")
    return {action: _keys(action, keys) for action, keys in _flat(value).items()}


def _flat(table: Mapping[str, object]) -> dict[str, object]:
    """Write ``{"files": {"get": "d"}}`` as ``{"files.get": "d"}``: TOML takes a dot in a bare key for a table."""
    found: dict[str, object] = {}
    for name, content in table.items():
        if isinstance(content, Mapping):
            found |= {f"{name}.{rest}": keys for rest, keys in _flat(content).items()}
        else:
            found[name] = content
    return found


def _keys(action: str, value: object) -> str:
    given = value.replace(",", " ").split() if isinstance(value, str) else value
    if not _ACTION.fullmatch(action) or not isinstance(given, list) or not given:
        raise BadValue("must name actions and their keys, such as files.get=d f5")
    if not all(isinstance(key, str) and _KEY.fullmatch(key) for key in given):
        raise BadValue("must have keys such as d, G, ctrl+g, f5 or question_mark")
    return ",".join(given)
