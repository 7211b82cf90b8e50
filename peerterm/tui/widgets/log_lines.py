"""Lines of a log: how they wrap at a width, and on which screen row each begins.

Pure: no Textual import. A row is one line of the screen; a log line takes one or more. ``WrappedLog`` asks it what
to draw.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerterm.tui.widgets.cells import wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerterm.tui.widgets.cells import Cell, Tone

MIN_TEXT_CELLS = 20
"""Before a text gets fewer cells, columns before it are left out, the first one first."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line as its pane describes it.

    Attributes:
        text: As its sender wrote it; line ends in it are kept.
        prefix: Cells before it: the time, a name; one a fixed column of the log.
        tone: Of the text.
        line_id: To replace or remove the line later; empty if nobody will.
        is_rule: Drawn as a rule with the text in its middle, as before unread messages.
    """

    text: str
    prefix: tuple[Cell, ...] = ()
    tone: Tone = "normal"
    line_id: str = ""
    is_rule: bool = False


@dataclass(frozen=True, slots=True)
class LogRow:
    """One line of the screen: its part of the text, and whether it is the first."""

    line: LogLine
    text: str
    is_first: bool


class LogLines:
    """The newest lines of a log, wrapped."""

    def __init__(self, prefix_widths: Sequence[int], *, max_lines: int, ascii_only: bool) -> None:
        self._prefix_widths = tuple(prefix_widths)
        self._max_lines = max_lines
        self._ascii_only = ascii_only
        self._width = 0
        self._lines: deque[LogLine] = deque()
        self._heights: deque[int] = deque()
        self.rows: list[LogRow] = []

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def lines(self) -> tuple[LogLine, ...]:
        """All lines, oldest first."""
        return tuple(self._lines)

    def columns(self) -> list[tuple[int, int]]:
        """Return index and width of the prefix cells that fit beside the text."""
        columns = list(enumerate(self._prefix_widths))
        while columns and self._width - _room(columns) < MIN_TEXT_CELLS:
            columns.pop(0)
        return columns

    @property
    def indent(self) -> int:
        """First cell of the text."""
        return _room(self.columns())

    @property
    def width(self) -> int:
        """Cells the lines are wrapped for; 0 before it is known."""
        return self._width

    def set_width(self, width: int) -> None:
        """Wrap all lines anew."""
        self._width = width
        lines = list(self._lines)
        self.clear()
        self.extend(lines)

    def extend(self, lines: Sequence[LogLine]) -> int:
        """Add lines at the end; return how many rows went at the start, as there are too many lines."""
        for line in lines[-self._max_lines :]:
            wrapped = self._wrap(line)
            self._lines.append(line)
            self._heights.append(len(wrapped))
            self.rows += wrapped
        dropped = 0
        while len(self._lines) > self._max_lines:
            self._lines.popleft()
            dropped += self._heights.popleft()
        del self.rows[:dropped]
        return dropped

    def prepend(self, lines: Sequence[LogLine]) -> tuple[int, int]:
        """Add older lines at the start, the newest of them that fit; return how many lines and rows came."""
        room = self._max_lines - len(self._lines)
        taken = lines[-room:] if room > 0 else []
        wrapped = [self._wrap(line) for line in taken]
        self._lines.extendleft(reversed(taken))
        self._heights.extendleft(len(rows) for rows in reversed(wrapped))
        self.rows[:0] = [row for rows in wrapped for row in rows]
        return len(taken), sum(map(len, wrapped))

    def replace(self, line: LogLine) -> tuple[int, int, int] | None:
        """Put a line in the place of that with its id; return its first row, its old and its new height."""
        index = self.index_of(line.line_id)
        if index is None:
            return None
        first, wrapped, height = self.first_row(index), self._wrap(line), self._heights[index]
        self.rows[first : first + height] = wrapped
        self._lines[index] = line
        self._heights[index] = len(wrapped)
        return first, height, len(wrapped)

    def discard(self, line_id: str) -> tuple[int, int] | None:
        """Remove a line; return its first row and its height."""
        index = self.index_of(line_id)
        if index is None:
            return None
        first, height = self.first_row(index), self._heights[index]
        del self.rows[first : first + height]
        del self._lines[index]
        del self._heights[index]
        return first, height

    def clear(self) -> None:
        """Remove all lines."""
        self._lines.clear()
        self._heights.clear()
        self.rows = []

    def first_row(self, index: int) -> int:
        """Return the row on which a line begins."""
        return sum(height for height, _ in zip(self._heights, range(index), strict=False))

    def line_at(self, row: int) -> tuple[int, int]:
        """Return the line a row is of, and how far into it."""
        for index, height in enumerate(self._heights):
            if row < height:
                return index, row
            row -= height
        return max(len(self._heights) - 1, 0), 0

    def line(self, index: int) -> LogLine:
        """Return a line by its place."""
        return self._lines[index]

    def height(self, index: int) -> int:
        """Return how many rows a line takes."""
        return self._heights[index]

    def index_of(self, line_id: str) -> int | None:
        """Return the place of a line, the newest with that id."""
        newest_first = range(len(self._lines) - 1, -1, -1)
        return next((index for index in newest_first if line_id and self._lines[index].line_id == line_id), None)

    def _wrap(self, line: LogLine) -> list[LogRow]:
        if line.is_rule or not self._width:
            return [LogRow(line, "", is_first=True)]
        texts = wrap(line.text, self._width - self.indent, ascii_only=self._ascii_only)
        return [LogRow(line, text, is_first=not index) for index, text in enumerate(texts)]


def _room(columns: Sequence[tuple[int, int]]) -> int:
    return sum(width + 1 for _, width in columns)
