"""The dialogs that everything is asked with: confirm, choose, type, read.

Each is a ``ModalScreen`` with a result; ``None`` when the user turned away. ``n`` and Esc always turn away, the
focus starts on what does nothing, and no dialog is confirmed by the key that opened it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual import work
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.geometry import Region
from textual.widgets import Input

from peerterm.tui.modals.dialog import Dialog, Reading
from peerterm.tui.widgets.plain import Plain, hanging, safe

__all__ = ["Choice", "Confirm", "Dialog", "Facts", "PlainText", "Prompt"]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from textual import events
    from textual.binding import BindingType
    from textual.widget import Widget

Found = TypeVar("Found")


class Confirm(Dialog[bool]):
    """Asks before something that cannot be taken back; names what it is about. Only yes gives ``True``."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "Yes", show=False),
        Binding("n,q", "turn_away", "No", show=False),
    ]
    KEYS = "y yes   n or Esc no"

    def __init__(self, title: str, *lines: str) -> None:
        super().__init__(title)
        self._lines = lines

    def body(self) -> Iterable[Widget]:
        """Say what will happen."""
        yield VerticalScroll(Plain(*self._lines), can_focus=False)

    def action_yes(self) -> None:
        """Do it."""
        self.dismiss(result=True)


class Choice(Dialog[str]):
    """Offers a few things, a line and a key each, which wins over the dialog's own; the result is the value chosen.

    Args:
        title: The question.
        options: Key, text and value of each, in their order.
        present: The value that holds now, which is marked.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "Down", show=False),
        Binding("k,up", "move(-1)", "Up", show=False),
        Binding("enter", "choose", "Choose", show=False),
        Binding("q", "turn_away", "Turn away", show=False),
    ]
    KEYS = "a key or Enter chooses   Esc close"
    DEFAULT_CSS = "Choice #options { text-wrap: nowrap; text-overflow: ellipsis; }"

    def __init__(self, title: str, options: Sequence[tuple[str, str, str]], present: str = "") -> None:
        super().__init__(title)
        self._options = options
        self._present = present
        values = [value for _, _, value in options]
        self._at = values.index(present) if present in values else 0

    def body(self) -> Iterable[Widget]:
        """List the options."""
        yield VerticalScroll(Plain(id="options"), can_focus=False)

    def on_mount(self) -> None:
        """Show where the choice stands."""
        self._draw()

    def on_key(self, event: events.Key) -> None:
        """Choose by the option's own key."""
        for key, _, value in self._options:
            if event.character == key:
                event.stop()
                self.dismiss(value)

    def action_move(self, step: int) -> None:
        """Move the choice."""
        self._at = (self._at + step) % len(self._options)
        self._draw()
        self.query_one(VerticalScroll).scroll_to_region(
            Region(0, self._at, 1, 1), animate=False, force=True, x_axis=False
        )

    def action_choose(self) -> None:
        """Take the option that is marked."""
        self.dismiss(self._options[self._at][2])

    def _draw(self) -> None:
        lines = []
        for row, (key, text, value) in enumerate(self._options):
            style = "reverse" if row == self._at else ""
            mark = "*" if value == self._present and self._present else " "
            lines.append(safe((f" {mark} ", style), (key, f"bold $accent {style}"), (f"  {text} ", style)))
        self.query_one("#options", Plain).say(*lines, layout=True)


class Prompt(Dialog[str]):
    """Asks for one line of text; the result is what was typed, and has passed ``check``.

    Args:
        title: The question.
        value: What stands there at first.
        check: Returns what is wrong with a text, or nothing.
        complete: Returns how a text may go on; Tab takes what all of them share, and shows them.
        note: What helps to answer.
        mark: What stands before the last part of a text, which is all that is shown of a way to go on.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("tab", "complete", "Complete", show=False, priority=True)]
    MAX_SHOWN: ClassVar[int] = 6

    def __init__(
        self,
        title: str,
        value: str = "",
        *,
        check: Callable[[str], str] = lambda _: "",
        complete: Callable[[str], list[str]] | None = None,
        note: str = "",
        mark: str = "/",
    ) -> None:
        super().__init__(title)
        self.KEYS = f"Enter accept   {'Tab complete   ' if complete else ''}Esc cancel"
        self._value = value
        self._check = check
        self._complete = complete
        self._note = note
        self._mark = mark

    def body(self) -> Iterable[Widget]:
        """Offer a line to type in."""
        if self._note:
            yield Plain(self._note)
        yield Input(self._value, select_on_focus=False, compact=True)
        yield Plain(id="said")

    def on_mount(self) -> None:
        """Let the user type at once: the dialog was opened to do so."""
        self.query_one(Input).focus()

    def on_input_changed(self) -> None:
        """Take back what was said of an earlier text."""
        self._tell()

    @work(exclusive=True, group="prompt")
    async def on_input_submitted(self, event: Input.Submitted) -> None:
        """Accept the text, or say what is wrong with it."""
        if fault := await self._looked_up(self._check, event.value):
            self._tell(fault)
        elif event.value == event.input.value:
            self.dismiss(event.value)

    @work(exclusive=True, group="prompt")
    async def action_complete(self) -> None:
        """Go on as far as there is one way."""
        if self._complete is None:
            return
        field = self.query_one(Input)
        typed = field.value
        ways = await self._looked_up(self._complete, typed)
        if field.value != typed:
            return
        if not ways:
            self._tell("nothing begins like that")
            return
        shared = _shared_start(ways)
        if len(shared) > len(field.value):
            with self.prevent(Input.Changed):
                field.value = shared
            field.cursor_position = len(shared)
        if len(ways) > 1:
            more = f" and {len(ways) - self.MAX_SHOWN} more" if len(ways) > self.MAX_SHOWN else ""
            names = [way.rstrip(self._mark).rpartition(self._mark)[2] for way in ways[: self.MAX_SHOWN]]
            self._tell(f"{'  '.join(names)}{more}", is_fault=False)

    async def _looked_up(self, look: Callable[[str], Found], text: str) -> Found:
        """Look; of what completes, on a disk that may take its time or may be gone."""
        return await asyncio.to_thread(look, text) if self._complete else look(text)

    def _tell(self, text: str = "", *, is_fault: bool = True) -> None:
        said = self.query_one("#said", Plain)
        said.set_class(is_fault, "fault")
        said.say(*([text] if text else []), layout=True)


class Facts(Reading):
    """Says all that is known of something, a fact a line; what is long wraps."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("i,enter", "turn_away", "Close", show=False)]

    def __init__(self, title: str, facts: Sequence[tuple[str, str]]) -> None:
        super().__init__(title)
        self._facts = facts

    def body(self) -> Iterable[Widget]:
        """List the facts."""
        yield VerticalScroll(Plain(id="facts"), can_focus=False)

    def on_resize(self) -> None:
        """Wrap them as wide as there is room."""
        super().on_resize()
        indent = max((len(name) for name, _ in self._facts), default=0) + 2
        lines = [
            line
            for name, value in self._facts
            for line in hanging((name, "$text-muted"), value, indent, self.text_width)
        ]
        self.query_one("#facts", Plain).say(*lines, layout=True)


class PlainText(Reading):
    """Shows one text whole and as wide as can be, so that the terminal's own selection can take it."""

    DEFAULT_CSS = "PlainText > Vertical { width: 100%; border: none; padding: 0; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "turn_away", "Close", show=False)]

    def __init__(self, title: str, text: str) -> None:
        super().__init__(title)
        self._text = text

    def body(self) -> Iterable[Widget]:
        """Show it."""
        yield VerticalScroll(Plain(*self._text.split("\n")), can_focus=False)


def _shared_start(texts: list[str]) -> str:
    first, last = min(texts), max(texts)
    for place, character in enumerate(first):
        if place >= len(last) or last[place] != character:
            return first[:place]
    return first
