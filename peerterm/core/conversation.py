"""What we hold of one conversation: its logs, which lines they take, how much history stays, how far lines got.

Knows nothing of links: who holds what is ``core.members``', who is asked ``core.pulls``'. Called by ``core.talk``.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from peerterm.core.line_log import LineLog, Verdict
from peerterm.core.lines import is_room
from peerterm.core.talk_messages import Forget, Head, Mark

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from peerterm.core.ids import PeerId
    from peerterm.core.lines import ConversationId, Line, LogId
    from peerterm.core.talk_messages import MarkKind

MAX_HISTORY = 2000
"""Most lines kept; then those kept longest go, but for the last of each log and what waits to be taken."""

MAX_AUTHORS = 256
MAX_LOGS = 400
MAX_LOGS_PER_AUTHOR = 4
MAX_QUEUED = 1500
"""Most lines of our own that nobody else holds yet. With ``MAX_LOGS`` less than ``MAX_HISTORY``."""


class Conversation:
    """The logs of one conversation.

    Args:
        conversation: Its id.
        own: Ourselves.
        blocked: Authors of whom nothing is taken; may change.
    """

    def __init__(self, conversation: ConversationId, own: PeerId, blocked: AbstractSet[PeerId]) -> None:
        self.id = conversation
        self.logs: dict[LogId, LineLog] = {}
        self._own = own
        self._blocked = blocked
        self._arrivals: deque[LogId] = deque()  # one item for each line kept, the longest kept first
        self._authors: Counter[PeerId] = Counter()  # how many logs each has
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

    def has_spoken(self, author: PeerId) -> bool:
        """Whether a line of this author is held."""
        return author in self._authors

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
        count = self._authors[log_id.author]
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
            self._arrivals = deque(arrival for arrival in self._arrivals if arrival != log_id)
            forgotten.append(Forget(self.id, log_id, log.first))
        self._hold(log_id, log, line.hash)
        return forgotten + self._trim()

    def load(self, log_id: LogId, seq: int, line_hash: bytes) -> None:
        """Hold a line that is kept already. They come in the order they were kept."""
        log = self.logs.get(log_id)
        if log is None or seq != log.seq + 1:
            log = LineLog(seq)
        self._hold(log_id, log, line_hash)

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

    def queued(self, log_id: LogId) -> int:
        """Return how many lines of a log of ours nobody else holds."""
        return self.seq(log_id) - self.marked(log_id, "delivered")

    # Details

    def _hold(self, log_id: LogId, log: LineLog, line_hash: bytes) -> None:
        if log_id not in self.logs:
            self._authors[log_id.author] += 1
        self.logs[log_id] = log
        log.append(line_hash)
        self._arrivals.append(log_id)

    def _trim(self) -> list[Forget]:
        forgotten: dict[LogId, Forget] = {}
        while len(self._arrivals) > MAX_HISTORY:
            log_id = self._arrivals.popleft()
            log = self.logs[log_id]
            if log.first == log.seq or self._is_owed(log_id, log.first):
                self._arrivals.append(log_id)
                continue
            log.forget_first()
            forgotten[log_id] = Forget(self.id, log_id, log.first)
        return list(forgotten.values())

    def _is_owed(self, log_id: LogId, seq: int) -> bool:
        return log_id.author == self._own and seq > self.marked(log_id, "delivered")
