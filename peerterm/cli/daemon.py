"""``peerterm --no-ui``: the engine in the foreground, from the profile's lock to a clean stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from typing import TYPE_CHECKING

from peerterm import logs
from peerterm.config import Settings
from peerterm.control.lock import ProfileLock
from peerterm.control.server import ControlServer
from peerterm.engine.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from peerterm.api.engine import EngineApi
    from peerterm.cli.common import Common
    from peerterm.paths import Paths

STOP_SECONDS = 5.0
"""How long a stop may take before the process ends without waiting for the rest."""

LINGER_SECONDS = 10.0
"""How long an engine that is to end when it is idle waits for a further client."""

_log = logging.getLogger(__name__)


def run(common: Common, flags: Mapping[str, object], *, until_idle: bool = False) -> int:
    """Run an engine until it is stopped by a signal or a client.

    Args:
        common: The common options.
        flags: Settings given on the command line, by name.
        until_idle: Whether it also ends when no client is attached and there is nothing for it to do.

    Raises:
        EngineBusy: Another engine runs on this profile.
        PeertermError: It cannot start.
    """
    paths = common.paths()
    settings = Settings.load(paths.config, env=os.environ, flags=flags)
    with ProfileLock(paths.lock):
        logs.setup(
            paths.log,
            level=settings.log.level,
            size_bytes=settings.log.size_bytes,
            keep=settings.log.keep,
            to_stderr=not common.quiet,
        )
        watchdog = threading.Timer(STOP_SECONDS, _abandon)
        watchdog.daemon = True
        try:
            asyncio.run(_serve(common, settings, paths, watchdog, until_idle=until_idle))
        finally:
            watchdog.cancel()
            logs.shutdown()
    return 0


async def _serve(
    common: Common, settings: Settings, paths: Paths, watchdog: threading.Timer, *, until_idle: bool
) -> None:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, _on_signal, asked, number)
    engine = Engine(settings, paths)
    async with engine, ControlServer(engine, paths.socket) as server:
        status = await engine.status()
        common.talk(f"peerterm {status.name} is ready: port {status.port}, profile {paths.home}")
        async with asyncio.TaskGroup() as group:
            stopping = [group.create_task(_stop_when(asked, engine))]
            if until_idle:
                stopping.append(group.create_task(_stop_when_idle(engine, server)))
            await engine.run_until_stopped()
            for task in stopping:
                task.cancel()
        watchdog.start()


async def _stop_when(asked: asyncio.Event, engine: Engine) -> None:
    await asked.wait()
    await engine.stop()


async def _stop_when_idle(engine: EngineApi, server: ControlServer) -> None:
    await server.wait_alone(LINGER_SECONDS)
    while not await _is_idle(engine):
        await server.wait_alone(LINGER_SECONDS)
    logs.event(_log, logging.INFO, "nobody is attached and there is nothing to do; the engine ends")
    await engine.stop()


async def _is_idle(engine: EngineApi) -> bool:
    """Whether nobody misses an engine: it offers nothing, and no transfer runs, waits or goes on by itself."""
    at_rest = [
        view.state in ("done", "failed", "cancelled") or (view.state == "paused" and not view.error_code)
        for view in await engine.transfers()
    ]
    return all(at_rest) and not await engine.shares()


def _on_signal(asked: asyncio.Event, number: int) -> None:
    """Stop in order at the first signal; at the second, at once."""
    if asked.is_set():
        os._exit(128 + number)
    asked.set()


def _abandon() -> None:
    logs.event(_log, logging.ERROR, "the stop took too long; ending without it", seconds=STOP_SECONDS)
    os._exit(1)
