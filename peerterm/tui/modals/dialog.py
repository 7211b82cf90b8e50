"""What every dialog is: a box with a title, a body and a line that says what its keys do.

Its result is ``None`` when the user turned away; Esc always does. Ctrl+c and Ctrl+z work in it as everywhere.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar, cast

from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen

from peerterm.tui.keys import actions_of
from peerterm.tui.widgets.plain import Plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.widget import Widget

    from peerterm.tui.app import PeertermApp
    from peerterm.tui.model import Changes

Result = TypeVar("Result")

LOW_ROWS = 18
"""From so many rows on a dialog has blank lines."""

FRAME_ROWS, MAX_BODY_ROWS = 7, 16
"""Rows of a dialog around its body, at most; and rows of a body before it scrolls."""

READING_CELLS, FRAME_CELLS = 80, 4
"""Columns of a dialog to read in, at most, and those of them that are no text: a whole hash is to fit a line."""

PAGE_ROWS = 10


class Dialog(ModalScreen[Result], Generic[Result]):
    """A box with a title, a body and a line that says what the keys do."""

    DEFAULT_CSS = """
    Dialog { align: center middle; }
    Dialog > Vertical {
        width: 76; max-width: 100%; height: auto; max-height: 100%; background: $surface; color: $foreground;
        border: round $primary; padding: 0 1;
    }
    Dialog .title { text-style: bold; color: $primary; height: auto; max-height: 3; }
    Dialog .keys { color: $text-muted; height: 1; margin-top: 1; }
    Dialog .fault { color: $error; height: auto; }
    Dialog VerticalScroll { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "turn_away", "Turn away", show=False),
        *(
            replace(action.binding(), action=f"app.{action.method}")
            for action in actions_of("anywhere")
            if not action.binding().priority  # such as Ctrl+c, which else would not get past a dialog
        ),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (LOW_ROWS, "-high")]  # noqa: RUF012 - as Textual declares it
    KEYS = "Esc close"

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    @property
    def program(self) -> PeertermApp:
        """The program, by its own type."""
        return cast("PeertermApp", self.app)

    def compose(self) -> ComposeResult:
        """Lay out the box."""
        with Vertical():
            yield Plain(self._title, classes="title")
            yield from self.body()
            yield Plain(self.KEYS, classes="keys")

    def body(self) -> Iterable[Widget]:
        """Return what stands between the title and the keys."""
        return ()

    def show(self, changes: Changes) -> None:
        """Show what changed; most dialogs stand still."""

    def on_resize(self) -> None:
        """Leave room for the line of keys, whatever else there is."""
        for scroll in self.query(VerticalScroll):
            scroll.styles.max_height = min(max(self.size.height - FRAME_ROWS, 1), MAX_BODY_ROWS)

    def action_turn_away(self) -> None:
        """Close without a result."""
        self.dismiss(None)


class Reading(Dialog[None]):
    """A dialog whose body is one text in a ``VerticalScroll``, for the user to read."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,n", "turn_away", "Close", show=False),
        Binding("j,down", "scroll(1)", "Down", show=False),
        Binding("k,up", "scroll(-1)", "Up", show=False),
        Binding("pagedown,space", f"scroll({PAGE_ROWS})", "Page down", show=False),
        Binding("pageup", f"scroll(-{PAGE_ROWS})", "Page up", show=False),
        Binding("g,home", "first", "Start", show=False),
        Binding("G,end", "last", "End", show=False),
    ]
    KEYS = "j k scroll   Esc close"
    DEFAULT_CSS = """
    Reading > Vertical { width: 80; padding: 0 0 0 1; }
    Reading VerticalScroll { scrollbar-size-vertical: 1; }
    """

    @property
    def text_width(self) -> int:
        """How many cells a line of the text has."""
        return min(self.size.width, READING_CELLS) - FRAME_CELLS

    def action_scroll(self, rows: int) -> None:
        """Move the text."""
        self.query_one(VerticalScroll).scroll_relative(y=rows, animate=False)

    def action_first(self) -> None:
        """Go to its start."""
        self.query_one(VerticalScroll).scroll_home(animate=False)

    def action_last(self) -> None:
        """Go to its end."""
        self.query_one(VerticalScroll).scroll_end(animate=False)
