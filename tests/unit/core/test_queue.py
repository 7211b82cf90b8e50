"""The queue of transfers."""

from __future__ import annotations

import pytest

from peerterm.core.ids import TransferId
from peerterm.core.queue import MAX_PRIORITY, MIN_PRIORITY, Queue
from peerterm.errors import UsageError

A, B, C, D = (TransferId(letter) for letter in "abcd")


def queue_of(*ids: TransferId, limit: int = 2) -> Queue:
    queue = Queue(limit)
    for each in ids:
        queue.add(each)
    return queue


def order(queue: Queue) -> list[TransferId]:
    return [entry.transfer_id for entry in queue.entries]


def test_first_come_first_served_up_to_the_limit() -> None:
    """Equals start in the order of adding, as many as the limit leaves room for."""
    queue = queue_of(A, B, C)

    assert queue.admit(set()) == [A, B]
    assert queue.admit({A}) == [B]
    assert queue.admit({A, B}) == []
    assert queue.admit({B}) == [A]


def test_higher_priority_goes_first() -> None:
    """Urgency decides before position; no more are admitted than may run."""
    queue = queue_of(A, B, C)
    queue.prioritise(C, 5)
    queue.prioritise(A, -5)

    assert queue.admit(set()) == [C, B]
    assert queue.admit({A, B}) == []


def test_resting_transfer_is_passed_over_and_keeps_its_position() -> None:
    """One that waits gives its place to the next, and comes before it again when it wakes."""
    queue = queue_of(A, B, limit=1)
    queue.rest(A)

    assert queue.admit(set()) == [B]

    queue.wake(A)

    assert queue.admit(set()) == [A]


def test_limit_may_change_at_any_time() -> None:
    """A higher limit admits more at once; a lower one stops nobody."""
    queue = queue_of(A, B, C, limit=1)
    queue.limit = 3

    assert queue.admit({A}) == [B, C]

    queue.limit = 1

    assert queue.admit({A, B}) == []


def test_transfers_can_be_moved_and_removed() -> None:
    """Positions are counted from 0, and those out of range are the ends."""
    queue = queue_of(A, B, C, D)
    moved = [queue.move(D, "first"), queue.move(A, "last"), queue.move(C, "up"), queue.move(D, "down")]

    assert order(queue) == [C, D, B, A]
    assert moved == [[D, A, B, C], [B, C, A], [C, B], [C, D]]
    assert [queue.move(C, "up"), queue.move(A, "down"), queue.move(A, "last")] == [[], [], []]

    queue.remove(D)

    assert order(queue) == [C, B, A]


def test_transfer_moves_among_its_equals() -> None:
    """Those of another priority keep their places; the line tells whose turn comes when."""
    queue = queue_of(A, B, C, D)
    queue.prioritise(B, 5)
    queue.prioritise(D, 5)
    moved = queue.move(C, "up")

    assert moved == [C, A]
    assert order(queue) == [C, B, A, D]
    assert queue.line == [B, D, C, A]


def test_positions_restore_the_queue() -> None:
    """They never change but by a move, whoever leaves; a queue made of them stands as the first did."""
    queue = queue_of(A, B, C)
    queue.remove(A)
    queue.add(D)
    queue.move(D, "up")
    again = Queue(1)
    for entry in queue.entries:
        again.add(entry.transfer_id, entry.priority, entry.position)
    again.add(A)

    assert [queue.position(each) for each in (A, B, C, D)] == [0, 1, 3, 2]
    assert order(again) == [B, D, C, A]
    assert again.position(A) == 4


def test_more_urgent_transfer_overtakes_the_least_urgent() -> None:
    """The last of those goes back, keeping its position; equals overtake nobody, nor does who rests."""
    queue = queue_of(A, B, C, D)
    running = {A, B}

    assert queue.overtaken(running, running) == []

    queue.prioritise(C, 5)

    assert queue.overtaken(running, running) == [B]
    assert queue.overtaken(running, {A}) == [A]
    assert queue.overtaken(running, set()) == []
    assert queue.overtaken({B}, {B}) == []

    queue.prioritise(D, 1)

    assert queue.overtaken(running, running) == [B, A]

    queue.rest(C)
    queue.prioritise(A, 1)

    assert queue.overtaken(running, running) == [B]


def test_nobody_is_overtaken_while_more_run_than_may() -> None:
    """When the limit was lowered, a place that one gives up would be nobody's."""
    queue = queue_of(A, B, C)
    queue.prioritise(C, 5)
    queue.limit = 1

    assert queue.overtaken({A, B}, {A, B}) == []


@pytest.mark.parametrize("priority", [MIN_PRIORITY - 1, MAX_PRIORITY + 1])
def test_priority_has_bounds(priority: int) -> None:
    """What is out of range is refused, and nothing changes."""
    queue = queue_of(A)
    with pytest.raises(UsageError, match="is no priority"):
        queue.prioritise(A, priority)
    with pytest.raises(UsageError):
        queue.add(B, priority)

    assert [(entry.transfer_id, entry.priority) for entry in queue.entries] == [(A, 0)]
