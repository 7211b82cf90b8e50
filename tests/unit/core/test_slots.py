"""Upload slots, on a virtual clock."""

from __future__ import annotations

from peerterm.core.ids import PeerId
from peerterm.core.slots import IDLE_SECONDS, MAX_WAITING, RETRY_SECONDS, TURN_SECONDS, Slots
from peerterm.core.window import MAX_BACKOFF_SECONDS

A, B, C, D = (PeerId(letter * 64) for letter in "abcd")


def ask(slots: Slots, peer: PeerId, now: float) -> bool:
    """Ask for a piece that is answered at once."""
    if is_served := slots.take(peer, now):
        slots.done(peer, now)
    return is_served


def test_so_many_peers_are_served_and_no_more() -> None:
    """A slot is a peer's, whatever the number of its lanes."""
    slots = Slots(2)

    assert [slots.take(peer, 0.0) for peer in (A, A, B, C, A)] == [True, True, True, False, True]
    assert slots.holders == {A, B}


def test_idle_slot_is_free() -> None:
    """Ten seconds after its last answer ended a peer has no slot."""
    slots = Slots(1)
    slots.take(A, 0.0)

    assert not ask(slots, B, IDLE_SECONDS + 5)  # the answer is under way

    slots.done(A, 16.0)

    assert not ask(slots, B, 15.9 + IDLE_SECONDS)
    assert ask(slots, B, 16.0 + IDLE_SECONDS)
    assert not ask(slots, A, 16.0 + IDLE_SECONDS)


def test_longest_waiting_peer_is_next() -> None:
    """A slot that comes free is kept for who asked first, and not given to who asks most."""
    slots = Slots(1)
    ask(slots, A, 0.0)
    ask(slots, B, 1.0)
    ask(slots, C, 2.0)

    assert not ask(slots, C, 10.0)
    assert not ask(slots, D, 10.0)
    assert ask(slots, B, 11.0)
    assert not ask(slots, C, 12.0)


def test_peer_that_went_away_loses_its_place_in_the_line() -> None:
    """Nobody is waited for longer than a peer waits between two tries."""
    slots = Slots(1)
    ask(slots, A, 0.0)
    ask(slots, B, 1.0)
    ask(slots, C, 12.0)

    assert RETRY_SECONDS > MAX_BACKOFF_SECONDS
    assert not ask(slots, C, 0.9 + RETRY_SECONDS)
    assert ask(slots, C, 1.0 + RETRY_SECONDS)


def test_busy_peer_gives_its_slot_to_one_that_waits_long() -> None:
    """After its turn the oldest holder makes room for who has waited for as long, and queues again."""
    slots = Slots(2)
    slots.take(A, 0.0)
    slots.take(B, 1.0)
    for second in range(2, 32, 2):
        assert not ask(slots, C, float(second))

    assert slots.take(A, 31.9)
    assert slots.take(C, 32.0)
    assert slots.holders == {B, C}
    assert not slots.take(A, 40.0)
    assert slots.take(B, 40.0)

    for _ in range(2):
        slots.done(A, 41.0)

    assert slots.holders == {B, C}
    assert not ask(slots, A, 42.0)
    assert slots.take(B, 42.0)
    assert slots.take(C, 42.0)


def test_no_slot_is_idle_while_the_first_in_line_sleeps() -> None:
    """A holder whose turn is over is served until the peer that takes its slot asks for it."""
    slots = Slots(1)
    for second in range(0, 30, 2):
        ask(slots, A, float(second))
        ask(slots, B, second + 1.0)

    assert all(ask(slots, A, second) for second in (30.0, 35.0, 44.0))
    assert not ask(slots, C, 44.5)
    assert ask(slots, B, 45.0)
    assert not ask(slots, A, 45.1)


def test_nobody_jumps_the_line_for_a_slot_whose_turn_is_over() -> None:
    """One that waits long enough still waits for those before it."""
    slots = Slots(1)
    for second in range(0, 30, 5):
        for wait, peer in enumerate((A, B, C)):
            ask(slots, peer, float(second + wait))

    assert ask(slots, A, 34.0)
    assert not ask(slots, C, 40.0)
    assert slots.holders == {A}
    assert ask(slots, B, 40.1)
    assert not ask(slots, C, 40.2)


def test_peer_between_answers_gives_its_slot_at_once() -> None:
    """If nothing is under way the slot is free with the refusal."""
    slots = Slots(1)
    for second in range(0, int(TURN_SECONDS) + 2, 2):
        ask(slots, A, float(second))
        ask(slots, B, second + 1.0)

    assert not ask(slots, A, TURN_SECONDS + 2)
    assert ask(slots, B, TURN_SECONDS + 2)


def test_nobody_makes_room_for_nobody() -> None:
    """Without a line, turns do not end."""
    slots = Slots(2)

    assert all(ask(slots, peer, float(second)) for second in range(0, 300, 5) for peer in (A, B))


def test_everybody_gets_a_slot_in_turn() -> None:
    """With more peers than slots, all of them always busy, each is served for about the same time."""
    slots, peers = Slots(3), [PeerId(f"{number:064x}") for number in range(10)]
    served = dict.fromkeys(peers, 0)
    for second in range(3000):
        for peer in peers:
            served[peer] += ask(slots, peer, float(second))

        assert len(slots.holders) <= 3

    assert min(served.values()) > 0.7 * 3000 * 3 / 10


def test_lower_limit_takes_slots_away_as_turns_end() -> None:
    """The oldest holders leave; a higher limit holds at once."""
    slots = Slots(3)
    for peer in (A, B, C):
        ask(slots, peer, 0.0)
    slots.limit = 1

    assert all(ask(slots, peer, float(second)) for second in range(0, 30, 5) for peer in (A, B, C))
    assert [ask(slots, peer, 30.0) for peer in (A, B, C)] == [False, False, True]

    slots.limit = 3

    assert ask(slots, A, 31.0)


def test_line_is_bounded() -> None:
    """Strangers without number are refused and not remembered."""
    slots = Slots(1)
    ask(slots, A, 0.0)
    for number in range(MAX_WAITING + 10):
        assert not ask(slots, PeerId(f"{number:064x}"), 1.0)

    assert len(slots._line) == MAX_WAITING
