"""The help: every key that works in the present pane, made from the very bindings."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.widgets import Input

from peerterm.tui.keys import TITLES, Action, actions_in, keys_of, spelled
from peerterm.tui.modals.dialog import Reading
from peerterm.tui.widgets.plain import Plain, hanging, safe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.binding import BindingType
    from textual.content import Content
    from textual.widget import Widget

GROUPS = (("list", "Lists"), ("global", "Everywhere"), ("anywhere", "Everywhere, also while typing"))

KEYS_CELLS = 18


class Help(Reading):
    """Keys of the pane first, then those of lists, then those that always work. Typing after ``/`` narrows it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1,question_mark", "turn_away", "Close", show=False),
        Binding("slash", "narrow", "Find", show=False),
    ]
    KEYS = "j k scroll   / find   Esc close"
    DEFAULT_CSS = "Help Input { display: none; } Help Input.-shown { display: block; }"

    def __init__(self, scope: str, keymap: dict[str, str] | None = None, *, ascii_only: bool = False) -> None:
        super().__init__(f"Keys in {TITLES.get(scope, scope)}")
        self._scope = scope
        self._keymap = keymap or {}
        self._is_ascii = ascii_only

    def body(self) -> Iterable[Widget]:
        """List the keys."""
        yield Input(placeholder="find a key or a word", compact=True)
        yield VerticalScroll(Plain(id="keys"), can_focus=False)

    def on_resize(self) -> None:
        """Wrap them as wide as there is room."""
        super().on_resize()
        self._draw(self.query_one(Input).value)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what fits."""
        self._draw(event.value)

    def on_input_submitted(self) -> None:
        """Go back to scrolling."""
        self.set_focus(None)

    def action_narrow(self) -> None:
        """Type what to find."""
        field = self.query_one(Input)
        field.add_class("-shown")
        field.focus()

    def _draw(self, wanted: str) -> None:
        lines: list[Content] = []
        for scope, title in ((self._scope, TITLES.get(self._scope, "")), *GROUPS):
            actions = [action for action in actions_in(self._scope) if action.scope == scope]
            if rows := [row for row in map(self._row, actions) if wanted.casefold() in " ".join(row).casefold()]:
                lines += [safe((title, "bold $primary"))]
                for keys, text in rows:
                    lines += hanging((f" {keys}", "bold $accent"), text, KEYS_CELLS, self.text_width)
        self.query_one("#keys", Plain).say(*(lines or [safe("no key does that")]), layout=True)

    def _row(self, action: Action) -> tuple[str, str]:
        keys = keys_of(action, self._keymap)
        return " ".join(spelled(key, ascii_only=self._is_ascii) for key in keys), action.help
