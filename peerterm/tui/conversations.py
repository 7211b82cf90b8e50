"""Conversations as the screen needs them: what is unread, who named us, and the lines of the one that is open.

Pure. Lines are kept of one conversation only, the one the Chat pane shows; those of others are asked for when they
are opened. Text is as peers gave it. Owned by ``model``; called by the Chat pane and by the rows around it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from peerterm.api.events import ConversationChanged, MessageAdded, MessagesMoved, PeerJoined, PeerLeft
from peerterm.api.views import MessageView
from peerterm.core.mentions import is_mention

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from peerterm.api.events import Event
    from peerterm.api.views import ConversationView, PeerView, StatusView

LOBBY = "#lan"
"""The room that stands first."""

MAX_LINES = 2000
"""Most lines kept of the open conversation: as many as an engine keeps."""

NOTICE = "notice"
"""Kind of a line that nobody said: its sender came or went."""

MAX_NOTICES = 200
"""Most of those that are kept; the oldest go."""

_PROGRESS = ("queued", "sent", "delivered", "read")


class Transcript:
    """The newest lines of one conversation, without a gap up to the newest.

    Attributes:
        conversation: Which.
        is_loaded: Whether the engine gave what was said before.
        has_older: Whether it may have lines before the first one here.
        added: How many lines came to the end so far.
        moved: Ids of lines of ours whose state is another than when they were last shown.
    """

    def __init__(self, conversation: str) -> None:
        self.conversation = conversation
        self.is_loaded = False
        self.has_older = True
        self.added = 0
        self.moved: set[str] = set()
        self._lines: dict[str, MessageView] = {}

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def lines(self) -> list[MessageView]:
        """All lines, oldest first."""
        return list(self._lines.values())

    def line(self, line_id: str) -> MessageView | None:
        """Return a line by its id."""
        return self._lines.get(line_id)

    def newest(self, count: int) -> list[MessageView]:
        """Return the newest lines, oldest first."""
        return list(islice(reversed(self._lines.values()), count))[::-1]

    def last_of(self, sender: str) -> MessageView | None:
        """Return the newest line of somebody."""
        return next((line for line in reversed(self._lines.values()) if line.sender == sender), None)

    def begin(self, lines: Sequence[MessageView], asked: int) -> None:
        """Take the newest ``asked`` lines that the engine has; what came since it was asked follows them."""
        came = self._lines
        self._lines = {line.id: _further(line, came.get(line.id)) for line in lines}
        self._lines |= {key: line for key, line in came.items() if key not in self._lines}
        self.is_loaded, self.has_older = True, len(lines) >= asked
        self._cut()

    def prepend(self, lines: Sequence[MessageView], asked: int) -> list[MessageView]:
        """Take older lines, oldest first; return those of them there was room for."""
        new = [line for line in lines if line.id not in self._lines]
        taken = new[max(len(new) - (MAX_LINES - len(self._lines)), 0) :]
        self._lines = {line.id: line for line in taken} | self._lines
        self.has_older = len(lines) >= asked and len(self._lines) < MAX_LINES
        return taken

    def add(self, line: MessageView) -> None:
        """Take the newest line, once."""
        if line.id not in self._lines:
            self._lines[line.id] = line
            self.added += 1
            self._cut()

    def move(self, event: MessagesMoved) -> None:
        """Take it that lines of ours got further."""
        for key, line in reversed(self._lines.items()):
            log, _, seq = key.rpartition(":")
            if log == event.log and int(seq) <= event.seq:
                if _rank(line.state) >= _rank(event.state):
                    break  # and so those before it
                self._lines[key] = replace(line, state=event.state)  # type: ignore[arg-type] # as the engine says
                self.moved.add(key)

    def keep(self, count: int) -> None:
        """Forget all but the newest lines."""
        self._cut(count)

    def _cut(self, most: int = MAX_LINES) -> None:
        while len(self._lines) > most:
            oldest = next(iter(self._lines))
            del self._lines[oldest]
            self.moved.discard(oldest)
            self.has_older = most < MAX_LINES or self.has_older


def _further(line: MessageView, other: MessageView | None) -> MessageView:
    return other if other and _rank(other.state) > _rank(line.state) else line


def _rank(state: str) -> int:
    return _PROGRESS.index(state) if state in _PROGRESS else len(_PROGRESS)


class Conversations:
    """All conversations by what names them.

    Attributes:
        views: As the engine told them last.
        mentions: How many unread lines name us, as far as they came while the program ran.
        transcript: The lines of the one that is open; ``None`` before one was.
        front: The one whose end the user sees now; empty for none.
        shows_notices: Whether the lobby shows who comes and who goes.
        notices: Who came and went while the program ran, oldest first, as lines; no unread ones, and no history.
        noticed: How many there were in all.
    """

    def __init__(self) -> None:
        self.views: dict[str, ConversationView] = {}
        self.mentions: dict[str, int] = {}
        self.transcript: Transcript | None = None
        self.front = ""
        self.shows_notices = True
        self.notices: deque[MessageView] = deque(maxlen=MAX_NOTICES)
        self.noticed = 0

    def reset(self, views: Iterable[ConversationView]) -> None:
        """Take all conversations anew; of the lines something may have been missed."""
        self.views = {view.conversation: view for view in views}
        self.mentions = {key: count for key, count in self.mentions.items() if key in self.views}
        if self.transcript is not None:
            self.transcript.is_loaded = False

    def open(self, conversation: str) -> Transcript:
        """Keep lines of this one from now on."""
        self.transcript = Transcript(conversation)
        return self.transcript

    def apply(self, event: Event, own: StatusView | None) -> str:
        """Take an event; return the conversation it is about, empty for none."""
        match event:
            case ConversationChanged(conversation=view):
                self.views[view.conversation] = view
                if not view.unread:
                    self.mentions.pop(view.conversation, None)
                return view.conversation
            case MessageAdded(message=line):
                if self.transcript is not None and self.transcript.conversation == line.conversation:
                    self.transcript.add(line)
                if self._is_for_us(line, own) and line.conversation != self.front:
                    self.mentions[line.conversation] = self.mentions.get(line.conversation, 0) + 1
                return line.conversation
            case MessagesMoved(conversation=conversation):
                if self.transcript is not None and self.transcript.conversation == conversation:
                    self.transcript.move(event)
                return conversation
            case PeerJoined(peer=peer) if self.shows_notices:
                return self._notice(peer, "joined")
            case PeerLeft(peer=peer) if self.shows_notices:
                return self._notice(peer, "left")
            case _:
                return ""

    def _notice(self, peer: PeerView, text: str) -> str:
        self.noticed += 1
        self.notices.append(
            MessageView(
                id=f"{NOTICE} {self.noticed}",
                conversation=LOBBY,
                sender=peer.peer_id,
                sender_name=peer.name,
                text=text,
                kind=NOTICE,
                sent_at=peer.last_seen,
                kept_at=peer.last_seen,
                state="received",
            )
        )
        return LOBBY

    def _is_for_us(self, line: MessageView, own: StatusView | None) -> bool:
        if own is None or line.sender == own.peer_id or self._is_muted(line.conversation):
            return False
        return is_mention(line.text, own.name)

    def _is_muted(self, conversation: str) -> bool:
        view = self.views.get(conversation)
        return view is not None and view.is_muted

    def is_call(self, line: MessageView, own: StatusView | None) -> bool:
        """Whether a line is to be noticed wherever the user looks: it was said to us, or names us."""
        if own is None or line.sender == own.peer_id or line.conversation == self.front:
            return False
        is_direct = not line.conversation.startswith("#")
        return not self._is_muted(line.conversation) and (is_direct or is_mention(line.text, own.name))

    @property
    def unread(self) -> int:
        """How many lines are unread in all."""
        return sum(view.unread for view in self.views.values() if view.is_member)

    @property
    def waiting(self) -> list[ConversationView]:
        """Conversations with unread lines: first who named us, then who spoke to us, then rooms."""
        unread = [view for view in self.views.values() if view.unread and view.is_member]
        return sorted(
            unread, key=lambda view: (view.conversation not in self.mentions, view.kind == "room", -view.last_at)
        )

    @property
    def listed(self) -> list[ConversationView]:
        """Those to choose from: the lobby, then the one with the newest line first; no room that was left."""
        here = [view for view in self.views.values() if view.is_member]
        return sorted(here, key=lambda view: (view.conversation != LOBBY, -view.last_at, view.name))
