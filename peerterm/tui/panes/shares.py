"""What this machine shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import work

from peerterm.display import counted
from peerterm.tui import format as f
from peerterm.tui.links import link_to
from peerterm.tui.modals.dialogs import Confirm, Prompt
from peerterm.tui.panes.base import NO_ENGINE, pane_bindings
from peerterm.tui.panes.table_pane import TablePane
from peerterm.tui.paths import complete_path, expanded, fault_of_share
from peerterm.tui.sending import ask_whom
from peerterm.tui.widgets.virtual_table import Cell, Column, VirtualTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.binding import BindingType

    from peerterm.api.views import ShareView
    from peerterm.tui.model import Changes
    from peerterm.tui.widgets.cells import Tone

_TONES: dict[str, Tone] = {"ready": "good", "indexing": "accent", "missing": "warn", "failed": "bad"}
_MARKS = {"ready": "+", "indexing": "~", "missing": "!", "failed": "!"}


_NOTHING = ("You share nothing; others cannot see any file.", "a adds a folder or a file.")


class SharesPane(TablePane["ShareView"]):
    """Our shares and how far each is indexed."""

    SCOPE = "shares"
    BINDINGS: ClassVar[list[BindingType]] = pane_bindings("shares")

    def make_table(self) -> VirtualTable[ShareView]:
        """Return the table of shares."""
        return VirtualTable(
            [
                Column("name", "Name", 14, flex=1),
                Column("path", "Path", 20, flex=1, priority=2),
                Column("files", "Files", 8, align="right", priority=1),
                Column("size", "Size", 6, align="right"),
                Column("visible", "Visible to", 10, priority=3),
                Column("state", "Index", 22),
            ],
            cells=self._cells,
            row_id=lambda share: share.share_id,
            search_text=lambda share: f"{share.name} {share.path}",
            sort_keys={
                "name": lambda share: share.name.casefold(),
                "path": lambda share: share.path,
                "files": lambda share: -share.files,
                "size": lambda share: -share.bytes,
                "visible": lambda share: share.visibility,
                "state": lambda share: share.state,
            },
            ascii_only=self.program.terminal.is_ascii,
        )

    def _cells(self, share: ShareView) -> Sequence[Cell | str]:
        return (
            share.name,
            Cell(share.path, "dim"),
            f"{share.files:,}",
            f.size(share.bytes),
            share.visibility,
            Cell(f"{_MARKS[share.state]} {_progress(share)}", _TONES[share.state]),
        )

    def show(self, changes: Changes) -> None:
        """Show what is shared now."""
        if changes.everything:
            self.table.replace_rows(list(self.model.shares.values()))
        for key in changes.shares:
            if share := self.model.shares.get(key):
                self.table.put(share)
            else:
                self.table.discard(key)
        self.table.empty = _NOTHING if self.model.status else NO_ENGINE
        shares = self.model.shares.values()
        files, size = sum(share.files for share in shares), sum(share.bytes for share in shares)
        summary = f" {counted(len(shares), 'share')}, {files:,} file{'s' * (files != 1)}, {f.size(size)}"
        self.title(summary if shares else "")

    def copies(self, row: ShareView) -> Sequence[tuple[str, str, str]]:
        """Offer name, path, root and SHA-256."""
        return [
            ("l", "link", link_to(row.root, row.name, row.bytes)),
            ("n", "name", row.name),
            ("p", "path", row.path),
            ("r", "root", row.root),
            ("h", "sha256", row.sha256),
        ]

    def facts(self, row: ShareView) -> tuple[str, Sequence[tuple[str, str]]]:
        """Say all of a share."""
        facts = [
            ("path", row.path),
            ("state", _progress(row)),
            ("files", f"{row.files:,}, {row.bytes:,} bytes"),
            ("visible to", row.visibility),
            ("root", row.root or "-"),
            ("sha256", row.sha256 or "-"),
        ]
        if row.error:
            facts.append(("trouble", row.error))
        return row.name, facts + [("left out", reason) for reason in row.skipped]

    @work(exclusive=True, group="dialogs")
    async def action_add(self) -> None:
        """Share a path that the user types."""
        prompt = Prompt(
            "Share a file or folder with everyone on this network",
            "~/",
            check=fault_of_share,
            complete=complete_path,
            note="Its path; Tab completes.",
        )
        if path := await self.app.push_screen_wait(prompt):
            self.ask(self._share(expanded(path)))

    async def _share(self, path: str) -> None:
        share = await self.engine.share(path)
        self.program.say(f"{share.name} is shared; it is being indexed")
        self.table.put(self.model.shares.get(share.share_id, share))
        self.table.move_to(share.share_id)

    @work(exclusive=True, group="dialogs")
    async def action_remove(self) -> None:
        """Stop sharing what is marked."""
        if not (shares := self.table.chosen):
            self.program.say("nothing is shared yet")
            return
        what, verb = (shares[0].name, "is") if len(shares) == 1 else (counted(len(shares), "share"), "are")
        lines = (f"{f.size(sum(share.bytes for share in shares))} are offered no longer.", "The files stay.")
        if await self.app.push_screen_wait(Confirm(f"Stop sharing {what}?", *lines)):
            self.ask(self._unshare([share.share_id for share in shares]), f"{what} {verb} not shared any more")

    async def _unshare(self, shares: list[str]) -> None:
        for share in shares:
            await self.engine.unshare(share)
        self.table.clear_marks()

    def action_rescan_one(self) -> None:
        """Look for changes in what is marked."""
        if shares := self.table.chosen:
            self.ask(self._rescan([share.share_id for share in shares]), "looking for changes")
        else:
            self.program.say("nothing is shared yet")

    async def _rescan(self, shares: list[str]) -> None:
        for share in shares:
            await self.engine.rescan(share)

    @work(exclusive=True, group="dialogs")
    async def action_send(self) -> None:
        """Send what is marked to peers, though everyone can have it: they are asked."""
        if shares := self.table.chosen:
            if await ask_whom(self.program, [share.path for share in shares]):
                self.table.clear_marks()
        else:
            self.program.say("nothing is shared yet; in Peers, S sends any file")

    def action_watch(self) -> None:
        """Play the share of the cursor."""
        if share := self.table.cursor_row:
            self.program.watching.watch(share.name, share.kind, share.root)
        else:
            self.program.say("nothing is shared yet")

    def action_browse(self) -> None:
        """See a share as peers do."""
        if (share := self.table.cursor_row) and self.model.status:
            self.program.browse(self.model.status.peer_id, share.name)
        else:
            self.program.say("nothing is shared yet")


def _progress(share: ShareView) -> str:
    if share.state != "indexing":
        return f"{share.state}, {counted(len(share.skipped), 'file')} left out" if share.skipped else share.state
    done = f.percent(share.done_bytes, share.bytes) if share.bytes else "counting"
    return f"indexing {done}" + (f" {f.duration(share.eta)}" if share.eta is not None else "")
