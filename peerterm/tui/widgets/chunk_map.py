"""Which parts of a transfer are held, as one line of characters. Pure: no Textual import."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHADES, _ASCII_SHADES = "·░▒▓█", ".-=+#"


def chunk_line(cells: Sequence[int], width: int, *, ascii_only: bool = False) -> str:
    """Draw how much of each part is held, in percent, in ``width`` cells; full only where everything is held."""
    if not cells or width <= 0:
        return ""
    shades = _ASCII_SHADES if ascii_only else _SHADES
    return "".join(shades[_level(_share(cells, at, width))] for at in range(width))


def _share(cells: Sequence[int], at: int, width: int) -> int:
    """Return the percent of the parts that one cell of the screen stands for; of one part, if there are few."""
    first = len(cells) * at // width
    part = cells[first : max(len(cells) * (at + 1) // width, first + 1)]
    return sum(part) // len(part)


def _level(percent: int) -> int:
    """Return the shade of a percentage: none, three between, full."""
    if percent <= 0:
        return 0
    return 4 if percent >= 100 else 1 + percent * 3 // 100
