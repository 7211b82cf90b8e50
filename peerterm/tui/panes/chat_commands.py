"""What the field of a conversation can do: say something, and the commands that begin with a slash.

Asks the engine and tells the user. Called by the Chat pane.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from peerterm.config import fault_of, variable_name
from peerterm.errors import ConfigError, UsageError
from peerterm.tui.changing import change_setting
from peerterm.tui.modals.dialogs import Facts
from peerterm.tui.panes import chat_text as text
from peerterm.tui.paths import expanded, fault_of_share
from peerterm.tui.preferences import effect_of
from peerterm.tui.typed_lines import COMMANDS

if TYPE_CHECKING:
    from peerterm.tui.panes.chat import ChatPane
    from peerterm.tui.typed_lines import Typed

_NEEDED = {"me": "what do you do?", "nick": "be called what?", "send": "send what?", "join": "which room?"}


class Commands:
    """Does what is typed into a pane's field."""

    def __init__(self, pane: ChatPane) -> None:
        self._pane = pane
        self._saying = asyncio.Lock()  # what was typed first is said first

    def fault_of(self, typed: Typed) -> str:
        """Return why a command cannot be done, nothing if it may."""
        if typed.command not in COMMANDS:
            return f"there is no /{typed.command.strip('/')}; // sends it as text, /help lists what there is"
        if typed.command in _NEEDED and not typed.text:
            return f"{_NEEDED[typed.command]} {COMMANDS[typed.command][0]}"
        if typed.command == "nick" and (fault := fault_of("node.name", typed.text)):
            return f"{typed.text} {fault}"
        if typed.command == "join":
            return text.fault_of_room(typed.text)
        return ""

    async def do(self, typed: Typed, conversation: str) -> None:
        """Do what was typed, in this conversation.

        Raises:
            PeertermError: It cannot be done.
        """
        match typed.command:
            case "nick":
                await self._be_called(typed.text)
            case "send":
                await self._send(conversation, typed.text)
            case "join":
                await self._pane.join(typed.text)
            case "leave":
                await self._leave(typed.text or conversation)
            case "help":
                lines = [*COMMANDS.values(), ("//text", "send a line that begins with a slash")]
                self._pane.app.push_screen(Facts("What can be typed here", lines))
            case _:
                await self._say(conversation, typed.text, typed.command or "text")

    async def _say(self, conversation: str, said: str, kind: str) -> None:
        async with self._saying:
            line = await self._pane.engine.say(conversation, said, kind)
        self._pane.heard(line)

    async def _leave(self, room: str) -> None:
        if not room.startswith("#") and room in self._pane.talk.views:
            raise UsageError(text.NOT_LEFT)
        await self._pane.leave(room)

    async def _send(self, conversation: str, path: str) -> None:
        if conversation.startswith("#"):
            raise UsageError("a file is offered to somebody, not to a room", "S on a peer, in Peers, sends it")
        if fault := await asyncio.to_thread(fault_of_share, path):
            raise UsageError(fault)
        self._pane.program.send([conversation], [expanded(path)])

    async def _be_called(self, name: str) -> None:
        """Set our own name, and say when it holds."""
        program = self._pane.program
        own = next(each for each in await self._pane.engine.settings() if each.name == "node.name")
        if own.source in {"flag", "environment"}:
            raise UsageError(f"the engine was given its name by --name or {variable_name('node.name')}")
        if (file := program.settings_file) is None:
            raise ConfigError("it is not known yet where the settings are")
        await change_setting(program, file, "node.name", name)
        if effect_of("node.name") == "now":
            program.say(f"you are called {name} now")
        else:
            program.say(f"you are called {name} once the engine has started again: , then F5")
