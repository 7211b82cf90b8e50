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
    """Urgency decides before position; who runs is not stopped for it."""
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
    queue.move(D, 0)
    queue.move(A, 99)
    queue.move(C, -1)

    assert order(queue) == [C, D, B, A]

    queue.remove(D)

    assert order(queue) == [C, B, A]


@pytest.mark.parametrize("priority", [MIN_PRIORITY - 1, MAX_PRIORITY + 1])
def test_priority_has_bounds(priority: int) -> None:
    """What is out of range is refused, and nothing changes."""
    queue = queue_of(A)
    with pytest.raises(UsageError, match="is no priority"):
        queue.prioritise(A, priority)
    with pytest.raises(UsageError):
        queue.add(B, priority)

    assert [(entry.transfer_id, entry.priority) for entry in queue.entries] == [(A, 0)]
