"""Conversations: what the user does in them: write, find, fetch what links stand for, enter and leave rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on, work

from peerterm.api.events import MessageAdded
from peerterm.core.playlist import is_playable
from peerterm.display import counted
from peerterm.errors import PeertermError
from peerterm.tui.modals.dialogs import Choice, Confirm, Facts, PlainText, Prompt
from peerterm.tui.panes import chat_text as text
from peerterm.tui.panes.base import pane_bindings
from peerterm.tui.panes.chat_commands import Commands
from peerterm.tui.panes.chat_view import NOBODY, ChatView
from peerterm.tui.sending import ask_what
from peerterm.tui.typed_lines import read_typed
from peerterm.tui.widgets.write_field import WriteField

if TYPE_CHECKING:
    from textual.binding import BindingType

    from peerterm.api.views import EntryKind, MessageView
    from peerterm.tui.panes.chat_text import Link

MAX_COPIED = 500
"""Most lines copied at once, the newest; a terminal's clipboard takes no more."""

_PLAIN = "\0"  # no text that can be copied


class ChatPane(ChatView):
    """One conversation, and all of them to choose from."""

    SCOPE = "chat"
    BINDINGS: ClassVar[list[BindingType]] = pane_bindings("chat")

    def __init__(self) -> None:
        super().__init__()
        self._commands = Commands(self)

    # Writing

    def action_write(self) -> None:
        """Write to whoever is shown."""
        if self._present:
            self._field.focus()
        else:
            self.program.say(" ".join(NOBODY))

    def back(self) -> None:
        """Leave the field, whose draft stays; or show every line again, from that at the cursor on."""
        if self.is_filtering:
            chosen = self._view.cursor_line
            super().back()
            if chosen:
                self._view.move_to(chosen.line_id)
            self.seen()
        self.focus_list()

    @on(WriteField.Sent)
    def _sent(self, event: WriteField.Sent) -> None:
        typed = read_typed(event.text)
        if typed.command and (fault := self._commands.fault_of(typed)):
            self.program.say(fault, "warning")
            return
        self._field.begin("", self._prompt)
        self._drafts.pop(self._present, None)
        self._history.forget_marker()
        self._send(self._present, event.text)

    @work(group="sending")
    async def _send(self, conversation: str, typed: str) -> None:
        """Send a line or do what a command says; what failed stands in the field again."""
        try:
            await self._commands.do(read_typed(typed), conversation)
        except PeertermError as error:
            self.program.say(error.advice, "error")
            if conversation != self._present:
                self._drafts.setdefault(conversation, typed)
            elif not self._field.text:
                self._field.begin(typed, self._prompt)

    def heard(self, line: MessageView) -> None:
        """Show at once what was said here: the engine tells, too, and perhaps later."""
        self.model.apply(MessageAdded(message=line))
        self._view.scroll_to_end()
        self.seen()

    @on(WriteField.Paged)
    def _paged(self, event: WriteField.Paged) -> None:
        self._view.action_page(event.direction)

    @on(WriteField.LongPaste)
    @work(exclusive=True, group="dialogs")
    async def _ask_paste(self, event: WriteField.LongPaste) -> None:
        lines = event.text.splitlines()
        said = "Nothing is sent before you press Enter."
        question = Confirm(f"Paste {len(lines)} lines?", said, *lines[:3], "...")
        if await self.app.push_screen_wait(question):
            self._field.insert(event.text)

    # Lines

    def action_filter(self) -> None:
        """Type what lines must have, of all that was said."""
        if not self._present:
            self.program.say(" ".join(NOBODY))
            return
        super().action_filter()
        self._history.load_all()

    async def _one_link(self, verb: str) -> Link | None:
        """Return the link of the line at the cursor; of several, the one that the user chooses."""
        line = self._history.line_at_cursor
        links = text.links_in(line.text) if line else []
        if not links:
            self.program.say("no link is in this line; j and k go to others")
            return None
        if len(links) == 1:
            return links[0]
        options = [(str(number), link.text, link.root) for number, link in enumerate(links[:9], 1)]
        root = await self.app.push_screen_wait(Choice(f"{verb} which?", options))
        return next((link for link in links if link.root == root), None)

    @work(exclusive=True, group="dialogs")
    async def action_download(self) -> None:
        """Download what a link in the line stands for; an offer is opened to be accepted."""
        if offer_id := self.offer_at_cursor:
            self.program.open_inbox(offer_id, is_opened=True)
        elif link := await self._one_link("Download"):
            self.program.download([link.root])

    @work(exclusive=True, group="dialogs")
    async def action_watch(self) -> None:
        """Play what a link in the line stands for; that may be a folder, of which nobody says so."""
        if link := await self._one_link("Play"):
            kind: EntryKind = "file" if is_playable(link.name) else "folder"
            self.program.watching.watch(link.title, kind, link.root)

    @work(exclusive=True, group="dialogs")
    async def action_copy(self) -> None:
        """Copy the line, a link in it, or all that is shown."""
        line, lines = self._history.line_at_cursor, self._history.shown[-MAX_COPIED:]
        if line is None:
            self.program.say("nothing to copy")
            return
        everything = "\n".join(map(text.plain_line, lines))
        options = [("l", f"line  {line.text}", line.text)]
        options += [("k", f"link  {link.title}", link.link) for link in text.links_in(line.text)[:1]]
        options += [("a", f"all {counted(len(lines), 'line')} shown", everything)]
        chosen = await self.app.push_screen_wait(Choice("Copy", [*options, ("t", "show as plain text", _PLAIN)]))
        if chosen == _PLAIN:
            self.app.push_screen(PlainText("Select with the terminal's own means", everything))
        elif chosen:
            self.program.copy(chosen)

    def action_info(self) -> None:
        """Say who is here, and all that is known of the line."""
        if not self._present:
            self.program.say(" ".join(NOBODY))
            return
        found = text.facts(self.view, self._history.line_at_cursor, self._history.speakers, self.model.peers)
        self.app.push_screen(Facts(self.view.name, found))

    # Offers

    @work(exclusive=True, group="dialogs")
    async def action_send(self) -> None:
        """Send a file or folder to whom one writes."""
        if peer := self.peer:
            await ask_what(self.program, [peer])
        else:
            self.program.say("a file is sent to somebody, not to a room: S on a peer, in Peers")

    def action_open(self) -> None:
        """Open the offer that the line makes or is about; where none is, enter a room."""
        if offer_id := self.offer_at_cursor:
            self.program.open_inbox(offer_id, is_opened=True)
        else:
            self._ask_room()

    # Rooms

    @work(exclusive=True, group="dialogs")
    async def _ask_room(self) -> None:
        note = "Everybody who is in it can read it. A room comes to be when somebody enters it."
        asked = Prompt("Enter which room?", "#", check=text.fault_of_room, note=note)
        if room := await self.app.push_screen_wait(asked):
            self.ask(self.join(room))

    async def join(self, room: str) -> None:
        """Enter a room and show it.

        Raises:
            PeertermError: It has no name for a room.
        """
        view = await self.engine.join(room if room.startswith("#") else f"#{room}")
        self.talk.views[view.conversation] = view
        self._open(view.conversation)

    @work(exclusive=True, group="dialogs")
    async def action_remove(self) -> None:
        """Leave the room."""
        if not self.view.is_member or self.view.kind == "direct":
            self.program.say(text.NOT_LEFT if self._present else " ".join(NOBODY))
            return
        room = self._present
        question = Confirm(f"Leave {room}?", f"What was said stays. o enters {room} again.")
        if await self.app.push_screen_wait(question):
            self.ask(self.leave(room))

    async def leave(self, room: str) -> None:
        """Leave a room, and show another conversation if it was this one.

        Raises:
            PeertermError: We are no member of it.
        """
        view = await self.engine.leave(room if room.startswith("#") else f"#{room}")
        self.talk.views[view.conversation] = view
        self.program.say(f"{view.name} left; o enters it again")
        if view.conversation == self._present:
            self._keep_draft()
            self._present = ""
            self._order = [other.conversation for other in self.talk.listed]
            self._history.close()
            self._show_bar()
            if self._order:
                self._open(self._order[0])
            else:
                self._title.say("")
                self.seen()

    def action_mute(self) -> None:
        """Hear nothing of this conversation, or hear of it again."""
        if not self.view.conversation or not (self.view.is_member):
            self.program.say("there is nothing to mute yet")
            return
        is_muted, name = not self.view.is_muted, self.view.name
        done = f"{name} is muted; u hears of it again" if is_muted else f"{name} is heard again"
        self.ask(self._mute(self._present, is_muted=is_muted), done)

    async def _mute(self, conversation: str, *, is_muted: bool) -> None:
        await self.engine.mute(conversation, is_muted=is_muted)
