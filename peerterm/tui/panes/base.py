"""What every pane is: a part of the screen with a table or text, actions of its own, and news from the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.containers import Vertical

from peerterm.tui.keys import bindings_of

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from textual.binding import BindingType

    from peerterm.api.engine import EngineApi
    from peerterm.api.views import TransferView
    from peerterm.tui.app import PeertermApp
    from peerterm.tui.model import Changes, Model


NO_ENGINE = ("Nothing is known yet: no engine has answered.",)
"""What an empty list says before it can know better."""


class Pane(Vertical):
    """A pane. Its id is its scope in ``tui.keys``; ``show`` is all it learns of the engine.

    A pane is mounted when it is first visited. Its actions are methods ``action_*`` named in ``tui.keys``.
    """

    SCOPE: ClassVar[str] = ""
    DEFAULT_CSS = "Pane { height: 1fr; }"

    def __init__(self) -> None:
        super().__init__(id=self.SCOPE)

    @property
    def program(self) -> PeertermApp:
        """The program, by its own type."""
        return cast("PeertermApp", self.app)

    @property
    def model(self) -> Model:
        """What is known of the engine."""
        return self.program.model

    @property
    def engine(self) -> EngineApi:
        """The engine.

        Raises:
            EngineNotRunning: There is none at present.
        """
        return self.program.attachment.engine

    def show(self, changes: Changes) -> None:
        """Show what changed; called at most a few times a second, and only while the pane is visible.

        The first call, and each after a new snapshot, has ``changes.everything``.
        """

    def seen(self) -> None:
        """Take note that the user sees the pane again: a dialog closed."""

    def focus_list(self) -> None:
        """Give the focus to what keys should reach when the pane is entered: never a text input."""

    def point_at(self, row_id: str) -> None:
        """Move the cursor to a row, once it is shown."""

    def back(self) -> None:
        """Leave what was begun here: an input, a filter."""

    def transfer_at_cursor(self) -> TransferView | None:
        """Return the transfer that the user looks at; only the pane of transfers has one."""
        return None

    def ask(self, question: Awaitable[object], done: str = "") -> None:
        """Ask the engine for something, apart from the keyboard; say ``done``, or what was wrong."""
        self.program.ask(question, done)


def pane_bindings(scope: str) -> list[BindingType]:
    """Return the bindings of a pane, for its ``BINDINGS``."""
    return list(bindings_of(scope))
