"""Rows for people, on stdout: cut to the terminal's width, whole in a pipe."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerterm.display import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

GAP = "  "
NARROWEST_CELLS = 4
"""A column is not made narrower than this to fit a terminal; the line is cut instead."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of anything; ``clean`` makes it safe to show.

    A column whose name ends in ``>`` is right-aligned; one whose name ends in ``~`` may be cut where a terminal is
    too narrow. A column that is empty in every row is left out.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    empty: str = ""

    def print(self) -> None:
        """Print the rows on stdout, or on stderr what it means that there are none."""
        if not self.rows:
            sys.stderr.write(f"{self.empty}\n" if self.empty else "")
            return
        terminal = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        heading, *lines = self.lines(terminal)
        styled = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        sys.stdout.write(f"\x1b[1m{heading}\x1b[0m\n" if styled else f"{heading}\n")
        sys.stdout.writelines(f"{line}\n" for line in lines)

    def lines(self, width: int | None) -> list[str]:
        """Return the heading and the rows, each of at most ``width`` terminal cells."""
        from rich.cells import cell_len

        cells = [[clean(str(cell)) for cell in row] for row in self.rows]
        kept = [index for index in range(len(self.columns)) if any(row[index] for row in cells)]
        names = [self.columns[index] for index in kept]
        shown = [[name.rstrip(">~") for name in names], *([row[index] for index in kept] for row in cells)]
        widths = [max(map(cell_len, column)) for column in zip(*shown, strict=True)]
        if width is not None:
            _fit(widths, [index for index, name in enumerate(names) if name[-1] == "~"], width)

        def pad(text: str, name: str, cells: int) -> str:
            text = clean(text, width=cells)
            blanks = " " * (cells - cell_len(text))
            return blanks + text if name[-1] == ">" else text + blanks

        lines = (GAP.join(map(pad, row, names, widths)).rstrip() for row in shown)
        return [clean(line, width=width) for line in lines]


def _fit(widths: list[int], flexible: Sequence[int], width: int) -> None:
    """Make the widest flexible columns narrower until all fit, or none can give more."""
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
    while excess > 0 and flexible:
        widest = max(flexible, key=widths.__getitem__)
        if widths[widest] <= NARROWEST_CELLS:
            return
        widths[widest] -= 1
        excess -= 1
