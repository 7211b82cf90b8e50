"""Rooms and direct conversations on a virtual clock: how soon a line is everywhere, and what it costs."""

from __future__ import annotations

from statistics import mean

import pytest

from peerterm.core.circle import FANOUT
from peerterm.core.talk_messages import Mark
from tests.fakes.talking import LAN, TalkNetwork

EXTRA_SENDS = 4
"""How often beyond ``FANOUT`` a peer may send one line, to those who ask for it."""


def room(size: int, seed: int = 1) -> TalkNetwork:
    """Return peers that are members of one room, without links."""
    network = TalkNetwork(size, seed=seed)
    for peer in network.peers:
        peer.join()
    return network


@pytest.mark.parametrize("seed", range(5))
def test_line_reaches_thirty_peers_within_a_second(seed: int) -> None:
    """In a full mesh with links of 20 ms; no peer sends it much more often than ``FANOUT`` times."""
    network = room(30, seed)
    network.mesh()
    network.run(5)
    began = network.now
    before = sum(peer.told.total() for peer in network.peers)
    line = network.peers[7].say("hello, all")
    network.run(2)
    took = [peer.heard_at[line.hash] - began for peer in network.peers]
    sends = [peer.sent_lines[line.hash] for peer in network.peers]
    messages = sum(peer.told.total() for peer in network.peers) - before

    print(
        f"\n30 peers: all after {max(took):.3f} s, half after {sorted(took)[15]:.3f} s; a peer sends the line "
        f"{mean(sends):.2f} times, at most {max(sends)}; {messages} messages in all"
    )
    assert max(took) < 1
    assert max(sends) <= FANOUT + EXTRA_SENDS


def test_many_lines_reach_thirty_peers_in_order_and_cost_as_much() -> None:
    """Thirty authors with 8 lines each, all at once: all arrive, and peers send them no oftener on average."""
    network = room(30)
    network.mesh()
    network.run(5)
    for number in range(8):
        for peer in network.peers:
            peer.say(f"{peer.number} {number}")
        network.run(0.2)
    network.run(10)
    sends = [peer.sent_lines[line.hash] for peer in network.peers for line in peer.store.lines]

    print(f"\n240 lines: a peer sends one {mean(sends):.2f} times, at most {max(sends)}")
    assert mean(sends) <= FANOUT
    for peer in network.peers:
        assert peer.lines() == {
            log_id: [f"{other.number} {number}" for number in range(8)]
            for log_id in peer.lines()
            for other in network.peers
            if other.id == log_id.author
        }
        assert len(peer.lines()) == 30


def test_chain_talks_both_ways_within_half_a_second() -> None:
    """A and C have no link; B passes on what either says."""
    network = room(3)
    network.link(0, 1)
    network.link(1, 2)
    network.run(5)
    began = network.now
    there = network.peers[0].say("there")
    back = network.peers[2].say("back")
    network.run(2)

    assert network.peers[2].heard_at[there.hash] - began < 0.5
    assert network.peers[0].heard_at[back.hash] - began < 0.5


def test_line_said_before_the_link_is_there_at_once() -> None:
    """Who links later learns by heads, over a chain too."""
    network = room(3)
    line = network.peers[0].say("first")
    network.link(1, 2)
    network.run(1)
    began = network.now
    network.link(0, 1)
    network.run(2)

    assert network.peers[1].heard_at[line.hash] - began < 0.1
    assert network.peers[2].heard_at[line.hash] - began < 0.6


def test_late_joiner_gets_the_last_200_lines_of_each() -> None:
    """From whoever is there, though the authors are gone."""
    network = room(4)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        network.link(one, other)
    for number in range(250):
        network.peers[0].say(f"zero {number}")
        if number < 50:
            network.peers[1].say(f"one {number}")
        network.run(0.1)
    network.run(5)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        network.cut(one, other)
    network.link(2, 3)
    network.run(10)

    assert sorted(network.peers[3].lines().values()) == [
        [f"one {number}" for number in range(50)],
        [f"zero {number}" for number in range(50, 250)],
    ]


def test_outbox_of_a_thousand_lines_survives_and_goes_out() -> None:
    """Both queue 1,000 lines while the other is away, restart, and meet: all is delivered within seconds."""
    network = TalkNetwork(2)
    ann, bob = network.peers
    for number in range(1000):
        ann.say(f"ann {number}", ann.to(bob))
        bob.say(f"bob {number}", ann.to(bob))
    network.restart(0)
    network.restart(1)
    network.link(0, 1)
    network.run(10)

    for peer in network.peers:
        assert sorted(peer.lines(ann.to(bob)).values()) == [
            [f"ann {number}" for number in range(1000)],
            [f"bob {number}" for number in range(1000)],
        ]
        assert all(peer.talk.state_of(line) == "delivered" for line in peer.store.lines if line.author == peer.id)


def test_direct_line_is_delivered_and_read() -> None:
    """What a line of ours has come to is known one latency after it did."""
    network = TalkNetwork(2)
    ann, bob = network.peers
    line = ann.say("are you there?", ann.to(bob))

    assert ann.talk.state_of(line) == "queued"

    network.link(0, 1)

    assert ann.talk.state_of(line) == "sent"

    network.run(0.1)

    assert ann.talk.state_of(line) == "delivered"

    bob.perform(bob.talk.read(ann.to(bob)))
    network.run(0.1)

    assert ann.talk.state_of(line) == "read"
    assert [mark.kind for mark in ann.effects if isinstance(mark, Mark)] == ["delivered", "read"]


def test_flood_of_one_author_leaves_the_others_their_pace() -> None:
    """While one says 1,500 lines at once, a line of another still is there at once."""
    network = room(3)
    network.mesh()
    network.run(5)
    for number in range(1500):
        network.peers[0].say(f"flood {number}")
    line = network.peers[1].say("me too", LAN)
    began = network.now
    network.run(0.2)

    assert network.peers[2].heard_at[line.hash] - began < 0.1

    network.run(20)

    assert all(sorted(map(len, peer.lines().values())) == [1, 1500] for peer in network.peers)
