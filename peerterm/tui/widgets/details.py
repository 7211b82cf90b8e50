"""A panel below a list that says more of the row under the cursor, line by line.

Like the list it takes texts as peers sent them, cleans and cuts each, and draws only lines that differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.geometry import Region

from peerterm.tui.widgets.cells import Cell, fit, steady
from peerterm.tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.strip import Strip

Line = tuple[Cell, ...]


class Details(LineView, can_focus=False):
    """A title and lines of it; what does not fit below is not shown, so put first what matters most."""

    DEFAULT_CSS = """
    Details {
        height: 50%;
        max-height: 13;
        background: $surface;
        scrollbar-gutter: auto;
        overflow: hidden;
    }
    """

    def __init__(self, *, ascii_only: bool = False, id: str | None = None) -> None:  # noqa: A002
        super().__init__(empty="", ascii_only=ascii_only, name=None, id=id, classes=None)
        self._title = ""
        self._lines: Sequence[Line] = ()
        self._drawn: dict[int, Strip] = {}

    def show(self, title: str, lines: Sequence[Line]) -> None:
        """Show these lines instead; draws those that differ."""
        self._title, self._lines = title, lines
        drawn, self._drawn = self._drawn, {}
        for y, before in drawn.items():
            after = self.render_line(y)
            if before != after:
                texts = max(before.text.rstrip(), after.text.rstrip(), key=cell_len)
                self.refresh(Region(0, y, cell_len(texts), 1))  # blank in both: not worth its bytes

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen."""
        if y not in self._drawn:
            self._drawn[y] = self._rule() if y == 0 else self._line(y - 1)
        return self._drawn[y]

    def _line(self, place: int) -> Strip:
        cells = self._lines[place] if place < len(self._lines) else ()
        pieces = [(" ", self._tone(cells[0].tone))] if cells else []
        room = self.size.width - 1
        for cell in cells:
            text = steady(cell.text, ascii_only=self.ascii_only)
            if cell_len(text) > room:
                text = fit(text, room, ascii_only=self.ascii_only)
            room -= cell_len(text)
            pieces.append((text, self._tone(cell.tone)))
        return self._strip(pieces, self.size.width)

    def _rule(self) -> Strip:
        dash, end = ("-" if self.ascii_only else "─"), " v hides "
        room = max(self.size.width - len(end) - 2, 0)
        text = fit(self._title, room, ascii_only=self.ascii_only).rstrip()
        dim, filled = self._tone("dim"), dash * max(room - cell_len(text) - 1, 0)
        return self._strip(
            [(f"{dash} ", dim), (text, self._tone("bold")), (f" {filled}{end}", dim)], self.size.width
        )

    def _has_lines(self) -> bool:
        return bool(self._lines)

    def _forget_strips(self) -> None:
        self._drawn = {}
        self.refresh()

    def _resized(self) -> None:
        """Draw every line anew, which the new size did already."""
