"""Verbs about the engine itself: status, stop, id, log, events, config."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Annotated

from cyclopts import App, Parameter

from peerterm.cli.common import COMMON, Common, Table, print_json, stream
from peerterm.errors import ControlError, EngineNotRunning

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
    config = App(name="config", help="Show or change settings.")
    config.command(config_list, name="list", help_epilogue="Example:\n  peerterm config list")
    config.command(config_get, name="get", help_epilogue="Example:\n  peerterm config get node.port")
    config.command(
        config_set,
        name="set",
        help_epilogue="Examples:\n  peerterm config set node.name lab-7\n"
        "  peerterm config set node.interfaces eth0,wlan0",
    )
    config.command(config_path, name="path", help_epilogue='Example:\n  $EDITOR "$(peerterm config path)"')
    config.default(config_list)
    app.command(config)


async def status(
    *,
    wait: Annotated[float | None, Parameter(help="Wait up to this many seconds for an engine to be ready.")] = None,
    common: Common = COMMON,
) -> None:
    """Show the engine's state."""
    from peerterm.control.launch import START_SECONDS, attach, wait_ready

    paths = common.paths()
    seconds = START_SECONDS if wait is None else wait
    until = time.monotonic() + seconds
    if common.no_start and wait is not None:
        remote = await wait_ready(paths, seconds=seconds)
    else:
        remote = await attach(paths, start=not common.no_start, seconds=seconds)
    async with remote as engine:
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

        segno.make(me.link).terminal(out=sys.stdout, compact=True)


async def log(
    *,
    lines: Annotated[int, Parameter(name=["--lines", "-n"], help="How many, at most 1000.")] = 100,
    common: Common = COMMON,
) -> None:
    """Show the newest lines of the engine's log."""
    async with common.engine() as engine:
        found = await engine.log(lines)
    shown = (f"{time.strftime('%H:%M:%S', time.localtime(x.at))} {x.level:7} {x.source} {x.text}" for x in found)
    common.emit(found, shown)


async def events(*, common: Common = COMMON) -> None:
    """Print what happens, one JSON object a line, until interrupted. The first is a snapshot."""
    async with common.engine() as engine, stream(engine.events()) as happening:
        async for event in happening:
            print_json(event)
            sys.stdout.flush()


async def config_list(
    *,
    running: Annotated[bool, Parameter(help="Ask the running engine, flags included.")] = False,
    common: Common = COMMON,
) -> None:
    """List all settings, their values and where those come from."""
    from peerterm.config import Settings

    if running:
        async with common.engine(start=False) as engine:
            found = await engine.settings()
    else:
        found = Settings.load(common.paths().config, env=os.environ).views()
    rows = [(item.name, item.value, item.source, item.help) for item in found]
    common.emit(found, Table(("setting", "value", "from", "meaning"), rows))


def config_get(
    key: Annotated[str, Parameter(help="A name such as node.port, or port.")], /, *, common: Common = COMMON
) -> None:
    """Print the value of one setting."""
    from peerterm.config import Settings, find_setting

    name = find_setting(key)
    found = next(item for item in Settings.load(common.paths().config, env=os.environ).views() if item.name == name)
    common.emit(found, [found.value])


def config_set(
    key: Annotated[str, Parameter(help="A name such as node.port, or port.")],
    value: Annotated[str, Parameter(help="The new value; several are separated by commas.")],
    /,
    *,
    common: Common = COMMON,
) -> None:
    """Change a setting in config.toml; comments there stay. An engine takes it up when it starts."""
    from peerterm.config import find_setting, set_value
    from peerterm.control.lock import is_held

    paths = common.paths()
    set_value(paths.config, key, value)
    if is_held(paths.lock):
        common.talk("the engine that runs takes it up when it starts next: peerterm stop, then any verb")
    common.emit({"name": find_setting(key), "value": value, "file": str(paths.config)}, [])


def config_path(*, common: Common = COMMON) -> None:
    """Print where config.toml is, or would be."""
    path = str(common.paths().config)
    common.emit({"path": path}, [path])
