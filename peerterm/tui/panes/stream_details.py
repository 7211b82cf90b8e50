"""What the panel below the streams says of one: what plays it, its buffer, its sources, its address. Pure lines.

Called by ``StreamPane``; text of peers goes through unchanged, the widget cleans it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerterm.display import counted, some
from peerterm.player.remote import tunnel_command
from peerterm.tui import format as f
from peerterm.tui.panes import stream_text as text
from peerterm.tui.widgets.cells import Cell, Tone, fit, wrap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from peerterm.api.views import TransferView
    from peerterm.tui.panes.stream_text import StreamRow
    from peerterm.tui.widgets.details import Line

LABEL_CELLS = 7
NAME_CELLS = 16
MARGIN_CELLS = 3


def lines_of(
    row: StreamRow,
    transfers: Mapping[str, TransferView],
    environment: Mapping[str, str],
    *,
    advice: str,
    width: int,
    height: int,
    ascii_only: bool,
) -> list[Line]:
    """Return the lines of the details, what matters most first.

    Args:
        row: What the cursor is on.
        transfers: All of them, by id.
        environment: The variables of this process.
        advice: What to do about a player that is missed.
        width: Cells of a line.
        height: Most lines.
        ascii_only: Whether only ASCII may be written.
    """
    lines = [_state_line(row, ascii_only=ascii_only)]
    if row.showing is None:
        room = max(width - LABEL_CELLS - MARGIN_CELLS, 1)
        command = tunnel_command(row.item.url, environment)
        said: list[tuple[str, str, Tone]] = [
            ("no play", advice, "warn"),
            ("address", row.item.url, "accent"),
            ("on your", command, "accent"),
        ]
        for label, what, tone in said:
            pieces = wrap(what, room, ascii_only=ascii_only) if what else []
            lines += [_line("" if place else label, Cell(each, tone)) for place, each in enumerate(pieces)]
    if row.is_current and row.view.state != "local":
        lines.append(_buffer_line(row, ascii_only=ascii_only))
    kept = text.kept_of(row, transfers)
    lines.append(_line("kept", Cell(kept or "not yet; d keeps it", "normal" if kept else "dim")))
    return lines + _source_lines(row, max(height - len(lines), 1), ascii_only=ascii_only)


def _line(label: str, *cells: Cell) -> Line:
    return (Cell(f"{label:<{LABEL_CELLS}} ", "dim" if label else "normal"), *cells)


def _state_line(row: StreamRow, *, ascii_only: bool) -> Line:
    glyph, plain, word, tone = text.look_of(row)
    by = f" by {row.showing.player}" if row.showing and row.is_current else ""
    place = text.place_of(row) if row.is_current else ""
    number = row.current if row.number is None else row.number
    item = f"  {number + 1} of {len(row.view.items)}" if row.view.kind == "folder" else ""
    state = f"{plain if ascii_only else glyph} {word}{by}" if word else "not played yet"
    return _line("state", Cell(state, tone), Cell(f"  {place}" if place else ""), Cell(item))


def _buffer_line(row: StreamRow, *, ascii_only: bool) -> Line:
    needs = text.needs_of(row)
    said = f" ahead  {f.rate(row.view.rate)}" + f" needs {f.rate(needs)}" * bool(needs)
    return _line("buffer", Cell(text.buffer_of(row, ascii_only=ascii_only)), Cell(said))


def _source_lines(row: StreamRow, room: int, *, ascii_only: bool) -> list[Line]:
    """Return a line for each source, the most useful first; the last line names those that have no place."""
    sources = text.by_use(row.view)
    shown = sources if len(sources) <= room else sources[: room - 1]
    lines: list[Line] = []
    for source in shown:
        name = Cell(fit(source.name, NAME_CELLS, ascii_only=ascii_only))
        said = f" {source.state:<8}{f.rate(source.rate):>8}{f.size(source.bytes):>7}"
        bad = f"  {counted(source.strikes, 'strike')}" if source.strikes else ""
        lines.append((name, Cell(said, "normal" if source.state == "active" else "dim"), Cell(bad, "bad")))
    if rest := [source.name for source in sources[len(shown) :]]:
        lines.append((Cell(f"and {some(rest)}; i lists all", "dim"),))
    if not sources:
        lines.append((Cell(text.sources_of(row.view)),))
    return [_line("" if place else "from", *cells) for place, cells in enumerate(lines)]
