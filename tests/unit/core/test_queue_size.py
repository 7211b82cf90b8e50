"""The queue at its largest: what it costs to use it does not grow with what stands in it."""

from __future__ import annotations

from peerterm.core.ids import TransferId
from peerterm.core.queue import Queue


class CountedId(str):
    """An id that counts how often it is compared."""

    compared = 0

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        CountedId.compared += 1
        return str.__eq__(self, other)


def test_long_queue_is_built_without_looking_through_it() -> None:
    """Each transfer of an engine that starts is added, looked for, rested and placed by itself."""
    queue = Queue(3)
    for number in range(1000):
        transfer_id = TransferId(CountedId(number))
        queue.add(transfer_id)
        queue.rest(transfer_id)
        queue.wake(transfer_id)
        assert queue.position(transfer_id) == number

    assert CountedId.compared < 10_000
