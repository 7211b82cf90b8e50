"""Who is on the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import work

from peerterm.display import counted
from peerterm.tui import format as f
from peerterm.tui.downloading import ask_for_everything, everything_of
from peerterm.tui.modals.link import LinkScreen
from peerterm.tui.panes.base import NO_ENGINE, pane_bindings
from peerterm.tui.panes.table_pane import TablePane
from peerterm.tui.sending import ask_what
from peerterm.tui.widgets.virtual_table import Cell, Column, VirtualTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.binding import BindingType

    from peerterm.api.views import PeerView
    from peerterm.tui.model import Changes
    from peerterm.tui.widgets.cells import Tone

_STATES: dict[str, tuple[str, str, Tone]] = {
    "online": ("●", "@", "good"),
    "connecting": ("◌", "~", "warn"),
    "offline": ("○", "o", "dim"),
}


AGING_SECONDS = 30.0
"""How often it is looked how long ago those who left were seen."""

_NOBODY = ("Listening; nobody is here yet.", "Start peerterm on another machine of this network.")


class PeersPane(TablePane["PeerView"]):
    """Everyone who is or was here; Enter browses."""

    SCOPE = "peers"
    BINDINGS: ClassVar[list[BindingType]] = pane_bindings("peers")

    def __init__(self) -> None:
        super().__init__()
        self._moving: set[str] = set()

    def make_table(self) -> VirtualTable[PeerView]:
        """Return the table of peers."""
        return VirtualTable(
            [
                Column("name", "Name", 16, flex=1),
                Column("state", "State", 12),
                Column("shares", "Shares", 6, align="right", priority=1),
                Column("bytes", "Size", 6, align="right"),
                Column("rate", "Rate", 8, align="right", priority=2),
                Column("seen", "Seen", 6, align="right", priority=3),
                Column("address", "Address", 21, priority=4),
                Column("trust", "Trust", 8, priority=5),
                Column("id", "Id", 8, priority=6),
            ],
            cells=self._cells,
            row_id=lambda peer: peer.peer_id,
            search_text=lambda peer: f"{peer.name} {peer.address} {peer.peer_id}",
            sort_keys={
                "name": lambda peer: peer.name.casefold(),
                "state": lambda peer: (peer.state != "online", peer.name.casefold()),
                "shares": lambda peer: -peer.shares,
                "bytes": lambda peer: -peer.bytes,
                "rate": lambda peer: -self._rate(peer.peer_id),
                "seen": lambda peer: (peer.state != "online", -peer.last_seen),
                "address": lambda peer: peer.address,
                "trust": lambda peer: peer.trust,
                "id": lambda peer: peer.peer_id,
            },
            ascii_only=self.program.terminal.is_ascii,
        )

    def on_mount(self) -> None:
        """Show those who are here first, and of the others how long they are away."""
        self.table.sort_by("state")
        self.set_interval(AGING_SECONDS, self._age)

    def _age(self) -> None:
        self.table.put_many([peer for peer in self.model.peers.values() if peer.state != "online"])

    def _cells(self, peer: PeerView) -> Sequence[Cell | str]:
        glyph, plain, tone = _STATES[peer.state]
        mark = plain if self.program.terminal.is_ascii else glyph
        is_online = peer.state == "online"
        return (
            Cell(peer.name, "normal" if is_online else "dim"),
            Cell(f"{mark} {peer.state}", tone),
            str(peer.shares),
            f.size(peer.bytes),
            f.rate(self._rate(peer.peer_id)),
            _seen(peer),
            peer.address,
            Cell(peer.trust, "bad" if peer.trust == "blocked" else "dim"),
            Cell(peer.peer_id[:8], "dim"),
        )

    def _rate(self, peer_id: str) -> float:
        moving = [each for each in self.model.transfers.values() if each.state == "running"]
        return sum(source.rate for each in moving for source in each.sources if source.peer_id == peer_id)

    def show(self, changes: Changes) -> None:
        """Show who came, left or changed."""
        if changes.everything:
            self.table.replace_rows(list(self.model.peers.values()))
        moved = {
            source.peer_id
            for key in changes.transfers
            if (transfer := self.model.transfers.get(key))
            for source in transfer.sources
        } | self._moving  # whose transfer ended since it was drawn is still to be drawn without a rate
        self._moving = {
            source.peer_id for each in self.model.transfers.values() for source in each.sources if source.rate
        }
        self.table.put_many([self.model.peers[key] for key in changes.peers | moved if key in self.model.peers])
        self.table.empty = _NOBODY if self.model.status else NO_ENGINE
        known = len(self.model.peers)
        self.title(f" {counted(len(self.model.online), 'peer')} online, {known} known" if known else "")

    def copies(self, row: PeerView) -> Sequence[tuple[str, str, str]]:
        """Offer name, address and id."""
        return [("n", "name", row.name), ("a", "address", row.address), ("i", "id", row.peer_id)]

    def facts(self, row: PeerView) -> tuple[str, Sequence[tuple[str, str]]]:
        """Say what a peer says of itself."""
        return row.name, [
            ("state", row.state),
            ("address", row.address or "-"),
            ("id", row.peer_id),
            ("trust", row.trust),
            ("shares", f"{counted(row.shares, 'share')}, {f.size(row.bytes)}"),
            ("version", row.version or "-"),
            ("last seen", _seen(row) + " ago" * (row.state != "online" and row.last_seen > 0)),
        ]

    def action_browse(self) -> None:
        """Browse what a peer shares."""
        if peer := self.table.cursor_row:
            self.program.browse(peer.peer_id)
        else:
            self.program.say("nobody is here yet")

    def action_message(self) -> None:
        """Write to the peer."""
        if peer := self.table.cursor_row:
            self.program.talk_to(peer.peer_id)
        else:
            self.program.say("nobody is here yet")

    @work(exclusive=True, group="dialogs")
    async def action_send(self) -> None:
        """Send a file or folder to the marked peers."""
        if peers := self.table.chosen:
            if await ask_what(self.program, peers):
                self.table.clear_marks()
        else:
            self.program.say("nobody is here yet")

    def action_download(self) -> None:
        """Download everything that the marked peers share."""
        if peers := self.table.chosen:
            self._ask_first(peers)
        else:
            self.program.say("nobody is here yet")

    @work(exclusive=True, group="dialogs")
    async def _ask_first(self, peers: list[PeerView]) -> None:
        if await self.app.push_screen_wait(ask_for_everything(peers)):
            self.ask(self._download([peer.peer_id for peer in peers]))

    async def _download(self, peers: list[str]) -> None:
        shares = [await everything_of(self.engine, peer) for peer in peers]
        if roots := [entry.root for entries in shares for entry in entries if entry.root]:
            self.program.download(roots)
        else:
            self.program.say("there is nothing to download yet", "warning")

    def action_own_link(self) -> None:
        """Show the link of this machine, and where it is found."""
        self.ask(self._own_link())

    async def _own_link(self) -> None:
        own = await self.engine.identity()
        self.app.push_screen(LinkScreen(f"{own.name} at {' '.join(own.addresses)}", own.link))


def _seen(peer: PeerView) -> str:
    return "now" if peer.state == "online" else f.age(peer.last_seen)
