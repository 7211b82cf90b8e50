"""Text for a terminal: the one sanitiser of what peers and files are called, and how amounts are written.

Everything a peer, a file name or a setting says passes ``clean`` before it is shown, in the command line, the
full-screen program and the notices alike. Nothing here decides or stores.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_COMBINING = 4
"""Most combining marks left on one character; more of them paint over the lines around it."""

MAX_CLEAN_CHARACTERS = 16_384
"""Most characters of one text that are looked at; no line on a screen is longer."""

SHORT_ID_DIGITS = 8
_ELLIPSIS = "…"
_JOINER = "\u200d"
_REPLACEMENT = "\ufffd"
_LINE_ENDS = frozenset("\n\r\v\f\t\x85\u2028\u2029")
_BLANKS = frozenset("\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_DROPPED = frozenset({"Cc", "Cf"})
_IGNORABLE = (range(0x2060, 0x2070), range(0xFFF0, 0xFFF9), range(0xE0000, 0xE1000))  # tags are in the last
_VARIATIONS = range(0xFE00, 0xFE10)
_EMOJI = (
    range(0x2190, 0x2400), range(0x2600, 0x27C0), range(0x2B00, 0x2C00), range(0x1F000, 0x1FB00),
)  # fmt: skip


def clean(text: str, *, width: int | None = None) -> str:
    """Make text from anywhere safe to show on one line of a terminal.

    Control and format characters (escapes, bidi overrides, zero-width and tag characters), and blank
    fillers are dropped, line ends and tabs become a space, lone surrogates become U+FFFD. A
    zero-width joiner stays between two emoji.

    Args:
        text: Anything; looked at up to ``MAX_CLEAN_CHARACTERS``.
        width: Most terminal cells; longer text is cut and ends in an ellipsis.
    """
    if not (text.isascii() and text.isprintable()):
        text = _sanitise(text[:MAX_CLEAN_CHARACTERS])
    return text if width is None else _cut(text, width)


def _sanitise(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for index, character in enumerate(text):
        if character in _LINE_ENDS:
            kept.append(" ")
        elif character == _JOINER:
            if _joins(kept, text[index + 1 : index + 2]):
                kept.append(character)
        elif "\ud800" <= character <= "\udfff":
            kept.append(_REPLACEMENT)
        elif not _is_dropped(character, kept):
            marks = marks + 1 if unicodedata.category(character) in {"Mn", "Me", "Mc"} else 0
            if marks <= MAX_COMBINING:
                kept.append(character)
    return "".join(kept)


def _is_dropped(character: str, kept: list[str]) -> bool:
    code = ord(character)
    if code in _VARIATIONS:
        return not kept or not _is_emoji(kept[-1])
    if character in _BLANKS or unicodedata.category(character) in _DROPPED:
        return True
    return any(code in block for block in _IGNORABLE)


def _joins(kept: list[str], after: str) -> bool:
    before = next((c for c in reversed(kept[-2:]) if ord(c) not in _VARIATIONS), "")
    return bool(before and after) and kept[-1] != _JOINER and _is_emoji(before) and _is_emoji(after)


def _is_emoji(character: str) -> bool:
    code = ord(character)
    return any(code in block for block in _EMOJI)


def _cut(text: str, width: int) -> str:
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415 - a verb with --json never measures text

    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(width - 1, 0)).rstrip(" " + _JOINER) + _ELLIPSIS if width > 0 else ""


def human_bytes(size: int) -> str:
    """Write an amount of bytes in units of 1000: ``0 bytes``, ``1.5 MB``."""
    from rich.filesize import decimal  # noqa: PLC0415 - a verb with --json never writes an amount

    return decimal(size)


def human_rate(rate: float) -> str:
    """Write a rate, given in bytes per second."""
    return human_bytes(int(rate)) + "/s"


def human_seconds(seconds: float | None) -> str:
    """Write a duration by its two largest units: ``0.4 s``, ``59 s``, ``2 min 5 s``; ``-`` if unknown."""
    if seconds is None or not 0 <= seconds < 10**9:
        return "-"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, size, part, part_size in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // part_size} {part}"
    return f"{whole} s"


def counted(count: int, noun: str) -> str:
    """Write how many there are of something with a regular plural: ``1 file``, ``2 files``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def some(texts: Sequence[str], most: int = 3) -> str:
    """Join texts; of more than ``most``, say only how many the others are."""
    rest = len(texts) - most
    return ", ".join(texts) if rest <= 0 else f"{', '.join(texts[:most])} and {rest} more"


def short_id(identifier: str) -> str:
    """Return the first digits of an id, enough to type."""
    return identifier[:SHORT_ID_DIGITS]
