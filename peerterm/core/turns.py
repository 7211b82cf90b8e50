"""Turns: whose slice leaves next, so that peers served together get the same although the network is unfair.

Where the uplink is the bottleneck, TCP may give one of two receivers many times what the other gets. So a peer that
is ahead waits until the least served one has caught up. That is right only if the one behind takes what the others
leave: a peer that is slow for its own reasons must not hold them back. Which it is shows in what all get together,
once without turns and once with them. Used in lane threads through ``net.upload_turns``; times are passed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerterm.core.ids import PeerId

MAX_LEAD_BYTES = 2 * 1024 * 1024
MIN_LEAD_BYTES = 256 * 1024
LEAD_SECONDS = 0.05
"""How much of what all get together a peer may be ahead of the least served one, within the bounds above."""

GAP_SECONDS = 0.5
"""Longest time between two answers of a peer that is waited for all the same."""

IDLE_SECONDS = 10.0
"""A peer without an answer for so long is forgotten."""

MAX_REMEMBERED = 256
"""Most peers remembered; with more, those without an answer are forgotten."""

SETTLE_SECONDS = 0.25
"""How long nothing is measured after a change, while connections adapt to it."""

MEASURE_SECONDS = 1.0
MEASURE_BYTES = 10 * 1024 * 1024
MAX_MEASURE_SECONDS = 5.0
"""A measurement takes so many seconds and bytes, but not more seconds than this."""

MIN_KEPT_SHARE = 0.9
"""Turns that leave less than this of what all got together without them are too dear."""

MIN_STEADY_SHARE = 0.75
"""Turns that were found cheap are doubted when less than this is left."""

FIRST_CHECK_SECONDS = 20.0
MAX_CHECK_SECONDS = 160.0
"""What was found is checked after the first time, then after twice that and so on, up to the second."""


@dataclass(slots=True, eq=False)
class _Served:
    """A peer. ``given`` counts bytes since turns were last begun, on a scale where newcomers start as equals."""

    given: int = 0
    answers: int = 0
    left_at: float = -inf
    is_awaited: bool = True

    def is_active(self, now: float) -> bool:
        return self.answers > 0 or now < self.left_at + GAP_SECONDS


class Turns:
    """Who may be sent a slice, and whether turns are kept at all.

    Two states alternate. *Free*: everybody may; what all get together is measured. *Kept*: nobody is further ahead
    of the least served awaited peer than a small lead. The first measurement of kept turns is a trial: each time it
    finds them too dear, the peer that held the others back is not awaited any more.

    Invariant: of the active peers at least one may be sent something, at any time.
    """

    def __init__(self) -> None:
        self._peers: dict[PeerId, _Served] = {}
        self._is_kept = False
        self._is_trial = False
        self._holding: _Served | None = None  # who let others wait since the measurement began
        self._from = 0.0  # when the measurement began, or will
        self._sent = 0
        self._free_rate = 0.0
        self._free_seconds = MEASURE_SECONDS
        self._check_at = 0.0
        self._check_seconds = FIRST_CHECK_SECONDS

    @property
    def is_shared(self) -> bool:
        """Whether there was more than one peer lately; one alone need not ask."""
        return len(self._peers) > 1

    def begin(self, peer: PeerId, now: float) -> None:
        """Begin an answer to a peer; follow up with ``done``."""
        if peer not in self._peers or self.is_shared:
            self._forget(now)
        active = self._active(now)
        if not active or not self.is_shared:
            self._measure(now + SETTLE_SECONDS)
        if peer not in self._peers:
            self._peers[peer] = _Served()
            self._check_seconds = FIRST_CHECK_SECONDS
            self._check_at = min(self._check_at, now + MEASURE_SECONDS)
        served = self._peers[peer]
        if served not in active:
            served.given = max(served.given, _least(active).given if active else 0)
        served.answers += 1

    def done(self, peer: PeerId, now: float) -> None:
        """End an answer."""
        served = self._peers[peer]
        served.answers -= 1
        served.left_at = now

    def take(self, peer: PeerId, size: int, now: float) -> bool:
        """Count bytes for a peer with an answer under way, if they may be sent now.

        ``False``: ask again once others were sent something, and after a short while in any case.
        """
        self._judge(now)
        if self._is_kept:
            served, least = self._peers[peer], _least(self._active(now))
            served.given = max(served.given, least.given)
            if served.given > least.given + self._lead:
                self._holding = least
                return False
            served.given += size
        if now >= self._from:
            self._sent += size
        return True

    @property
    def _lead(self) -> int:
        return min(max(int(self._free_rate * LEAD_SECONDS), MIN_LEAD_BYTES), MAX_LEAD_BYTES)

    def _active(self, now: float) -> list[_Served]:
        return [served for served in self._peers.values() if served.is_active(now)]

    def _judge(self, now: float) -> None:
        seconds = now - self._from
        if seconds <= 0:
            return
        rate = self._sent / seconds
        if not self._is_kept:
            has_enough = seconds >= MEASURE_SECONDS and self._sent >= MEASURE_BYTES
            if has_enough or seconds >= MAX_MEASURE_SECONDS:
                self._free_rate, self._free_seconds = rate, seconds
                self._try(now)
        elif self._holding and self._is_too_dear(rate, seconds):
            self._give_up(self._holding, now)
        elif seconds >= self._free_seconds:
            self._go_on(now)

    def _is_too_dear(self, rate: float, seconds: float) -> bool:
        if seconds < self._free_seconds:
            return seconds >= self._free_seconds / 4 and rate < self._free_rate / 2
        return rate < self._free_rate * (MIN_KEPT_SHARE if self._is_trial else MIN_STEADY_SHARE)

    def _give_up(self, holding: _Served, now: float) -> None:
        """Wait no longer for one that holds the others back; if turns were cheap before, look into it first."""
        if not self._is_trial:
            self._check_seconds = FIRST_CHECK_SECONDS
            self._release(now)
            return
        holding.is_awaited = False
        if sum(served.is_awaited for served in self._peers.values()) > 1:
            self._try(now)
        else:
            self._conclude(now)

    def _go_on(self, now: float) -> None:
        """Begin the next measurement of turns that are cheap enough, or check whether they still are."""
        is_in_force = self._holding or not all(served.is_awaited for served in self._peers.values())
        if self._is_trial:
            self._conclude(now)
        elif now >= self._check_at and is_in_force:
            self._release(now)
        else:
            self._measure(now)

    def _try(self, now: float) -> None:
        self._is_kept = self._is_trial = True
        for served in self._peers.values():
            served.given = 0
        self._measure(now + SETTLE_SECONDS)

    def _conclude(self, now: float) -> None:
        self._is_trial = False
        self._check_at = now + self._check_seconds
        self._check_seconds = min(self._check_seconds * 2, MAX_CHECK_SECONDS)
        self._measure(now)

    def _release(self, now: float) -> None:
        self._is_kept = False
        for served in self._peers.values():
            served.is_awaited = True
        self._measure(now + SETTLE_SECONDS)

    def _measure(self, start: float) -> None:
        self._from = start
        self._sent = 0
        self._holding = None

    def _forget(self, now: float) -> None:
        is_full = len(self._peers) >= MAX_REMEMBERED
        for peer, served in list(self._peers.items()):
            if not served.is_active(now) and (is_full or now >= served.left_at + IDLE_SECONDS):
                del self._peers[peer]


def _least(active: Sequence[_Served]) -> _Served:
    """Return the least served of the peers that are waited for."""
    awaited = [served for served in active if served.is_awaited]
    return min(awaited or active, key=lambda served: served.given)
