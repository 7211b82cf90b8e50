"""A pane that is mostly one table: its filter, its order, and copying and reading what the cursor is on."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Generic, TypeVar

from textual import on, work

from peerterm.tui.keys import actions_of
from peerterm.tui.modals.dialogs import Choice, Facts, PlainText
from peerterm.tui.modals.link import LinkScreen
from peerterm.tui.panes.filtered import FilteredPane
from peerterm.tui.widgets.plain import Plain
from peerterm.tui.widgets.virtual_table import VirtualTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult

Row = TypeVar("Row")
_PLAIN, _CODE = "\0", "\1"  # no text that can be copied


class TablePane(FilteredPane, Generic[Row]):
    """The part of a pane that all tables share; a pane gives the table, and says what its rows mean."""

    DEFAULT_CSS = """
    TablePane .title { height: 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
    TablePane VirtualTable { height: 1fr; }
    """

    def compose(self) -> ComposeResult:
        """Lay out the title, the table, the filter and the details."""
        yield Plain(classes="title")
        yield self.make_table()
        yield self.make_filter()

    # What a pane gives

    @abstractmethod
    def make_table(self) -> VirtualTable[Row]:
        """Return the table of the pane."""

    @abstractmethod
    def copies(self, row: Row) -> Sequence[tuple[str, str, str]]:
        """Return what can be copied of a row: a key, what it is, and the text."""

    @abstractmethod
    def facts(self, row: Row) -> tuple[str, Sequence[tuple[str, str]]]:
        """Return a title, and all that is known of a row."""

    # What all share

    @on(VirtualTable.Activated)
    def _row_opened(self, event: VirtualTable.Activated) -> None:
        event.stop()
        self.program.perform(next(action for action in actions_of(self.SCOPE) if "enter" in action.keys))

    @property
    def table(self) -> VirtualTable[Row]:
        """The table."""
        return self.query_one(VirtualTable)

    def title(self, *lines: str) -> None:
        """Say what stands above the table."""
        self.query_one(".title", Plain).say(*lines)

    def focus_list(self) -> None:
        """Let the keys reach the table."""
        self.table.focus()

    def point_at(self, row_id: str) -> None:
        """Move the cursor to a row, once the pane is shown."""
        self.call_after_refresh(self._point_at, row_id)  # a new pane has no table yet

    def _point_at(self, row_id: str) -> None:
        if not self.table.move_to(row_id) and self.table.row(row_id) is not None:
            super().back()  # it is hidden by the filter
            self.table.move_to(row_id)

    def filter_lines(self, words: str) -> None:
        """Show only rows that have all these words."""
        self.table.filter(words)

    def back(self) -> None:
        """Show all rows; if they are shown, have none marked."""
        if not self.is_filtering:
            self.table.clear_marks()
        super().back()

    @work(exclusive=True, group="dialogs")
    async def action_sort(self) -> None:
        """Choose the order."""
        columns = [column for column in self.table.columns if column.sortable]
        options = [(str(number), column.title, column.key) for number, column in enumerate(columns, 1)]
        options.append(("0", "as it comes", ""))
        present, is_reversed = self.table.sorting[0] or "", self.table.sorting[1]
        chosen = await self.app.push_screen_wait(Choice("Order (the same again turns it round)", options, present))
        if chosen is not None:
            self.table.sort_by(chosen or None, reverse=chosen == present and not is_reversed)

    @work(exclusive=True, group="dialogs")
    async def action_copy(self) -> None:
        """Copy something of the row."""
        if (row := self.table.cursor_row) is None:
            self.program.say("nothing to copy")
            return
        copies = [copy for copy in self.copies(row) if copy[2]]
        options = [(key, f"{what}  {text}", text) for key, what, text in copies]
        everything = "\n".join(text for _, _, text in copies)
        options += [("q", "link as a QR code", _CODE)] if any(what == "link" for _, what, _ in copies) else []
        chosen = await self.app.push_screen_wait(Choice("Copy", [*options, ("t", "show as plain text", _PLAIN)]))
        if chosen == _PLAIN:
            self.app.push_screen(PlainText("Select with the terminal's own means", everything))
        elif chosen == _CODE:
            link = next(text for _, what, text in copies if what == "link")
            self.app.push_screen(LinkScreen(self.facts(row)[0], link))
        elif chosen:
            self.program.copy(chosen)

    def action_info(self) -> None:
        """Say all that is known of the row."""
        if (row := self.table.cursor_row) is None:
            self.program.say("nothing is here yet")
            return
        self.app.push_screen(Facts(*self.facts(row)))
