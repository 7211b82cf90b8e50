"""Keeps the program attached to its engine: connects, starts it if allowed, hears its events, and comes back.

Owns the one connection; everything else asks ``engine`` for it and gets ``EngineNotRunning`` while there is none.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from peerterm.errors import EngineNotRunning, PeertermError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from peerterm.api.engine import EngineApi
    from peerterm.api.events import Event

RETRY_SECONDS = 1.0
"""Time between two attempts to reach an engine that is gone."""


class Attachment:
    """The connection to the engine, for as long as the program runs.

    Attributes:
        lost: Why there is no engine; empty while there is one.
        may_start: As given.
    """

    def __init__(
        self,
        connect: Callable[[bool], AbstractAsyncContextManager[EngineApi]],
        on_event: Callable[[Event], None],
        on_state: Callable[[], None],
        *,
        may_start: bool = True,
    ) -> None:
        """Wire it up.

        Args:
            connect: Attaches to the engine for as long as the context lasts, and starts one if told that it may;
                raises ``PeertermError``.
            on_event: Takes every event, a snapshot first.
            on_state: Called when the connection came or went.
            may_start: Whether an engine may ever be started.
        """
        self._connect = connect
        self._on_event = on_event
        self._on_state = on_state
        self._engine: EngineApi | None = None
        self.may_start = may_start
        self._is_start_due = True
        self._hurry = asyncio.Event()
        self.lost = ""

    @property
    def engine(self) -> EngineApi:
        """The engine.

        Raises:
            EngineNotRunning: It is gone, and being looked for.
        """
        if self._engine is None:
            raise EngineNotRunning("the engine is gone", "peerterm looks for it; transfers go on when it is back")
        return self._engine

    @property
    def is_attached(self) -> bool:
        """Whether there is an engine."""
        return self._engine is not None

    def start_engine(self) -> None:
        """Start an engine now, if there is none: whoever stopped it may not have meant it to stay so."""
        self._is_start_due = True
        self._hurry.set()

    async def run(self) -> None:
        """Hear the engine until cancelled, whatever becomes of it meanwhile.

        An engine is started once; one that ends later was stopped by somebody, and is only looked for.
        """
        while True:
            is_start, self._is_start_due = self._is_start_due and self.may_start, False
            self._hurry.clear()
            try:
                async with self._connect(is_start) as engine:
                    self._engine, self.lost = engine, ""
                    self._on_state()
                    async for event in engine.events():
                        self._on_event(event)
                self.lost = "the engine has ended"
            except EngineNotRunning as error:
                self.lost = self.lost or error.message  # why it ended, or could not start, says more
            except PeertermError as error:
                self.lost = error.advice
            finally:
                self._engine = None
            self._on_state()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), RETRY_SECONDS)
