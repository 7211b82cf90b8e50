"""A line to type a search in, with the lines before on Up and Down. Says nothing of what it finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding
from textual.message import Message
from textual.widgets import Input

from peerterm.tui.query import History

if TYPE_CHECKING:
    from textual.binding import BindingType


class QueryInput(Input):
    """An input that remembers what was submitted; what is typed when it gets the focus begins a new line."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "older", "The search before", id="input.older", show=False),
        Binding("down", "newer", "The search after, or the list below", id="input.newer", show=False),
    ]

    class Finished(Message):
        """Down was pressed where no newer line follows."""

    def __init__(self, **options: Any) -> None:
        super().__init__(compact=True, **options)
        self.history = History()
        self.cursor_blink = False  # nothing repaints while nothing changes

    def action_older(self) -> None:
        """Show the line before."""
        self._show(self.history.older(self.value))

    def action_newer(self) -> None:
        """Show the line after; behind the newest one, leave."""
        line = self.history.newer()
        if line is None:
            self.post_message(self.Finished())
        self._show(line)

    def _show(self, line: str | None) -> None:
        if line is not None:
            self.value = line
            self.cursor_position = len(line)
