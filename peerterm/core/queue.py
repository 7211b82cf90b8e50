"""Which transfers may run: the most urgent first, and among equals the one that stands first.

Holds every transfer that is not over. Decides only who starts; a transfer that runs is never stopped for another.
Called by ``engine.downloading``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerterm.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection

    from peerterm.core.ids import TransferId

MIN_PRIORITY = -100
MAX_PRIORITY = 100


@dataclass(slots=True)
class QueueEntry:
    """A transfer in the queue. One that is ``resting`` (waiting for a source, or paused) keeps its position."""

    transfer_id: TransferId
    priority: int
    is_resting: bool = False


class Queue:
    """The line of transfers. An entry's position is its place in ``entries``.

    Attributes:
        limit: Most transfers that run at once, at least 1; may be changed at any time.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._entries: list[QueueEntry] = []

    @property
    def entries(self) -> tuple[QueueEntry, ...]:
        """Every entry by position; adding them again in this order restores the queue."""
        return tuple(self._entries)

    def add(self, transfer_id: TransferId, priority: int = 0) -> None:
        """Put a transfer that is not in the queue at its end.

        Raises:
            UsageError: The priority is out of range.
        """
        assert all(entry.transfer_id != transfer_id for entry in self._entries), "already in the queue"
        self._entries.append(QueueEntry(transfer_id, _checked(priority)))

    def remove(self, transfer_id: TransferId) -> None:
        """Forget a transfer that is over."""
        self._entries.remove(self._find(transfer_id))

    def prioritise(self, transfer_id: TransferId, priority: int) -> None:
        """Change how urgent a transfer is.

        Raises:
            UsageError: The priority is out of range.
        """
        self._find(transfer_id).priority = _checked(priority)

    def move(self, transfer_id: TransferId, position: int) -> None:
        """Give a transfer another position, from 0; one beyond the end is the last."""
        entry = self._find(transfer_id)
        self._entries.remove(entry)
        self._entries.insert(max(position, 0), entry)

    def rest(self, transfer_id: TransferId) -> None:
        """Pass a transfer over until it wakes."""
        self._find(transfer_id).is_resting = True

    def wake(self, transfer_id: TransferId) -> None:
        """Let a transfer have a place again, by the position it kept."""
        self._find(transfer_id).is_resting = False

    def admit(self, running: Collection[TransferId]) -> list[TransferId]:
        """Return what is to start now, beside the transfers that hold a slot, in the order of starting."""
        ready = [entry for entry in self._entries if not entry.is_resting and entry.transfer_id not in running]
        ready.sort(key=lambda entry: -entry.priority)  # stable: position decides among equals
        return [entry.transfer_id for entry in ready[: max(self.limit - len(running), 0)]]

    def _find(self, transfer_id: TransferId) -> QueueEntry:
        return next(entry for entry in self._entries if entry.transfer_id == transfer_id)


def _checked(priority: int) -> int:
    if not MIN_PRIORITY <= priority <= MAX_PRIORITY:
        raise UsageError(
            f"{priority} is no priority", f"choose one from {MIN_PRIORITY} to {MAX_PRIORITY}; higher goes first"
        )
    return priority
