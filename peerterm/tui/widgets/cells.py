"""Text in cells: whatever a peer wrote, cut and padded to exactly its place on the screen.

Every text a list shows passes ``fit`` or ``wrap``, and with them ``display.clean``; callers hand over what the peer
sent. No markup is ever read. Pure: no Textual import. The widgets of this package call it.

    Cell(text, tone="normal")      a text with its tone
    Tone                           normal, dim, good, warn, bad, accent, bold
    fit(text, width, ...)          exactly ``width`` cells
    wrap(text, width, ...)         lines of at most ``width`` cells
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len, chop_cells, set_cell_size

from peerterm.display import MAX_CLEAN_CHARACTERS, clean

Tone = Literal["normal", "dim", "good", "warn", "bad", "accent", "bold"]
Align = Literal["left", "right"]

MAX_TEXT_LINES = 200
"""Most screen lines of one text; a message is not allowed to push all others away."""

_WORDS = re.compile(r" *[^ ]+")
_UNSTEADY: dict[int, str | None] = {
    0x200D: None,
    **dict.fromkeys(range(0xFE00, 0xFE10)),
    **dict.fromkeys(range(0x1F3FB, 0x1F400)),
    **{0x1F1E6 + index: chr(ord("A") + index) for index in range(26)},
}
"""Joiners, variations and skin tones go, flags become letters: terminals differ in how wide these are. So they do
for characters newer than the terminal; what Python does not know either becomes U+FFFD."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A text as its sender wrote it, and how it is meant."""

    text: str
    tone: Tone = "normal"


def steady(text: str, *, ascii_only: bool = False) -> str:
    """Clean a text and leave only what has one width in every terminal and stays in its own cell."""
    text = clean(text)
    if text.isascii():
        return text
    if ascii_only:
        return text.encode("ascii", "replace").decode("ascii")
    text = text.translate(_UNSTEADY)
    if not text.isprintable():
        text = "".join("\ufffd" if unicodedata.category(each) == "Cn" else each for each in text)
    return " ".join(map(_from_letter, text.split(" ")))


def _from_letter(word: str) -> str:
    """Leave out marks without a letter: they would be drawn on the cell before."""
    start = next((index for index, character in enumerate(word) if cell_len(character)), len(word))
    return word[start:]


def fit(text: str, width: int, *, align: Align = "left", ascii_only: bool = False) -> str:
    """Cut or pad a text from anywhere to exactly ``width`` cells; a cut text ends in an ellipsis."""
    if width <= 0:
        return ""
    text = steady(text, ascii_only=ascii_only)
    size = cell_len(text)
    if size > width:
        return set_cell_size(text, width - 1) + ("~" if ascii_only else "…")
    blank = " " * (width - size)
    return blank + text if align == "right" else text + blank


def wrap(text: str, width: int, *, ascii_only: bool = False) -> list[str]:
    """Break a text from anywhere into lines of at most ``width`` cells, at spaces where it can.

    Returns:
        One line at least, ``MAX_TEXT_LINES`` at most; if there is more, the last one is an ellipsis.
    """
    lines: list[str] = []
    for paragraph in text[:MAX_CLEAN_CHARACTERS].splitlines()[: MAX_TEXT_LINES + 1] or [""]:
        lines += _wrap_paragraph(steady(paragraph, ascii_only=ascii_only), max(width, 2))
    if len(lines) > MAX_TEXT_LINES:
        lines[MAX_TEXT_LINES - 1 :] = ["~" if ascii_only else "…"]
    return lines


def _wrap_paragraph(text: str, width: int) -> list[str]:
    if cell_len(text) <= width:
        return [text]
    lines = [""]
    used = 0
    for word in _WORDS.findall(text):
        size = cell_len(word)
        if used + size <= width:
            lines[-1] += word
            used += size
            continue
        pieces = chop_cells(word.lstrip(" ") if used else word, width) or [""]
        lines[len(lines) - (0 if used else 1) :] = pieces
        used = cell_len(pieces[-1])
    return lines
