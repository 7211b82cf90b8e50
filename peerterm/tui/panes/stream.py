"""What is watched: the streams, what is played of each, and the keys of the player."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from textual import on, work

from peerterm.display import counted
from peerterm.errors import PeertermError
from peerterm.tui.modals.dialogs import Confirm
from peerterm.tui.panes import stream_text as text
from peerterm.tui.panes.base import pane_bindings
from peerterm.tui.panes.contents import MANY_DOWNLOADS
from peerterm.tui.panes.stream_details import lines_of
from peerterm.tui.panes.stream_text import StreamRow
from peerterm.tui.panes.table_pane import TablePane
from peerterm.tui.widgets.details import Details
from peerterm.tui.widgets.virtual_table import Column, VirtualTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from peerterm.api.views import StreamView
    from peerterm.tui.local_player import LocalPlayer
    from peerterm.tui.model import Changes

_COLUMNS = (
    Column("state", "", 1, sortable=False),
    Column("name", "Name", 14, flex=1, sortable=False),
    Column("word", "State", 9, priority=1, sortable=False),
    Column("place", "At", 18, priority=3, sortable=False),
    Column("buffer", "Ahead", 16, priority=2, sortable=False),
    Column("rate", "Rate", 7, align="right", priority=4, sortable=False),
    Column("peer", "Peer", 12, priority=5, sortable=False),
)
_EMPTY = ("w on a film, a song or a folder of them plays it:", "in Files, Search, Transfers and Shares.")


class StreamPane(TablePane[StreamRow]):
    """Open streams; the player of this program shows one of them."""

    SCOPE = "stream"
    BINDINGS: ClassVar[list[BindingType]] = pane_bindings("stream")
    DEFAULT_CSS = """
    StreamPane Details { display: none; height: 9; max-height: 50%; }
    StreamPane.-details Details { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.add_class("-details")

    def compose(self) -> ComposeResult:
        """Lay out the list, and the details below it."""
        yield from super().compose()
        yield Details(ascii_only=self._is_ascii)

    def make_table(self) -> VirtualTable[StreamRow]:
        """Return the table of streams."""
        return VirtualTable(
            _COLUMNS,
            cells=lambda row: text.row_cells(row, ascii_only=self._is_ascii),
            row_id=lambda row: row.key,
            search_text=lambda row: f"{row.view.name} {row.name}",
            empty=_EMPTY,
            ascii_only=self._is_ascii,
        )

    @property
    def _is_ascii(self) -> bool:
        return self.program.terminal.is_ascii

    @property
    def _player(self) -> LocalPlayer:
        return self.program.watching.player

    # What is shown

    def show(self, changes: Changes) -> None:
        """Show what was opened, closed, or moved on."""
        if not (changes.everything or changes.streams or changes.transfers):
            return
        rows = text.rows_of(self.model.streams.values(), self._player.showing)
        known = {row.key for row in self.table.rows} if not self.table.filter_text else None
        if changes.everything or known != {row.key for row in rows}:
            self.table.replace_rows(rows)
        else:
            self.table.put_many([row for row in rows if row.view.stream_id in changes.streams])
        self._tell_counts()
        self._show_details()

    def _tell_counts(self) -> None:
        count = len(self.model.streams)
        playing = self._player.showing
        plays = f"; {playing.player} plays {self._player.title}" if playing else ""
        self.title(f" {counted(count, 'stream')}{plays}" if count else "")

    @on(VirtualTable.Highlighted)
    def _show_details(self) -> None:
        details = self.query_one(Details)
        if not details.display or not details.size:
            return
        row = self._row
        if row is None:
            details.show("Details", ())
            return
        lines = lines_of(
            row,
            self.model.transfers,
            os.environ,
            advice=self._player.advice,
            width=details.size.width,
            height=details.size.height - 1,
            ascii_only=self._is_ascii,
        )
        details.show(row.name, lines)

    def on_resize(self) -> None:
        """Fill the details as wide as they are."""
        self.call_after_refresh(self._show_details)

    def action_details(self) -> None:
        """Show or hide the details."""
        self.toggle_class("-details")
        self.call_after_refresh(self._show_details)

    # What a row means

    @property
    def _row(self) -> StreamRow | None:
        return self.table.cursor_row

    def copies(self, row: StreamRow) -> Sequence[tuple[str, str, str]]:
        """Offer the address, and what makes it reachable from elsewhere."""
        return text.copies(row, os.environ)

    def facts(self, row: StreamRow) -> tuple[str, Sequence[tuple[str, str]]]:
        """Say all of a stream."""
        return row.name, text.facts(row, self.model.transfers, os.environ)

    # What the user does

    def action_watch(self) -> None:
        """Play what the cursor is on, or let it go on."""
        if row := self._row:
            self.ask(self._player.play(row.view, row.number))
        else:
            self.program.say("nothing is open; w on a film, in Files or Search, plays it")

    def action_pause(self) -> None:
        """Pause the player, or let it go on."""
        self.ask(self._player.pause())

    def action_seek(self, seconds: int) -> None:
        """Go on or back in what plays."""
        self.ask(self._player.seek(seconds))

    def action_next(self) -> None:
        """Play the next item."""
        self.ask(self._player.skip(1))

    def action_previous(self) -> None:
        """Play the item before."""
        self.ask(self._player.skip(-1))

    @work(exclusive=True, group="dialogs")
    async def action_download(self) -> None:
        """Keep what is chosen; ask first if that is many."""
        items = {
            row.view.items[number].root: (row.view, number) for row in self.table.chosen for number in _meant(row)
        }
        if not items:
            self.program.say("nothing is open")
            return
        question = Confirm(f"Download {counted(len(items), 'item')}?", "Each becomes a transfer of its own.")
        if len(items) < MANY_DOWNLOADS or await self.app.push_screen_wait(question):
            self.ask(self._keep([*items.values()]))

    async def _keep(self, items: Sequence[tuple[StreamView, int]]) -> None:
        """Download items of streams; tell the first refusal when all were asked for."""
        names: list[str] = []
        refusal = ""
        for view, number in items:
            item = view.items[number]
            try:
                if number == view.item:
                    await self.engine.keep(view.stream_id)
                else:
                    await self.engine.get(item.root)
                names.append(item.name)
            except PeertermError as error:
                refusal = refusal or error.advice.replace(item.root, item.name)
        if names:
            what, it = (names[0], "it") if len(names) == 1 else (counted(len(names), "item"), "them")
            self.program.say(f"{what} will stay; 4 shows {it}")
        self.table.clear_marks()
        if refusal:
            self.program.say(refusal, "error")

    @work(exclusive=True, group="dialogs")
    async def action_remove(self) -> None:
        """Close what is chosen; ask first if it plays."""
        streams = {row.view.stream_id: row.view.name for row in self.table.chosen}
        if not streams:
            self.program.say("nothing is open")
            return
        what, it = (
            (next(iter(streams.values())), "it") if len(streams) == 1 else (counted(len(streams), "stream"), "one")
        )
        showing = self._player.showing
        question = Confirm(f"Close {what}?", f"{showing.player} plays {it}, and ends." if showing else "")
        if showing and showing.stream_id in streams and not await self.app.push_screen_wait(question):
            return
        self.ask(self._close([*streams]), f"{what} closed")

    async def _close(self, streams: Sequence[str]) -> None:
        for stream_id in streams:
            await self.program.watching.close_stream(stream_id)
        self.table.clear_marks()


def _meant(row: StreamRow) -> Sequence[int]:
    """Return the numbers of the items that a row stands for: one, or all of a folder."""
    if row.number is not None:
        return (row.number,)
    return range(len(row.view.items))
