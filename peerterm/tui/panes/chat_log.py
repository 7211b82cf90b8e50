"""The lines of the open conversation: asks for those before, follows those that come, marks what is new.

Keeps a ``CursorLog`` and the ``Transcript`` in step. Of lines that come in masses not all are drawn: those that are
left out are asked for when the user goes up to them.
"""

from __future__ import annotations

from functools import partial
from heapq import merge
from itertools import islice
from math import inf
from typing import TYPE_CHECKING

from peerterm.errors import PeertermError
from peerterm.tui import format as f
from peerterm.tui.conversations import LOBBY, MAX_LINES
from peerterm.tui.panes import chat_text as text
from peerterm.tui.panes.chat_text import Speakers

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from textual.worker import Worker

    from peerterm.api.views import MessageView
    from peerterm.tui.conversations import Transcript
    from peerterm.tui.panes.chat_view import ChatView
    from peerterm.tui.widgets.cursor_log import CursorLog
    from peerterm.tui.widgets.log_lines import LogLine

PAGE_LINES = 200
"""Lines asked for at once; so many are on the screen or just above it at first."""

MAX_NEW_LINES = 200
"""Most lines that are drawn at one time as they come; of more, only so many of the newest."""


class ChatLog:
    """The lines of the conversation that is open.

    Attributes:
        speakers: What those who speak are called.
    """

    def __init__(self, pane: ChatView, view: CursorLog) -> None:
        self._pane = pane
        self._view = view
        self._transcript: Transcript | None = None
        self._words: list[str] = []
        self._trouble = ""
        self._is_asking = False
        self._forget()

    def _forget(self) -> None:
        self.speakers = Speakers(self._pane.model.status, self._pane.model.peers.values())
        self._taken = self._noticed = 0
        self._below = 0
        self._day = ""
        self._marker, self._new, self._is_marker_fresh = "", 0, False

    # What is open

    def open(self, conversation: str) -> None:
        """Show another conversation, at its end."""
        self._transcript = self._pane.talk.open(conversation)
        self._forget()
        self._words, self._trouble, self._is_asking = [], "", False
        self._view.clear()
        self._work(partial(self._begin, self._transcript), exclusive=True)

    def close(self) -> None:
        """Show none."""
        self._pane.workers.cancel_group(self._pane, "history")
        self._transcript = None
        self._view.clear()

    def refresh(self) -> None:
        """Ask for everything again if something may have been missed."""
        if self._transcript is not None and not self._transcript.is_loaded:
            self._work(partial(self._begin, self._transcript), exclusive=True)

    def _work(self, work: Callable[[], Coroutine[None, None, None]], *, exclusive: bool = False) -> None:
        _: Worker[None] = self._pane.run_worker(work, group="history", exclusive=exclusive)

    async def _begin(self, transcript: Transcript) -> None:
        self._is_asking = False
        try:
            lines = await self._pane.engine.messages(transcript.conversation, PAGE_LINES)
        except PeertermError as error:
            self._trouble = error.message
            self._pane.seen()
            return
        self._trouble = ""
        transcript.begin(lines, PAGE_LINES)
        self._forget()
        if unread := self._pane.view.unread:
            self._marker, self._new = text.first_new(transcript.lines, self.speakers, unread), unread
            self._is_marker_fresh = True
        self._draw_anew()
        self._pane.seen()

    @property
    def is_loaded(self) -> bool:
        """Whether the lines are there."""
        return self._transcript is not None and self._transcript.is_loaded

    # What comes

    def follow(self) -> None:
        """Draw what came, and what of ours got further."""
        transcript = self._transcript
        if transcript is None or not transcript.is_loaded:
            return
        if self._view.is_at_end:
            self._below = 0
        pending, noticed = transcript.added - self._taken, self._new_notices
        if not pending and not noticed and not transcript.moved:
            return
        self.speakers = Speakers(self._pane.model.status, self._pane.model.peers.values())
        if pending > MAX_NEW_LINES:
            if self._view.is_at_end:  # else the user reads, and they wait below
                transcript.keep(PAGE_LINES)
                self._mark(transcript.newest(pending))
                self._draw_anew()
        elif pending or noticed:
            self._add(transcript.newest(pending), noticed)
        if transcript.moved:
            for key in transcript.moved:
                if line := transcript.line(key):
                    self._view.replace(self._row(line))
            transcript.moved.clear()

    def _add(self, lines: Sequence[MessageView], notices: Sequence[MessageView]) -> None:
        assert self._transcript is not None
        self._taken, self._noticed = self._transcript.added, self._pane.talk.noticed
        first_new = self._mark(lines)
        if not self._view.is_at_end:
            self._below += len(lines)
        wanted = [line for line in _merged(lines, notices) if self._is_wanted(line)]
        is_ascii = self._view.ascii_only
        new = (first_new, self._new)
        self._view.extend(text.rows_of(wanted, self.speakers, self._day, new=new, ascii_only=is_ascii))
        self._day = f.date(wanted[-1].kept_at) if wanted else self._day
        if self._is_marker_fresh and not first_new:
            self._view.replace(text.unread_rule(self._new))

    def _mark(self, lines: Sequence[MessageView]) -> str:
        """Take note of what is new to the user; return the id of the first line, if the rule belongs before it."""
        others = [line for line in lines if not self.speakers.is_own(line)]
        if self._was_in_front or not others:
            return ""
        if self._is_marker_fresh:
            self._new += len(others)
            return ""
        self._view.discard(text.UNREAD)
        self._marker, self._new, self._is_marker_fresh = others[0].id, len(others), True
        return self._marker

    @property
    def _was_in_front(self) -> bool:
        """Whether the user saw the end when it came: before this look, and still now."""
        pane = self._pane
        return (
            pane.is_in_front and self._transcript is not None and pane.talk.front == self._transcript.conversation
        )

    def was_seen(self) -> None:
        """Take it that the user saw everything: what comes while he does not look is new from there on."""
        self._is_marker_fresh = False

    def forget_marker(self) -> None:
        """Take the rule away: who answers has read."""
        self._view.discard(text.UNREAD)
        self._marker, self._is_marker_fresh = "", False

    def _draw_anew(self) -> None:
        transcript = self._transcript
        assert transcript is not None
        self._taken, self._below, self._noticed = transcript.added, 0, self._pane.talk.noticed
        transcript.moved.clear()
        shown, new = self._with_notices(self.shown), (self._marker, self._new)
        self._view.clear()
        self._view.extend(text.rows_of(shown, self.speakers, new=new, ascii_only=self._view.ascii_only))
        self._day = f.date(shown[-1].kept_at) if shown else ""

    @property
    def _new_notices(self) -> list[MessageView]:
        """Who came and went since that was drawn, in the lobby."""
        talk = self._pane.talk
        if self._transcript is None or self._transcript.conversation != LOBBY:
            return []
        return list(islice(reversed(talk.notices), talk.noticed - self._noticed))[::-1]

    def _with_notices(self, lines: Sequence[MessageView], until: float = inf) -> list[MessageView]:
        """Return lines, and in the lobby who came and went between them; older lines bring those before."""
        transcript = self._transcript
        if transcript is None or transcript.conversation != LOBBY:
            return list(lines)
        since = transcript.lines[0].kept_at if transcript.has_older and len(transcript) else -inf
        between = (each for each in self._pane.talk.notices if since <= each.kept_at < until)
        return _merged(lines, [each for each in between if self._is_wanted(each)])

    def _row(self, line: MessageView) -> LogLine:
        return text.row_of(line, self.speakers, ascii_only=self._view.ascii_only)

    # What was said before

    def load_older(self) -> None:
        """Ask for lines before the first one, and show them above it."""
        if self.is_loaded and not self._is_asking:
            self._is_asking = True
            self._work(partial(self._load, pages=1))

    def load_all(self) -> None:
        """Ask for all lines that the engine has."""
        if self.is_loaded and not self._is_asking:
            self._is_asking = True
            self._work(partial(self._load, pages=MAX_LINES))

    async def _load(self, *, pages: int) -> None:
        transcript = self._transcript
        assert transcript is not None
        try:
            while pages and transcript.has_older and transcript.is_loaded and len(transcript):
                pages -= 1
                first = transcript.lines[0]
                lines = await self._pane.engine.messages(transcript.conversation, PAGE_LINES, first.id)
                if transcript is not self._transcript or transcript.line(first.id) is None:
                    return
                self._put_above(first, transcript.prepend(lines, PAGE_LINES))
        except PeertermError as error:
            self._pane.program.say(error.advice, "error")
        finally:
            if transcript is self._transcript:
                self._is_asking = False
                self._pane.tell()

    def _put_above(self, first: MessageView, lines: Sequence[MessageView]) -> None:
        wanted = [line for line in lines if self._is_wanted(line)]
        wanted = self._with_notices(wanted, until=first.kept_at)
        if not wanted:
            return
        day = f.date(first.kept_at)
        if f.date(wanted[-1].kept_at) == day:
            self._view.discard(f"day {day}")
        new = (self._marker, self._new)
        self._view.prepend(text.rows_of(wanted, self.speakers, new=new, ascii_only=self._view.ascii_only))

    # What is wanted of it

    def filter(self, words: str) -> None:
        """Show only lines that have all these words."""
        self._words = words.casefold().split()
        if self.is_loaded:
            self._draw_anew()

    def _is_wanted(self, line: MessageView) -> bool:
        said = f"{line.sender_name} {line.text}".casefold() if self._words else ""
        return all(word in said for word in self._words)

    @property
    def shown(self) -> list[MessageView]:
        """The lines on the screen, and above it."""
        lines = [] if self._transcript is None else self._transcript.lines
        return [line for line in lines if self._is_wanted(line)]

    @property
    def line_at_cursor(self) -> MessageView | None:
        """The line that the user points at."""
        row = self._view.cursor_line
        return self._transcript.line(row.line_id) if row and self._transcript is not None else None

    @property
    def behind(self) -> int:
        """How many lines came below what the user reads."""
        if self._transcript is None or self._view.is_at_end:
            return 0
        return self._transcript.added - self._taken + self._below

    @property
    def found(self) -> str:
        """How many lines have the words."""
        count = len(self._transcript) if self._transcript is not None else 0
        more = "; looking further back ..." if self._is_asking else ""
        return f"{len(self.shown)} of {count} lines{more}"

    @property
    def why_empty(self) -> tuple[str, ...]:
        """Say why no line is there."""
        if self._trouble:
            return (self._trouble,)
        if self._words:
            return ("No line has these words; Esc shows all.",)
        return text.invitation(self._pane.view, self._pane.peer) if self.is_loaded else ()


def _merged(lines: Sequence[MessageView], notices: Sequence[MessageView]) -> list[MessageView]:
    """Return both in the order in which they came, the lines in theirs, whatever clocks say."""
    return list(merge(lines, notices, key=lambda line: line.kept_at))
