"""The upload limit, with real threads for a short time."""

from __future__ import annotations

import threading
import time

import pytest

from peerterm.core.ids import PeerId
from peerterm.net.throttle import MAX_REMEMBERED, MAX_SLICE_BYTES, MIN_SLICE_BYTES, Throttle
from tests.fakes.senders import Senders

ANN, BOB, CAT = (PeerId(letter * 64) for letter in "abc")
MIB = 1024 * 1024


def lanes_of(senders: Senders, throttle: Throttle, peer: PeerId, lanes: int = 1, size: int | None = None) -> None:
    """Start lanes that acquire for a peer as fast as they may."""

    def send() -> int:
        taken = size or throttle.slice_bytes
        throttle.acquire(peer, taken)
        return taken

    for _ in range(lanes):
        senders.start(peer, send)


def test_limit_holds_for_all_together() -> None:
    """Many threads of several peers get what the limit allows."""
    throttle = Throttle(20 * MIB)
    with Senders(throttle.close) as senders:
        lanes_of(senders, throttle, ANN, 3)
        lanes_of(senders, throttle, BOB, 2)
        start = time.monotonic()
        sent = senders.next(20 * MIB)
        rate = sent.total() / (time.monotonic() - start)

    assert rate == pytest.approx(20 * MIB, rel=0.05)


@pytest.mark.parametrize(("lanes_of_ann", "size_of_bob"), [(1, None), (4, None), (4, 1000)])
def test_peers_get_equal_shares(lanes_of_ann: int, size_of_bob: int | None) -> None:
    """Neither more lanes nor larger pieces give a peer more than another, if all ask as soon as they are served."""
    throttle = Throttle(MIB / 4)  # slow, so that a thread has time to ask again on a busy machine
    with Senders(throttle.close) as senders:
        lanes_of(senders, throttle, ANN, lanes_of_ann)
        lanes_of(senders, throttle, BOB, size=size_of_bob)
        sent = senders.next(MIB // 2)

    assert sent[ANN] == pytest.approx(sent[BOB], rel=0.1)


def test_peer_that_comes_later_has_no_arrears() -> None:
    """A newcomer gets its share from then on, not what others had before."""
    throttle = Throttle(4 * MIB)
    with Senders(throttle.close) as senders:
        lanes_of(senders, throttle, ANN)
        senders.next(2 * MIB)
        lanes_of(senders, throttle, BOB)
        sent = senders.next(3 * MIB)

    assert sent[ANN] == pytest.approx(sent[BOB], rel=0.15)


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
