"""The conversations to choose from: in a row, or below each other where there is room for a column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from peerterm.tui.widgets.cells import fit, steady

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events

_MORE_CELLS = 4
"""Cells for how many there are beside those that fit."""

MAX_LABEL_CELLS = 16
"""Most of a name that stands in the row."""


@dataclass(frozen=True, slots=True)
class Label:
    """One conversation.

    Attributes:
        conversation: What names it.
        name: As its peer or its room is called.
        unread: How many lines are.
        mentions: How many of them name us.
        is_online: Of a peer; ``None`` for a room.
        is_muted: Whether nothing is heard of it.
    """

    conversation: str
    name: str
    unread: int = 0
    mentions: int = 0
    is_online: bool | None = None
    is_muted: bool = False

    @property
    def count(self) -> str:
        """What is unread, in brackets."""
        named = f" @{self.mentions}" if self.mentions else ""
        return f"({self.unread}{named})" if self.unread else "(muted)" if self.is_muted else ""


class ConversationBar(Static):
    """All conversations; the present one stands out. A click on one goes there."""

    DEFAULT_CSS = "ConversationBar { height: 1; text-wrap: nowrap; background: $surface; color: $foreground; }"

    class Chosen(Message):
        """A conversation was clicked."""

        def __init__(self, conversation: str) -> None:
            super().__init__()
            self.conversation = conversation

    def __init__(self, *, ascii_only: bool) -> None:
        super().__init__(markup=False)
        self._is_ascii = ascii_only
        self._labels: Sequence[Label] = ()
        self._present = ""
        self._places: list[tuple[int, int, str]] = []

    def show(self, labels: Sequence[Label], present: str) -> None:
        """Show these, one of them as present."""
        if (labels, present) != (self._labels, self._present):
            self._labels, self._present = labels, present
            self._draw()

    def on_resize(self) -> None:
        """Fit the new size."""
        self._draw()

    @property
    def _is_column(self) -> bool:
        return self.size.height > 1

    @property
    def _at(self) -> int:
        found = (index for index, label in enumerate(self._labels) if label.conversation == self._present)
        return next(found, 0)

    def _draw(self) -> None:
        if self.size:
            self.update(self._column() if self._is_column else self._row(), layout=False)

    def _mark(self, label: Label) -> str:
        if label.is_online is None:
            return ""
        return ("@ " if label.is_online else "o ") if self._is_ascii else ("● " if label.is_online else "○ ")

    def _style(self, label: Label) -> str:
        if label.conversation == self._present:
            return "bold $primary"
        if label.unread:
            return "bold $accent" if label.mentions or label.is_online is not None else "bold"
        return "$text-muted" if label.is_muted or label.is_online is False else ""

    def _row(self) -> Content:
        """Return the row: as many around the present one as fit, the first ones if these are among them."""
        parts = [self._part(label) for label in self._labels]
        widths = [part.cell_length for part in parts]
        first, last = 0, len(parts)
        while last - 1 > self._at and sum(widths[first:last]) + _MORE_CELLS > self.size.width:
            last -= 1
        while first < self._at and sum(widths[first:last]) + _MORE_CELLS > self.size.width:
            first += 1
        left = Content("<" if first else " ")
        self._places, start = [], left.cell_length
        for label, width in zip(self._labels[first:last], widths[first:last], strict=True):
            self._places.append((start, start + width, label.conversation))
            start += width
        right = [Content.styled(f"+{len(parts) - last}", "$text-muted")] if last < len(parts) else []
        return Content("").join([left, *parts[first:last], *right]).truncate(self.size.width)

    def _part(self, label: Label) -> Content:
        name = steady(label.name, ascii_only=self._is_ascii)
        name = fit(name, min(cell_len(name), MAX_LABEL_CELLS), ascii_only=self._is_ascii)
        mark = ">" if label.conversation == self._present else " "
        count = f" {label.count}" if label.count else ""
        return Content.styled(f"{mark}{self._mark(label)}{name}{count} ", self._style(label))

    def _column(self) -> Content:
        """Return a line for each, the present one among them, and a rule beside all."""
        height, width = self.size.height, max(self.size.width - 1, 1)
        top = min(max(self._at - height + 1, 0), max(len(self._labels) - height, 0))
        shown = self._labels[top : top + height]
        self._places = [(line, line + 1, label.conversation) for line, label in enumerate(shown)]
        bar = Content.styled("|" if self._is_ascii else "│", "$text-muted")
        lines = [self._line(label, width) + bar for label in shown]
        lines += [Content(" " * width) + bar] * (height - len(lines))
        return Content("\n").join(lines)

    def _line(self, label: Label, width: int) -> Content:
        mark = ">" if label.conversation == self._present else " "
        head = f"{mark}{self._mark(label)}"
        room = max(width - cell_len(head) - cell_len(label.count) - 1, 0)
        name = fit(label.name, room, ascii_only=self._is_ascii)
        return Content.styled(f"{head}{name}{label.count} ", self._style(label)).truncate(width)

    def on_click(self, event: events.Click) -> None:
        """Go to the conversation that was clicked."""
        at = event.y if self._is_column else event.x
        for start, end, conversation in self._places:
            if start <= at < end:
                self.post_message(self.Chosen(conversation))
                return
