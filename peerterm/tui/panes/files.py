"""The folders that peers share, and what is in them."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, ClassVar, Literal

from textual import work
from textual.widgets import Input

from peerterm.api.views import PeerView
from peerterm.display import counted
from peerterm.errors import NotFound, PeertermError
from peerterm.tui.browsing import Place, Trail
from peerterm.tui.downloading import ask_for_everything, everything_of
from peerterm.tui.links import link_to, reference_to
from peerterm.tui.panes.base import pane_bindings
from peerterm.tui.panes.contents import Content, ContentsPane
from peerterm.tui.panes.file_rows import FileRow, facts_of, file_table, size_of
from peerterm.tui.panes.long_list import drop_rows, spare_rows
from peerterm.tui.sending import ask_whom

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from textual.binding import BindingType

    from peerterm.api.views import BrowsePage, EntryView
    from peerterm.tui.modals.dialogs import Confirm
    from peerterm.tui.model import Changes
    from peerterm.tui.widgets.virtual_table import VirtualTable

MAX_ENTRIES = 200_000
"""Most entries of one folder that are listed; a peer may say that more follow for ever."""

_NOBODY = ("Nobody who is online shares anything yet.", "1 shows who is here; 6 shares something of yours.")


class FilesPane(ContentsPane[FileRow]):
    """Peers that share something, their shares, and the folders below; Enter goes in, h goes up."""

    SCOPE = "files"
    BINDINGS: ClassVar[list[BindingType]] = pane_bindings("files")

    def __init__(self) -> None:
        super().__init__()
        self._place = Place()
        self._trail = Trail()
        self._aim = ""  # the row that the cursor is to be on as soon as it is there
        self._listing: Literal["coming", "complete", "cut short", "outdated", "failed"] = "complete"
        self._offered: object = None  # what the owner offered when the listing began

    def make_table(self) -> VirtualTable[FileRow]:
        """Return the table of peers or entries."""
        return file_table(ascii_only=self.program.terminal.is_ascii)

    def on_mount(self) -> None:
        """List the folder that was asked for meanwhile, or the peers."""
        self.table.sort_by("name")
        self._enter()

    # Where the user is

    def open_folder(self, peer_id: str, path: str = "") -> None:
        """Show a folder of a peer; an empty path lists its shares."""
        self._go(Place(peer_id, path.strip("/")))

    def point_at(self, row_id: str) -> None:
        """Move the cursor to a row, as soon as it is listed."""
        self._aim = row_id
        if self.is_mounted:
            self._take_aim()

    def action_open(self) -> None:
        """Go into the peer or folder of the cursor; of a file, say all that is known."""
        row = self.table.cursor_row
        if isinstance(row, PeerView):
            self._go(Place(row.peer_id))
        elif row is not None and row.kind == "folder":
            self._go(self._place.below(row.name))
        else:
            self.action_info()

    def action_up(self) -> None:
        """Go to the folder above, where the cursor is on the one that was left."""
        if self._place.peer_id:
            self._go(self._place.above, self._place.name)
        else:
            self.program.say("these are all who share something")

    def _go(self, place: Place, aim: str = "") -> None:
        if self.is_mounted and self.table.cursor_id:
            self._trail.remember(self._place, self.table.cursor_id)
        self._place, self._aim = place, aim or self._trail.row_at(place)
        if self.is_mounted:
            self._enter()

    def _enter(self) -> None:
        self.query_one(".filter", Input).remove_class("-shown").value = ""
        self.table.filter("")
        self.table.replace_rows(())
        drop_rows()
        if self._place.peer_id:
            self._list()
        else:
            self.workers.cancel_group(self, "listing")
            self._list_peers()

    def back(self) -> None:
        """Leave the filter, stop the listing, or take marks away: one of them at a time."""
        if self._listing == "coming" and not self.is_filtering:
            self.workers.cancel_group(self, "listing")
            self._listing = "cut short"
            self.table.empty = ("This folder was not listed to its end.", "h goes up.")
            self.show_title()
        else:
            super().back()

    # What is listed

    def _list_peers(self) -> None:
        peers = [peer for peer in self.model.online if peer.shares]
        if self.model.status and (shares := self.model.shares.values()):
            own = PeerView(
                peer_id=self.model.status.peer_id, name=f"{self.model.status.name} (this machine)", address="",
                state="online", trust="verified", shares=len(shares), bytes=sum(share.bytes for share in shares),
                version="", last_seen=0.0,
            )  # fmt: skip
            peers.append(own)
        self._listing = "complete"
        self.table.empty = _NOBODY
        self.table.replace_rows(peers)
        self._take_aim()
        self.show_title()

    def _list(self) -> None:
        self.table.empty = (f"Asking {self._owner} ...",)
        self._listing, self._offered = "coming", self._offer()
        self._list_pages()
        self.show_title()

    @work(exclusive=True, group="listing")
    async def _list_pages(self) -> None:
        """List the place page by page, the first of them at once; going elsewhere cancels."""
        more = ""
        try:
            async with aclosing(self._pages()) as pages:
                async for page in pages:
                    more = page.next
                    await self.list_more(page.entries)
                    spare_rows(self.table.total_count)
                    self._take_aim()
                    self.count_on()
        except PeertermError as error:
            self._failed(error)
        else:
            self._listing = "cut short" if more else "complete"
            nothing = "This folder is empty." if self._place.path else f"{self._owner} shares nothing with you."
            self.table.empty = (nothing, "h goes up.")
        self.show_title()

    async def _pages(self) -> AsyncGenerator[BrowsePage, None]:
        after, count = "", 0
        while count < MAX_ENTRIES:
            page = await self.engine.browse(self._place.peer_id, self._place.path, after)
            yield page
            count += len(page.entries)
            after = page.next
            if not after:
                return

    @work(exclusive=True, group="listing")
    async def _list_again(self) -> None:
        """Show what a folder of one page holds now; what did not change stands still."""
        self._offered = self._offer()
        try:
            page = await self.engine.browse(self._place.peer_id, self._place.path)
        except NotFound as error:
            self.table.replace_rows(())
            self._failed(error)
        except PeertermError as error:
            self._failed(error)
        else:
            if page.next:
                self._listing = "outdated"
            else:
                self.table.replace_rows(page.entries)
        self.show_title()

    def _failed(self, error: PeertermError) -> None:
        self._listing = "failed"
        self.table.empty = (error.message, error.hint or "h goes up.")
        if self.table.total_count:
            self.program.say(error.advice, "warning")

    def _take_aim(self) -> None:
        if self._aim and self.table.move_to(self._aim):
            self._aim = ""

    # What the engine says

    def show(self, changes: Changes) -> None:
        """Follow who is here and what they offer."""
        if not self.is_mounted:
            return  # on_mount lists what is known then
        if not self._place.peer_id:
            if changes.everything or changes.peers or changes.shares:
                self._list_peers()
        elif self._listing == "failed":
            if self._is_here and (changes.everything or self._place.peer_id in changes.peers):
                self._list()
        elif self._listing == "complete" and self._is_here and self._offered != self._offer():
            self._list_again()
        self.show_title()

    @property
    def _is_own(self) -> bool:
        return self.model.status is not None and self._place.peer_id == self.model.status.peer_id

    @property
    def _is_here(self) -> bool:
        peer = self.model.peers.get(self._place.peer_id)
        return self._is_own or (peer is not None and peer.state == "online")

    @property
    def _owner(self) -> str:
        peer = self.model.peers.get(self._place.peer_id)
        own_name = self.model.status.name if self.model.status and self._is_own else ""
        return peer.name if peer else own_name or self._place.peer_id[:8]

    def _offer(self) -> object:
        if self._is_own:
            return [(share.name, share.state, share.seq) for share in self.model.shares.values()]
        peer = self.model.peers.get(self._place.peer_id)
        return (peer.shares, peer.bytes) if peer else None

    def show_title(self) -> None:
        """Say where the user is, what is marked, and how much there is."""
        count = self.table.total_count
        if not self._place.peer_id:
            self.headline("Who shares something", counted(count, "peer"))
            return
        amount = f"{count:,} {'entry' if count == 1 else 'entries'}"
        words = {"coming": f"{amount} so far ...", "failed": "not everything", "cut short": f"the first {amount}"}
        words["outdated"] = f"{amount} before a change; h l lists them anew"
        fact = words.get(self._listing, amount) if count or self._listing == "complete" else ""
        if not self._is_here:
            fact = "not online"
        self.headline(f"{self._owner}:/{self._place.path}{'/' * bool(self._place.path)}", fact)

    # What a row means

    def size_of(self, row: FileRow) -> int:
        """Return the bytes of a row."""
        return size_of(row)

    async def contents(self, rows: Sequence[FileRow]) -> Sequence[Content]:
        """Return the contents that are meant; of a peer all its shares.

        Raises:
            PeertermError: A peer does not say what it shares, or is this machine.
        """
        own_id = self.model.status.peer_id if self.model.status else ""
        if self._is_own or any(isinstance(row, PeerView) and row.peer_id == own_id for row in rows):
            raise PeertermError("that is on this machine already")
        entries: list[EntryView] = []
        for row in rows:
            entries += await everything_of(self.engine, row.peer_id) if isinstance(row, PeerView) else [row]
        return [Content(entry.name, entry.size, entry.root, entry.kind == "folder") for entry in entries]

    def question(self, rows: Sequence[FileRow], contents: Sequence[Content]) -> Confirm | None:
        """Ask before everything of a peer is downloaded, however little that is."""
        peers = [row for row in rows if isinstance(row, PeerView)]
        return ask_for_everything(peers) if peers else super().question(rows, contents)

    @work(exclusive=True, group="dialogs")
    async def action_send(self) -> None:
        """Send what is marked of our own shares to peers."""
        rows = [row for row in self.table.chosen if not isinstance(row, PeerView)]
        if not rows or not self._is_own:
            self.program.say("S sends what is on this machine: here your own shares; in Peers, any file")
            return
        paths = [path for row in rows if (path := self._path_of(row))]
        if paths and await ask_whom(self.program, paths):
            self.table.clear_marks()

    def _path_of(self, row: EntryView) -> str:
        """Return where an entry of ours is on the disk; empty if its share is gone."""
        name, *below = self._place.below(row.name).path.split("/")
        share = next((share for share in self.model.shares.values() if share.name == name), None)
        return "/".join([share.path, *below]) if share else ""

    def action_watch(self) -> None:
        """Play the entry of the cursor."""
        row = self.table.cursor_row
        if row is None or isinstance(row, PeerView):
            self.program.say("w plays files and folders; Enter shows those of a peer")
        else:
            self.program.watching.watch(row.name, row.kind, row.root)

    def copies(self, row: FileRow) -> Sequence[tuple[str, str, str]]:
        """Offer what names an entry to others; of a peer, name and id."""
        if isinstance(row, PeerView):
            return [("n", "name", row.name), ("i", "id", row.peer_id)]
        path = self._place.below(row.name).path
        return [
            ("l", "link", link_to(row.root, row.name, row.size)),
            ("r", "root", row.root),
            ("p", "path", reference_to(self._place.peer_id, path, self.model.peers.values())),
            ("n", "name", row.name),
        ]

    def facts(self, row: FileRow) -> tuple[str, Sequence[tuple[str, str]]]:
        """Say all of an entry; of a peer, what it offers."""
        return facts_of(row, f"{self._owner}:/{self._place.path}")
