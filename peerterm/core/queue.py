"""Which transfers may run: the most urgent first, and among equals the one that stands first.

Holds every transfer that is not over. Decides who starts, and who makes room for one that is more urgent; equals
never do. Called by ``engine.downloading``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from peerterm.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from peerterm.core.ids import TransferId

MIN_PRIORITY = -100
MAX_PRIORITY = 100

Move: TypeAlias = Literal["first", "up", "down", "last"]


@dataclass(slots=True)
class QueueEntry:
    """A transfer in the queue. One that is ``resting`` (waiting for a source, or paused) keeps its position."""

    transfer_id: TransferId
    priority: int
    position: int
    is_resting: bool = False


class Queue:
    """The line of transfers.

    Invariant: entries stand in the order of their positions, which are distinct.

    Attributes:
        limit: Most transfers that run at once, at least 1; may be changed at any time.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._entries: dict[TransferId, QueueEntry] = {}

    @property
    def entries(self) -> tuple[QueueEntry, ...]:
        """Every entry by position; adding them again in this order restores the queue."""
        return tuple(self._entries.values())

    @property
    def line(self) -> list[TransferId]:
        """Every transfer, in the order in which their turns come."""
        return [entry.transfer_id for entry in _by_urgency(self._entries.values())]

    def __contains__(self, transfer_id: TransferId) -> bool:
        return transfer_id in self._entries

    def position(self, transfer_id: TransferId) -> int:
        """Return the number by which a transfer finds its place again; 0 if it is not in the queue."""
        return self._entries[transfer_id].position if transfer_id in self._entries else 0

    def add(self, transfer_id: TransferId, priority: int = 0, position: int = 0) -> None:
        """Put a transfer that is not in the queue at its end, with this position if those before it leave it free.

        Raises:
            UsageError: The priority is out of range.
        """
        assert transfer_id not in self, "already in the queue"
        end = next((last.position + 1 for last in reversed(self._entries.values())), 0)
        self._entries[transfer_id] = QueueEntry(transfer_id, _checked(priority), max(position, end))

    def remove(self, transfer_id: TransferId) -> None:
        """Forget a transfer that is over."""
        del self._entries[transfer_id]

    def prioritise(self, transfer_id: TransferId, priority: int) -> None:
        """Change how urgent a transfer is.

        Raises:
            UsageError: The priority is out of range.
        """
        self._entries[transfer_id].priority = _checked(priority)

    def move(self, transfer_id: TransferId, where: Move) -> list[TransferId]:
        """Give a transfer another place among those that are as urgent.

        Returns:
            Whose positions changed.
        """
        moved = self._entries[transfer_id]
        equals = [entry for entry in self._entries.values() if entry.priority == moved.priority]
        positions = [entry.position for entry in equals]
        place, end = equals.index(moved), len(equals) - 1
        target = {"first": 0, "up": max(place - 1, 0), "down": min(place + 1, end), "last": end}[where]
        equals.insert(target, equals.pop(place))
        changed = [(entry, at) for entry, at in zip(equals, positions, strict=True) if entry.position != at]
        for entry, position in changed:
            entry.position = position
        self._entries = dict(sorted(self._entries.items(), key=lambda item: item[1].position))
        return [entry.transfer_id for entry, _ in changed]

    def rest(self, transfer_id: TransferId) -> None:
        """Pass a transfer over until it wakes."""
        self._entries[transfer_id].is_resting = True

    def wake(self, transfer_id: TransferId) -> None:
        """Let a transfer have a place again, by the position it kept."""
        self._entries[transfer_id].is_resting = False

    def admit(self, running: Collection[TransferId]) -> list[TransferId]:
        """Return what is to start now, beside the transfers that hold a slot, in the order of starting."""
        return [entry.transfer_id for entry in self._ready(running)[: self._places(running)]]

    def overtaken(self, running: Collection[TransferId], movable: Collection[TransferId]) -> list[TransferId]:
        """Return what is to stop now, each for one that is more urgent and has no place.

        Args:
            running: Who holds a slot.
            movable: Who of them may be stopped.
        """
        if len(running) > self.limit:
            return []  # the limit was lowered: a place that one gives up would be nobody's
        waiting = self._ready(running)[self._places(running) :]
        last_first = sorted(
            (entry for entry in reversed(self._entries.values()) if entry.transfer_id in movable),
            key=lambda entry: entry.priority,
        )
        pairs = zip(last_first, waiting, strict=False)
        return [runs.transfer_id for runs, waits in pairs if runs.priority < waits.priority]

    def _ready(self, running: Collection[TransferId]) -> list[QueueEntry]:
        ready = (
            entry for entry in self._entries.values() if not entry.is_resting and entry.transfer_id not in running
        )
        return _by_urgency(ready)

    def _places(self, running: Collection[TransferId]) -> int:
        return max(self.limit - len(running), 0)


def _by_urgency(entries: Iterable[QueueEntry]) -> list[QueueEntry]:
    return sorted(entries, key=lambda entry: -entry.priority)  # stable: position decides among equals


def _checked(priority: int) -> int:
    if not MIN_PRIORITY <= priority <= MAX_PRIORITY:
        raise UsageError(
            f"{priority} is no priority", f"choose one from {MIN_PRIORITY} to {MAX_PRIORITY}; higher goes first"
        )
    return priority
