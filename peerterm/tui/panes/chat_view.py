"""What the Chat pane shows: the conversations, the lines of the present one, the field, and what is read of it.

Knows which conversation is present and whether the user sees its end. Sends nothing but that it was read.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from textual import on, work

from peerterm.api.views import ConversationView
from peerterm.display import counted
from peerterm.errors import PeertermError
from peerterm.tui.conversations import LOBBY
from peerterm.tui.model import Changes
from peerterm.tui.offers import is_over
from peerterm.tui.panes import chat_text as text
from peerterm.tui.panes.base import NO_ENGINE
from peerterm.tui.panes.chat_log import ChatLog
from peerterm.tui.panes.filtered import FilteredPane
from peerterm.tui.terminal import ROOMY_COLUMNS
from peerterm.tui.widgets.conversation_bar import ConversationBar, Label
from peerterm.tui.widgets.cursor_log import CursorLog
from peerterm.tui.widgets.plain import Plain
from peerterm.tui.widgets.write_field import WriteField

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from peerterm.api.views import PeerView
    from peerterm.tui.conversations import Conversations

NOBODY = ("No conversations.", "m on a peer, in Peers, begins one; o enters a room.")


class ChatView(FilteredPane):
    """One conversation and all of them to choose from; what keys do with it is its heir's."""

    DEFAULT_CSS = """
    ChatView .title { height: 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
    ChatView CursorLog { height: 1fr; }
    ChatView.-wide ConversationBar { dock: left; width: 24; height: 100%; }
    ChatView.-wide WriteField, ChatView.-wide WriteField:focus { border-left: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._present = ""
        self._wanted = ""
        self._is_to_write = False
        self._is_placed = False
        self._order: list[str] = []
        self._drafts: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        """Lay out the conversations, the lines and the field."""
        is_ascii = self.program.terminal.is_ascii
        self._bar = ConversationBar(ascii_only=is_ascii)
        self._title = Plain(classes="title")
        self._view = CursorLog(text.PREFIX_CELLS, max_lines=text.MAX_ROWS, ascii_only=is_ascii)
        self._field = WriteField()
        self._history = ChatLog(self, self._view)
        yield self._bar
        yield self._title
        yield self._view
        yield self.make_filter()
        yield self._field

    def on_mount(self) -> None:
        """Notice when the terminal comes to the front."""
        self.watch(self.app, "app_focus", self.seen, init=False)

    def on_resize(self) -> None:
        """Put the conversations beside the lines where there is room for that; begin once there is a place."""
        self.set_class(self.app.size.width >= ROOMY_COLUMNS, "-wide")
        if not self._is_placed:
            self._is_placed = True
            self.show(Changes(everything=True))

    # What is shown

    @property
    def talk(self) -> Conversations:
        """All conversations."""
        return self.model.talk

    @property
    def view(self) -> ConversationView:
        """The conversation that is shown; one with a peer may be about to begin."""
        if view := self.talk.views.get(self._present):
            return view
        peer = self.model.peers.get(self._present)
        return ConversationView(
            conversation=self._present,
            kind="room" if self._present.startswith("#") else "direct",
            name=peer.name if peer else self._present,
            unread=0,
            last_at=0.0,
            is_member=False,
            is_muted=False,
            members=[],
        )

    @property
    def peer(self) -> PeerView | None:
        """Of a direct conversation, the other side."""
        return self.model.peers.get(self._present)

    @property
    def offer_at_cursor(self) -> str:
        """The offer that the line at the cursor makes or is about, if it is known; else empty."""
        line = self._history.line_at_cursor
        return line.offer_id if line and line.offer_id in self.model.offers.views else ""

    @property
    def is_in_front(self) -> bool:
        """Whether the user sees the newest line."""
        is_shown = self.program.pane is self and len(self.app.screen_stack) == 1 and self.app.app_focus
        return is_shown and self._view.is_at_end and not self.is_filtering

    def show(self, changes: Changes) -> None:
        """Show what was said, and how far it got."""
        if not self._is_placed:  # Textual forgets to tell widgets their size if they ask before
            return
        if changes.everything:
            self._order = [view.conversation for view in self.talk.listed]
        if changes.everything or changes.talk or changes.peers:
            self._show_bar()
        if not self._present and self._order and not self._wanted:
            waiting = self.talk.waiting
            self._open(waiting[0].conversation if waiting else self._order[0])
        elif self._wanted:
            self._open(self._wanted)
        elif changes.everything and self._present:
            self._history.refresh()
        self.seen()

    def _show_bar(self) -> None:
        listed = {view.conversation: view for view in self.talk.listed}
        known = [key for key in self._order if key in listed]
        new = [key for key in listed if key not in known]
        lobby = 1 if known[:1] == [LOBBY] else 0
        self._order = known[:lobby] + new + known[lobby:]
        if self._present and self._present not in listed:
            self._order.append(self._present)
        self._bar.show([self._label(key) for key in self._order], self._present)

    def _label(self, conversation: str) -> Label:
        view, peer = self.talk.views.get(conversation), self.model.peers.get(conversation)
        is_room = conversation.startswith("#")
        name = peer.name if peer else view.name if view else conversation
        return Label(
            conversation,
            name,
            unread=view.unread if view else 0,
            mentions=self.talk.mentions.get(conversation, 0),
            is_online=None if is_room else peer is not None and peer.state == "online",
            is_muted=view is not None and view.is_muted,
        )

    def seen(self, *_: object) -> None:
        """Draw what came, mark it if nobody looked, and tell that what is in front of the user now is read."""
        if not self._is_placed:
            return
        if not self._present:
            self._view.empty = NOBODY if self.model.status else NO_ENGINE
            self._field.begin("", "")
            return
        self._history.follow()
        is_front = self.is_in_front
        self.talk.front = self._present if is_front else ""
        if is_front and self._history.is_loaded:
            self._history.was_seen()
            if self.view.unread:
                self._tell_read(self._present)
        self.tell()

    @work(exclusive=True, group="read")
    async def _tell_read(self, conversation: str) -> None:
        with suppress(PeertermError):  # it is told when the user looks next, and until then shown as unread
            await self.engine.read(conversation)

    def on_hide(self) -> None:
        """Nothing here is in front now."""
        self.talk.front = ""

    def tell(self) -> None:
        """Say above the lines what they are, or what can be done with that at the cursor."""
        view, line = self.view, self._history.line_at_cursor
        links = text.links_in(line.text) if line and self._view.has_focus else []
        transcript = self.talk.transcript
        own_id = self.model.status.peer_id if self.model.status else ""
        offer = self.model.offers.views.get(self.offer_at_cursor)
        if self.is_filtering:
            said = self._history.found
        elif links:
            said = text.offer_of(links)
        elif offer and self._view.has_focus and not is_over(offer):
            said = text.offered(offer)
        elif self._history.behind:
            said = f"{counted(self._history.behind, 'newer line')} below; G goes there"
        else:
            said = text.headline(view, self.peer, transcript.last_of(own_id) if transcript is not None else None)
        self._title.say(f" {said}")
        self._view.empty = self._history.why_empty
        names = {member.name for member in view.members} | ({view.name} if view.kind == "direct" else set())
        self._field.names = sorted(text.typeable(names))

    @on(CursorLog.Moved)
    @on(CursorLog.EndReached)
    def _moved(self) -> None:
        if self._present:
            self.seen()

    @on(CursorLog.TopReached)
    def _top_reached(self) -> None:
        self._history.load_older()

    def on_descendant_focus(self) -> None:
        """Say what keys do where the focus is now."""
        if self._present:
            self.tell()

    # Which one is shown

    def open(self, conversation: str, *, to_write: bool = False) -> None:
        """Show a conversation, once the pane is there; begin to write in it if that is what it is opened for."""
        self._wanted, self._is_to_write = conversation, to_write
        if self._is_placed:
            self._open(conversation)

    def point_at(self, row_id: str) -> None:
        """Show the conversation that needs attention."""
        self.open(row_id)

    def _open(self, conversation: str) -> None:
        self._wanted = ""
        self._show_conversation(conversation)
        if self._is_to_write:
            self._is_to_write = False
            self.screen.set_focus(self._field)  # now: what is typed next is meant for it
            self._field.focus()  # and after what the lines may have asked for just before

    def _show_conversation(self, conversation: str) -> None:
        if conversation == self._present:
            self.seen()
            return
        self._keep_draft()
        if self.is_filtering:
            super().back()
        self._present = conversation
        self._field.begin(self._drafts.get(conversation, ""), self._prompt)
        self._history.open(conversation)
        self._show_bar()
        self.seen()

    def _keep_draft(self) -> None:
        if self._present:
            self._drafts[self._present] = self._field.text
        self._drafts = {key: draft for key, draft in self._drafts.items() if draft}

    def action_next(self) -> None:
        """Go to the next conversation."""
        self._step(1)

    def action_previous(self) -> None:
        """Go to the conversation before."""
        self._step(-1)

    def _step(self, direction: int) -> None:
        if self._present in self._order and len(self._order) > 1:
            at = self._order.index(self._present) + direction
            self._open(self._order[at % len(self._order)])
        else:
            self.program.say("there is no other conversation; m on a peer, in Peers, begins one")

    @on(ConversationBar.Chosen)
    def _chosen(self, event: ConversationBar.Chosen) -> None:
        self._open(event.conversation)

    # Its parts

    def focus_list(self) -> None:
        """Let the keys reach the lines."""
        self._view.focus()

    def filter_lines(self, words: str) -> None:
        """Show only lines that have all these words."""
        self._history.filter(words)
        if self._present:
            self.tell()

    @property
    def _prompt(self) -> str:
        return f"Enter writes to {self.view.name}"
