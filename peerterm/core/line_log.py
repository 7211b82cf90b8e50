"""One log: how far we hold what an author wrote with one database in one conversation: ``core.conversation``'s.

Holds the hashes of the lines kept, not the lines: those are in the store.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from peerterm.core.ids import HASH_BYTES
from peerterm.core.lines import NO_HASH

if TYPE_CHECKING:
    from peerterm.core.lines import Line


class Verdict(Enum):
    """What a line is to a log."""

    NEXT = auto()  # it follows the last one held
    KNOWN = auto()  # it is held already, or was
    LATER = auto()  # some before it are missing
    FORK = auto()  # if it is genuine, its author wrote two different lines in one place


class LineLog:
    """The lines ``first`` to ``seq`` of a log; none if ``seq`` is ``first - 1``.

    Args:
        first: Where the log begins for us.

    Attributes:
        is_forked: Its author wrote two different lines in one place. We go on with those that came first.
    """

    __slots__ = ("_hashes", "first", "is_forked")

    def __init__(self, first: int = 1) -> None:
        self.first = first
        self.is_forked = False
        self._hashes = bytearray()

    @property
    def seq(self) -> int:
        """The number of the last line held."""
        return self.first + len(self._hashes) // HASH_BYTES - 1

    @property
    def last_hash(self) -> bytes:
        """The hash of the last line held; ``NO_HASH`` if there is none."""
        return bytes(self._hashes[-HASH_BYTES:]) or NO_HASH

    def judge(self, line: Line) -> Verdict:
        """Say what a line of this log is to it. A log forks once: then other branches than ours are known."""
        if line.seq > self.seq + 1:
            return Verdict.LATER
        if line.seq < self.first:
            return Verdict.KNOWN
        start = (line.seq - self.first) * HASH_BYTES
        if line.seq <= self.seq:
            is_ours, ours = self._hashes[start : start + HASH_BYTES] == line.hash, Verdict.KNOWN
        else:
            is_unknown = self.seq < self.first and self.first > 1
            is_ours, ours = is_unknown or line.prev == self.last_hash, Verdict.NEXT
        if is_ours:
            return ours
        return Verdict.KNOWN if self.is_forked else Verdict.FORK

    def append(self, line_hash: bytes) -> None:
        """Take the hash of the next line."""
        self._hashes += line_hash

    def forget_first(self) -> None:
        """Hold the first line no longer. It is not the last: how far the log goes must never be forgotten."""
        assert self.first < self.seq
        del self._hashes[:HASH_BYTES]
        self.first += 1
