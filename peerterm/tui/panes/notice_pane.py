"""A pane that says something and takes no keys of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Center, Middle

from peerterm.tui.panes.base import Pane
from peerterm.tui.widgets.plain import Plain

if TYPE_CHECKING:
    from textual.app import ComposeResult


class NoticePane(Pane, can_focus=True):
    """A few lines in the middle."""

    LINES: ClassVar[tuple[str, ...]] = ()
    DEFAULT_CSS = "NoticePane Plain { width: auto; color: $text-muted; text-align: center; }"

    def compose(self) -> ComposeResult:
        """Lay out the lines."""
        yield Middle(Center(Plain(*self.LINES)))

    def focus_list(self) -> None:
        """Take the keys, so that they reach the program."""
        self.focus()
