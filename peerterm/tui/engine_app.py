"""A Textual app that shows an engine: it attaches to one, paints what changed a few times a second, and tells.

Owns the model, the connection, what is on the screen and what the user was told. What keys do is ``app``'s.
"""

from __future__ import annotations

import os
import time
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import App
from textual.widgets import Input

from peerterm.api.events import Snapshot
from peerterm.errors import PeertermError
from peerterm.tui.attachment import Attachment
from peerterm.tui.main_screen import MainScreen
from peerterm.tui.modals.dialog import Dialog
from peerterm.tui.modals.too_small import TooSmall, is_too_small
from peerterm.tui.model import MAX_NEWS, Model
from peerterm.tui.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from textual.events import DescendantFocus, Resize
    from textual.geometry import Size

    from peerterm.api.engine import EngineApi
    from peerterm.api.events import Event
    from peerterm.tui.panes.base import Pane

MIN_WAIT_SECONDS = 0.01
"""How long a change waits for others that come with it, after a time without any."""


class EngineApp(App[None]):
    """An app whose screen is that of an engine.

    Args:
        connect: Attaches to the engine; see ``Attachment``.
        terminal: What this terminal can do.
        config: The profile's ``config.toml``; who begins without one is welcomed.
        may_start: Whether an engine may be started.

    Attributes:
        terminal: As given.
        model: What is known of the engine.
        attachment: The way to the engine.
        main: What is below all dialogs.
        news: What the user was told last: Unix time, level and text, oldest first.
        told: How much the user was told in all.
        rings: Whether the terminal's bell tells that somebody speaks to us.
    """

    def __init__(
        self,
        connect: Callable[[bool], AbstractAsyncContextManager[EngineApi]],
        terminal: Terminal | None = None,
        config: Path | None = None,
        *,
        may_start: bool = True,
    ) -> None:
        self.terminal = terminal or Terminal()
        super().__init__(ansi_color=self.terminal.is_colourless or None, driver_class=self.terminal.driver_class)
        self.model = Model()
        self.attachment = Attachment(connect, self._event, self._attached, may_start=may_start)
        self.main = MainScreen(self.model)
        self.news: deque[tuple[float, str, str]] = deque(maxlen=MAX_NEWS)
        self.told = 0
        self.rings = False
        self._config = config
        self._is_welcome = config is not None
        self._is_dirty = False
        self._shown_at = 0.0
        self._unseen = ExitStack()

    # The screen

    def get_default_screen(self) -> MainScreen:
        """Return the screen to begin with, as Textual asks for it."""
        return self.main

    def on_load(self) -> None:
        """Paint nothing before there is something to see: each paint of an empty screen is seen over SSH."""
        self._unseen.enter_context(self.batch_update())

    def _reveal(self) -> None:
        self._unseen.close()
        self.screen.refresh(layout=True)

    def on_resize(self, event: Resize) -> None:
        """Show of a screen that is too small only that it is."""
        self.call_later(self._fit, event.size)

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """Let no cursor blink: nothing is painted while nothing changes."""
        if isinstance(event.widget, Input):
            event.widget.cursor_blink = False

    def _fit(self, size: Size) -> None:
        if isinstance(self.screen, TooSmall):
            self.screen.fit(size)
        elif is_too_small(size):
            self.push_screen(TooSmall())

    @property
    def pane(self) -> Pane:
        """The pane that is shown."""
        return self.main.pane

    def show_pane(self, scope: str) -> Pane:
        """Show a pane, which is made the first time, and return it."""
        return self.main.show_pane(scope)

    # The engine

    @property
    def settings_file(self) -> Path | None:
        """Where settings are kept; unknown only as long as no engine said its profile."""
        if self._config is None and self.model.status:
            return Path(self.model.status.profile) / "config.toml"
        return self._config

    def look_for_engine(self) -> None:
        """Attach from now on, as long as the app runs."""
        self._plan_flush()  # what was wrong before there was a screen is told without an engine, too
        self.run_worker(self.attachment.run(), name="engine", group="engine")

    def _event(self, event: Event) -> None:
        self.model.apply(event)
        if isinstance(event, Snapshot):
            self._shown_at = 0.0  # whoever starts the program, or lost the engine, waits for just this
        self._plan_flush()

    def _plan_flush(self) -> None:
        if not self._is_dirty:
            self._is_dirty = True
            due = self._shown_at + self.terminal.tick_seconds
            self.set_timer(max(due - time.monotonic(), MIN_WAIT_SECONDS), self._show_changes)

    def _show_changes(self) -> None:
        """Show what changed; later, while the terminal does not take what it was sent."""
        if self.terminal.is_stalled(self._driver):
            self.set_timer(self.terminal.tick_seconds, self._show_changes)
            return
        self._is_dirty, self._shown_at = False, time.monotonic()
        if not self.screen_stack:  # it is leaving
            return
        changes = self.model.take_changes()
        for level, text in changes.news:
            self._note(level, text)
        if changes.calls and self.rings:
            self.bell()
        with self.batch_update():
            self.main.show(changes)
            for screen in self.screen_stack:
                if isinstance(screen, Dialog):
                    screen.show(changes)
        if changes.everything and self._is_welcome:
            self._welcome()

    def _welcome(self) -> None:
        """Ask a newcomer what must be known, once."""
        from peerterm.tui.modals.welcome import Welcome, is_first_start  # noqa: PLC0415

        self._is_welcome = False
        if self._config and is_first_start(self._config, os.environ, self.model):
            self.push_screen(Welcome(self._config))

    def _attached(self) -> None:
        if self.attachment.lost and not self.model.is_lost:
            self.model.lose_engine()
            self._plan_flush()
        if self.is_running:
            self.main.show_lost(self.attachment.lost, may_start=self.attachment.may_start)

    def ask(self, question: Awaitable[object], done: str = "") -> None:
        """Ask the engine for something beside the keyboard; say ``done``, or what was wrong."""
        self.run_worker(self._ask(question, done), group="asks")

    async def _ask(self, question: Awaitable[object], done: str) -> None:
        try:
            await question
        except PeertermError as error:
            self.say(error.advice, "error")
        else:
            if done:
                self.say(done)

    def say(self, text: str, level: str = "info") -> None:
        """Tell the user something for a few seconds, in the status row; trouble can be read in the log later."""
        if level in {"warning", "error"}:
            self._note(level, text)
        self.main.status.say(text, level)

    def _note(self, level: str, text: str) -> None:
        self.told += 1
        self.news.append((time.time(), level, text))
