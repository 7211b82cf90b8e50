"""The last row: the keys most wanted here. It fits what fits, and always ends with the help."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.content import Content
from textual.widgets import Static

from peerterm.tui.keys import hints_of, keys_of, spelled, typing_hints

if TYPE_CHECKING:
    from collections.abc import Mapping

    from peerterm.tui.app import PeertermApp
    from peerterm.tui.keys import Action


class Hints(Static):
    """Keys and what they do, in one row."""

    DEFAULT_CSS = """
    Hints {
        height: 1; text-wrap: nowrap; text-overflow: ellipsis; background: $panel; color: $foreground;
    }
    """

    def __init__(self) -> None:
        super().__init__(markup=False)
        self._actions: list[Action] = []
        self._keymap: Mapping[str, str] = {}

    def show(self, scope: str, *, is_typing: bool = False, is_writing: bool = False) -> None:
        """Show the keys of a pane, or those that work while text is typed, or written to somebody."""
        actions = typing_hints(is_writing=is_writing) if is_typing else hints_of(scope)
        keymap = self._program.user_keymap
        if (actions, keymap) != (self._actions, self._keymap):
            self._actions, self._keymap = actions, keymap
            self._draw()

    def on_resize(self) -> None:
        """Fit the row to its width."""
        self._draw()

    @property
    def _program(self) -> PeertermApp:
        return cast("PeertermApp", self.app)

    def _draw(self) -> None:
        is_ascii = self._program.terminal.is_ascii
        self.update(hints_row(self._actions, self.size.width, self._keymap, ascii_only=is_ascii), layout=False)


def hints_row(actions: list[Action], width: int, keymap: Mapping[str, str], *, ascii_only: bool = False) -> Content:
    """Return the row in at most ``width`` cells: a key and its label are shown whole or not at all.

    Args:
        actions: Most wanted first, but for the last, which is always shown.
        width: Cells of the row.
        keymap: Comma-separated keys by action id that differ from ``tui.keys``.
        ascii_only: Whether only ASCII may be written.
    """

    def group(action: Action) -> Content:
        key = spelled(keys_of(action, keymap)[0], ascii_only=ascii_only)
        return Content.assemble(" ", (key, "bold $accent"), f" {action.label}")

    row, last = Content(""), group(actions[-1]) if actions else Content("")
    for action in actions[:-1]:
        longer = row + group(action) + " "
        if longer.cell_length + last.cell_length > width:
            break
        row = longer
    return row + last
