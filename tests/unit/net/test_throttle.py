"""The upload limit, with real threads for a short time."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest

from peerterm.core.ids import PeerId
from peerterm.net.throttle import MAX_REMEMBERED, MAX_SLICE_BYTES, MIN_SLICE_BYTES, Throttle

ANN, BOB, CAT = (PeerId(letter * 64) for letter in "abc")
MIB = 1024 * 1024


class Lanes:
    """Threads that acquire for a peer as fast as they may, until stopped."""

    def __init__(self, throttle: Throttle) -> None:
        self.throttle = throttle
        self.acquired: Counter[PeerId] = Counter()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, peer: PeerId, lanes: int = 1, size: int | None = None) -> None:
        for _ in range(lanes):
            thread = threading.Thread(target=self._run, args=(peer, size))
            self._threads.append(thread)
            thread.start()

    def _run(self, peer: PeerId, size: int | None) -> None:
        while not self._stop.is_set():
            taken = size or self.throttle.slice_bytes
            self.throttle.acquire(peer, taken)
            self.acquired[peer] += taken
            if not self.throttle.rate:
                time.sleep(0.001)

    @property
    def total(self) -> int:
        return sum(self.acquired.values())

    def measured(self, seconds: float) -> float:
        """Return the bytes per second that pass from now on."""
        before, start = self.total, time.monotonic()
        time.sleep(seconds)
        return (self.total - before) / (time.monotonic() - start)

    def stop(self) -> None:
        self._stop.set()
        self.throttle.close()
        for thread in self._threads:
            thread.join(5)

        assert not any(thread.is_alive() for thread in self._threads)


def test_limit_holds_for_all_together() -> None:
    """Many threads of several peers get what the limit allows."""
    lanes = Lanes(Throttle(20 * MIB))
    lanes.start(ANN, 3)
    lanes.start(BOB, 2)
    rate = lanes.measured(1.0)
    lanes.stop()

    assert rate == pytest.approx(20 * MIB, rel=0.05)


@pytest.mark.parametrize(("lanes_of_ann", "size_of_bob"), [(1, None), (4, None), (4, 1000)])
def test_peers_get_equal_shares(lanes_of_ann: int, size_of_bob: int | None) -> None:
    """Neither more lanes nor larger pieces give a peer more than another."""
    lanes = Lanes(Throttle(MIB))
    lanes.start(ANN, lanes_of_ann)
    lanes.start(BOB, size=size_of_bob)
    lanes.measured(1.0)
    share = lanes.acquired[ANN] / lanes.acquired[BOB]
    lanes.stop()

    assert share == pytest.approx(1, rel=0.1)


def test_peer_that_comes_later_has_no_arrears() -> None:
    """A newcomer gets its share from then on, not what others had before."""
    lanes = Lanes(Throttle(4 * MIB))
    lanes.start(ANN)
    lanes.measured(0.4)
    before = lanes.acquired[ANN]
    lanes.start(BOB)
    lanes.measured(0.8)
    share = (lanes.acquired[ANN] - before) / lanes.acquired[BOB]
    lanes.stop()

    assert share == pytest.approx(1, rel=0.15)


def test_new_rate_wakes_those_that_wait() -> None:
    """A thread that would wait for minutes goes on at once when the limit is raised or lifted."""
    for rate in (100 * MIB, 0):
        throttle = Throttle(10)
        throttle.acquire(ANN, 1000)
        waiting = [threading.Thread(target=throttle.acquire, args=(peer, 1000)) for peer in (ANN, BOB, CAT)]
        for thread in waiting:
            thread.start()
        throttle.set_rate(rate)
        for thread in waiting:
            thread.join(5)

        assert not any(thread.is_alive() for thread in waiting)
        assert throttle.rate == rate


def test_closed_throttle_holds_nobody() -> None:
    """``close`` lets those through that wait, and those that come."""
    throttle = Throttle(10)
    throttle.acquire(ANN, 1000)
    waiting = threading.Thread(target=throttle.acquire, args=(ANN, 1000))
    waiting.start()
    throttle.close()
    waiting.join(5)
    start = time.monotonic()
    throttle.acquire(BOB, 10**9)

    assert not waiting.is_alive()
    assert time.monotonic() - start < 1


def test_no_limit_costs_nothing() -> None:
    """Without a limit a hundred thousand slices pass in a moment."""
    throttle = Throttle()
    start = time.process_time()
    for _ in range(100_000):
        throttle.acquire(ANN, MAX_SLICE_BYTES)

    assert time.process_time() - start < 0.5


def test_slices_are_small_under_a_low_limit() -> None:
    """A lane is never silent for long, for it sends little at a time."""
    throttle = Throttle()

    assert throttle.slice_bytes == MAX_SLICE_BYTES

    throttle.set_rate(320_000)

    assert throttle.slice_bytes == 10_000

    throttle.set_rate(1)

    assert throttle.slice_bytes == MIN_SLICE_BYTES

    throttle.set_rate(10**9)

    assert throttle.slice_bytes == MAX_SLICE_BYTES


@pytest.mark.parametrize(("size", "left"), [(1, 1), (1_000_000, MAX_REMEMBERED + 1)])
def test_little_is_remembered_of_peers_that_are_served(size: int, left: int) -> None:
    """Peers that come and go leave little behind, whether the limit is felt or not."""
    throttle = Throttle(1e9)
    for number in range(2 * MAX_REMEMBERED):
        throttle.acquire(PeerId(f"{number:064x}"), size)

    assert len(throttle._given) <= left
    assert throttle._turns == []
