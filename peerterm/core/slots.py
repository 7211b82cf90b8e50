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
"""A peer that has had its slot for so long loses it to one that has waited for so long, once that one asks."""

RETRY_SECONDS = 20.0
"""A waiting peer that has not asked for so long has left the line; more than ``window.MAX_BACKOFF_SECONDS``."""

MAX_WAITING = 256
"""Most peers in the line; others are refused and not remembered."""


@dataclass(slots=True)
class _Turn:
    """A peer's time with a slot, or in the line."""

    since: float
    last_at: float


class Slots:
    """Who is served and who waits, each in the order of arrival.

    Who loses its slot to another is given the answers that are under way, and no more.

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
        if self._is_surplus(peer, now):
            del self._holders[peer]
        if peer in self._holders or self._make_room(peer, now):
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
        if holder := self._holders.get(peer):
            holder.last_at = now

    def _make_room(self, peer: PeerId, now: float) -> bool:
        """Whether it is a peer's turn; if that needs the slot of another whose turn is over, that one loses it."""
        free = self.limit - len(self._holders)
        ahead = list(self._line).index(peer) if peer in self._line else len(self._line)
        if ahead < free:
            return True
        over = self._over(now)
        if peer not in self._line or now - self._line[peer].since < TURN_SECONDS or ahead >= free + len(over):
            return False
        del self._holders[over[0]]
        return True

    def _is_surplus(self, peer: PeerId, now: float) -> bool:
        """Whether a peer has one of the slots that are more than the limit, since that was lowered."""
        surplus = max(len(self._holders) - self.limit, 0)
        return peer in self._over(now)[:surplus]

    def _over(self, now: float) -> list[PeerId]:
        """Return who has had a slot for its time, the oldest first."""
        return [peer for peer, turn in self._holders.items() if now - turn.since >= TURN_SECONDS]

    def _expire(self, now: float) -> None:
        for peer, turn in list(self._holders.items()):
            if peer not in self._answers and now - turn.last_at >= IDLE_SECONDS:
                del self._holders[peer]
        for peer, turn in list(self._line.items()):
            if now - turn.last_at >= RETRY_SECONDS:
                del self._line[peer]
