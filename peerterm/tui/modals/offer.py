"""One offer: its items, of which some or all are accepted, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding

from peerterm.tui import offer_text as text
from peerterm.tui.modals.dialogs import Facts
from peerterm.tui.modals.offer_dialog import OfferDialog
from peerterm.tui.offers import needs_answer
from peerterm.tui.widgets.plain import Plain
from peerterm.tui.widgets.virtual_table import Column, VirtualTable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.binding import BindingType
    from textual.widget import Widget

    from peerterm.api.views import OfferItemView, OfferView
    from peerterm.tui.model import Changes

_COLUMNS = (
    Column("number", "No", 2, align="right", priority=3, sortable=False),
    Column("name", "Name", 12, flex=1, sortable=False),
    Column("kind", "Kind", 6, priority=2, sortable=False),
    Column("files", "Files", 6, align="right", priority=1, sortable=False),
    Column("size", "Size", 5, align="right", sortable=False),
)

Row = tuple[int, "OfferItemView"]


class OfferScreen(OfferDialog):
    """The items of an offer; those marked are accepted, or all."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,i", "info", "Say all", show=False),
        Binding("h,left,backspace", "turn_away", "Close", show=False),
    ]
    DEFAULT_CSS = """
    OfferScreen > Vertical { height: 20; }
    OfferScreen #facts { height: auto; max-height: 5; }
    OfferScreen VirtualTable { height: 1fr; min-height: 2; }
    OfferScreen .keys { margin-top: 0; }
    """

    def __init__(self, offer_id: str) -> None:
        super().__init__("")
        self._offer_id = offer_id

    @property
    def view(self) -> OfferView | None:
        """The offer as it is now; ``None`` once the engine keeps it no longer."""
        return self.program.model.offers.views.get(self._offer_id)

    def body(self) -> Iterable[Widget]:
        """Lay out the facts and the items."""
        yield Plain(id="facts")
        table: VirtualTable[Row] = VirtualTable(
            _COLUMNS,
            cells=lambda row: text.item_cells(*row),
            row_id=lambda row: str(row[0]),
            ascii_only=self.program.terminal.is_ascii,
        )
        yield table
        yield Plain(classes="fault")

    @property
    def table(self) -> VirtualTable[Row]:
        """The items by their numbers."""
        return self.query_one(VirtualTable)

    def on_mount(self) -> None:
        """Show the items, which never change."""
        if view := self.view:
            self.table.replace_rows(list(enumerate(view.items, 1)))
            if needs_answer(view):
                self.program.model.offers.seen.add(view.offer_id)
        self.table.focus()
        self._tell()

    def show(self, changes: Changes) -> None:
        """Show what became of it."""
        if self.query(VirtualTable) and (changes.everything or self._offer_id in changes.offers):
            self._tell()

    def _tell(self) -> None:
        view = self.view
        self.query_one(".title", Plain).say(view.name if view else "This offer is not kept any more")
        self.query_one("#facts", Plain).say(*(text.lines_of(view) if view else ()), layout=True)
        self._tell_keys()

    @on(VirtualTable.MarksChanged)
    @on(VirtualTable.Highlighted)
    def _tell_keys(self) -> None:
        self.tell()
        view, keys = self.view, text.keys_of(self.view)
        if view and needs_answer(view) and len(view.items) > 1:
            marked = self.table.marked_count
            what = str(marked) if marked else "all"
            keys = f"Space mark  {keys.replace('a accept', f'a accept {what}', 1)}"
        self.query_one(".keys", Plain).say(f"{keys}Esc back")

    # What keys do

    def chosen(self) -> list[OfferView]:
        """Return the offer."""
        return [view] if (view := self.view) else []

    def numbers(self) -> list[int]:
        """Return the numbers of what is marked."""
        return [number for number, _ in self.table.chosen] if self.table.marked_count else []

    def answered(self) -> None:
        """Go back to where it was opened."""
        if self.is_current:
            self.dismiss(None)

    @on(VirtualTable.Activated)
    def action_info(self) -> None:
        """Say all that is known of an item."""
        if row := self.table.cursor_row:
            self.app.push_screen(Facts(row[1].name, text.item_facts(row[1])))
