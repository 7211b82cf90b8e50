"""Turns on a virtual clock, most of them on simulated links that are shared as TCP may share them."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerterm.core.ids import PeerId
from peerterm.core.turns import (
    FIRST_CHECK_SECONDS,
    GAP_SECONDS,
    IDLE_SECONDS,
    MAX_CHECK_SECONDS,
    MAX_LEAD_BYTES,
    MAX_REMEMBERED,
    Turns,
)

ANN, BOB, CAT = PEERS = [PeerId(letter * 64) for letter in "abc"]
MIB = 1 << 20
SLICE = 256 * 1024
STEP_SECONDS = 0.005
UPLINK = 24.0 * MIB


@dataclass
class Receiver:
    """A peer that always asks for more, 1 MiB an answer, and the socket that feeds it.

    Attributes:
        weight: What TCP gives it of a full uplink, relative to the others.
        most: Bytes per second it can take at all.
        buffered: Bytes in its socket.
        given: Bytes that reached it.
    """

    weight: float = 1.0
    most: float = UPLINK
    buffered: float = 0.0
    given: float = 0.0
    slices: int = 0
    is_there: bool = True


@dataclass
class Uplink:
    """A link of so many bytes per second that some receivers share; time passes in ``run``."""

    receivers: dict[PeerId, Receiver]
    rate: float = UPLINK
    turns: Turns = field(default_factory=Turns)
    now: float = 1000.0

    def run(self, seconds: float) -> list[float]:
        """Let time pass; return the bytes per second that reached each receiver meanwhile."""
        before = [receiver.given for receiver in self.receivers.values()]
        for _ in range(round(seconds / STEP_SECONDS)):
            self.now += STEP_SECONDS
            for peer, receiver in self.receivers.items():
                self._answer(peer, receiver)
            self._carry()
        return [(each.given - old) / seconds for each, old in zip(self.receivers.values(), before, strict=True)]

    def _answer(self, peer: PeerId, receiver: Receiver) -> None:
        while receiver.is_there and receiver.buffered < max(2 * SLICE, self.rate * 2 * STEP_SECONDS):
            if receiver.slices == 0:
                self.turns.begin(peer, self.now)
            receiver.slices += 1
            if not self.turns.take(peer, SLICE, self.now):
                receiver.slices -= 1
                if receiver.slices == 0:
                    self.turns.done(peer, self.now)
                return
            receiver.buffered += SLICE
            if receiver.slices == 4:
                self.turns.done(peer, self.now)
                receiver.slices = 0

    def leave(self, peer: PeerId) -> None:
        receiver = self.receivers[peer]
        receiver.is_there = False
        if receiver.slices:
            self.turns.done(peer, self.now)
        receiver.slices = 0
        receiver.buffered = 0.0

    def _carry(self) -> None:
        left = self.rate * STEP_SECONDS
        busy = [receiver for receiver in self.receivers.values() if receiver.buffered]
        room = {id(each): min(each.most * STEP_SECONDS, each.buffered) for each in busy}
        while busy and left > 1:
            total = sum(each.weight for each in busy)
            shares = [min(left * each.weight / total, room[id(each)]) for each in busy]
            for each, share in zip(busy, shares, strict=True):
                each.buffered -= share
                each.given += share
                room[id(each)] -= share
            left -= sum(shares)
            busy = [each for each in busy if room[id(each)] > 1]


def test_unfair_link_is_shared_equally() -> None:
    """Where TCP gives one receiver 18 times the other's share, both get the same soon, and the link stays full."""
    link = Uplink({ANN: Receiver(18), BOB: Receiver(1)})
    link.run(3)
    ann, bob = link.run(7)

    assert ann == pytest.approx(bob, rel=0.05)
    assert ann + bob > 0.98 * UPLINK


def test_checks_cost_little_of_the_equality() -> None:
    """Though it is checked now and then what happens without turns, shares are nearly equal over minutes."""
    link = Uplink({ANN: Receiver(18), BOB: Receiver(1)})
    ann, bob = link.run(180)

    assert 1 < ann / bob < 1.1
    assert ann + bob > 0.98 * UPLINK


@pytest.mark.parametrize("rate", [2.0 * MIB, 5.0 * MIB, 120.0 * MIB])
def test_any_uplink_is_shared_equally(rate: float) -> None:
    """Turns suit slow and fast uplinks."""
    link = Uplink({ANN: Receiver(18, rate), BOB: Receiver(1, rate)}, rate)
    link.run(6)
    ann, bob = link.run(6)

    assert ann == pytest.approx(bob, rel=0.1)
    assert ann + bob > 0.95 * rate


@pytest.mark.parametrize("most", [0.0, 0.1 * MIB, 1.2 * MIB, 4.0 * MIB])
def test_slow_receiver_holds_nobody_back(most: float) -> None:
    """A receiver that is slow for its own reasons, or dead, costs the other less than a tenth of a minute."""
    link = Uplink({ANN: Receiver(), BOB: Receiver(most=most)})
    ann, bob = link.run(60)

    assert ann > 0.9 * (UPLINK - most)
    assert bob >= 0.9 * most


def test_receiver_that_dies_holds_nobody_back() -> None:
    """Turns that were cheap so far end soon when a receiver takes nothing more."""
    link = Uplink({ANN: Receiver(18), BOB: Receiver(1)})
    link.run(5)
    link.receivers[BOB].most = 0.0
    ann, _ = link.run(2)

    assert ann > 0.6 * UPLINK

    ann, _ = link.run(10)

    assert ann > 0.85 * UPLINK


def test_others_keep_turns_beside_a_slow_receiver() -> None:
    """Only the one that is slow is not waited for."""
    link = Uplink({ANN: Receiver(18), BOB: Receiver(1), CAT: Receiver(9, 1.0 * MIB)})
    link.run(4)
    ann, bob, cat = link.run(6)

    assert ann == pytest.approx(bob, rel=0.1)
    assert cat > 0.9 * MIB
    assert ann + bob + cat > 0.95 * UPLINK


def test_two_slow_receivers_hold_nobody_back() -> None:
    """One after the other is left behind."""
    link = Uplink({ANN: Receiver(), BOB: Receiver(most=1.0 * MIB), CAT: Receiver(most=2.0 * MIB)})
    ann, bob, cat = link.run(60)

    assert ann > 0.9 * (UPLINK - 3 * MIB)
    assert bob > 0.9 * MIB
    assert cat > 1.8 * MIB


def test_three_receivers_share_equally() -> None:
    """Turns are kept among any number of peers."""
    link = Uplink({ANN: Receiver(18), BOB: Receiver(1), CAT: Receiver(4)})
    link.run(3)
    rates = link.run(7)

    assert max(rates) < 1.1 * min(rates)
    assert sum(rates) > 0.98 * UPLINK


def test_slow_receiver_that_recovers_gets_its_share() -> None:
    """A check finds that it takes now what the others leave."""
    link = Uplink({ANN: Receiver(18), BOB: Receiver(1, 1.0 * MIB)})
    link.run(5)
    link.receivers[BOB].most = UPLINK
    link.run(FIRST_CHECK_SECONDS)
    ann, bob = link.run(6)

    assert ann == pytest.approx(bob, rel=0.1)


def test_receivers_that_become_faster_are_not_held_for_long() -> None:
    """A check finds that equality holds one back that could have more by now."""
    link = Uplink({ANN: Receiver(most=2.0 * MIB), BOB: Receiver(most=2.0 * MIB)})
    link.run(5)
    link.receivers[ANN].most = UPLINK
    link.run(FIRST_CHECK_SECONDS + 5)
    ann, bob = link.run(20)

    assert ann > 0.85 * (UPLINK - 2 * MIB)
    assert bob > 1.8 * MIB


def test_who_comes_later_has_no_claim_to_what_others_got() -> None:
    """A newcomer starts as an equal, and so does one that was away."""
    link = Uplink({ANN: Receiver(1), BOB: Receiver(1)})
    link.receivers[BOB].is_there = False
    link.run(20)
    link.receivers[BOB].is_there = True
    ann, bob = link.run(2)

    assert 0.9 < ann / bob < 1.1

    link.leave(BOB)
    link.run(3)
    link.receivers[BOB].is_there = True
    ann, bob = link.run(2)

    assert 0.9 < ann / bob < 1.1


def test_peers_that_come_and_go_cost_little() -> None:
    """Receivers that leave and return all the time leave the link nearly as full as it was."""
    link = Uplink({ANN: Receiver(18), BOB: Receiver(1), CAT: Receiver(3)})
    for round_ in range(20):
        link.run(1.5)
        link.leave(PEERS[round_ % 3])
        link.run(1.5)
        link.receivers[PEERS[round_ % 3]].is_there = True

    assert sum(each.given for each in link.receivers.values()) > 0.9 * UPLINK * 60


def test_one_alone_never_waits() -> None:
    """A peer without company is not even to ask; one whose company left is alone again after a while."""
    turns = Turns()
    turns.begin(ANN, 0.0)

    assert not turns.is_shared
    assert all(turns.take(ANN, SLICE, number / 100) for number in range(1000))

    turns.begin(BOB, 10.0)

    assert turns.is_shared

    turns.done(BOB, 11.0)
    turns.begin(ANN, 10.9 + IDLE_SECONDS)

    assert turns.is_shared

    turns.begin(ANN, 11.0 + IDLE_SECONDS)

    assert not turns.is_shared


def test_peer_between_two_answers_is_waited_for() -> None:
    """A short gap changes nothing; after a longer one the others go on."""
    link = Uplink({ANN: Receiver(18), BOB: Receiver(1)})
    link.run(4)
    link.leave(BOB)
    while link.turns.take(ANN, SLICE, link.now):
        pass
    gap = link.now + GAP_SECONDS

    assert not link.turns.take(ANN, SLICE, gap - 0.3)
    assert link.turns.take(ANN, SLICE, gap)


def test_crowd_is_not_remembered() -> None:
    """With very many peers those without an answer are forgotten."""
    turns = Turns()
    for number in range(MAX_REMEMBERED):
        turns.begin(PeerId(f"{number:064x}"), 0.0)
        turns.done(PeerId(f"{number:064x}"), 0.0)
    turns.begin(ANN, 1.0)

    assert not turns.is_shared


def test_checks_become_rare() -> None:
    """What is found again and again is checked at last every few minutes."""
    link = Uplink({ANN: Receiver(), BOB: Receiver(most=1.0 * MIB)})
    link.run(2 * MAX_CHECK_SECONDS)
    ann, _ = link.run(MAX_CHECK_SECONDS)

    assert ann > 0.99 * (UPLINK - MIB)


a_step = st.tuples(
    st.sampled_from(["begin", "done", "take"]),
    st.sampled_from(PEERS),
    st.sampled_from([0.0, 0.001, 0.1, 0.7, 11.0]),
)


@given(st.lists(a_step, max_size=300))
def test_somebody_may_always_go_on(steps: list[tuple[str, PeerId, float]]) -> None:
    """In any order of events one of the peers that are answered may be sent something, however far it is behind."""
    turns, now, answers = Turns(), 5.0, dict.fromkeys(PEERS, 0)
    for what, peer, seconds in steps:
        now += seconds
        if what == "begin":
            turns.begin(peer, now)
            answers[peer] += 1
        elif what == "done" and answers[peer]:
            turns.done(peer, now)
            answers[peer] -= 1
        elif answers[peer]:
            turns.take(peer, MAX_LEAD_BYTES, now)
        now += GAP_SECONDS
        may_go_on = [turns.take(each, 1, now) for each, count in answers.items() if count]

        assert not may_go_on or any(may_go_on)
