"""The screen below all dialogs: tabs, the banner, one of the panes, status and hints.

Owns which pane is shown and that it has the focus, and hands on what changed. It asks nothing of the engine; the
program made it and calls it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import ContentSwitcher, Input

from peerterm.tui.model import Changes
from peerterm.tui.panes import make_pane
from peerterm.tui.panes.base import Pane
from peerterm.tui.typed_keys import takes_letters
from peerterm.tui.widgets.banner import Banner
from peerterm.tui.widgets.hints import Hints
from peerterm.tui.widgets.status_bar import StatusBar
from peerterm.tui.widgets.tab_bar import TabBar

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.widget import AwaitMount

    from peerterm.tui.model import Model


class MainScreen(Screen[None]):
    """Everything that is not a dialog; panes come when they are visited.

    Args:
        model: What is known of the engine.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model
        self._mounting: AwaitMount

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield TabBar()
        yield Banner()
        with Vertical(id="body"):
            yield ContentSwitcher(id="panes")
        yield StatusBar()
        yield Hints()

    @property
    def _panes(self) -> ContentSwitcher:
        return self.query_one("#panes", ContentSwitcher)

    @property
    def pane(self) -> Pane:
        """The pane that is shown; there is one from the start on."""
        pane = self._panes.visible_content
        assert isinstance(pane, Pane)
        return pane

    @property
    def status(self) -> StatusBar:
        """The row that tells what happens."""
        return self.query_one(StatusBar)

    def show_pane(self, scope: str) -> Pane:
        """Show a pane, which is made the first time, and return it."""
        switcher = self._panes
        if not switcher.query(f"#panes > #{scope}"):
            self._mounting = switcher.mount(make_pane(scope))
        switcher.current = scope
        pane = self.pane
        if pane.is_mounted:
            pane.focus_list()
        else:
            self.set_focus(None)  # no key shall do something in the pane that was left
        pane.call_after_refresh(self._pane_shown, pane)  # the pane itself calls it, so once it is mounted
        return pane

    async def enter_pane(self, scope: str) -> None:
        """Show a pane, and return when the next key is for it."""
        pane = self.show_pane(scope)
        await self._mounting
        self._pane_shown(pane)

    def _pane_shown(self, pane: Pane) -> None:
        if pane is self.pane:  # it may have been left meanwhile
            pane.show(Changes(everything=True))
            if not pane.has_focus_within:  # else keys that came meanwhile moved the focus to where they want it
                pane.focus_list()
            self.refresh_frame()

    def show(self, changes: Changes) -> None:
        """Show what changed."""
        if self.pane.is_mounted:  # else it is shown everything once it is
            self.pane.show(changes)
        self.status.tell(changes.news)
        self.refresh_frame()

    def refresh_frame(self) -> None:
        """Show tabs, status and hints as they are now; each paints only what differs."""
        self.query_one(TabBar).show(self.pane.SCOPE, self._model)
        self.status.show(self._model)
        self._show_hints()

    def show_lost(self, reason: str, *, may_start: bool) -> None:
        """Say why there is no engine, or with an empty reason that there is one."""
        self.query_one(Banner).show(reason, may_start=may_start)

    def on_screen_resume(self) -> None:
        """Let the pane take note that nothing hides it any more."""
        if self.query("#panes > *") and self.pane.is_mounted:
            self.pane.seen()

    def on_descendant_focus(self) -> None:
        """Name the keys that work there."""
        self._show_hints()

    def on_descendant_blur(self) -> None:
        """Name the keys that work without it."""
        self._show_hints()

    def _show_hints(self) -> None:
        is_typing = takes_letters(self.focused)
        is_writing = is_typing and not isinstance(self.focused, Input)
        self.query_one(Hints).show(self.pane.SCOPE, is_typing=is_typing, is_writing=is_writing)
