"""The last row: the keys most wanted here. It fits what fits, and always ends with the help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from peerterm.tui.keys import ACTIONS, hints_of, keys_of, spelled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from peerterm.tui.keys import Action

HELP = next(action for action in ACTIONS if action.id == "global.help")


class Hints(Static):
    """Keys and what they do, in one row."""

    DEFAULT_CSS = """
    Hints {
        height: 1; text-wrap: nowrap; text-overflow: ellipsis; background: $panel; color: $foreground;
    }
    """

    def __init__(self) -> None:
        super().__init__(markup=False)
        self._scope = ""

    def show(self, scope: str) -> None:
        """Show the keys of a pane."""
        if scope != self._scope:
            self._scope = scope
            self._draw()

    def on_resize(self) -> None:
        """Fit the row to its width."""
        self._draw()

    def _draw(self) -> None:
        from peerterm.tui.app import PeertermApp  # noqa: PLC0415 - the program imports its widgets

        assert isinstance(self.app, PeertermApp)
        is_ascii = self.app.terminal.is_ascii
        self.update(
            hints_row(self._scope, self.size.width, self.app.user_keymap, ascii_only=is_ascii), layout=False
        )


def hints_row(pane: str, width: int, keymap: Mapping[str, str], *, ascii_only: bool = False) -> Content:
    """Return the row of a pane in at most ``width`` cells: a key and its label are shown whole or not at all."""

    def group(action: Action) -> Content:
        key = spelled(keys_of(action, keymap)[0], ascii_only=ascii_only)
        return Content.assemble(" ", (key, "bold $accent"), f" {action.label}")

    row, last = Content(""), group(HELP)
    for action in hints_of(pane) if pane else ():
        longer = row + group(action) + " "
        if longer.cell_length + last.cell_length > width:
            break
        row = longer
    return row + last
