"""The event bus: what the services publish reaches every subscriber, and no subscriber can slow the engine."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from peerterm.api.events import Event, Snapshot, coalesce_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Hashable, Iterator

MAX_QUEUED = 1000
"""Events kept for one subscriber; one that falls further behind gets a new ``Snapshot`` instead."""


class Subscription:
    """One subscriber's queue.

    Invariant: holds at most ``MAX_QUEUED`` events, and of those with one coalesce key only the newest.
    """

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot
        self._queue: dict[Hashable, Event] = {}
        self._wake = asyncio.Event()
        self._count = 0
        self._is_closed = False
        self._needs_snapshot = True

    def put(self, event: Event) -> None:
        """Queue an event; never blocks."""
        self._count += 1
        self._queue[coalesce_key(event) or self._count] = event
        if len(self._queue) > MAX_QUEUED:
            self._queue.clear()
            self._needs_snapshot = True
        self._wake.set()

    def close(self) -> None:
        """Let the reader finish after what is queued."""
        self._is_closed = True
        self._wake.set()

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            if self._needs_snapshot:
                self._needs_snapshot = False
                self._queue.clear()
                yield self._snapshot()
            elif self._queue:
                yield self._queue.pop(next(iter(self._queue)))
            elif self._is_closed:
                return
            else:
                self._wake.clear()
                await self._wake.wait()


class Bus:
    """Carries events from the services to the subscribers."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot
        self._subscriptions: set[Subscription] = set()
        self._is_closed = False

    def publish(self, event: Event) -> None:
        """Queue an event for every subscriber; never blocks."""
        for subscription in self._subscriptions:
            subscription.put(event)

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """Subscribe for the time of the ``with`` block; the first event is a ``Snapshot``."""
        subscription = Subscription(self._snapshot)
        self._subscriptions.add(subscription)
        if self._is_closed:
            subscription.close()
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def close(self) -> None:
        """End every subscription after what is queued."""
        self._is_closed = True
        for subscription in self._subscriptions:
            subscription.close()
