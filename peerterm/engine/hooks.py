"""Tells a command of the user what happens: setting ``events.on_event``.

What it is told is ``engine.happenings``', how it is run ``engine.hook_command``'s. However much happens, few run at
once and few begin in a second; what one peer causes crowds out nobody else's. What it writes and how it ends is for
the log only.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from peerterm.api.events import Notice
from peerterm.engine.happenings import Happenings
from peerterm.engine.hook_command import run_command

if TYPE_CHECKING:
    from peerterm.config import EventSettings
    from peerterm.engine.bus import Bus
    from peerterm.engine.happenings import Happening

log = logging.getLogger("peerterm.hooks")

MAX_COMMANDS = 4
"""Most runs of the command at once."""

MAX_COMMANDS_PER_SECOND = 5
"""Most runs that begin in a second."""

MAX_WAITING = 64
"""Most that waits to be told; further things are left out and counted."""

MAX_WAITING_OF_ONE = 8
"""Most of it that one peer caused; of more, likewise."""

REPORT_SECONDS = 10.0
"""How long what is left out is counted before the log says how much it was."""


class Hooks:
    """Runs the command of one engine, if there is one.

    Args:
        settings: The command, and what it is told of.
        home: The profile, which it gets as ``PEERTERM_HOME``, so that ``peerterm`` in it means this engine.
        bus: Where it is heard what happens.
    """

    def __init__(self, settings: EventSettings, home: Path, bus: Bus) -> None:
        self._command = shlex.split(settings.on_event)
        self._happenings = Happenings(settings.on_event_kinds)
        self._environment = {**os.environ, "PEERTERM_HOME": str(home)}
        self._bus = bus
        self._waiting: asyncio.Queue[Happening] = asyncio.Queue(MAX_WAITING)
        self._of: Counter[str] = Counter()
        self._left_out = 0
        self._is_leaving_out = asyncio.Event()
        self._may_begin_at = 0.0
        self._is_broken = False
        if self._command:
            self._command[0] = os.path.expanduser(self._command[0])  # noqa: PTH111 - may be a name on the path

    async def run(self) -> None:
        """Tell until cancelled; then no command runs any more."""
        if not self._command:
            return
        async with asyncio.TaskGroup() as group:
            for _ in range(MAX_COMMANDS):
                group.create_task(self._work())
            group.create_task(self._report())
            with self._bus.subscribe() as events:
                async for event in events:
                    for happening in self._happenings.take(event):
                        self._put(happening)

    def _put(self, happening: Happening) -> None:
        if self._waiting.full() or self._of[happening.origin] >= MAX_WAITING_OF_ONE:
            self._left_out += 1
            self._is_leaving_out.set()
        else:
            self._of[happening.origin] += 1
            self._waiting.put_nowait(happening)

    async def _report(self) -> None:
        while True:
            await self._is_leaving_out.wait()
            await asyncio.sleep(REPORT_SECONDS)
            log.warning("on_event left out count=%d", self._left_out)
            self._left_out = 0
            self._is_leaving_out.clear()

    async def _work(self) -> None:
        while True:
            happening = await self._waiting.get()
            self._of -= Counter([happening.origin])  # keeps none of those that have nothing waiting
            await self._pace()
            await self._tell(happening)

    async def _pace(self) -> None:
        """Wait until one more may begin."""
        now = asyncio.get_running_loop().time()
        begin_at = max(now, self._may_begin_at)
        self._may_begin_at = begin_at + 1 / MAX_COMMANDS_PER_SECOND
        await asyncio.sleep(begin_at - now)

    async def _tell(self, happening: Happening) -> None:
        try:
            outcome = await run_command(self._command, happening.to_json(), self._environment)
        except OSError as error:
            self._broken(error)
            return
        self._is_broken = False
        kind, status, output = happening.kind, outcome.status, outcome.output
        if status is None:
            log.warning("on_event took too long and was killed event=%s output=%r", kind, output)
        else:
            level = logging.WARNING if status else logging.INFO if output else logging.DEBUG
            log.log(level, "on_event ended event=%s status=%d output=%r", kind, status, output)

    def _broken(self, error: OSError) -> None:
        """Say once that there is no such command."""
        if not self._is_broken:
            self._is_broken = True
            text = f"events.on_event: {self._command[0]} cannot be started: {error.strerror}"
            self._bus.publish(Notice(level="error", text=text))
            log.warning("%s", text)
