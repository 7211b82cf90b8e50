"""The life of a transfer: one table of states and events.

Decides only which state follows; ``engine.downloading`` performs what that means and feeds in what happens. What
the table does not list changes nothing if a part of the engine reports it, for parts race, and is refused if a user
asks for it.
"""

from __future__ import annotations

from enum import StrEnum

from peerterm.errors import UsageError


class State(StrEnum):
    """Where a transfer is; the values are those of ``api.views.TransferState``."""

    QUEUED = "queued"
    CONNECTING = "connecting"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    VERIFYING = "verifying"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Event(StrEnum):
    """What can happen to a transfer. ``PAUSED``, ``RESUMED``, ``CANCELLED`` and ``RETRIED`` are a user's wishes."""

    ADMITTED = "admitted"  # the queue has a place for it
    SOURCE_FOUND = "source found"
    SOURCES_GONE = "sources gone"
    OVERTAKEN = "overtaken"  # a more urgent one has its place now
    PAUSED = "paused"
    RESUMED = "resumed"
    DISK_FULL = "disk full"
    DISK_FREE = "disk free"
    FETCHED = "fetched"  # all bytes are held
    LANDED = "landed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RETRIED = "retried"
    ENGINE_STOPPED = "engine stopped"


class PauseReason(StrEnum):
    """Who paused a transfer, and so who may resume it: the user may always."""

    USER = "user"
    DISK = "disk"


_UNFINISHED = {
    Event.PAUSED: State.PAUSED,
    Event.DISK_FULL: State.PAUSED,
    Event.FAILED: State.FAILED,
    Event.CANCELLED: State.CANCELLED,
}
_UNDER_WAY = _UNFINISHED | {Event.FETCHED: State.VERIFYING, Event.ENGINE_STOPPED: State.QUEUED}

TABLE: dict[State, dict[Event, State]] = {
    State.QUEUED: {**_UNFINISHED, Event.ADMITTED: State.CONNECTING, Event.RESUMED: State.QUEUED},
    State.CONNECTING: {
        **_UNDER_WAY,
        Event.OVERTAKEN: State.QUEUED,
        Event.SOURCE_FOUND: State.RUNNING,
        Event.SOURCES_GONE: State.WAITING,
        Event.RESUMED: State.CONNECTING,
    },
    State.RUNNING: {
        **_UNDER_WAY,
        Event.OVERTAKEN: State.QUEUED,
        Event.SOURCES_GONE: State.WAITING,
        Event.RESUMED: State.RUNNING,
    },
    State.WAITING: {**_UNDER_WAY, Event.SOURCE_FOUND: State.QUEUED, Event.RESUMED: State.WAITING},
    State.PAUSED: {
        Event.PAUSED: State.PAUSED,
        Event.RESUMED: State.QUEUED,
        Event.DISK_FREE: State.QUEUED,  # only if the disk was the reason
        Event.LANDED: State.DONE,  # the pause came too late to stop it
        Event.FAILED: State.FAILED,
        Event.CANCELLED: State.CANCELLED,
    },
    State.VERIFYING: {
        **_UNFINISHED,
        Event.LANDED: State.DONE,
        Event.RESUMED: State.VERIFYING,
        Event.ENGINE_STOPPED: State.QUEUED,
    },
    State.DONE: {},
    State.FAILED: {Event.RETRIED: State.QUEUED, Event.CANCELLED: State.CANCELLED},
    State.CANCELLED: {
        Event.RETRIED: State.QUEUED,
        Event.CANCELLED: State.CANCELLED,
        Event.LANDED: State.DONE,  # it came too late, too
    },
}
"""What follows; a user's wish that leads back to the same state is granted already."""

_WISHES = frozenset({Event.PAUSED, Event.RESUMED, Event.CANCELLED, Event.RETRIED})
_OVER = frozenset({State.DONE, State.FAILED, State.CANCELLED})
_WITH_SLOT = frozenset({State.CONNECTING, State.RUNNING, State.VERIFYING})
_GIVES_WAY = frozenset(state for state, row in TABLE.items() if Event.OVERTAKEN in row)
_PAUSED_BY = {Event.PAUSED: PauseReason.USER, Event.DISK_FULL: PauseReason.DISK}
_REMEDIES = {
    State.PAUSED: "peerterm resume takes it up again",
    State.DONE: "peerterm get fetches it once more",
    State.FAILED: "peerterm retry takes it up again",
    State.CANCELLED: "peerterm retry takes it up again",
}


class Life:
    """The state of one transfer.

    Args:
        state: Where it starts, or where an earlier engine left it. That engine may not have stopped cleanly: give
            such a life ``ENGINE_STOPPED`` first.
        pause_reason: Only for a paused one; the user's if not given.

    Attributes:
        pause_reason: Who paused it; ``None`` unless it is paused.
    """

    def __init__(self, state: State = State.QUEUED, pause_reason: PauseReason | None = None) -> None:
        self._state = state
        self.pause_reason = (pause_reason or PauseReason.USER) if state == State.PAUSED else None

    @property
    def state(self) -> State:
        """Where it is."""
        return self._state

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens unless the user retries it."""
        return self._state in _OVER

    @property
    def holds_slot(self) -> bool:
        """Whether it counts against the most transfers that may run."""
        return self._state in _WITH_SLOT

    @property
    def gives_way(self) -> bool:
        """Whether it may be stopped for a more urgent one."""
        return self._state in _GIVES_WAY

    def take(self, event: Event) -> State:
        """Let something happen; return the state that follows.

        Raises:
            UsageError: The user wishes what a transfer in this state cannot do.
        """
        follows = TABLE[self._state].get(event)
        if follows is None and event in _WISHES:
            raise UsageError(
                f"a transfer that is {self._state} cannot be {event}",
                _REMEDIES.get(self._state, "it goes on by itself"),
            )
        is_users_pause = self.pause_reason == PauseReason.USER
        if follows is None or (event == Event.DISK_FREE and is_users_pause):
            return self._state
        self._state = follows
        self.pause_reason = _PAUSED_BY[event] if follows == State.PAUSED else None
        return follows


def state_diagram() -> str:
    """Return the table as a Mermaid state diagram, for ``docs/architecture.md``."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.QUEUED}"]
    for state, row in TABLE.items():
        for follows in dict.fromkeys(row.values()):
            events = ", ".join(event for event, after in row.items() if after == follows)
            lines.append(f"    {state} --> {follows}: {events}")
    return "\n".join([*lines, f"    {State.DONE} --> [*]", ""])
