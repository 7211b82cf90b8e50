"""The upload limit: lane threads wait here until they may send, and peers share what there is equally.

Owns who waits and for how long; knows nothing of sockets. Called by ``net.lane_server``; ``engine`` sets the rate.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from peerterm.core.budget import Budget

if TYPE_CHECKING:
    from peerterm.core.ids import PeerId

MAX_SLICE_BYTES = 256 * 1024
"""Most bytes to acquire and send at once."""

MIN_SLICE_BYTES = 1024

SLICES_PER_SECOND = 32
"""Under a limit slices are so small that this many leave in a second."""


MAX_REMEMBERED = 256
"""Peers of whom it is known how much they were given; with more, all start anew as equals."""


@dataclass(order=True, slots=True)
class _Turn:
    """A thread that waits. ``start`` is how much its peer had been given when it would be next."""

    start: int
    number: int
    size: int = field(compare=False)
    changed: threading.Condition = field(compare=False)
    is_over: bool = field(default=False, compare=False)


class Throttle:
    """A limit that any number of threads keep together. Every method may be called from any thread.

    Of the peers that wait, the one that was given least is next, in bytes, whatever the number of its lanes and the
    size of their slices (start-time fair queueing, Goyal et al. 1996). Who was away has no claim to what others
    were given meanwhile.

    Args:
        rate: Bytes per second for all together; 0 for no limit, which costs nothing.
    """

    def __init__(self, rate: float = 0.0) -> None:
        self._lock = threading.Lock()
        self._budget = Budget(rate, time.monotonic())
        self._turns: list[_Turn] = []  # a heap
        self._given: dict[PeerId, int] = {}  # on the scale of _progress; only what is above it
        self._progress = 0
        self._number = 0
        self._is_closed = False

    @property
    def rate(self) -> float:
        """Bytes per second; 0 for no limit."""
        return self._budget.rate

    @property
    def slice_bytes(self) -> int:
        """How much to acquire and send at once, so that a low limit is smooth and nobody waits long."""
        if not (rate := self._budget.rate):
            return MAX_SLICE_BYTES
        return min(max(int(rate / SLICES_PER_SECOND), MIN_SLICE_BYTES), MAX_SLICE_BYTES)

    def set_rate(self, rate: float) -> None:
        """Change the limit at once, for those that wait too."""
        with self._lock:
            self._budget.set_rate(rate, time.monotonic())
            self._look_again()

    def close(self) -> None:
        """Let everybody through from now on, because nothing is to be sent any more."""
        with self._lock:
            self._is_closed = True
            self._look_again()

    def acquire(self, peer: PeerId, size: int) -> None:
        """Wait until a peer may be sent so many bytes."""
        if not self._budget.rate:
            return
        with self._lock:
            if not self._is_limited:
                return
            turn = self._queue_up(peer, size)
            while not turn.is_over:
                delay = self._budget.delay(time.monotonic()) if self._turns[0] is turn else None
                if delay == 0:
                    self._grant(turn)
                else:
                    turn.changed.wait(delay)

    @property
    def _is_limited(self) -> bool:
        return bool(self._budget.rate) and not self._is_closed

    def _queue_up(self, peer: PeerId, size: int) -> _Turn:
        is_busy = self._turns or self._budget.delay(time.monotonic())
        if not is_busy or len(self._given) > MAX_REMEMBERED:
            self._given.clear()
        start = max(self._given.get(peer, 0), self._progress)
        self._given[peer] = start + size
        self._number += 1
        turn = _Turn(start, self._number, size, threading.Condition(self._lock))
        heappush(self._turns, turn)
        return turn

    def _grant(self, turn: _Turn) -> None:
        """End the first turn, and let the next thread keep time."""
        heappop(self._turns)
        turn.is_over = True
        self._budget.spend(turn.size, time.monotonic())
        self._progress = turn.start
        self._given = {peer: given for peer, given in self._given.items() if given > self._progress}
        if self._turns:
            self._turns[0].changed.notify()

    def _look_again(self) -> None:
        """Let the first thread reckon anew, or all go on if there is no limit any more."""
        if self._is_limited:
            for turn in self._turns[:1]:
                turn.changed.notify()
            return
        for turn in self._turns:
            turn.is_over = True
            turn.changed.notify()
        self._turns.clear()
        self._given.clear()
