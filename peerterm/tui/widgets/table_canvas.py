"""The screen of a table: draws its rows and keeps the cursor in its place when they change.

Knows lines, columns and strips; what keys, mouse and callers want is ``VirtualTable``, its only heir.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic

from textual.cache import LRUCache
from textual.strip import Strip

from peerterm.tui.widgets.cells import Cell, fit
from peerterm.tui.widgets.line_view import LineView
from peerterm.tui.widgets.table_columns import GAP, Column, Slot, lay_out
from peerterm.tui.widgets.table_rows import Placement, Row, TableRows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


GUTTER = 2
"""Cells on the left for the cursor and the mark, which so are not told by colour alone."""

KEPT_STRIPS = 1024
"""Most drawn rows that are kept; more than any screen has lines."""

NO_MATCH = "Nothing matches the filter."


@dataclass(frozen=True, slots=True)
class Branch:
    """Where a row stands in a tree: its depth from 0, and whether it is open; None if it holds nothing."""

    depth: int
    is_open: bool | None = None


@dataclass(frozen=True, slots=True)
class _View:
    """What was on the screen before a change."""

    scroll: int
    anchor: str | None
    line: int
    cursor_was_visible: bool
    count: int


class TableCanvas(LineView, Generic[Row]):
    """Rows on a screen."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"table--header", "table--cursor", "table--marked"}
    DEFAULT_CSS = """
    TableCanvas {
        & > .table--header { text-style: bold; color: $text-accent; }
        & > .table--marked { text-style: bold; color: $text-accent; }
        & > .table--cursor {
            color: $block-cursor-blurred-foreground;
            background: $block-cursor-blurred-background;
            text-style: $block-cursor-blurred-text-style;
        }
        &:focus > .table--cursor {
            color: $block-cursor-foreground;
            background: $block-cursor-background;
            text-style: $block-cursor-text-style;
        }
    }
    """

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        cells: Callable[[Row], Sequence[Cell | str]],
        row_id: Callable[[Row], str],
        search_text: Callable[[Row], str] | None = None,
        sort_keys: Mapping[str, Callable[[Row], object]] | None = None,
        branch: Callable[[Row], Branch | None] | None = None,
        empty: str | Sequence[str] = "",
        header: bool = True,
        ascii_only: bool = False,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - Textual's name for it
        classes: str | None = None,
    ) -> None:
        super().__init__(empty=empty, ascii_only=ascii_only, name=name, id=id, classes=classes)
        self._columns = tuple(columns)
        self._make_cells = cells
        self._branch = branch
        self._row_id = row_id
        self._sort_keys = dict(sort_keys or {})
        self._model: TableRows[Row] = TableRows(row_id, search_text or row_id, self._sort_keys)
        self._head = int(header)
        self._slots: list[Slot] = []
        self._stale: dict[str, Strip] = {}  # strips of rows that are being put
        self._drawn_width = -1
        self._cells: LRUCache[str, tuple[Cell, ...]] = LRUCache(KEPT_STRIPS)
        self._strips: LRUCache[tuple[str, bool, bool], Strip] = LRUCache(KEPT_STRIPS)
        self._was_moved = self._is_unseen = False

    @abstractmethod
    def _tell(self) -> None:
        """Tell the pane what changed of cursor and marks."""

    # The screen after a change

    @property
    def _body_height(self) -> int:
        return max(self.size.height - self._head, 0)

    def _view(self) -> _View:
        scroll, count = self.scroll_offset.y, len(self._model)
        line = self._model.cursor_line
        if line is not None and scroll <= line < scroll + self._body_height:
            return _View(scroll, self._model.cursor, line, cursor_was_visible=True, count=count)
        top = self._model.id_at(scroll) if scroll < count else None
        return _View(scroll, top, scroll, cursor_was_visible=False, count=count)

    def _rooted(self, view: _View) -> _View:
        """Put a cursor that nobody chose on the first row of the new order."""
        if self._was_moved or not len(self._model):
            return view
        self._model.cursor = self._model.id_at(0)
        return _View(0, self._model.cursor, 0, cursor_was_visible=True, count=view.count)

    def _show(self, view: _View, placements: Sequence[Placement] | None) -> None:
        """Keep the cursor on its screen line and draw what changed; without placements all is drawn."""
        count = len(self._model)
        if count != view.count:
            self._set_line_count(count + self._head)
        self._anchor(view)
        if not count:
            self._was_moved = False
        if placements is None or not count or not view.count:
            self._refresh_lines(self._head, self.size.height)
        else:
            self._draw(placements)
        self._stale.clear()
        self._tell()

    def _anchor(self, view: _View) -> None:
        line = None if view.anchor is None else self._model.line_of(view.anchor)
        scroll = view.scroll if line is None else view.scroll + line - view.line
        if not self._was_moved and view.scroll == 0:
            scroll = 0  # nobody chose the row of the cursor: better ones that come above it are to be seen
        if scroll != self.scroll_offset.y or len(self._model) < view.count:
            self._jump(scroll)
        if view.cursor_was_visible and self._model.cursor_line is not None:
            self._keep_visible(self._model.cursor_line)

    def _draw(self, placements: Sequence[Placement]) -> None:
        for line in {each.after for each in placements if each.before == each.after and each.after is not None}:
            self._refresh_changed(line)
        moved = [each for each in placements if each.before != each.after]
        ends = [line for each in moved for line in (each.before, each.after) if line is not None]
        if ends:
            is_only_moved = len(moved) == 1 and len(ends) == 2
            bottom = self.scroll_offset.y + self.size.height
            self._refresh_rows(min(ends), max(ends) if is_only_moved else bottom)

    def _keep_visible(self, line: int) -> None:
        scroll = self.scroll_offset.y
        wanted = min(max(scroll, line - self._body_height + 1), line)
        self._is_unseen = not self._body_height  # hidden now, and to be in sight when it is shown
        if wanted != scroll and self._body_height:
            self._jump(wanted)

    def _refresh_rows(self, first: int, last: int | None = None) -> None:
        offset = self._head - self.scroll_offset.y
        self._refresh_lines(max(first + offset, self._head), (first if last is None else last) + offset)

    def _refresh_changed(self, line: int) -> None:
        """Draw a row that was put, unless it looks as before."""
        y = line + self._head - self.scroll_offset.y
        before = self._stale.get(self._model.id_at(line))
        if before is None or not self._head <= y < self.size.height or before != self.render_line(y):
            self._refresh_rows(line)

    def _forget_row(self, row_id: str) -> None:
        """Drop what was drawn of a row; what of it is on the screen is kept for comparison."""
        drawn = self._strips.get((row_id, row_id == self._model.cursor, self._model.is_marked(row_id)))
        if drawn is not None:
            self._stale[row_id] = drawn
        self._cells.discard(row_id)
        for state in ((False, False), (False, True), (True, False), (True, True)):
            self._strips.discard((row_id, *state))

    def _resized(self) -> None:
        view = self._view()
        self._set_line_count(len(self._model) + self._head)
        if view.cursor_was_visible or self._is_unseen or not self._was_moved:
            self._keep_visible(self._model.cursor_line or 0)

    # Drawing

    @property
    def columns(self) -> Sequence[Column]:
        """The columns, those included that do not fit."""
        return self._columns

    def _has_lines(self) -> bool:
        return len(self._model) > 0

    def _forget_strips(self) -> None:
        self._strips.clear()

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen."""
        width = self.text_width
        if width != self._drawn_width:
            self._forget_strips()
            self._slots = lay_out(self._columns, width - GUTTER)
            self._drawn_width = width
        if y < self._head:
            return self._header(width)
        if not len(self._model):
            lines = (NO_MATCH,) if self._model.is_filtered and self._model.total else self.empty
            return self._empty_strip(y - self._head, self._body_height, width, lines)
        line = self.scroll_offset.y + y - self._head
        if line >= len(self._model):
            return self._strip((), width)
        row_id = self._model.id_at(line)
        key = (row_id, row_id == self._model.cursor, self._model.is_marked(row_id))
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = self._draw_row(*key, width)
        return strip

    def _header(self, width: int) -> Strip:
        style = self._style("table--header")
        key, reverse = self._model.sort
        pieces = [(" " * GUTTER, style)]
        for slot in self._slots:
            title = slot.column.title
            if slot.column.key == key:
                arrow = ("^v" if self.ascii_only else "▲▼")[reverse]
                title = fit(title, min(len(title), slot.width - 1), ascii_only=self.ascii_only) + arrow
            pieces.append((fit(title, slot.width, align=slot.column.align, ascii_only=self.ascii_only), style))
            pieces.append((" " * GAP, style))
        return self._strip(pieces, width)

    def _draw_row(self, row_id: str, is_cursor: bool, is_marked: bool, width: int) -> Strip:
        cells = self._cells_of(row_id)
        base = self._style("table--cursor") if is_cursor else self._style()
        mark = "*" if is_marked else " "
        gutter = ">" + mark if is_cursor else mark + " "
        pieces = [(gutter, self._style("table--marked") if is_marked and not is_cursor else base)]
        for slot in self._slots:
            cell = cells[slot.index]
            text = fit(cell.text, slot.width, align=slot.column.align, ascii_only=self.ascii_only)
            inner = text.lstrip(" ")
            pieces.append((" " * (len(text) - len(inner)), base))
            pieces.append((inner, base if is_cursor else self._tone(cell.tone)))
            pieces.append((" " * GAP, base))
        return self._strip(pieces, width)

    def _cells_of(self, row_id: str) -> tuple[Cell, ...]:
        cells = self._cells.get(row_id)
        if cells is None:
            row = self._model.get(row_id)
            assert row is not None
            made = [cell if isinstance(cell, Cell) else Cell(cell) for cell in self._make_cells(row)]
            branch = None if self._branch is None else self._branch(row)
            if branch is not None:
                mark = " " if branch.is_open is None else ("+-" if self.ascii_only else "▸▾")[branch.is_open]
                made[0] = Cell(f"{'  ' * branch.depth}{mark} {made[0].text}", made[0].tone)
            cells = self._cells[row_id] = tuple(made)
        return cells
