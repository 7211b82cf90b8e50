"""A log with a cursor on one of its lines: what keys do is done with that line.

The cursor is a mark on the left besides a colour, and is drawn only while the log has the focus. On the newest line
it stays on the newest line; moved elsewhere it stays with its line, whatever comes.

    CursorLog(...)                   as WrappedLog
    cursor_line -> LogLine | None    move_to(line_id) -> bool

Messages: Moved (``log``): the cursor is on another line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from peerterm.tui.widgets.wrapped_log import WrappedLog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.style import Style
    from textual import events

    from peerterm.tui.widgets.log_lines import LogLine, LogRow


class CursorLog(WrappedLog):
    """Lines that wrap, newest at the end, one of them chosen; rules are passed over."""

    GUTTER = 2
    COMPONENT_CLASSES: ClassVar[set[str]] = {"log--cursor"}
    DEFAULT_CSS = """
    CursorLog > .log--cursor {
        color: $block-cursor-foreground;
        background: $block-cursor-background;
        text-style: $block-cursor-text-style;
    }
    """

    class Moved(WrappedLog.LogMessage):
        """The cursor is on another line."""

    _cursor: int | None = None

    @property
    def cursor_line(self) -> LogLine | None:
        """The line the cursor is on."""
        return None if self._cursor is None else self._model.line(self._cursor)

    def move_to(self, line_id: str) -> bool:
        """Put the cursor on a line and show it; False if there is none."""
        index = self._model.index_of(line_id)
        if index is None:
            return False
        self._put(index)
        self._bring_into_view()
        return True

    # Lines

    def extend(self, lines: Sequence[LogLine]) -> None:
        """Add the newest lines, oldest first."""
        if not lines:
            return
        before, is_last = len(self._model), self._is_last
        super().extend(lines)
        if is_last and self.is_at_end:
            self._land(len(self._model) - 1, -1)
        elif self._cursor is not None:
            dropped = before + len(lines) - len(self._model)
            self._put(max(self._cursor - dropped, 0), is_same=dropped <= self._cursor)
            self._stay()

    def prepend(self, older: Sequence[LogLine]) -> int:
        """Add lines before all others, oldest first; return how many of them there was room for."""
        count = super().prepend(older)
        if self._cursor is not None:
            self._put(self._cursor + count, is_same=True)
        return count

    def discard(self, line_id: str) -> bool:
        """Remove a line; False if there is none."""
        index = self._model.index_of(line_id)
        found = super().discard(line_id)
        if found and self._cursor is not None and index is not None and index <= self._cursor:
            last = len(self._model) - 1
            self._put(min(max(self._cursor - 1, 0), last) if last >= 0 else None, is_same=index != self._cursor)
        return found

    def clear(self) -> None:
        """Remove all lines."""
        self._cursor = None
        super().clear()

    @property
    def _is_last(self) -> bool:
        return self._cursor is None or self._cursor == len(self._model) - 1

    def _stay(self) -> None:
        """Do not let new lines push that of the cursor off the screen."""
        if self._cursor is not None and (first := self._model.first_row(self._cursor)) < self.scroll_offset.y:
            self._jump(first)
            self._is_at_end = self.scroll_offset.y >= self.max_scroll_y

    # Cursor

    def _put(self, index: int | None, *, is_same: bool = False) -> None:
        """Put the cursor on a line; ``is_same``: it was on that line before, which stands elsewhere now."""
        if index == self._cursor:
            return
        before, self._cursor = self._cursor, index
        if not is_same:
            self._draw_line(before)
            self.post_message(self.Moved(self))
        self._draw_line(index)

    def _draw_line(self, index: int | None) -> None:
        if index is not None and index < len(self._model):
            first = self._model.first_row(index) - self.scroll_offset.y
            self._refresh_lines(first, first + self._model.height(index) - 1)

    def _bring_into_view(self, *, from_below: bool = False) -> None:
        """Show the line of the cursor: of one that is longer than the screen the start, or the end."""
        if self._cursor is None:
            return
        first, height = self._model.first_row(self._cursor), self._model.height(self._cursor)
        scroll = self.scroll_offset.y
        lowest = first + height - self.size.height
        wanted = first if first < scroll else min(lowest, first) if lowest > scroll else scroll
        if from_below and lowest > first:
            wanted = lowest
        if self._cursor == len(self._model) - 1 and lowest <= first:
            wanted = self.max_scroll_y
        if wanted != scroll:
            self._move(wanted)

    def _step(self, direction: int) -> int | None:
        """Return the next line that is no rule."""
        index = len(self._model) if self._cursor is None else self._cursor
        while 0 <= (index := index + direction) < len(self._model):
            if not self._model.line(index).is_rule:
                return index
        return None

    def action_down(self) -> None:
        """Go to the next line, or further down in one that is longer than the screen."""
        self._go(1)

    def action_up(self) -> None:
        """Go to the line before, or further up in one that is longer than the screen."""
        self._go(-1)

    def _go(self, direction: int) -> None:
        scroll, bottom = self.scroll_offset.y, self.scroll_offset.y + self.size.height
        if self._cursor is not None:
            first = self._model.first_row(self._cursor)
            is_hidden = first < scroll if direction < 0 else first + self._model.height(self._cursor) > bottom
            if is_hidden and first < bottom and first + self._model.height(self._cursor) > scroll:
                self._move(scroll + direction)
                return
        if (index := self._step(direction)) is not None:
            self._put(index)
            self._bring_into_view(from_below=direction < 0)
        elif direction < 0:
            self._move(-1)
        else:
            self._move(self.max_scroll_y)

    def action_first(self) -> None:
        """Go to the oldest line."""
        self._move(0)
        self._land(0, 1)

    def action_last(self) -> None:
        """Go to the newest line and stay there."""
        self._move(self.max_scroll_y)
        self._land(len(self._model) - 1, -1)

    def action_half(self, direction: int) -> None:
        """Move by half a page."""
        self._turn(direction, max(self.size.height // 2, 1))

    def action_page(self, direction: int) -> None:
        """Move by a page."""
        self._turn(direction, max(self.size.height - 1, 1))

    def _turn(self, direction: int, rows: int) -> None:
        """Scroll by rows, and keep the cursor where it was on the screen; at an end, put it there."""
        if not len(self._model):
            return
        before = self.scroll_offset.y
        row = self._model.first_row(self._cursor) - before if self._cursor is not None else 0
        self._move(before + direction * rows)
        scroll = self.scroll_offset.y
        if abs(scroll - before) < rows:
            self._land(0 if direction < 0 else len(self._model) - 1, -direction)
        else:
            self._land(self._model.line_at(scroll + min(max(row, 0), self.size.height - 1))[0], direction)

    def _land(self, index: int, direction: int) -> None:
        """Put the cursor on a line, or on the next one that is no rule."""
        while 0 <= index < len(self._model) and self._model.line(index).is_rule:
            index += direction
        if 0 <= index < len(self._model):
            self._put(index)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the user points."""
        row = self.scroll_offset.y + event.y
        if row < len(self._model.rows):
            self._land(self._model.line_at(row)[0], 1)

    def on_focus(self) -> None:
        """Show the cursor."""
        self._draw_line(self._cursor)

    def on_blur(self) -> None:
        """Hide the cursor: keys go elsewhere."""
        self._draw_line(self._cursor)

    # Drawing

    def _pieces(self, row: LogRow, width: int) -> list[tuple[str, Style]]:
        pieces = super()._pieces(row, width)
        if not self.has_focus or row.line is not self.cursor_line:
            return [(" " * self.GUTTER, self._style()), *pieces]
        style = self._style("log--cursor")
        return [("> " if row.is_first else "  ", style), *((text, style) for text, _ in pieces)]
