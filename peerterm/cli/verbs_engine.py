"""Verbs about the engine itself: status, stop, id, log, events."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from peerterm.api.views import LogLine
from peerterm.cli.common import COMMON, SECONDS, Common, between, print_json, stream
from peerterm.errors import ControlError, EngineNotRunning, StorageError

if TYPE_CHECKING:
    from pathlib import Path

MAX_LOG_LINES = 1000
MAX_LOG_BYTES = 1024 * 1024
"""Most of a log file that is read when no engine can be asked."""

STOP_SECONDS = 10.0
POLL_SECONDS = 0.02


def register(app: App) -> None:
    """Add the verbs."""
    app.command(
        status,
        help_epilogue="Examples:\n  peerterm status\n  peerterm status --wait 10 --json\n"
        "  peerterm status --no-start && echo an engine runs",
    )
    app.command(stop, help_epilogue="Example:\n  peerterm stop")
    app.command(identity, name="id", help_epilogue="Examples:\n  peerterm id\n  peerterm id --qr")
    app.command(log, help_epilogue="Example:\n  peerterm log --lines 20")
    app.command(events, help_epilogue="Example:\n  peerterm events | jq 'select(.event == \"peer_joined\")'")


async def status(
    *,
    wait: Annotated[
        float | None, SECONDS, Parameter(help="Wait up to this many seconds for an engine to be ready.")
    ] = None,
    common: Common = COMMON,
) -> None:
    """Show the engine's state."""
    from peerterm.control.launch import wait_ready

    until = time.monotonic() + (wait or 0.0)
    if common.no_start and wait is not None:
        await (await wait_ready(common.paths(), seconds=wait)).close()
    async with common.engine(seconds=wait) as engine:
        found = await engine.status()
        while wait is not None and found.state == "starting" and time.monotonic() < until:
            await asyncio.sleep(POLL_SECONDS)
            found = await engine.status()
    common.emit(
        found,
        [
            f"{found.name} is {found.state}: port {found.port}, pid {found.pid}, version {found.version}",
            f"id        {found.peer_id}",
            f"profile   {found.profile}",
            f"network   {', '.join(found.interfaces) or 'no interface'}",
            f"peers     {found.peers}",
            f"shares    {found.shares}",
            f"transfers {found.transfers}",
        ],
    )
    if wait is not None and found.state != "ready":
        raise EngineNotRunning(f"the engine is {found.state}, not ready", "wait longer: --wait S")


async def stop(*, common: Common = COMMON) -> None:
    """End the engine; waits until it is gone. Transfers go on at the next start."""
    from peerterm.control.lock import is_held

    async with common.engine(start=False) as engine:
        pid = (await engine.status()).pid
        await engine.stop()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await engine.wait_closed()
                while is_held(common.paths().lock):  # noqa: ASYNC110 - the end of a process can only be polled
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError as error:
            raise ControlError(f"the engine (pid {pid}) does not end", f"end it by force: kill -9 {pid}") from error
    common.talk("the engine has ended")
    common.emit({"state": "stopped", "pid": pid}, [])


async def identity(
    *,
    qr: Annotated[bool, Parameter(help="Show the link as a QR code.")] = False,
    common: Common = COMMON,
) -> None:
    """Show who this machine is to its peers."""
    async with common.engine() as engine:
        me = await engine.identity()
    common.emit(
        me,
        [
            f"name      {me.name}",
            f"tag       {me.tag}",
            f"id        {me.peer_id}",
            f"addresses {', '.join(me.addresses) or 'none'}",
            f"port      {me.port}",
            f"link      {me.link}",
        ],
    )
    if qr and not common.json:
        import segno

        segno.make(me.link).terminal(out=sys.stdout, compact=True, border=2)  # fits 24 lines


async def log(
    *,
    lines: Annotated[
        int,
        Parameter(
            name=["--lines", "-n"],
            validator=between(1, MAX_LOG_LINES),
            help="How many, at most 1000.",
            show_default=True,
        ),
    ] = 100,
    common: Common = COMMON,
) -> None:
    """Show the newest lines of the engine's log; of the last engine's, if none runs."""
    try:
        async with common.engine(start=False) as engine:
            found = await engine.log(lines)
    except EngineNotRunning:
        if common.no_start:
            raise
        found = _logged(common.paths().log, lines)
    if not found:
        common.talk("the log is empty")
    common.emit(found, (f"{_moment(x.at)} {x.level:7} {x.source}: {x.text}" for x in found))


def _logged(file: Path, lines: int) -> list[LogLine]:
    """Read the newest lines of a log file, which says why an engine ended."""
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - MAX_LOG_BYTES))
            texts = stream.read(MAX_LOG_BYTES).decode(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(f"{file}: {error.strerror}", "see who owns it: ls -l") from error
    return [line for line in map(_log_line, texts) if line is not None]


def _log_line(text: str) -> LogLine | None:
    """Read ``TIME LEVEL SOURCE text``, as ``logs.LineFormatter`` writes it; ``None`` if it is cut."""
    try:
        at, level, source, rest = text.split(maxsplit=3)
        return LogLine(at=datetime.fromisoformat(at).timestamp(), level=level.lower(), source=source, text=rest)
    except ValueError:
        return None


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


async def events(*, common: Common = COMMON) -> None:
    """Print what happens, one JSON object a line, until interrupted. The first is a snapshot."""
    async with common.engine() as engine, stream(engine.events()) as happening:
        async for event in happening:
            print_json(event)
            sys.stdout.flush()
    common.talk("the engine has ended")
