"""The list of transfers: its columns, its order, and rows that say what stops them. Called by ``TransfersPane``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.strip import Strip

from peerterm.tui.panes import transfer_text as text
from peerterm.tui.widgets.cells import fit
from peerterm.tui.widgets.table_canvas import GUTTER
from peerterm.tui.widgets.virtual_table import Column, VirtualTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerterm.api.views import TransferView

QUEUE = "queue"
"""Sort key of the order that the list has by itself; no column bears it."""

COLUMNS = (
    Column("state", "", 1, sortable=False),
    Column("name", "Name", 16, flex=4),
    Column("progress", "Progress", 15, priority=1),
    Column("size", "Size", 5, align="right", priority=4),
    Column("peer", "Peer", 11, flex=1, priority=3),
    Column("rate", "Rate", 10, align="right"),
    Column("eta", "ETA", 6, align="right", priority=2),
)
TROUBLED = frozenset({"peer", "rate", "eta"})
"""Columns that give their place to what stops a transfer."""


def rank(view: TransferView, place: int) -> tuple[int, int, int]:
    """Return what the order goes by: downloads as their turns come, uploads, then what ended, the latest first."""
    if text.is_over(view):
        return 2, 0, -place
    return (0, -view.priority, place) if text.is_download(view) else (1, 0, place)


class TransferTable(VirtualTable["TransferView"]):
    """The table, in which what stops a transfer takes the place of peer, rate and time.

    Args:
        place_of: Says by a number where the engine has a transfer.
        ascii_only: Whether only ASCII may be written.
    """

    def __init__(self, place_of: Callable[[str], int], *, ascii_only: bool) -> None:
        super().__init__(
            COLUMNS,
            cells=lambda view: text.row(view, ascii_only=ascii_only),
            row_id=lambda view: view.transfer_id,
            search_text=lambda view: f"{view.name} {text.peers_of(view)} {view.state} {view.transfer_id}",
            sort_keys={
                QUEUE: lambda view: rank(view, place_of(view.transfer_id)),
                "name": lambda view: view.name.casefold(),
                "progress": lambda view: -view.bytes / (view.total or 1),
                "size": lambda view: -view.total,
                "peer": lambda view: text.peers_of(view).casefold(),
                "rate": lambda view: -view.rate,
                "eta": lambda view: view.eta,
            },
            empty="Nothing yet: d on a file in Files or Search fetches it.",
            ascii_only=ascii_only,
        )

    def _draw_row(self, row_id: str, is_cursor: bool, is_marked: bool, width: int) -> Strip:
        strip = super()._draw_row(row_id, is_cursor, is_marked, width)
        view = self.row(row_id)
        stopped = text.trouble(view) if view else ""
        start = min((GUTTER + slot.start for slot in self._slots if slot.column.key in TROUBLED), default=width)
        if not view or not stopped or start >= width:
            return strip
        said = fit(stopped, width - start, ascii_only=self.ascii_only).rstrip()
        base = self._style("table--cursor") if is_cursor else self._style()
        tone = base if is_cursor else self._tone(text.tone_of(view))
        blank = " " * (width - start - cell_len(said))
        return Strip.join([strip.crop(0, start), self._strip([(said, tone), (blank, base)], width - start)])
