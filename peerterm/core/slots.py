"""Upload slots: how many peers are served at once, and who is next.

A slot is a peer's, however many lanes it has. Who finds none is refused as busy and asks again; the peer that waits
longest has the next slot, and nobody keeps one for ever while others wait. Used in lane threads through
``net.upload_slots``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peerterm.core.ids import PeerId

DEFAULT_SLOTS = 8

IDLE_SECONDS = 10.0
"""A slot unused for so long is free."""

TURN_SECONDS = 30.0
"""A peer that has had its slot for so long gives it to one that has waited for so long."""

RETRY_SECONDS = 20.0
"""A waiting peer that has not asked for so long has left the line; more than ``window.MAX_BACKOFF_SECONDS``."""

MAX_WAITING = 256
"""Most peers in the line; others are refused and not remembered."""


@dataclass(slots=True)
class _Turn:
    """A peer's time with a slot, or in the line."""

    since: float
    last_at: float
    is_leaving: bool = False


class Slots:
    """Who is served and who waits, each in the order of arrival.

    Invariant: no more peers than the limit have a slot, unless the limit was lowered; then the oldest leave as
    their turns end.

    Attributes:
        limit: Most peers served at once, at least 1; may be changed at any time.
    """

    def __init__(self, limit: int = DEFAULT_SLOTS) -> None:
        self.limit = limit
        self._holders: dict[PeerId, _Turn] = {}
        self._line: dict[PeerId, _Turn] = {}
        self._answers: dict[PeerId, int] = {}  # under way

    @property
    def holders(self) -> frozenset[PeerId]:
        """The peers that have a slot."""
        return frozenset(self._holders)

    def take(self, peer: PeerId, now: float) -> bool:
        """Begin an answer to a peer, if it has a slot or gets one; follow up with ``done``.

        ``False`` is to be answered with ``Refusal.BUSY``; the peer stands in the line from then on.
        """
        self._expire(now)
        holder = self._holders.get(peer)
        if holder and not holder.is_leaving and self._is_turn_over(peer, holder, now):
            holder.is_leaving = True
            self._leave_if_done(peer)
        elif (holder and not holder.is_leaving) or self._is_next(peer):
            self._line.pop(peer, None)
            self._holders.setdefault(peer, _Turn(now, now)).last_at = now
            self._answers[peer] = self._answers.get(peer, 0) + 1
            return True
        if peer in self._line or len(self._line) < MAX_WAITING:
            self._line.setdefault(peer, _Turn(now, now)).last_at = now
        return False

    def done(self, peer: PeerId, now: float) -> None:
        """End an answer that ``take`` allowed."""
        self._answers[peer] -= 1
        if not self._answers[peer]:
            del self._answers[peer]
        self._holders[peer].last_at = now
        self._leave_if_done(peer)

    def _leave_if_done(self, peer: PeerId) -> None:
        if self._holders[peer].is_leaving and peer not in self._answers:
            del self._holders[peer]

    def _is_next(self, peer: PeerId) -> bool:
        free = self.limit - len(self._holders)
        ahead = list(self._line).index(peer) if peer in self._line else len(self._line)
        return peer not in self._holders and ahead < free

    def _is_turn_over(self, peer: PeerId, holder: _Turn, now: float) -> bool:
        if now - holder.since < TURN_SECONDS:
            return False
        staying = [each for each, turn in self._holders.items() if not turn.is_leaving]
        overdue = sum(now - turn.since >= TURN_SECONDS for turn in self._line.values())
        leaving = max(overdue + len(staying) - self.limit, 0)
        return peer in staying[:leaving]

    def _expire(self, now: float) -> None:
        for peer, turn in list(self._holders.items()):
            if peer not in self._answers and now - turn.last_at >= IDLE_SECONDS:
                del self._holders[peer]
        for peer, turn in list(self._line.items()):
            if now - turn.last_at >= RETRY_SECONDS:
                del self._line[peer]
