"""The full-screen program: one screen of panes over an engine that is another process.

Owns what is on the screen and who has the focus. It knows of the engine only what ``model`` holds, changes nothing
but by asking ``attachment.engine``, and paints only what changed, a few times a second.
"""

from __future__ import annotations

import os
import time
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual import work
from textual.app import App
from textual.containers import Vertical
from textual.events import Key, Paste
from textual.widgets import ContentSwitcher, Input

from peerterm.display import clean, counted
from peerterm.errors import PeertermError, UsageError
from peerterm.tui.attachment import Attachment
from peerterm.tui.commands import ActionProvider
from peerterm.tui.keys import PANES, Action, bindings_of
from peerterm.tui.modals.too_small import TooSmall, is_too_small
from peerterm.tui.model import MAX_NEWS, Model
from peerterm.tui.terminal import Terminal
from peerterm.tui.themes import THEMES
from peerterm.tui.typed_keys import TypedKeys
from peerterm.tui.widgets.banner import Banner
from peerterm.tui.widgets.hints import Hints
from peerterm.tui.widgets.status_bar import StatusBar
from peerterm.tui.widgets.tab_bar import TabBar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.dom import DOMNode
    from textual.events import DescendantFocus, Resize
    from textual.events import Event as TextualEvent
    from textual.geometry import Size
    from textual.widget import AwaitMount, Widget

    from peerterm.api.engine import EngineApi
    from peerterm.api.events import Event
    from peerterm.tui.panes.base import Pane

Part = TypeVar("Part", bound="Widget")

INTERRUPT_SECONDS = 2.0
"""Two Ctrl+c within this time leave the program."""

PROGRESS_SECONDS = 1.0
"""How often something that takes long says how far it is."""

MIN_WAIT_SECONDS = 0.01
"""How long a change waits for others that come with it, after a time without any."""

NARROW, SHORT = 100, 30
"""Columns and rows below which the screen shows one thing at a time."""

OPENERS = frozenset({"help", "settings", "command_palette", "jump", "attention"})
"""Actions that lead elsewhere, and so wait until an open dialog is answered."""


class PeertermApp(App[None]):
    """The program.

    Args:
        connect: Attaches to the engine; see ``Attachment``.
        terminal: What this terminal can do.
        keymap: Comma-separated keys by action id, as the user wants them.
        config: The profile's ``config.toml``; who begins without one is welcomed.

    Attributes:
        model: What is known of the engine.
        attachment: The way to the engine.
        user_keymap: Comma-separated keys by action id that differ from ``tui.keys``.
        news: What the user was told last: Unix time, level and text, oldest first.
    """

    TITLE = "peerterm"
    CSS_PATH = "styles/base.tcss"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS: ClassVar = {ActionProvider}
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (NARROW, "-wide")]  # noqa: RUF012 - as Textual declares it
    VERTICAL_BREAKPOINTS = [(0, "-short"), (SHORT, "-tall")]  # noqa: RUF012 - as Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("anywhere", "global")]

    def __init__(
        self,
        connect: Callable[[bool], AbstractAsyncContextManager[EngineApi]],
        terminal: Terminal | None = None,
        keymap: dict[str, str] | None = None,
        config: Path | None = None,
    ) -> None:
        self.terminal = terminal or Terminal()
        super().__init__(ansi_color=self.terminal.is_colourless or None, driver_class=self.terminal.driver_class)
        self.model = Model()
        self.attachment = Attachment(connect, self._event, self._attached)
        self.user_keymap = keymap or {}
        self.news: deque[tuple[float, str, str]] = deque(maxlen=MAX_NEWS)
        self._config = config
        self._is_welcome = config is not None
        self._is_dirty = False
        self._mounting: AwaitMount
        self._keys = TypedKeys(self, super().on_event)
        self._interrupted_at = self._shown_at = 0.0
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = self.terminal.theme

    # The screen

    def compose(self) -> ComposeResult:
        """Lay out the screen; panes come when they are visited."""
        yield TabBar()
        yield Banner()
        with Vertical(id="body"):
            yield ContentSwitcher(id="panes")
        yield StatusBar()
        yield Hints()

    def on_mount(self) -> None:
        """Start with the pane that a newcomer needs, and look for the engine once it is shown."""
        self.set_keymap(self.user_keymap)
        self.run_worker(self._keys.run(), name="keys", group="keys")
        self.show_pane("peers")
        self.call_after_refresh(self._look_for_engine)

    def _look_for_engine(self) -> None:
        self.run_worker(self.attachment.run(), name="engine", group="engine")

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
        from peerterm.tui.panes.base import Pane  # noqa: PLC0415 - it imports this module's names

        switcher = self.screen_stack[0].query_one("#panes", ContentSwitcher)
        pane = switcher.visible_content
        assert isinstance(pane, Pane)
        return pane

    def show_pane(self, scope: str) -> Pane:
        """Show a pane, which is made the first time, and return it."""
        from peerterm.tui.panes import make_pane  # noqa: PLC0415 - a pane is imported when it is first visited

        switcher = self.screen_stack[0].query_one("#panes", ContentSwitcher)
        if not switcher.query(f"#panes > #{scope}"):
            self._mounting = switcher.mount(make_pane(scope))
        switcher.current = scope
        pane = self.pane
        if pane.is_mounted:
            pane.focus_list()
        else:
            self.screen_stack[0].set_focus(None)  # no key shall do something in the pane that was left
        pane.call_after_refresh(self._pane_shown, pane)  # the pane itself calls it, so once it is mounted
        return pane

    def _pane_shown(self, pane: Pane) -> None:
        from peerterm.tui.model import Changes  # noqa: PLC0415

        if pane is self.pane:  # it may have been left meanwhile
            pane.show(Changes(everything=True))
            if not pane.has_focus_within:  # else keys that came meanwhile moved the focus to where they want it
                pane.focus_list()
            self.refresh_frame()

    def refresh_frame(self) -> None:
        """Show tabs, status and hints as they are now; each paints only what differs."""
        self.query_base(TabBar).show(self.pane.id or "", self.model)
        self.query_base(StatusBar).show(self.model)
        self.query_base(Hints).show(self.pane.SCOPE)

    def query_base(self, kind: type[Part]) -> Part:
        """Return a part of the screen that is below all dialogs."""
        return self.screen_stack[0].query_one(kind)

    # The engine

    def _event(self, event: Event) -> None:
        self.model.apply(event)
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
        self.news.extend((time.time(), level, text) for level, text in changes.news)
        with self.batch_update():
            if self.pane.is_mounted:  # else it is shown everything once it is
                self.pane.show(changes)
            self.query_base(StatusBar).tell(changes.news)
            self.refresh_frame()
        if changes.everything and self._is_welcome:
            self._welcome()

    def _welcome(self) -> None:
        """Ask a newcomer what must be known, once."""
        from peerterm.tui.modals.welcome import Welcome, is_first_start  # noqa: PLC0415

        self._is_welcome = False
        if self._config and is_first_start(self._config, os.environ, self.model):
            self.push_screen(Welcome(self._config))

    def _attached(self) -> None:
        if self.is_running:
            self.query_base(Banner).show(self.attachment.lost)

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
        if level != "info":
            self.news.append((time.time(), level, text))
        self.query_base(StatusBar).say(text, level)

    async def on_event(self, event: TextualEvent) -> None:
        """Let keys in one by one; and of what is pasted only text, as an input sends escapes on to the terminal."""
        if event.is_forwarded or not isinstance(event, Key | Paste):
            await super().on_event(event)
        elif isinstance(event, Paste):
            self._keys.put(Paste("\n".join(clean(line) for line in event.text.splitlines())))
        else:
            self._keys.put(event)

    # Actions

    def perform(self, action: Action) -> None:
        """Do what the keys of an action do, with the present pane."""
        owner: DOMNode = self.pane
        if action.scope == "list":
            owner = self.pane.query_one("LineView")
        elif action.scope != self.pane.SCOPE:
            owner = self
        self.call_later(partial(self.run_action, action.method, owner))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Do nothing but leave while nobody could see what is done; put no dialog over another."""
        if any(isinstance(screen, TooSmall) for screen in self.screen_stack):
            return action in {"leave", "interrupt"}
        return len(self.screen_stack) == 1 or action not in OPENERS

    async def action_show_pane(self, scope: str) -> None:
        """Show a pane; the next key is for it already."""
        pane = self.show_pane(scope)
        await self._mounting
        self._pane_shown(pane)

    def action_help(self) -> None:
        """Show the keys of this pane."""
        from peerterm.tui.modals.help import Help  # noqa: PLC0415

        self.push_screen(Help(self.pane.SCOPE, self.user_keymap, ascii_only=self.terminal.is_ascii))

    def action_settings(self) -> None:
        """Change settings."""
        from peerterm.tui.modals.settings import SettingsScreen  # noqa: PLC0415

        self.push_screen(SettingsScreen(self._config))

    @work(exclusive=True, group="dialogs")
    async def action_jump(self) -> None:
        """Choose a pane."""
        from peerterm.tui.keys import TITLES  # noqa: PLC0415
        from peerterm.tui.modals.dialogs import Choice  # noqa: PLC0415

        options = [(str(digit), TITLES[scope], scope) for digit, scope in enumerate(PANES, 1)]
        if chosen := await self.push_screen_wait(Choice("Go to", options, self.pane.SCOPE)):
            self.show_pane(chosen)

    def action_attention(self) -> None:
        """Go to what needs attention: a transfer that failed, a share that is missing."""
        failed = [key for key, each in self.model.transfers.items() if each.state == "failed"]
        unseen = [key for key in failed if key not in self.model.seen_failures]
        if unseen:
            self.model.seen_failures.add(unseen[0])
            self.show_pane("transfers").point_at(unseen[0])
        elif broken := [key for key, each in self.model.shares.items() if each.state in {"missing", "failed"}]:
            self.show_pane("shares").point_at(broken[0])
        else:
            self.say("nothing needs attention")

    def action_redraw(self) -> None:
        """Draw everything anew."""
        self.refresh(repaint=True, layout=True)
        self.screen.refresh(repaint=True, layout=True)

    def action_suspend_process(self) -> None:
        """Suspend to the shell, if there is one."""
        if os.getsid(os.getppid()) == os.getsid(0):
            super().action_suspend_process()
        else:  # nobody could bring the program back
            self.say("there is no shell to suspend to")

    def action_leave_input(self) -> None:
        """Leave what was begun: asking for downloads, an input, a filter."""
        if self.workers.cancel_group(self, "downloads"):
            self.say("stopped; what was asked for goes on")
        else:
            self.pane.back()

    def action_interrupt(self) -> None:
        """Copy what is selected; a second time soon after, leave."""
        if selected := self.screen.get_selected_text():
            self.copy(selected)
            return
        now = time.monotonic()
        if now - self._interrupted_at < INTERRUPT_SECONDS:
            self.exit()
        else:
            self._interrupted_at = now
            self.say("Ctrl+c again to leave; the engine and its transfers go on")

    @work(group="leaving")
    async def action_leave(self) -> None:
        """Leave the program; what is on its way goes on, unless the user says otherwise."""
        from peerterm.tui.modals.leaving import Leaving, leave  # noqa: PLC0415

        if isinstance(self.screen, TooSmall):  # a question could not be read; transfers go on
            self.exit()
        elif not isinstance(self.screen, Leaving):
            await leave(self)

    def action_rescan(self) -> None:
        """Look for changes in every share."""
        self.ask(self._with_engine(lambda engine: engine.rescan()), "looking for changes in every share")

    def action_zoom(self) -> None:
        """Give the pane the whole screen, or give it back."""
        self.screen_stack[0].toggle_class("-zoomed")
        if self.screen_stack[0].has_class("-zoomed"):
            self.say("z shows tabs and keys again")

    def action_details(self) -> None:
        """Show or hide the details of the pane."""
        self.pane.toggle_class("-details")
        self.pane.details_toggled()

    def action_pause_all(self) -> None:
        """Pause every transfer; if all are paused, resume all."""
        from peerterm.tui.model import ENDED  # noqa: PLC0415

        downloads = [t for t in self.model.transfers.values() if t.direction == "down" and t.state not in ENDED]
        moving = [transfer for transfer in downloads if transfer.state != "paused"]
        if not downloads:
            self.say("nothing to pause")
            return
        self.ask(self._pause_all([t.transfer_id for t in moving or downloads], is_pause=bool(moving)))

    async def _pause_all(self, transfers: list[str], *, is_pause: bool) -> None:
        engine = self.attachment.engine
        done = 0
        for transfer in transfers:
            with suppress(UsageError):  # it ended meanwhile
                await (engine.pause(transfer) if is_pause else engine.resume(transfer))
                done += 1
        self.say(f"{'paused' if is_pause else 'resumed'} {counted(done, 'download')}")

    def action_bandwidth(self) -> None:
        """Limit the rate."""
        from peerterm.tui.modals.bandwidth import Bandwidth  # noqa: PLC0415

        self.push_screen(Bandwidth(self.pane.transfer_at_cursor()))

    def action_start_engine(self) -> None:
        """Start the engine again."""
        if self.attachment.is_attached:
            self.say("the engine runs")
        else:
            self.attachment.start_engine()
            self.say("starting the engine ...")

    # What several panes do

    def browse(self, peer_id: str, path: str = "") -> None:
        """Show a folder of a peer's shares; an empty path lists the shares."""
        from peerterm.tui.panes.files import FilesPane  # noqa: PLC0415

        pane = self.show_pane("files")
        assert isinstance(pane, FilesPane)
        pane.open_folder(peer_id, path)

    def download(self, roots: Sequence[str], directory: str = "") -> None:
        """Download contents by their roots into a folder, or into the configured one; Esc stops asking for more."""
        self.run_worker(self._ask(self._download(roots, directory), ""), group="downloads")

    async def _download(self, roots: Sequence[str], directory: str) -> None:
        names: list[str] = []
        refusal: PeertermError | None = None
        said_at = time.monotonic()
        for count, root in enumerate(roots):
            if time.monotonic() - said_at > PROGRESS_SECONDS:
                said_at = time.monotonic()
                self.query_base(StatusBar).say(f"asked for {count:,} of {len(roots):,}; Esc stops", "progress")
            try:
                names.append((await self.attachment.engine.get(root, directory)).name)
            except PeertermError as error:
                refusal = refusal or error
        if names:
            what, it = (names[0], "it") if len(names) == 1 else (counted(len(names), "download"), "them")
            self.say(f"{what} queued; {PANES.index('transfers') + 1} shows {it}")
        if refusal:
            raise refusal

    async def _with_engine(self, question: Callable[[EngineApi], Awaitable[object]]) -> object:
        return await question(self.attachment.engine)

    def copy(self, text: str) -> None:
        """Send text to the terminal's clipboard, and say what can be known of that."""
        self.copy_to_clipboard(text)
        self.say("sent to the terminal's clipboard; if it is not there, y t shows it")
