"""A table of files that is all there is on the screen, and what a test wants to know of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual.app import App, ComposeResult

from peerterm.tui.widgets.virtual_table import Cell, Column, VirtualTable
from tests.fakes.byte_terminal import ByteTerminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.message import Message


@dataclass(frozen=True)
class File:
    """A row."""

    id: str
    name: str
    size: int = 7
    state: str = "queued"


COLUMNS = [
    Column("name", "Name", 10, flex=1),
    Column("size", "Size", 9, align="right", priority=1),
    Column("state", "State", 8, priority=2, sortable=False),
]


def cells(row: File) -> Sequence[Cell | str]:
    """Return what a row says, a cell of a tone of its own among it."""
    return [row.name, str(row.size), Cell(row.state, "good")]


class Shown(App[None]):
    """One table, and the messages it sent."""

    def __init__(self, rows: Sequence[File] = (), *, is_real: bool = False, **options: Any) -> None:
        super().__init__(driver_class=ByteTerminal if is_real else None)
        self.rows = rows
        self.options = options
        self.said: list[Message] = []

    def compose(self) -> ComposeResult:
        """Make the table."""
        self.table = VirtualTable[File](
            self.options.pop("columns", COLUMNS),
            cells=self.options.pop("cells", cells),
            row_id=lambda row: row.id,
            search_text=lambda row: row.name,
            sort_keys={"name": lambda row: row.name, "size": lambda row: row.size},
            id="table",
            **self.options,
        )
        self.table.replace_rows(self.rows)
        yield self.table

    def on_virtual_table_highlighted(self, message: VirtualTable.Highlighted) -> None:
        """Keep a message, whichever it is."""
        self.said.append(message)

    on_virtual_table_activated = on_virtual_table_marks_changed = on_virtual_table_sort_changed = (
        on_virtual_table_highlighted
    )

    def heard(self, kind: type[Message]) -> list[Any]:
        """Return the messages of one kind."""
        return [message for message in self.said if type(message) is kind]


def files(count: int) -> list[File]:
    """Return so many rows ``f0``, ``f1`` and so on, in the order of their names."""
    return [File(f"f{number}", f"file {number:06}", number) for number in range(count)]


def line(app: Shown, y: int) -> str:
    """Return one line of the screen."""
    return app.table.render_line(y).text


def screen(app: Shown) -> list[str]:
    """Return all lines of the screen."""
    return [line(app, y).rstrip() for y in range(app.table.size.height)]
