"""The background tasks of one service: they end with it, and a bug in one ends it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Self

from peerterm.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType

log = logging.getLogger("peerterm.tasks")


class Tasks:
    """A task group that callbacks may use at any time: what they start while it is not open is dropped.

    Links, timers and threads call back until the very end of a service, when there is nothing left to start.
    """

    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()
        self._running: set[asyncio.Task[None]] = set()
        self._is_open = False

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        await self._group.__aexit__(kind, error, trace)

    def start(self, work: Coroutine[Any, Any, None], name: str | None = None) -> asyncio.Task[None] | None:
        """Run something until it ends or the service does; ``None`` if the service is over."""
        if self._is_open:
            try:
                task = self._group.create_task(work, name=name)
            except RuntimeError:  # a bug in one of the tasks is ending the group
                self._is_open = False
            else:
                self._running.add(task)
                task.add_done_callback(self._running.discard)
                return task
        work.close()
        return None

    def close(self) -> None:
        """Start nothing more; what runs goes on."""
        self._is_open = False

    def cancel(self) -> None:
        """Start nothing more, and cancel what runs."""
        self._is_open = False
        for task in self._running:
            task.cancel()


async def apart(work: Coroutine[Any, Any, None], what: str) -> bool:
    """Run something in which a bug must not end the service; return whether it ended without one.

    For what a single peer can trigger: the links to all others must not end with it.
    """
    try:
        await work
    except Exception:
        log.exception("a bug ended %s", what)
        return False
    return True


async def tolerate(what: str, work: Callable[..., Coroutine[Any, Any, None]], *arguments: object) -> None:
    """Run something that the engine can do without when its disk refuses."""
    try:
        await work(*arguments)
    except StorageError as error:
        log.warning("cannot %s: %s", what, error.message)
