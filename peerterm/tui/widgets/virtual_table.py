"""The table of every list: rows of any kind drawn line by line, at any number of them.

Callers pass what peers sent as it is: each text is cleaned, cut and padded here, no markup is read, and nothing in
a row reaches another cell. It knows no engine and no pane. Use from the loop of the app only.

    VirtualTable(columns, *, cells, row_id, search_text=None, sort_keys={}, branch=None, empty="",
                 header=True, ascii_only=False, name=None, id=None, classes=None)
        cells(row) -> Sequence[Cell | str]    one a column; called for rows on the screen, kept until the row is put
        row_id(row) -> str                    for ever the same for what the user takes for the same row
        search_text(row) -> str               what filter and find look at; the id if not given
        sort_keys[key](row) -> object         comparable with each other, or None: always last; by column key
        branch(row) -> Branch | None          depth and open/closed mark before the first cell, for trees

    Rows     replace_rows(rows)  put(row)  put_many(rows)  discard(row_id)  row(row_id)  rows
             shown_count  total_count
    Order    sort_by(key | None, reverse=False)  sorting  filter(text)  filter_text
    Cursor   cursor_id  cursor_row  move_to(row_id) -> bool  move_to_line(line)
    Marks    toggle_mark(row_id=None)  mark_all()  clear_marks()  is_marked(row_id)  marked_count
             chosen     what a verb acts on: marked rows that are shown, in order, else the row of the cursor
    Text     empty      one or two lines said when there is no row; set it when the reason changes

Messages (each has ``table``, also as ``control`` for ``@on(VirtualTable.Activated, "#peers")``):
    Highlighted(row_id | None)   the cursor is on another row
    Activated(row_id)            a double click
    MarksChanged(count)          ``marked_count`` is another
    SortChanged(key | None, reverse)

Keys are those of scope ``list`` in ``tui.keys``; Enter is left to the pane. The header sorts on a click: up, down,
as it came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual.message import Message

from peerterm.tui.keys import bindings_of
from peerterm.tui.widgets.cells import Cell
from peerterm.tui.widgets.table_canvas import GUTTER, Branch, TableCanvas
from peerterm.tui.widgets.table_columns import Column
from peerterm.tui.widgets.table_rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual import events
    from textual.binding import BindingType

__all__ = ["Branch", "Cell", "Column", "VirtualTable"]


class VirtualTable(TableCanvas[Row]):
    """A list of rows with a cursor, marks, sorting and a filter."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("list")]

    class TableMessage(Message):
        """A message of a table."""

        def __init__(self, table: VirtualTable[Any]) -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> VirtualTable[Any]:
            """The table, for selectors."""
            return self.table

    class Highlighted(TableMessage):
        """The cursor is on another row, or on none."""

        def __init__(self, table: VirtualTable[Any], row_id: str | None) -> None:
            super().__init__(table)
            self.row_id = row_id

    class Activated(TableMessage):
        """A double click on a row."""

        def __init__(self, table: VirtualTable[Any], row_id: str) -> None:
            super().__init__(table)
            self.row_id = row_id

    class MarksChanged(TableMessage):
        """Another number of the rows shown is marked."""

        def __init__(self, table: VirtualTable[Any], count: int) -> None:
            super().__init__(table)
            self.count = count

    class SortChanged(TableMessage):
        """The order is another."""

        def __init__(self, table: VirtualTable[Any], key: str | None, reverse: bool) -> None:
            super().__init__(table)
            self.key = key
            self.reverse = reverse

    _filter_text = ""
    _told: tuple[str | None, int] = (None, 0)

    # Rows

    @property
    def rows(self) -> list[Row]:
        """All rows that are shown, in order; a new list."""
        return self._model.shown()

    @property
    def shown_count(self) -> int:
        """How many rows the filter lets through."""
        return len(self._model)

    @property
    def total_count(self) -> int:
        """How many rows there are."""
        return self._model.total

    def row(self, row_id: str) -> Row | None:
        """Return a row, shown or not."""
        return self._model.get(row_id)

    def replace_rows(self, rows: Iterable[Row]) -> None:
        """Show these rows instead; cursor, marks and place on the screen stay where their ids still exist."""
        view = self._view()
        self._model.replace(rows)
        self._cells.clear()
        self._strips.clear()
        self._show(view, None)

    def put(self, row: Row) -> None:
        """Replace the row of this id, or add it where it belongs; only its line is drawn."""
        self.put_many((row,))

    def put_many(self, rows: Sequence[Row]) -> None:
        """Put several rows at once."""
        view = self._view()
        for row in rows:
            self._forget_row(self._row_id(row))
        self._show(view, self._model.put_many(rows))

    def discard(self, row_id: str) -> None:
        """Remove a row if it is there."""
        view = self._view()
        self._forget_row(row_id)
        self._show(view, [self._model.discard(row_id)])

    # Order

    @property
    def sorting(self) -> tuple[str | None, bool]:
        """The sort key, None for the order of arrival, and whether it is reversed."""
        return self._model.sort

    def sort_by(self, key: str | None, reverse: bool = False) -> None:
        """Order by one of the sort keys, or as the rows came.

        Raises:
            KeyError: There is no such sort key.
        """
        if key is not None:
            self._sort_keys[key]
        if (key, reverse) == self._model.sort:
            return
        view = self._view()
        self._model.sort_by(key, reverse=reverse)
        self._show(self._rooted(view), None)
        self.refresh()
        self.post_message(self.SortChanged(self, key, reverse))

    @property
    def filter_text(self) -> str:
        """What the filter was set to."""
        return self._filter_text

    def filter(self, text: str) -> None:
        """Show only rows that hold every word of the text, whatever its case and accents; empty shows all."""
        if text == self._filter_text:
            return
        self._filter_text = text
        view = self._view()
        self._model.filter(text)
        self._show(self._rooted(view), None)

    # Cursor and marks

    @property
    def cursor_id(self) -> str | None:
        """The id of the row of the cursor; None without rows."""
        return self._model.cursor

    @property
    def cursor_row(self) -> Row | None:
        """The row of the cursor; None without rows."""
        return None if self._model.cursor is None else self._model.get(self._model.cursor)

    @property
    def chosen(self) -> list[Row]:
        """What a verb acts on: the marked rows that are shown, in order; without any the row of the cursor."""
        ids = self._model.marked or ([] if self._model.cursor is None else [self._model.cursor])
        return [row for row_id in ids if (row := self._model.get(row_id)) is not None]

    @property
    def marked_count(self) -> int:
        """How many rows shown are marked."""
        return self._model.marked_count

    def is_marked(self, row_id: str) -> bool:
        """Whether a row bears a mark."""
        return self._model.is_marked(row_id)

    def move_to(self, row_id: str) -> bool:
        """Move the cursor to a row; False if it is not shown."""
        line = self._model.line_of(row_id)
        if line is None:
            return False
        self.move_to_line(line)
        return True

    def move_to_line(self, line: int) -> None:
        """Move the cursor to a line, or the nearest there is, and bring it on the screen."""
        if not len(self._model):
            return
        self._was_moved = True
        old = self._model.cursor_line
        line = min(max(line, 0), len(self._model) - 1)
        self._model.cursor = self._model.id_at(line)
        if line != old:
            self._refresh_rows(line)
            if old is not None:
                self._refresh_rows(old)
        self._keep_visible(line)
        self._tell()

    def toggle_mark(self, row_id: str | None = None) -> None:
        """Mark a row or take its mark away; None is the row of the cursor."""
        row_id = row_id or self._model.cursor
        line = None if row_id is None else self._model.line_of(row_id)
        if row_id is not None and line is not None:
            self._model.toggle_mark(row_id)
            self._refresh_rows(line)
            self._tell()

    def mark_all(self) -> None:
        """Mark all rows that are shown; if they all are, take the marks away."""
        self._model.mark_all()
        self._refresh_rows(0, len(self._model))
        self._tell()

    def clear_marks(self) -> None:
        """Take all marks away, also from rows that the filter hides."""
        self._model.clear_marks()
        self._refresh_rows(0, len(self._model))
        self._tell()

    def _tell(self) -> None:
        """Post what changed of cursor and marks."""
        cursor, marks = self._told
        self._told = (self._model.cursor, self._model.marked_count)
        if self._told[0] != cursor:
            self.post_message(self.Highlighted(self, self._told[0]))
        if self._told[1] != marks:
            self.post_message(self.MarksChanged(self, self._told[1]))

    # Keys and mouse

    def _step(self, lines: int) -> None:
        self.move_to_line((self._model.cursor_line or 0) + lines)

    def action_down(self) -> None:
        """Move the cursor one row down."""
        self._step(1)

    def action_up(self) -> None:
        """Move the cursor one row up."""
        self._step(-1)

    def action_first(self) -> None:
        """Move the cursor to the first row."""
        self.move_to_line(0)

    def action_last(self) -> None:
        """Move the cursor to the last row."""
        self.move_to_line(len(self._model) - 1)

    def action_half(self, direction: int) -> None:
        """Move the cursor and the screen by half a page."""
        self._turn(direction * max(self._body_height // 2, 1))

    def action_page(self, direction: int) -> None:
        """Move the cursor and the screen by a page."""
        self._turn(direction * max(self._body_height - 1, 1))

    def _turn(self, lines: int) -> None:
        self._jump(self.scroll_offset.y + lines)
        self._step(lines)

    def action_mark(self) -> None:
        """Mark the row of the cursor and go to the next."""
        self.toggle_mark()
        self._step(1)

    def action_mark_all(self) -> None:
        """Mark all rows, or none if all are."""
        self.mark_all()

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to a row, activate it on a double click, or sort by a column."""
        event.stop()
        if event.y < self._head:
            self._click_header(event.x - GUTTER)
            return
        line = self.scroll_offset.y + event.y - self._head
        if line < len(self._model):
            self.move_to_line(line)
            if event.chain == 2:
                self.post_message(self.Activated(self, self._model.id_at(line)))

    def _click_header(self, x: int) -> None:
        column = next((slot.column for slot in self._slots if slot.start <= x < slot.end), None)
        if column is None or not column.sortable or column.key not in self._sort_keys:
            return
        key, reverse = self._model.sort
        if key != column.key:
            self.sort_by(column.key)
        elif not reverse:
            self.sort_by(column.key, reverse=True)
        else:
            self.sort_by(None)
