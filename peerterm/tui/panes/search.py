"""Searching everyone's shares while the words are typed."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on, work
from textual.containers import Horizontal
from textual.widgets import Input

from peerterm.display import counted
from peerterm.errors import PeertermError, UsageError
from peerterm.tui import format as f
from peerterm.tui.panes.base import pane_bindings
from peerterm.tui.panes.contents import MAX_BATCH, Content, ContentsPane
from peerterm.tui.panes.hit_rows import copies_of, facts_of, hit_table
from peerterm.tui.panes.long_list import drop_rows, spare_rows
from peerterm.tui.query import letters, parse_line, values_of
from peerterm.tui.widgets.plain import Plain
from peerterm.tui.widgets.query_input import QueryInput

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.timer import Timer

    from peerterm.api.views import SearchHit, SearchQuery
    from peerterm.tui.model import Changes
    from peerterm.tui.widgets.virtual_table import VirtualTable

MIN_LETTERS = 3
"""From so many letters on a search begins while it is typed; Enter searches for fewer."""

MAX_HITS = 100_000
"""Most hits of one search that are listed."""

TYPING_SECONDS = 0.2
"""A search begins when no key came for so long."""

LISTING_SECONDS = 0.1
"""Hits that trickle in are listed so often."""


class SearchPane(ContentsPane["SearchHit"]):
    """A line to type in, and below it what peers have; ``/`` types, Enter there goes to the hits."""

    SCOPE = "search"
    BINDINGS: ClassVar[list[BindingType]] = pane_bindings("search")
    DEFAULT_CSS = """
    SearchPane .query { height: 1; }
    SearchPane .query Plain { width: 3; color: $text-accent; text-style: bold; }
    SearchPane .query Input { width: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._query: SearchQuery | None = None  # what is or was searched for
        self._is_searching = False
        self._is_submitted = False  # whether the line was entered as it is
        self._is_outdated = False  # whether the list still answers the query before
        self._is_cut = False  # whether there may be hits that are not listed
        self._trouble: tuple[str, ...] = ()
        self._found: dict[str, SearchHit] = {}  # hits that are not listed yet
        self._typing: Timer | None = None
        self._trickling: Timer | None = None

    def compose(self) -> ComposeResult:
        """Lay out the line above the list."""
        with Horizontal(classes="query"):
            yield Plain(" /")
            yield QueryInput(placeholder="words or a link  type:video  size:>10M")
        yield from super().compose()

    def make_table(self) -> VirtualTable[SearchHit]:
        """Return the table of hits."""

        def own_id() -> str:
            return self.model.status.peer_id if self.model.status else ""

        return hit_table(own_id, ascii_only=self.program.terminal.is_ascii)

    def on_mount(self) -> None:
        """Say what can be searched."""
        self.show_title()

    # The line

    def on_descendant_focus(self) -> None:
        """Say where the keys go."""
        self.show_title()

    def on_descendant_blur(self) -> None:
        """Say where the keys go."""
        self.show_title()

    @property
    def line(self) -> QueryInput:
        """Where the search is typed."""
        return self.query_one(QueryInput)

    def action_edit_query(self) -> None:
        """Type what to search for."""
        self.line.focus()

    def back(self) -> None:
        """Leave the line; in the list stop the search, or take the marks away."""
        if self.line.has_focus:
            self.focus_list()
        elif self._is_searching:
            self.workers.cancel_group(self, "search")
            self._ended()
        else:
            self.table.clear_marks()

    @on(Input.Changed, "QueryInput")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._is_submitted = False
        if self._typing is not None:
            self._typing.stop()
        self._typing = self.set_timer(TYPING_SECONDS, self._search_as_typed)

    @on(Input.Submitted, "QueryInput")
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if (query := self._read_line()) is not None:
            self.line.history.add(event.value)
            if query != self._query or self._is_submitted:
                self._begin(query)
            self._is_submitted = True
            self.focus_list()

    @on(QueryInput.Finished)
    def _left_downwards(self) -> None:
        self.focus_list()

    def _search_as_typed(self) -> None:
        query = self._read_line()
        if query is None or query == self._query:
            return
        if letters(query) < MIN_LETTERS:
            self._stand_still("Enter searches for this; from three letters on it begins by itself.")
        else:
            self._begin(query)

    def _read_line(self) -> SearchQuery | None:
        if not self.line.value.strip():
            self._stand_still()
            return None
        try:
            return parse_line(self.line.value)
        except UsageError as error:
            self._stand_still(error.message, error.hint)
            return None

    def _stand_still(self, *trouble: str) -> None:
        """Show no hits, as the line asks for nothing."""
        self.workers.cancel_group(self, "search")
        self._query, self._trouble, self._is_searching = None, trouble, False
        self._found.clear()
        self._clear_list()
        self.show_title()

    @work(exclusive=True, group="dialogs")
    async def action_edit_limits(self) -> None:
        """Choose a type, or sizes, to search for only."""
        from peerterm.tui.modals.limits import edit_limits  # noqa: PLC0415

        self.line.value = await edit_limits(self.program, self.line.value)

    # The search

    def _begin(self, query: SearchQuery) -> None:
        self._query, self._trouble = query, ()
        self._is_searching, self._is_outdated, self._is_cut = True, True, False
        self._found.clear()
        if self._trickling is not None:
            self._trickling.stop()
        self._trickling = self.set_timer(LISTING_SECONDS, self._list_found)
        self._search(query)
        self.show_title()

    @work(exclusive=True, group="search")
    async def _search(self, query: SearchQuery) -> None:
        """List what is found, in batches; another search or Esc cancels."""
        try:
            async with aclosing(cast("AsyncGenerator[SearchHit, None]", self.engine.search(query))) as hits:
                async for hit in hits:
                    await self._take(hit)
                    if self.table.total_count >= MAX_HITS:
                        self._is_cut = True
                        break
        except PeertermError as error:
            self._trouble = (error.message, error.hint)
            self._query = None  # so that the same line can be asked again
        self._ended()

    async def _take(self, hit: SearchHit) -> None:
        self._found[hit.root], self._is_cut = hit, hit.more
        if len(self._found) >= MAX_BATCH:
            self._list_found()
            await asyncio.sleep(0)
        elif self._trickling is None:
            self._trickling = self.set_timer(LISTING_SECONDS, self._list_found)

    def _list_found(self) -> None:
        """Add what was found to the list; hits of the query before stay until then, so that it does not flicker."""
        if self._trickling is not None:
            self._trickling.stop()
            self._trickling = None
        if self._is_outdated:
            self._is_outdated = False
            self._clear_list()
        if self._found:
            self.table.put_many(list(self._found.values()))
            self._found.clear()
            spare_rows(self.table.total_count)
        self.count_on()

    def _clear_list(self) -> None:
        self.table.replace_rows(())
        drop_rows()

    def _ended(self) -> None:
        self._is_searching = False
        self._list_found()
        self.show_title()

    # What the engine says

    def show(self, changes: Changes) -> None:
        """Follow how many peers there are to ask."""
        if self.is_mounted and (changes.everything or changes.peers):
            if changes.everything and self._query is None and self._trouble:
                self._search_as_typed()  # what failed for want of an engine
            self.show_title()

    def show_title(self) -> None:
        """Say how many hits there are, of whom, and whether more may come; in an empty list, why it is."""
        online = counted(len(self.model.online), "peer") + " online"
        count = self.table.total_count
        hits = f"{count:,} hit{'s' * (count != 1)}"
        way_on = ["Enter goes to the list"] if self.line.has_focus and not self._trouble else []
        if self._trouble or self._query is None:
            self.headline(self._trouble[0] if self._trouble else online, *way_on)
        elif self._is_searching:
            so_far = "0 hits" if self._is_outdated else hits
            self.headline(f"{so_far}, {online}, searching ... (Esc stops)", *way_on)
        else:
            self.headline(f"first {hits}; type more to narrow" if self._is_cut else f"{hits}, {online}", *way_on)
        self.table.empty = self._trouble or self._reason(online)

    def _reason(self, online: str) -> tuple[str, ...]:
        if self._is_searching:
            return ("Searching ...",)
        if self._query is not None:
            limits = [f"{name}:{value}" for name in ("type", "size") for value in values_of(self.line.value, name)]
            only = f"Only {' '.join(limits)} was searched for; e changes that." if limits else ""
            return (f"Nothing found; {online}.", only or "Every word must occur in name or path; / changes them.")
        if not self.model.online:
            return ("Nobody is online; a search finds only what you share yourself.", "/ begins it.")
        size = f.size(sum(peer.bytes for peer in self.model.online))
        return (
            f"{counted(len(self.model.online), 'peer')} with {size} to search.",
            "/ begins; type words of a name.",
        )

    # What a row means

    def action_open(self) -> None:
        """Browse the folder that a hit lies in, at one who has it."""
        hit = self.table.cursor_row
        if hit is None or not hit.peers:
            self.program.say("nothing is here yet")
            return
        folder, _, name = hit.path.rpartition("/")
        self.program.browse(hit.peers[0].peer_id, folder)
        self.program.pane.point_at(name)

    def size_of(self, row: SearchHit) -> int:
        """Return the bytes of a hit."""
        return row.size

    async def contents(self, rows: Sequence[SearchHit]) -> Sequence[Content]:
        """Return the contents that are meant."""
        self.line.history.add(self.line.value)
        return [Content(hit.name, hit.size, hit.root, hit.kind == "folder") for hit in rows]

    def action_watch(self) -> None:
        """Play the hit of the cursor."""
        if hit := self.table.cursor_row:
            self.line.history.add(self.line.value)
            self.program.watching.watch(hit.name, hit.kind, hit.root)
        else:
            self.program.say("nothing is here yet")

    def copies(self, row: SearchHit) -> Sequence[tuple[str, str, str]]:
        """Offer what names a hit to others."""
        return copies_of(row, self.model.peers.values())

    def facts(self, row: SearchHit) -> tuple[str, Sequence[tuple[str, str]]]:
        """Say all of a hit, and everyone who has it."""
        return facts_of(row)
