"""The field of a conversation: Enter sends, Ctrl+j begins a new line, Tab completes; it grows as far as it may.

Says what is wanted by messages and decides nothing. What is pasted is text already, see ``app``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual.message import Message
from textual.widgets import TextArea

from peerterm.tui.keys import WRITING
from peerterm.tui.typed_lines import endings_of
from peerterm.tui.widgets.plain import safe

if TYPE_CHECKING:
    from textual import events
    from textual.binding import BindingType

MAX_FIELD_ROWS = 6
MAX_PASTED_LINES = 5
"""More lines than these are pasted only if the user meant to."""


class WriteField(TextArea):
    """Where lines are written."""

    BINDINGS: ClassVar[list[BindingType]] = [action.binding() for action in WRITING]
    DEFAULT_CSS = """
    WriteField {
        height: 1; width: 1fr; background: $background; scrollbar-size-vertical: 0;
        border: none; border-left: ascii $accent; padding: 0 0 0 1;
        &:focus { background: $surface; border: none; border-left: ascii $accent; }
    }
    """

    class FieldMessage(Message):
        """A message of a field, with a text."""

        def __init__(self, field: WriteField, text: str) -> None:
            super().__init__()
            self.field = field
            self.text = text

        @property
        def control(self) -> WriteField:
            """The field, for selectors."""
            return self.field

    class Sent(FieldMessage):
        """What was typed is to be sent."""

    class LongPaste(FieldMessage):
        """Many lines were pasted; none of them stands in the field yet."""

    class Paged(Message):
        """The user wants to read on, or back, while writing."""

        def __init__(self, direction: int) -> None:
            super().__init__()
            self.direction = direction

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight_cursor_line=False, **options)
        self.cursor_blink = False  # nothing repaints while nothing changes
        self.names: list[str] = []

    @property
    def wrap_width(self) -> int:
        """Cells of a line; asked for before there is a layout, Textual would forget to tell widgets of theirs."""
        return super().wrap_width if self.outer_size else 0

    def begin(self, text: str, prompt: str) -> None:
        """Hold this text, with the cursor behind it; ``prompt`` stands there while it is empty."""
        self.placeholder = safe(prompt)
        if text != self.text:
            self.load_text(text)
            self.move_cursor(self.document.end)

    def on_text_area_changed(self) -> None:
        """Be as high as the text."""
        self._fit()

    def on_resize(self) -> None:
        """Be as high as the text in the new width."""
        self._fit()

    def _fit(self) -> None:
        height = min(max(self.wrapped_document.height, 1), MAX_FIELD_ROWS)
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height

    # Keys

    def on_key(self, event: events.Key) -> None:
        """Send by Enter, of which a text area would make a new line."""
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self.action_send()

    def on_paste(self, event: events.Paste) -> None:
        """Ask before many lines are pasted."""
        if len(event.text.splitlines()) > MAX_PASTED_LINES:
            event.stop()
            event.prevent_default()
            self.post_message(self.LongPaste(self, event.text))

    def action_send(self) -> None:
        """Hand over what was typed."""
        if self.text.strip():
            self.post_message(self.Sent(self, self.text))

    def action_new_line(self) -> None:
        """Begin a new line."""
        self.insert("\n")

    def action_page(self, direction: int) -> None:
        """Read what is above."""
        self.post_message(self.Paged(direction))

    def action_complete(self) -> None:
        """Complete the word before the cursor, as far as there is one way."""
        row, column = self.cursor_location
        word, ways = endings_of(self.document.get_line(row)[:column], self.names)
        shared = _shared_start(ways)
        if len(shared) > len(word) or (len(ways) == 1 and shared != word):
            self.replace(shared, (row, column - len(word)), (row, column), maintain_selection_offset=False)
            self.move_cursor((row, column - len(word) + len(shared)))


def _shared_start(texts: list[str]) -> str:
    if not texts:
        return ""
    first, last = min(texts), max(texts)
    same = next((place for place, each in enumerate(first) if last[place : place + 1] != each), len(first))
    return first[:same]
