"""What is fetched and given: the list, the details of what the cursor is on, and what can be done with them."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, ClassVar, Literal

from textual import on, work

from peerterm.display import counted, human_bytes
from peerterm.errors import PeertermError
from peerterm.tui.modals.dialogs import Confirm
from peerterm.tui.panes import transfer_text as text
from peerterm.tui.panes.base import pane_bindings
from peerterm.tui.panes.table_pane import TablePane
from peerterm.tui.panes.transfer_details import TransferDetails
from peerterm.tui.panes.transfer_list import QUEUE, TransferTable
from peerterm.tui.sending import ask_whom
from peerterm.tui.terminal import ROOMY_COLUMNS, ROOMY_ROWS
from peerterm.tui.widgets.virtual_table import VirtualTable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from peerterm.api.engine import EngineApi
    from peerterm.api.views import ChunkMapView, TransferState, TransferView
    from peerterm.tui.model import Changes

    Verb = Callable[[EngineApi, str], Awaitable[object]]
    Where = Literal["first", "up", "down", "last"]

NO_TURN = "it has ended and has no turn"

_COUNTED: tuple[TransferState, ...] = (
    *("running", "failed", "waiting", "paused", "queued", "connecting", "verifying", "done", "cancelled"),
)
"""In the order in which they are worth a place in the title."""


class TransfersPane(TablePane["TransferView"]):
    """All transfers of this machine."""

    SCOPE = "transfers"
    BINDINGS: ClassVar[list[BindingType]] = pane_bindings("transfers")
    DEFAULT_CSS = """
    TransfersPane TransferDetails { display: none; max-height: 11; }
    TransfersPane.-details TransferDetails { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_roomy = False

    def compose(self) -> ComposeResult:
        """Lay out the list, and the details below it."""
        yield from super().compose()
        yield TransferDetails(self._chunk_map, ascii_only=self.program.terminal.is_ascii)

    def make_table(self) -> VirtualTable[TransferView]:
        """Return the table of transfers."""
        return TransferTable(self.model.place_of, ascii_only=self.program.terminal.is_ascii)

    def on_mount(self) -> None:
        """List what moves first."""
        self.table.sort_by(QUEUE)

    @on(VirtualTable.SortChanged)
    def _sort_changed(self, event: VirtualTable.SortChanged) -> None:
        if event.key is None:  # as they came is no order that means anything here
            self.table.sort_by(QUEUE)

    # What is shown

    @property
    def _details(self) -> TransferDetails:
        return self.query_one(TransferDetails)

    def show(self, changes: Changes) -> None:
        """Show what came, moved or ended."""
        now, details = monotonic(), self._details
        if changes.everything:
            self.table.replace_rows(list(self.model.transfers.values()))
            details.keep(self.model.transfers.keys())
        changed: list[TransferView] = []
        for key in changes.transfers:
            if view := self.model.transfers.get(key):
                changed.append(view)
                details.note(view, now)
            else:
                self._drop(key)
        self.table.put_many(changed)
        self._tell_counts()
        if changes.everything or self.table.cursor_id in changes.transfers:
            self._show_details()

    def _drop(self, transfer_id: str) -> None:
        self.table.discard(transfer_id)
        self._details.forget(transfer_id)

    def _tell_counts(self) -> None:
        states = [view.state for view in self.model.transfers.values()]
        counts = [f"{count} {state}" for state in _COUNTED if (count := states.count(state))]
        total = f" {counted(len(states), 'transfer')}: "
        while counts and len(total + ", ".join(counts)) > self.size.width:
            counts.pop()
        self.title(total + ", ".join(counts) if states else "")

    def copies(self, row: TransferView) -> Sequence[tuple[str, str, str]]:
        """Offer link, root, path and name."""
        return text.copies(row)

    def facts(self, row: TransferView) -> tuple[str, Sequence[tuple[str, str]]]:
        """Say all of a transfer."""
        return text.name_of(row), text.facts(row)

    def transfer_at_cursor(self) -> TransferView | None:
        """Return the download under the cursor, if a limit can still concern it."""
        view = self.table.cursor_row
        return view if view and text.is_download(view) and view.state != "done" else None

    # Details

    def on_resize(self) -> None:
        """Show the details by themselves where there is room for them."""
        is_roomy = self.app.size.width >= ROOMY_COLUMNS and self.app.size.height >= ROOMY_ROWS
        if is_roomy != self._is_roomy:
            self._is_roomy = is_roomy
            self.set_class(is_roomy, "-details")
        self._tell_counts()

    def action_details(self) -> None:
        """Show or hide the details."""
        self.toggle_class("-details")
        self.call_after_refresh(self._show_details)

    @on(VirtualTable.Highlighted)
    def _show_details(self) -> None:
        self._details.show_transfer(self.table.cursor_row)

    async def _chunk_map(self, transfer_id: str, cells: int) -> ChunkMapView:
        return await self.engine.chunk_map(transfer_id, cells)

    # What the user does

    def _downloads(self, may: Callable[[TransferView], bool], refusal: str) -> list[TransferView]:
        """Return the chosen downloads that a verb can do something with; if there are none, say why."""
        chosen = self.table.chosen
        able = [view for view in chosen if text.is_download(view) and may(view)]
        if not chosen:
            self.program.say("nothing is here yet")
        elif not able:
            reason = refusal if text.is_download(chosen[0]) else "its peer asks for it; b limits all uploads"
            self.program.say(f"{text.names_of(chosen)}: {reason}", "warning")
        return able

    def _each(self, views: Sequence[TransferView], verb: Verb, done: str) -> None:
        if views:
            self.ask(self._ask_each(views, verb), f"{text.names_of(views)}: {done}")

    async def _ask_each(self, views: Sequence[TransferView], verb: Verb) -> None:
        """Ask for each, and tell the first refusal when all were asked.

        Raises:
            PeertermError: One was refused.
        """
        refusals: list[PeertermError] = []
        for view in views:
            try:
                await verb(self.engine, view.transfer_id)
            except PeertermError as refusal:
                refusals.append(refusal)
        if refusals:
            raise refusals[0]

    def action_watch(self) -> None:
        """Play the transfer of the cursor, as far as it has come."""
        if view := self.table.cursor_row:
            self.program.watching.watch(view.name, view.kind, view.root)
        else:
            self.program.say("nothing is here yet")

    def action_pause(self) -> None:
        """Pause what is chosen; if all of it is paused, let it go on."""
        views = self._downloads(lambda view: not text.is_over(view), "it has ended; r tries again what failed")
        if moving := [view for view in views if view.state != "paused"]:
            self._each(moving, lambda engine, key: engine.pause(key), "paused; p lets it go on")
        else:
            self._each(views, lambda engine, key: engine.resume(key), "goes on")

    def action_cancel(self) -> None:
        """Cancel what is chosen; what has come stays."""
        views = self._downloads(lambda view: not text.is_over(view), "it has ended already")
        self._each(views, lambda engine, key: engine.cancel(key), "cancelled; r goes on with what has come")

    @work(exclusive=True, group="dialogs")
    async def action_cancel_delete(self) -> None:
        """Cancel what is chosen and delete what has come of it."""
        views = self._downloads(lambda view: view.state != "done", "it is complete; X deletes what is not")
        if not views:
            return
        has, total = sum(view.bytes for view in views), sum(view.total for view in views)
        line = f"{human_bytes(has)} of {human_bytes(total)} have come and will be deleted."
        if await self.app.push_screen_wait(Confirm(f"Cancel and delete {text.names_of(views)}?", line)):
            self._each(views, lambda engine, key: engine.cancel(key, delete=True), "cancelled and deleted")

    @work(exclusive=True, group="dialogs")
    async def action_send(self) -> None:
        """Send what is chosen and is here to peers."""
        views = self._downloads(lambda view: view.state == "done" and bool(view.path), "it is not here yet")
        if views and await ask_whom(self.program, [view.path for view in views]):
            self.table.clear_marks()

    def action_retry(self) -> None:
        """Try again what failed or was cancelled."""
        views = self._downloads(lambda view: view.state in {"failed", "cancelled"}, "it did not fail")
        self._each(views, lambda engine, key: engine.retry(key), "queued again")

    def action_move_later(self) -> None:
        """Let another of the queue go before what is chosen."""
        self._move("down", "comes later")

    def action_move_sooner(self) -> None:
        """Let what is chosen go before another of the queue."""
        self._move("up", "comes sooner")

    def action_move_first(self) -> None:
        """Let what is chosen go before all others of its priority."""
        self._move("first", "comes first")

    def action_move_last(self) -> None:
        """Let all others of its priority go before what is chosen."""
        self._move("last", "comes last")

    def _move(self, where: Where, said: str) -> None:
        if views := self._downloads(lambda view: not text.is_over(view), NO_TURN):
            names = text.names_of(views)
            views = views[::-1] if where in {"down", "first"} else views  # what is moved together keeps its order
            self.ask(self._move_each(views, where), f"{names}: its turn {said}")

    async def _move_each(self, views: Sequence[TransferView], where: Where) -> None:
        await self._ask_each(views, lambda engine, key: engine.move(key, where))
        self.model.order(await self.engine.transfers())
        self.table.replace_rows(list(self.model.transfers.values()))

    def action_prioritise(self, step: int) -> None:
        """Let what is chosen be more urgent, or less."""
        if views := self._downloads(lambda view: not text.is_over(view), NO_TURN):
            self.ask(self._prioritise(views, step))

    async def _prioritise(self, views: Sequence[TransferView], step: int) -> None:
        newest = [self.model.transfers.get(view.transfer_id, view) for view in views]  # the key may be held down
        wanted = {view.transfer_id: view.priority + step for view in newest}
        await self._ask_each(views, lambda engine, key: engine.prioritise(key, wanted[key]))
        at = sorted(set(wanted.values()))
        said = f"{at[0]}" if len(at) == 1 else f"{at[0]} to {at[-1]}"
        self.program.say(f"{text.names_of(views)}: priority {said}")

    def action_clear(self) -> None:
        """Take what has ended off the list, of what is marked or of everything; what is half on disk stays."""
        candidates = self.table.chosen if self.table.marked_count else list(self.model.transfers.values())
        over = [view for view in candidates if text.is_over(view)]
        ended = [view for view in over if not text.is_partial(view)]
        kept = (
            f"{text.names_of(partial)}: stays; r goes on with what has come, X deletes it"
            if (partial := [view for view in over if text.is_partial(view)])
            else ""
        )
        if not over:
            self.program.say("nothing of it has ended yet" if candidates else "nothing is here yet")
        elif not ended:
            self.program.say(kept, "warning")
        else:
            self.ask(self._clear(ended), kept or f"{text.names_of(ended)}: off the list")

    async def _clear(self, views: Sequence[TransferView]) -> None:
        for view in views:
            if text.is_download(view):
                await self.engine.clear(view.transfer_id)
            self.model.forget_transfer(view.transfer_id)
            self._drop(view.transfer_id)
        self._tell_counts()
        self.program.main.refresh_frame()
