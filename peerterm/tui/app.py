"""The full-screen program: one screen of panes over an engine that is another process.

Wires keys to what the present pane, a dialog or the program itself does. Nothing changes but by asking
``attachment.engine``, and what came of it is seen when the engine tells it.
"""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.events import Key, Paste

from peerterm.display import clean
from peerterm.tui.changing import MAY_NOT_START
from peerterm.tui.commands import ActionProvider
from peerterm.tui.downloading import download, pause_all
from peerterm.tui.engine_app import EngineApp
from peerterm.tui.keys import Action, bindings_of
from peerterm.tui.local_player import LocalPlayer, chooser
from peerterm.tui.modals.too_small import TooSmall
from peerterm.tui.sending import send
from peerterm.tui.terminal import ROOMY_COLUMNS, ROOMY_ROWS
from peerterm.tui.themes import THEMES
from peerterm.tui.typed_keys import TypedKeys, takes_letters
from peerterm.tui.watching import Watching

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from textual.binding import BindingType
    from textual.dom import DOMNode
    from textual.events import Event as TextualEvent

    from peerterm.api.engine import EngineApi
    from peerterm.api.events import Event
    from peerterm.tui.terminal import Terminal

INTERRUPT_SECONDS = 2.0
"""Two Ctrl+c within this time leave the program."""

MAX_COPIED_BYTES = 65_536
"""Most bytes sent to the clipboard: many terminals drop a longer sequence."""

OPENERS = frozenset({"help", "settings", "command_palette", "jump", "attention", "inbox"})
"""Actions that lead elsewhere, and so wait until an open dialog is answered."""


class PeertermApp(EngineApp):
    """The program.

    Args:
        connect: Attaches to the engine; see ``Attachment``.
        terminal: What this terminal can do.
        keymap: Comma-separated keys by action id, as the user wants them.
        config: The profile's ``config.toml``; who begins without one is welcomed.
        engine_stays: Whether the engine goes on when the user leaves.
        may_start: Whether an engine may be started.

    Attributes:
        user_keymap: As given, and as the user changed it since.
        engine_stays: As given.
        watching: The streams that were opened here, and the player.
    """

    TITLE = "peerterm"
    CSS_PATH = "styles/base.tcss"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS: ClassVar = {ActionProvider}
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (ROOMY_COLUMNS, "-wide")]  # noqa: RUF012 - as Textual declares it
    VERTICAL_BREAKPOINTS = [(0, "-short"), (ROOMY_ROWS, "-tall")]  # noqa: RUF012 - as Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("anywhere", "global")]

    def __init__(
        self,
        connect: Callable[[bool], AbstractAsyncContextManager[EngineApi]],
        terminal: Terminal | None = None,
        keymap: dict[str, str] | None = None,
        config: Path | None = None,
        *,
        engine_stays: bool = True,
        may_start: bool = True,
    ) -> None:
        super().__init__(connect, terminal, config, may_start=may_start)
        self.user_keymap = keymap or {}
        self.engine_stays = engine_stays
        self._keys = TypedKeys(self, super().on_event)
        self.watching = Watching(self, LocalPlayer(self, chooser(config)))
        self._interrupted_at = 0.0
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = self.terminal.theme

    # The screen

    def on_mount(self) -> None:
        """Begin once the screen has its parts."""
        self.set_keymap(self.user_keymap)
        self.main.call_later(self._begin)

    def _begin(self) -> None:
        """Start with the pane that a newcomer needs, and look for the engine once it is shown."""
        self.run_worker(self._keys.run(), name="keys", group="keys")
        self.show_pane("peers").call_after_refresh(self._reveal)
        self.main.call_after_refresh(self.look_for_engine)

    async def on_event(self, event: TextualEvent) -> None:
        """Let keys in one by one; and of what is pasted only text, as an input sends escapes on to the terminal."""
        if event.is_forwarded or not isinstance(event, Key | Paste):
            await super().on_event(event)
        elif isinstance(event, Paste):
            self._keys.put(Paste(_only_text(event.text)))
        else:
            self._keys.put(event)

    @property
    def clipboard(self) -> str:
        """What Ctrl+v puts into an input: of what was copied here, as of what is pasted, only text."""
        return _only_text(super().clipboard)

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
        await self.main.enter_pane(scope)

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
        from peerterm.tui.keys import PANES, TITLES  # noqa: PLC0415
        from peerterm.tui.modals.dialogs import Choice  # noqa: PLC0415

        options = [(str(digit), TITLES[scope], scope) for digit, scope in enumerate(PANES, 1)]
        if chosen := await self.push_screen_wait(Choice("Go to", options, self.pane.SCOPE)):
            self.show_pane(chosen)

    def action_attention(self) -> None:
        """Go to what needs attention: what failed, is offered to us, was said to us, a share that is missing."""
        alarm = self.model.next_alarm()
        if alarm is None:
            self.say("nothing needs attention")
        elif alarm[0] == "inbox":
            self.open_inbox(alarm[1])
        else:
            self.show_pane(alarm[0]).point_at(alarm[1])

    def action_inbox(self) -> None:
        """Show what peers offer us, and we offer them."""
        self.open_inbox()

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
        """Leave what was begun: asking for downloads, reading what is to be sent, an input, a filter."""
        if self.workers.cancel_group(self, "downloads"):
            self.say("stopped; what was asked for goes on")
        elif self.workers.cancel_group(self, "watching"):
            self.say("given up")
        elif not takes_letters(self.focused) and self.workers.cancel_group(self, "sending"):
            pass  # which says so
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
            self.say("Ctrl+c again to leave" + "; the engine and its transfers go on" * self.engine_stays)

    @work(group="leaving")
    async def action_leave(self) -> None:
        """Leave the program; what is on its way goes on, unless the user says otherwise."""
        from peerterm.tui.modals.leaving import leave  # noqa: PLC0415

        await leave(self)

    def action_rescan(self) -> None:
        """Look for changes in every share."""
        self.ask(self._rescan(), "looking for changes in every share")

    async def _rescan(self) -> None:
        await self.attachment.engine.rescan()

    def action_zoom(self) -> None:
        """Give the pane the whole screen, or give it back."""
        self.main.toggle_class("-zoomed")
        if self.main.has_class("-zoomed"):
            self.say("z shows tabs and keys again")

    def action_pause_all(self) -> None:
        """Pause every transfer; if all are paused, resume all."""
        self.ask(pause_all(self))

    def action_bandwidth(self) -> None:
        """Limit the rate."""
        from peerterm.tui.modals.bandwidth import Bandwidth  # noqa: PLC0415

        self.push_screen(Bandwidth(self.pane.transfer_at_cursor()))

    def action_start_engine(self) -> None:
        """Start the engine again."""
        if self.attachment.is_attached:
            self.say("the engine runs")
        elif not self.attachment.may_start:
            self.say(f"{MAY_NOT_START}; start it where it ran", "warning")
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

    def talk_to(self, conversation: str) -> None:
        """Write in a conversation: a room, or that with a peer, by its id."""
        from peerterm.tui.panes.chat import ChatPane  # noqa: PLC0415

        pane = self.show_pane("chat")
        assert isinstance(pane, ChatPane)
        pane.open(conversation, to_write=True)

    def download(self, roots: Sequence[str], directory: str = "", only: Sequence[str] | None = None) -> None:
        """Download contents by their roots into a folder, or into the configured one; Esc stops asking for more."""
        self.run_worker(self._ask(download(self, roots, directory, only), ""), group="downloads")

    def send(self, peers: Sequence[str], paths: Sequence[str]) -> None:
        """Offer what absolute paths name to peers by their ids; Esc gives up as long as it is read."""
        self.run_worker(self._ask(send(self, peers, paths), ""), group="sending")

    def open_inbox(self, offer_id: str = "", *, is_opened: bool = False) -> None:
        """Show the offers, with the cursor on one of them, or nothing but that one's items."""
        from peerterm.tui.modals.inbox import Inbox  # noqa: PLC0415
        from peerterm.tui.modals.offer import OfferScreen  # noqa: PLC0415

        self.push_screen(OfferScreen(offer_id) if is_opened else Inbox(offer_id))

    def stream_moved(self, stream_id: str) -> None:
        """Show a stream anew, soon: the player that shows it moved."""
        self.model.note_stream(stream_id)
        self._plan_flush()

    def _event(self, event: Event) -> None:
        super()._event(event)
        self.watching.player.follow()

    async def on_exit_app(self) -> None:
        """Leave no player behind, whatever ends the program."""
        await self.watching.close()

    def copy(self, text: str) -> None:
        """Send text to the terminal's clipboard as it is, and say what can be known of that."""
        sent = text.encode(errors="replace")  # a path may have bytes that are no text
        if len(sent) > MAX_COPIED_BYTES:
            self.say("too long for a terminal's clipboard; y t shows it", "warning")
            return
        self.copy_to_clipboard(sent.decode())
        self.say("sent to the terminal's clipboard; if it is not there, y t shows it")


def _only_text(text: str) -> str:
    return "\n".join(clean(line) for line in text.splitlines())
