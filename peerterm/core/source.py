"""One source of a transfer: what it is asked, what it did, and which contents it may be asked about next.

Only bookkeeping; ``core.download`` decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from peerterm.core.window import SILENCE_SECONDS, Patience, Window

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from peerterm.core.content import Content, Request
    from peerterm.core.ids import PeerId, Root
    from peerterm.core.pieces import Piece

MAX_STRIKES = 3
"""Bad pieces after which a source is not used again in this transfer."""


@dataclass(frozen=True, slots=True)
class SourceStats:
    """What a source did in this transfer; ``rate`` is bytes per second, 0 if not measured yet."""

    verified_bytes: int
    rate: float
    strikes: int
    in_flight_bytes: int
    is_stalled: bool
    is_present: bool


@dataclass(frozen=True, slots=True)
class SourceStruck:
    """A source sent bytes that are not what the root promises."""

    peer: PeerId
    strikes: int


@dataclass(frozen=True, slots=True)
class SourceDropped:
    """A source is asked no more: for ``bad data`` never again, for being ``silent`` until it joins anew."""

    peer: PeerId
    strikes: int
    reason: str


@dataclass(frozen=True, slots=True)
class SourceEmptied:
    """A source has nothing of what is left, though it said so: it changed there, or is gone."""

    peer: PeerId


class Source:
    """One source. It outlives its leaving, so that strikes and counts do too."""

    def __init__(self, peer: PeerId) -> None:
        self.peer = peer
        self.is_present = True
        self.strikes = 0
        self.verified_bytes = 0
        self.roots: set[Root] = set()  # of contents it announced
        self.reset()

    def reset(self) -> None:
        """Forget everything but its strikes and counts."""
        self.window = Window()
        self.patience = Patience()
        self.requests: dict[Piece, Request] = {}
        self._queue: list[tuple[int, Root]] = []  # contents that may have something to ask of it, in order
        self._queued: set[Root] = set()
        self.roots.clear()

    @property
    def is_banned(self) -> bool:
        """Whether it sent bad bytes too often to be asked again."""
        return self.strikes >= MAX_STRIKES

    def is_usable(self, now: float) -> bool:
        """Whether it may be asked for something, if there is room."""
        return self.is_present and not self.patience.is_stalled and now >= self.patience.ready_at

    def push(self, content: Content) -> None:
        """Note that a content may have something to ask of it."""
        if content.root not in self._queued:
            self._queued.add(content.root)
            heappush(self._queue, (content.order, content.root))

    @property
    def first_root(self) -> Root | None:
        """The most preferred content that may have something to ask of it."""
        return self._queue[0][1] if self._queue else None

    def pop(self) -> None:
        """Note that this content has nothing to ask of it for now."""
        self._queued.discard(heappop(self._queue)[1])

    def turn(self, now: float, rng: Random) -> tuple[float, float, PeerId]:
        """Return its place among sources that may choose: the one that would deliver soonest is first."""
        return self.expected(0, now), rng.random(), self.peer

    def expected(self, size: int, now: float) -> float:
        """Return when a good piece asked of it now is to be expected.

        It is late again by as much as it is now, and needs one more try for each strike.
        """
        oldest = next(iter(self.requests.values()), None)
        late = max(now - oldest.due, 0.0) if oldest else 0.0
        return now + (self.window.due(size, now) - now + late) * (1 + self.strikes)

    def lane_lost(self) -> None:
        """Note that a lane broke, which is silence; with nothing in flight it may be tried again all the same."""
        self.patience.is_owing = True
        self.patience.is_stalled = self.patience.is_stalled and bool(self.requests)

    def note_overdue(self, now: float) -> None:
        """Let its oldest requests keep nobody else from being asked, whatever bytes come now and then."""
        for request in self.requests.values():
            if now < request.asked_at + SILENCE_SECONDS:
                break
            request.is_overdue = True

    def next_piece(self, contents: Mapping[Root, Content], rng: Random) -> Piece | None:
        """Return the piece to ask of it next; contents that have none for it leave the queue.

        Contents with deadlines leave it too: they do not wait in a line.
        """
        while (root := self.first_root) is not None:
            content = contents.get(root)
            piece = content.next_piece(self.peer, rng) if content and not content.deadlines else None
            if piece:
                return piece
            self.pop()
        return None

    def deadlines(self) -> list[float]:
        """Return the times at which something changes if it stays silent."""
        times = [self.patience.ready_at] if self.patience.ready_at else []
        if self.requests:
            times.append(self.patience.deadline)
        elif self.patience.is_owing:
            times.append(self.patience.gives_up_at)
        return times

    def stats(self) -> SourceStats:
        """Return what the outside may know."""
        return SourceStats(
            verified_bytes=self.verified_bytes,
            rate=self.window.rate or 0.0,
            strikes=self.strikes,
            in_flight_bytes=self.window.in_flight,
            is_stalled=self.patience.is_stalled,
            is_present=self.is_present,
        )
