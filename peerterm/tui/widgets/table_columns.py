"""Columns of a table: which of them fit, where they stand, and how wide they are.

Pure: no Textual import. ``VirtualTable`` calls it when its width changes.

    Column(key, title, width, flex=0, align="left", priority=0, sortable=True)
    lay_out(columns, width) -> list[Slot]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerterm.tui.widgets.cells import Align

GAP = 1
"""Blank cells between two columns."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column as its pane describes it.

    Attributes:
        key: Name among the columns, and the name of its sort key.
        title: Our own word for the header.
        width: Cells; the least of them if ``flex`` is set.
        flex: Share of the cells that are left over; 0 keeps ``width``.
        align: Where a text shorter than the column stands.
        priority: 0 is never dropped; of the others the highest goes first when the columns do not fit.
        sortable: Whether a click on the header sorts, if there is a sort key of this name.
    """

    key: str
    title: str
    width: int
    flex: int = 0
    align: Align = "left"
    priority: int = 0
    sortable: bool = True


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a column stands: its place among all columns, its first cell and its width."""

    index: int
    column: Column
    start: int
    width: int

    @property
    def end(self) -> int:
        """First cell behind the column."""
        return self.start + self.width


def lay_out(columns: Sequence[Column], width: int) -> list[Slot]:
    """Choose and place the columns that fit into ``width`` cells.

    What cannot be dropped shrinks: flexible columns down to one cell, then whatever stands last.
    """
    kept = list(enumerate(columns))
    while _needed(kept) > width and (droppable := [item for item in kept if item[1].priority > 0]):
        kept.remove(max(droppable, key=lambda item: (item[1].priority, item[0])))
    widths = _widths([column for _, column in kept], width)
    slots: list[Slot] = []
    start = 0
    for (index, column), cells in zip(kept, widths, strict=True):
        if start >= width:
            break
        slots.append(Slot(index, column, start, min(cells, width - start)))
        start += cells + GAP
    return slots


def _needed(kept: Sequence[tuple[int, Column]]) -> int:
    return sum(column.width for _, column in kept) + GAP * (len(kept) - 1)


def _widths(columns: Sequence[Column], width: int) -> list[int]:
    widths = [max(column.width, 1) for column in columns]
    spare = width - sum(widths) - GAP * (len(columns) - 1)
    weights = sum(column.flex for column in columns)
    for index, column in enumerate(columns):
        if column.flex:
            share = spare * column.flex // weights
            wanted = max(widths[index] + share, 1)
            spare -= wanted - widths[index]
            weights -= column.flex
            widths[index] = wanted
    return widths
