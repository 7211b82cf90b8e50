"""A log that wraps: chat and the log of events, at any length, line by line.

Callers pass what peers sent as it is; it is cleaned here and no markup is read. The view stays at the end while
it is there, and stays where it is once the user scrolled up. Use from the loop of the app only.

    WrappedLog(prefix_widths=(), *, max_lines=5000, empty="", ascii_only=False, name=None, id=None, classes=None)
        prefix_widths    cells of the fixed columns before the text, as (5, 10) for time and name; a long name is
                         cut, and the first columns are left out where the text would get under 20 cells
        max_lines        the oldest go first
    LogLine(text, prefix=(Cell("14:01", "dim"), Cell("bob", "accent")), tone="normal", line_id="", is_rule=False)

    append(line)  extend(lines)     newest lines
    prepend(older) -> int           older lines, oldest first; how many were taken (the newest that fit)
    replace(line) -> bool           put it in the place of the line with its ``line_id``
    discard(line_id) -> bool        as an unread marker: LogLine("2 new", line_id="unread", is_rule=True)
    clear()  lines  line_count  is_at_end  scroll_to_end()  scroll_to_line(line_id) -> bool  empty

Messages: TopReached (``log``, ``control``): the user is at the oldest line; older ones may be prepended.
EndReached(``log``): the user came back to the end.

Keys are those of scope ``list`` in ``tui.keys``, without those that mark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual.message import Message

from peerterm.tui.keys import actions_in
from peerterm.tui.widgets.cells import Cell, fit
from peerterm.tui.widgets.line_view import LineView
from peerterm.tui.widgets.log_lines import LogLine, LogLines, LogRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.style import Style
    from textual.binding import BindingType
    from textual.strip import Strip

__all__ = ["Cell", "LogLine", "WrappedLog"]

MAX_LOG_LINES = 5000
"""Most lines a log keeps unless told otherwise; older ones are paged in from where they are stored."""


class WrappedLog(LineView):
    """Lines that wrap, newest at the end."""

    BINDINGS: ClassVar[list[BindingType]] = [
        action.binding() for action in actions_in("log") if action.scope == "list"
    ]

    GUTTER: ClassVar[int] = 0
    """Cells on the left that are no line's own."""

    class LogMessage(Message):
        """A message of a log."""

        def __init__(self, log: WrappedLog) -> None:
            super().__init__()
            self.log = log

        @property
        def control(self) -> WrappedLog:
            """The log, for selectors."""
            return self.log

    class TopReached(LogMessage):
        """The user scrolled to the oldest line."""

    class EndReached(LogMessage):
        """The user scrolled back to the end."""

    def __init__(
        self,
        prefix_widths: Sequence[int] = (),
        *,
        max_lines: int = MAX_LOG_LINES,
        empty: str | Sequence[str] = "",
        ascii_only: bool = False,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - Textual's name for it
        classes: str | None = None,
    ) -> None:
        super().__init__(empty=empty, ascii_only=ascii_only, name=name, id=id, classes=classes)
        self._model = LogLines(prefix_widths, max_lines=max_lines, ascii_only=ascii_only)
        self._is_at_end = True

    # Lines

    @property
    def lines(self) -> tuple[LogLine, ...]:
        """All lines, oldest first."""
        return self._model.lines

    @property
    def line_count(self) -> int:
        """How many lines there are."""
        return len(self._model)

    def append(self, line: LogLine) -> None:
        """Add the newest line."""
        self.extend([line])

    def extend(self, lines: Sequence[LogLine]) -> None:
        """Add the newest lines, oldest first."""
        if not lines:
            return
        first = len(self._model.rows)
        dropped = self._model.extend(lines)
        self._changed(first - dropped, last=None if dropped else len(self._model.rows) - 1, shift=-dropped)

    def prepend(self, older: Sequence[LogLine]) -> int:
        """Add lines before all others, oldest first; return how many of them there was room for."""
        count, rows = self._model.prepend(older)
        self._changed(0, shift=rows)
        return count

    def replace(self, line: LogLine) -> bool:
        """Put a line in the place of that with its id; False if there is none."""
        found = self._model.replace(line)
        if found is None:
            return False
        first, old, new = found
        is_above = first + old <= self.scroll_offset.y
        self._changed(first, last=first + new - 1 if new == old else None, shift=new - old if is_above else 0)
        return True

    def discard(self, line_id: str) -> bool:
        """Remove a line; False if there is none."""
        found = self._model.discard(line_id)
        if found is None:
            return False
        first, height = found
        self._changed(first, shift=-height if first + height <= self.scroll_offset.y else 0)
        return True

    def clear(self) -> None:
        """Remove all lines."""
        self._model.clear()
        self._is_at_end = True
        self._changed(0, shift=0)

    # Place

    @property
    def is_at_end(self) -> bool:
        """Whether the newest line is on the screen, and stays there when others come."""
        return self._is_at_end

    def scroll_to_end(self) -> None:
        """Show the newest line."""
        self._move(self.max_scroll_y)

    def scroll_to_line(self, line_id: str) -> bool:
        """Bring a line to the top of the screen; False if there is none."""
        for row, each in enumerate(self._model.rows):
            if line_id and each.line.line_id == line_id:
                self._move(row)
                return True
        return False

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Draw the new place, and notice when it is the end."""
        super().watch_scroll_y(old_value, new_value)
        if self.size and len(self._model.rows) == self.virtual_size.height:
            self._is_at_end = self.scroll_offset.y >= self.max_scroll_y

    def _changed(self, first: int, *, last: int | None = None, shift: int) -> None:
        """Show rows that changed, from ``first`` on; what the user reads keeps its place by ``shift``."""
        at_end, before, was_empty = self._is_at_end, self.scroll_offset.y, not self.virtual_size.height
        wanted = before + shift
        self._set_line_count(len(self._model.rows))
        self._jump(self.max_scroll_y if at_end else wanted)
        self._is_at_end = at_end or self.scroll_offset.y >= self.max_scroll_y
        if was_empty or not self._model.rows:
            self.refresh()
        elif shift and self.scroll_offset.y == before:
            self._refresh_lines(0, self.size.height)
        else:
            scroll = self.scroll_offset.y
            self._refresh_lines(first - scroll, self.size.height if last is None else last - scroll)

    @property
    def _line_width(self) -> int:
        return max(self.text_width - self.GUTTER, 0)

    def _resized(self) -> None:
        if self._line_width != self._model.width:
            index, into = self._model.line_at(self.scroll_offset.y)
            at_end = self._is_at_end
            self._model.set_width(self._line_width)
            self._set_line_count(len(self._model.rows))
            self._jump(self.max_scroll_y if at_end else self._model.first_row(index) + into)
            self._is_at_end = at_end
            self.refresh()
        elif self._is_at_end:
            self._jump(self.max_scroll_y)

    # Drawing

    def _has_lines(self) -> bool:
        return len(self._model) > 0

    def _forget_strips(self) -> None:
        """Nothing drawn is kept: a row is drawn from its wrapped text at once."""

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen."""
        width = self.text_width
        if not self._model.rows:
            return self._empty_strip(y, self.size.height, width, self.empty)
        row = self.scroll_offset.y + y
        if row >= len(self._model.rows) or self._line_width != self._model.width:  # not wrapped for this width yet
            return self._strip((), width)
        return self._strip(self._pieces(self._model.rows[row], self._line_width), width)

    def _pieces(self, row: LogRow, width: int) -> list[tuple[str, Style]]:
        line = row.line
        if line.is_rule:
            return [(self._rule(line.text, width), self._tone(line.tone))]
        if not row.is_first:
            return [(" " * self._model.indent, self._style()), (row.text, self._tone(line.tone))]
        pieces = []
        for index, cells in self._model.columns():
            cell = line.prefix[index] if index < len(line.prefix) else Cell("")
            pieces += [
                (fit(cell.text, cells, ascii_only=self.ascii_only), self._tone(cell.tone)),
                (" ", self._style()),
            ]
        return [*pieces, (row.text, self._tone(line.tone))]

    def _rule(self, text: str, width: int) -> str:
        text = fit(f" {text} ", min(cell_len(text) + 2, width), ascii_only=self.ascii_only)
        dash = "-" if self.ascii_only else "─"
        left = (width - cell_len(text)) // 2
        return dash * left + text + dash * (width - left - cell_len(text))

    # Keys

    def _move(self, row: int) -> None:
        """Scroll for the user, and tell when an end is reached."""
        was_at_top, was_at_end = self.scroll_offset.y <= 0, self._is_at_end
        self._jump(row)
        self._is_at_end = self.scroll_offset.y >= self.max_scroll_y
        if self.scroll_offset.y <= 0 and (not was_at_top or row < 0):
            self.post_message(self.TopReached(self))
        if self._is_at_end and not was_at_end:
            self.post_message(self.EndReached(self))

    def _wheel_to(self, row: int) -> None:
        self._move(row)

    def action_down(self) -> None:
        """Scroll down by a row."""
        self.action_scroll_by(1)

    def action_up(self) -> None:
        """Scroll up by a row."""
        self.action_scroll_by(-1)

    def action_scroll_by(self, rows: int) -> None:
        """Scroll by rows."""
        self._move(self.scroll_offset.y + rows)

    def action_first(self) -> None:
        """Go to the oldest line."""
        self._move(0)

    def action_last(self) -> None:
        """Go to the newest line and stay there."""
        self.scroll_to_end()

    def action_half(self, direction: int) -> None:
        """Scroll by half a page."""
        self._move(self.scroll_offset.y + direction * max(self.size.height // 2, 1))

    def action_page(self, direction: int) -> None:
        """Scroll by a page."""
        self._move(self.scroll_offset.y + direction * max(self.size.height - 1, 1))
