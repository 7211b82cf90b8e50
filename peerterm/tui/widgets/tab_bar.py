"""The first row: the panes with their digits and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from peerterm.tui.keys import PANES, TITLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual import events

    from peerterm.tui.model import Model

SHORT_TITLES = TITLES | {"transfers": "Xfers"}


class TabBar(Static):
    """All panes in one row; the present one stands out. A click on one goes there."""

    DEFAULT_CSS = """
    TabBar {
        height: 1; text-wrap: nowrap; text-overflow: ellipsis; background: $panel; color: $foreground;
    }
    """

    def __init__(self) -> None:
        super().__init__(markup=False)
        self._present = ""
        self._badges: dict[str, str] = {}
        self._ends: list[int] = []

    def show(self, present: str, model: Model) -> None:
        """Show which pane is present and what the others count."""
        online = len(model.online)
        rates = model.rates
        moving = rates.down + rates.up
        badges = {
            "peers": str(online) if online else "",
            "transfers": f"{moving}" if moving else "",
            "chat": _chat_badge(model),
            "shares": str(len(model.shares)) if model.shares else "",
        }
        if (present, badges) != (self._present, self._badges):
            self._present, self._badges = present, badges
            self._draw()

    def on_resize(self) -> None:
        """Fit the row to its width."""
        self._draw()

    def _draw(self) -> None:
        row = self._row(TITLES, "   ")
        digits: dict[str, str] = {scope: SHORT_TITLES[scope] if scope == self._present else "" for scope in PANES}
        for titles, gap in ((SHORT_TITLES, "  "), (SHORT_TITLES, " "), (digits, " ")):
            if row.cell_length > self.size.width:
                row = self._row(titles, gap)
        self.update(row, layout=False)

    def _row(self, titles: Mapping[str, str], gap: str) -> Content:
        parts: list[Content] = []
        self._ends = []
        width = 0
        for digit, scope in enumerate(PANES, 1):
            is_present = scope == self._present
            text = f" {digit}{'*' if is_present else ' '}{titles[scope]}".rstrip()
            text += f" {badge}" if (badge := self._badges.get(scope, "")) and all(titles.values()) else ""
            part = Content.styled(text, "bold $primary" if is_present else "")
            parts.append(part)
            width += part.cell_length + len(gap) - 1
            self._ends.append(width)
        return Content(gap[1:]).join(parts)

    def on_click(self, event: events.Click) -> None:
        """Go to the pane that was clicked."""
        for scope, end in zip(PANES, self._ends, strict=True):
            if event.x < end:
                self.app.call_later(self.app.run_action, f"app.show_pane('{scope}')")
                return


def _chat_badge(model: Model) -> str:
    """Count what is unread and, after a plus, what is offered."""
    unread, offered = model.talk.unread, len(model.offers.waiting)
    return (f"({unread})" if unread else "") + (f"+{offered}" if offered else "")
