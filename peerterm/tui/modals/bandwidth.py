"""Limits: how fast everything, or one transfer, may go."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.widgets import Input

from peerterm.config_values import BadValue, rate
from peerterm.errors import PeertermError
from peerterm.tui.modals.dialogs import Dialog
from peerterm.tui.widgets.plain import Plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.binding import BindingType
    from textual.widget import Widget

    from peerterm.api.views import TransferView


class Bandwidth(Dialog[None]):
    """Sets the limits of the engine, and of the transfer under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", "Next", show=False),
        Binding("up", "app.focus_previous", "Previous", show=False),
    ]
    KEYS = "Enter set   Tab next   Esc close   e.g. 10M, 800K; none lifts a limit"
    DEFAULT_CSS = "Bandwidth Input { margin-bottom: 1; } Bandwidth.-low Input { margin-bottom: 0; }"

    def __init__(self, transfer: TransferView | None) -> None:
        super().__init__("Limits, in bytes a second")
        self._transfer = transfer

    def body(self) -> Iterable[Widget]:
        """Offer a line for each limit."""
        lines = [Plain("all downloads together"), _line("down"), Plain("all uploads together"), _line("up")]
        if self._transfer:
            lines += [Plain(f"only {self._transfer.name}"), _line("one", limit_text(self._transfer.limit))]
        yield VerticalScroll(*lines, can_focus=False)
        yield Plain(id="fault", classes="fault")

    def on_mount(self) -> None:
        """Show the limits of now, as soon as the engine says them."""
        self.query_one("#one" if self._transfer else "#down", Input).focus()
        self._look()

    @work
    async def _look(self) -> None:
        try:
            limits = await self.program.attachment.engine.limit()
        except PeertermError as error:
            self._tell(error.advice)
            return
        for name, limit in (("#down", limits.down), ("#up", limits.up)):
            self.query_one(name, Input).placeholder = limit_text(limit)

    def on_input_submitted(self) -> None:
        """Set the limits typed."""
        wanted: dict[str, int] = {}
        for field in self.query(Input):
            if text := field.value.strip():
                try:
                    wanted[field.id or ""] = rate(text)
                except BadValue as error:
                    self._tell(f"{text} {error}")
                    return
        self._set(wanted)

    @work(exclusive=True, group="limit")
    async def _set(self, wanted: dict[str, int]) -> None:
        """Set limits by their fields' ids, none of them if there are none."""
        try:
            engine = self.program.attachment.engine
            if "down" in wanted or "up" in wanted:
                await engine.limit(down=wanted.get("down"), up=wanted.get("up"))
            if "one" in wanted and self._transfer:
                await engine.limit(self._transfer.transfer_id, down=wanted["one"])
        except PeertermError as error:
            self._tell(error.advice)
            return
        if wanted:
            verb = "set" if any(wanted.values()) else "lifted"
            self.program.say(f"{'limit' if len(wanted) == 1 else 'limits'} {verb}")
        self.dismiss(None)

    def _tell(self, text: str) -> None:
        self.query_one("#fault", Plain).say(text, layout=True)


def _line(name: str, present: str = "") -> Input:
    """Return an empty line, which leaves a limit as it is; the present one is only shown."""
    return Input(placeholder=present, id=name, compact=True, select_on_focus=False)


def limit_text(limit: int) -> str:
    """Write a limit as it may be typed, without rounding it."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("K", 1000)):
        if limit >= size and limit % (size // 1000) == 0:
            return f"{limit / size:.3f}".rstrip("0").rstrip(".") + unit
    return str(limit) if limit else "none"
