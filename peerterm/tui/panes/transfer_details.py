"""What the panel below the list says of a transfer: its chunks, its rate of the last minute, its sources.

Keeps the rates it is told of, and looks at the chunk map of the transfer shown. Called by ``TransfersPane``.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from textual import work

from peerterm.display import counted, some
from peerterm.errors import PeertermError
from peerterm.tui import format as f
from peerterm.tui.panes import transfer_text as text
from peerterm.tui.widgets.cells import Cell, fit, wrap
from peerterm.tui.widgets.chunk_map import chunk_line
from peerterm.tui.widgets.details import Details, Line
from peerterm.tui.widgets.sparkline import RateHistory, sparkline

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from textual.timer import Timer

    from peerterm.api.views import ChunkMapView, TransferView

MAP_SECONDS = 1.0
"""Least time between two looks at a chunk map."""

LABEL_CELLS = 7
NAME_CELLS = 16
COUNT_CELLS = len(" 1,048,576 of 1,048,576")
MARGIN_CELLS = 3
TROUBLE_LINES = 3


class TransferDetails(Details):
    """The details of the transfer under the cursor.

    Args:
        ask_map: Asks the engine for a chunk map, by transfer and number of parts.
        ascii_only: Whether only ASCII may be written.
    """

    def __init__(self, ask_map: Callable[[str, int], Awaitable[ChunkMapView]], *, ascii_only: bool) -> None:
        super().__init__(ascii_only=ascii_only)
        self._ask_map = ask_map
        self._histories: dict[str, RateHistory] = {}
        self._view: TransferView | None = None
        self._map: ChunkMapView | None = None
        self._sought: tuple[object, ...] = ()
        self._looked_at = 0.0
        self._timer: Timer | None = None

    def note(self, view: TransferView, now: float) -> None:
        """Remember how fast a transfer is, until it has ended."""
        if text.is_over(view):
            self.forget(view.transfer_id)
        elif view.state == "running":
            self._histories.setdefault(view.transfer_id, RateHistory()).note(now, view.rate)

    def forget(self, transfer_id: str) -> None:
        """Forget how fast a transfer was."""
        self._histories.pop(transfer_id, None)

    def keep(self, transfer_ids: Collection[str]) -> None:
        """Forget how fast all others were, which are gone."""
        self._histories = {key: each for key, each in self._histories.items() if key in transfer_ids}

    def show_transfer(self, view: TransferView | None) -> None:
        """Show a transfer as it is now; None shows that there is none."""
        self._view = view
        if not self.display or not self.size:
            return
        if view is None:
            self.show("Details", ())
            return
        if self._map and self._map.transfer_id != view.transfer_id:
            self._map = None
        history = self._histories.get(view.transfer_id)
        lines = lines_of(
            view,
            history.values() if history else (),
            self._map,
            width=self.size.width,
            height=self.size.height - 1,
            ascii_only=self.ascii_only,
        )
        self.show(text.name_of(view), lines)
        self._look_at_map(view)

    def _resized(self) -> None:
        self.show_transfer(self._view)

    def _look_at_map(self, view: TransferView) -> None:
        """Ask for the chunk map if it may be another, and not more often than it is worth."""
        sought = view.transfer_id, view.bytes, text.is_over(view), self.size.width
        if sought == self._sought or self._timer or not text.is_download(view):
            return
        early = self._looked_at + MAP_SECONDS - monotonic()
        if early > 0:
            self._timer = self.set_timer(early, self._look_again)
            return
        self._sought, self._looked_at = sought, monotonic()
        self._fetch_map(view.transfer_id, _map_cells(self.size.width))

    def _look_again(self) -> None:
        self._timer = None
        self.show_transfer(self._view)

    @work(exclusive=True, group="chunk-map")
    async def _fetch_map(self, transfer_id: str, cells: int) -> None:
        try:
            found = await self._ask_map(transfer_id, cells)
        except PeertermError:
            return  # the transfer or the engine is gone: list and banner say so
        if found.cells:  # without, nothing is known now, and what was known still holds
            self._map = found
            self.show_transfer(self._view)


def lines_of(
    view: TransferView,
    rates: Sequence[float | None],
    held: ChunkMapView | None,
    *,
    width: int,
    height: int,
    ascii_only: bool,
) -> list[Line]:
    """Return the lines of the details, what matters most first.

    Args:
        view: The transfer.
        rates: Those of the last minute, as ``RateHistory`` has them.
        held: Which parts are there; ``None`` if that is not known.
        width: Cells of a line.
        height: Most lines.
        ascii_only: Whether only ASCII may be written.
    """
    lines: list[Line] = []
    if stopped := view.error or text.trouble(view):
        said = wrap(stopped, width - LABEL_CELLS - MARGIN_CELLS, ascii_only=ascii_only)[:TROUBLE_LINES]
        lines += [
            _line("" if place else "trouble", Cell(each, text.tone_of(view))) for place, each in enumerate(said)
        ]
    if text.is_download(view):
        lines.append(_map_line(view, held, width, ascii_only=ascii_only))
    lines.append(_rate_line(view, rates, width, ascii_only=ascii_only))
    if text.is_download(view):
        lines += [_amounts_line(view), _line("to", Cell(view.path or view.directory or "-"))]
    lines.append(_line("root", Cell(view.root or "-", "dim")))
    return lines + _source_lines(view, max(height - len(lines), 1), ascii_only=ascii_only)


def _line(label: str, *cells: Cell) -> Line:
    return (Cell(f"{label:<{LABEL_CELLS}} ", "dim" if label else "normal"), *cells)


def _map_line(view: TransferView, held: ChunkMapView | None, width: int, *, ascii_only: bool) -> Line:
    if held is None:
        return _line("chunks", Cell("" if view.state == "running" else "known while it runs", "dim"))
    drawn = chunk_line(held.cells, _map_cells(width), ascii_only=ascii_only)
    return _line("chunks", Cell(drawn, "good"), Cell(f" {held.held:,} of {held.chunks:,}"))


def _map_cells(width: int) -> int:
    """Return how many cells of a line the chunk map takes."""
    return max(width - LABEL_CELLS - COUNT_CELLS - MARGIN_CELLS, 1)


def _rate_line(view: TransferView, rates: Sequence[float | None], width: int, *, ascii_only: bool) -> Line:
    known = [rate for rate in rates if rate is not None]
    if not known:
        return _line("rate", Cell("-", "dim"))
    least, mean, most = (f.size(amount) for amount in (min(known), sum(known) / len(known), max(known)))
    said = f" min {least}  avg {mean}  max {most}/s, 60 s"
    room = min(max(width - LABEL_CELLS - len(said) - MARGIN_CELLS, 1), len(rates))
    return _line("rate", Cell(sparkline(rates, room, ascii_only=ascii_only), "accent"), Cell(said))


def _amounts_line(view: TransferView) -> Line:
    parts = [f"{f.size(view.bytes)} of {f.size(view.total)}"]
    if view.kind == "folder":
        parts.append(f"{view.done_files:,} of {counted(view.files, 'file')}")
    parts.append(f"limit {f.size(view.limit)}/s" if view.limit else "no limit")
    parts.append(f"priority {view.priority}")
    if view.local_bytes:
        parts.append(f"{f.size(view.local_bytes)} from here")
    if view.wasted_bytes:
        parts.append(f"{f.size(view.wasted_bytes)} wasted")
    return _line("has", Cell("  ".join(parts)))


def _source_lines(view: TransferView, room: int, *, ascii_only: bool) -> list[Line]:
    """Return a line for each source, the most useful first; the last line names those that have no place."""
    sources = text.by_use(view)
    shown = sources if len(sources) <= room else sources[: room - 1]
    lines: list[Line] = []
    for source in shown:
        name = Cell(fit(source.name, NAME_CELLS, ascii_only=ascii_only))
        said = f" {source.state:<8}{f.rate(source.rate):>8}{f.size(source.bytes):>7}"
        bad = f"  {counted(source.strikes, 'strike')}" if source.strikes else ""
        lines.append((name, Cell(said, "normal" if source.state == "active" else "dim"), Cell(bad, "bad")))
    if rest := [source.name for source in sources[len(shown) :]]:
        lines.append((Cell(f"and {some(rest)}; i lists all", "dim"),))
    label = "from" if text.is_download(view) else "to peer"
    return [_line("" if place else label, *cells) for place, cells in enumerate(lines)]
