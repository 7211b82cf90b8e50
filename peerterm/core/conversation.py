"""What we hold of one conversation: its logs, which lines they take, how much history stays, how far lines got.

Knows nothing of links: who holds what is ``core.members``', who is asked ``core.pulls``'. Called by ``core.talk``.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING

from peerterm.core.line_log import LineLog, Verdict
from peerterm.core.lines import OFFER, is_room
from peerterm.core.talk_messages import Forget, Head, Mark

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from peerterm.core.ids import PeerId
    from peerterm.core.lines import ConversationId, Line, LogId
    from peerterm.core.talk_messages import MarkKind

MAX_HISTORY = 2000
"""Most lines kept; then who has most loses the one kept longest, but for the last of each log and what waits."""

MAX_AUTHORS = 256
MAX_LOGS = 400
MAX_LOGS_PER_AUTHOR = 4
MAX_QUEUED = 1500
"""Most lines of our own that nobody else holds yet. With ``MAX_LOGS`` less than ``MAX_HISTORY``."""

INVITING = frozenset({"text", "me", OFFER, "accept"})
"""Kinds of lines by which our user asks for more; the others may be said without it, or end something."""


class Conversation:
    """The logs of one conversation.

    Args:
        conversation: Its id.
        own: Ourselves.
        blocked: Authors of whom nothing is taken; may change.

    Attributes:
        is_answered: Whether our user has said something there that is ``INVITING``.
    """

    def __init__(self, conversation: ConversationId, own: PeerId, blocked: AbstractSet[PeerId]) -> None:
        self.id = conversation
        self.logs: dict[LogId, LineLog] = {}
        self.is_answered = False
        self._own = own
        self._blocked = blocked
        self._lines = 0  # how many were kept so far: numbers them
        self._arrivals: dict[LogId, deque[int]] = {}  # the numbers of the lines of each log
        self._authors: defaultdict[PeerId, list[LogId]] = defaultdict(list)  # the logs of each
        self._marks: dict[tuple[LogId, MarkKind], int] = {}

    # What is held

    def heads(self) -> list[Head]:
        """Return how far each log is held."""
        return [self.head(log_id) for log_id in self.logs]

    def head(self, log_id: LogId) -> Head:
        """Return how far one log is held."""
        log = self.logs[log_id]
        return Head(log_id, log.first, log.seq)

    def seq(self, log_id: LogId) -> int:
        """Return the number of the last line held of a log, 0 if there is none."""
        return self.logs[log_id].seq if log_id in self.logs else 0

    def last_hash(self, log_id: LogId) -> bytes:
        """Return what the next line of a log names as the one before it."""
        return self.logs.get(log_id, LineLog()).last_hash

    # What is taken

    def may_speak(self, author: PeerId) -> bool:
        """Whether an author's lines belong here: anybody's in a room, else the two's."""
        return is_room(self.id) or author in self.id

    def takes(self, log_id: LogId) -> bool:
        """Whether there is room for a log, and its author is welcome."""
        if log_id.author in self._blocked or not self.may_speak(log_id.author):
            return False
        if log_id in self.logs:
            return True
        count = len(self._authors.get(log_id.author, ()))
        if len(self.logs) >= MAX_LOGS or count >= MAX_LOGS_PER_AUTHOR:
            return False
        return count > 0 or len(self._authors) < MAX_AUTHORS

    def wants(self, log_id: LogId) -> bool:
        """Whether a log is asked for: if it is taken and not forked, for what others hold of that may not fit."""
        return self.takes(log_id) and not (log_id in self.logs and self.logs[log_id].is_forked)

    def judge(self, line: Line, *, begins: bool = False) -> tuple[LineLog, Verdict]:
        """Say what a line is to its log, and where to append it if it is the next one and genuine.

        Args:
            line: Not proved to be genuine.
            begins: We asked for this very line, and nobody we know holds the ones that are missing before it.
        """
        log = self.logs.get(line.log_id)
        if begins and (log is None or line.seq > log.seq + 1):
            log = LineLog(line.seq)
        log = LineLog() if log is None else log
        return log, log.judge(line)

    def append(self, line: Line, log: LineLog) -> list[Forget]:
        """Hold a genuine line that ``judge`` called the next one of ``log``. Return what is kept no longer."""
        log_id = line.log_id
        forgotten: list[Forget] = []
        if log_id in self.logs and self.logs[log_id] is not log:  # it goes on after a gap
            forgotten.append(Forget(self.id, log_id, log.first))
        self._hold(log_id, log, line.hash, line.kind)
        return forgotten + self._trim()

    def load(self, log_id: LogId, seq: int, line_hash: bytes, kind: str) -> None:
        """Hold a line that is kept already. They come in the order they were kept."""
        log = self.logs.get(log_id)
        if log is None or seq != log.seq + 1:
            log = LineLog(seq)
        self._hold(log_id, log, line_hash, kind)

    def forked(self, log_id: LogId) -> None:
        """Note that a log was forked."""
        self.logs[log_id].is_forked = True

    # How far lines got

    def marked(self, log_id: LogId, kind: MarkKind) -> int:
        """Return up to which line of a log something is so."""
        return self._marks.get((log_id, kind), 0)

    def mark(self, log_id: LogId, kind: MarkKind, seq: int) -> list[Mark]:
        """Note up to which line something is so; nothing if that is no news, or about lines that do not exist."""
        seq = min(seq, self.seq(log_id))
        if seq <= self.marked(log_id, kind):
            return []
        self._marks[log_id, kind] = seq
        return [Mark(self.id, log_id, kind, seq)]

    def queued(self) -> int:
        """Return how many lines of ours nobody else holds."""
        logs = {log_id: self.logs[log_id] for log_id in self._authors.get(self._own, ())}
        return sum(log.seq - max(log.first - 1, self.marked(log_id, "delivered")) for log_id, log in logs.items())

    # Details

    def _hold(self, log_id: LogId, log: LineLog, line_hash: bytes, kind: str) -> None:
        if log_id not in self.logs:
            self._authors[log_id.author].append(log_id)
        if self.logs.get(log_id) is not log:
            self.logs[log_id] = log
            self._arrivals[log_id] = deque()
        log.append(line_hash)
        self._lines += 1
        self._arrivals[log_id].append(self._lines)
        self.is_answered |= log_id.author == self._own and kind in INVITING

    def _trim(self) -> list[Forget]:
        forgotten: dict[LogId, Forget] = {}
        for _ in range(sum(map(len, self._arrivals.values())) - MAX_HISTORY):
            logs = max(self._authors.values(), key=lambda logs: sum(map(self._spare, logs)))
            oldest = min(filter(self._spare, logs), key=lambda log_id: self._arrivals[log_id][0], default=None)
            if oldest is None:
                break
            self._arrivals[oldest].popleft()
            self.logs[oldest].forget_first()
            forgotten[oldest] = Forget(self.id, oldest, self.logs[oldest].first)
        return list(forgotten.values())

    def _spare(self, log_id: LogId) -> int:
        """Return how many lines of a log may go: all but the last, and but those of ours that nobody else holds."""
        log = self.logs[log_id]
        end = log.seq - 1
        if log_id.author == self._own:
            end = min(end, self.marked(log_id, "delivered"))
        return max(end - log.first + 1, 0)
