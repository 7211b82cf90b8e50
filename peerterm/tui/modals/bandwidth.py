"""Limits: how fast everything, or one transfer, may go."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.binding import Binding
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
    DEFAULT_CSS = "Bandwidth Input { margin-bottom: 1; }"

    def __init__(self, transfer: TransferView | None) -> None:
        super().__init__("Limits, in bytes a second")
        self._transfer = transfer

    def body(self) -> Iterable[Widget]:
        """Offer a line for each limit."""
        yield Plain("all downloads together")
        yield Input(id="down", compact=True)
        yield Plain("all uploads together")
        yield Input(id="up", compact=True)
        if self._transfer:
            yield Plain(f"only {self._transfer.name}")
            yield Input(limit_text(self._transfer.limit), id="one", compact=True)
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
            field = self.query_one(name, Input)
            field.value = field.value or limit_text(limit)  # not over what was typed meanwhile

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Set the limit typed."""
        self._set(event.input.id or "", event.value)

    @work(exclusive=True, group="limit")
    async def _set(self, name: str, text: str) -> None:
        try:
            limit = rate(text or "none")
            engine = self.program.attachment.engine
            match name:
                case "down":
                    await engine.limit(down=limit)
                case "up":
                    await engine.limit(up=limit)
                case _:
                    assert self._transfer
                    await engine.limit(self._transfer.transfer_id, down=limit)
        except BadValue as error:
            self._tell(f"{text} {error}")
        except PeertermError as error:
            self._tell(error.advice)
        else:
            self.program.say("limit set" if limit else "limit lifted")
            self.dismiss(None)

    def _tell(self, text: str) -> None:
        self.query_one("#fault", Plain).say(text, layout=True)


def limit_text(limit: int) -> str:
    """Write a limit as it may be typed, without rounding it."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("K", 1000)):
        if limit >= size and limit % (size // 1000) == 0:
            return f"{limit / size:.3f}".rstrip("0").rstrip(".") + unit
    return str(limit) if limit else "none"
