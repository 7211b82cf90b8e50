"""The Inbox: what peers offer us and we offer them; what waits for our answer stands first."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding

from peerterm.tui import offer_text as text
from peerterm.tui.modals.offer import OfferScreen
from peerterm.tui.modals.offer_dialog import OfferDialog
from peerterm.tui.offers import needs_answer, order_of
from peerterm.tui.widgets.plain import Plain
from peerterm.tui.widgets.virtual_table import Column, VirtualTable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.binding import BindingType
    from textual.widget import Widget

    from peerterm.api.views import OfferView
    from peerterm.tui.model import Changes

_COLUMNS = (
    Column("way", "", 1, sortable=False),
    Column("name", "What", 12, flex=2, sortable=False),
    Column("peer", "Who", 10, flex=1, sortable=False),
    Column("files", "Files", 6, align="right", priority=2, sortable=False),
    Column("size", "Size", 5, align="right", priority=1, sortable=False),
    Column("state", "State", 13, sortable=False),
)
_EMPTY = ("Nobody offers you anything, and you offer nothing.", "S on a peer, in Peers, sends a file or folder.")


class Inbox(OfferDialog):
    """All offers; Enter shows the items of one.

    Args:
        offer_id: Where the cursor is at first; empty for the first row.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,l,right", "open", "Open", show=False)]
    KEYS = "Esc close"
    DEFAULT_CSS = """
    Inbox > Vertical { height: 20; }
    Inbox VirtualTable { height: 1fr; min-height: 2; }
    Inbox .keys { margin-top: 0; }
    """

    def __init__(self, offer_id: str = "") -> None:
        super().__init__("Inbox")
        self._aim = offer_id

    def body(self) -> Iterable[Widget]:
        """Lay out the list."""
        yield self._make_table()
        yield Plain(classes="fault")

    def _make_table(self) -> VirtualTable[OfferView]:
        is_ascii = self.program.terminal.is_ascii
        return VirtualTable(
            _COLUMNS,
            cells=lambda view: text.cells_of(view, self.program.model.transfers, ascii_only=is_ascii),
            row_id=lambda view: view.offer_id,
            sort_keys={"order": order_of},
            empty=_EMPTY,
            ascii_only=is_ascii,
        )

    @property
    def table(self) -> VirtualTable[OfferView]:
        """The list."""
        return self.query_one(VirtualTable)

    def on_mount(self) -> None:
        """Show all offers; those that wait have been looked at by that."""
        offers = self.program.model.offers
        self.table.sort_by("order")
        self.table.replace_rows(offers.views.values())
        self.table.focus()
        self._see()
        self.call_after_refresh(self._take_aim)

    def _take_aim(self) -> None:
        if self._aim:
            self.table.move_to(self._aim)
        self._tell_keys()

    def _see(self) -> None:
        offers = self.program.model.offers
        offers.seen |= {view.offer_id for view in offers.waiting}
        self.query_one(".title", Plain).say(text.headline(list(offers.views.values())))
        self._tell_keys()

    def show(self, changes: Changes) -> None:
        """Show what is offered now, and how far it is."""
        if not self.query(VirtualTable):
            return
        views = self.program.model.offers.views
        if changes.everything:
            self.table.replace_rows(views.values())
        was_waiting = (row := self.table.cursor_row) is not None and needs_answer(row)
        moved = {key for key, view in views.items() if changes.transfers.intersection(view.transfer_ids)}
        self.table.put_many([views[key] for key in changes.offers | moved if key in views])
        if was_waiting:
            self._go_on()
        self._see()

    def _go_on(self) -> None:
        """Go from an offer that has its answer now to one that waits, if one does."""
        waiting = self.program.model.offers.waiting
        if waiting and (row := self.table.cursor_row) and not needs_answer(row):
            self.table.move_to(min(waiting, key=order_of).offer_id)

    @on(VirtualTable.Highlighted)
    @on(VirtualTable.MarksChanged)
    def _tell_keys(self) -> None:
        self.tell()
        view = self.table.cursor_row
        mark = "Space mark  " if len(self.program.model.offers.views) > 1 else ""
        keys = f"Enter open  {mark}{text.keys_of(view)}" if view else ""
        self.query_one(".keys", Plain).say(f"{keys}Esc close")

    # What keys do

    def chosen(self) -> list[OfferView]:
        """Return the marked offers, or that of the cursor."""
        return self.table.chosen

    def answered(self) -> None:
        """Take the marks away."""
        self.table.clear_marks()

    @on(VirtualTable.Activated)
    def action_open(self) -> None:
        """Show the items of an offer."""
        if view := self.table.cursor_row:
            self.app.push_screen(OfferScreen(view.offer_id))
