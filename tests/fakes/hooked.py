"""A command of a user that is told what happens, and the bus on which it happens."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from peerterm.api.events import Event, Snapshot
from peerterm.api.views import StatusView
from peerterm.config import EventSettings
from peerterm.config_values import EVENT_KINDS
from peerterm.engine.bus import Bus
from peerterm.engine.hooks import Hooks
from tests.fakes.fake_base import OWN_ID, OWN_NAME

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

KEEPS = "import sys, tempfile; open(tempfile.mkstemp(dir=sys.argv[1])[1], 'wb').write(sys.stdin.buffer.read())"
"""A program that keeps what it is told in a new file of the folder given to it."""


def snapshot(**fields: Any) -> Snapshot:
    """Return what an engine is before anything happened."""
    status = StatusView(
        state="ready",
        peer_id=OWN_ID,
        name=OWN_NAME,
        port=1,
        version="0",
        profile="/p",
        interfaces=[],
        peers=0,
        shares=0,
        transfers=0,
        started_at=0.0,
        pid=1,
    )
    return Snapshot(status=status, **{"peers": [], "shares": [], "transfers": []} | fields)


def python(program: str, *arguments: object) -> str:
    """Return a command that runs a Python program."""
    return shlex.join([sys.executable, "-I", "-S", "-c", program, *map(str, arguments)])


@asynccontextmanager
async def hooked(command: str, home: Path, *kinds: str) -> AsyncIterator[Bus]:
    """Yield a bus; a command is told of what is published there, of all kinds or of some."""
    bus = Bus(snapshot)
    settings = EventSettings(on_event=command, on_event_kinds=kinds or EVENT_KINDS)
    running = asyncio.create_task(Hooks(settings, home, bus).run())
    while not bus._subscriptions and not running.done():
        await asyncio.sleep(0)
    try:
        yield bus
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def publish(bus: Bus, *events: Event) -> None:
    """Let things happen."""
    for event in events:
        bus.publish(event)


def told(folder: Path) -> list[dict[str, Any]]:
    """Return what a command that ``KEEPS`` was told so far."""
    texts = [file.read_text() for file in folder.iterdir()]
    return [json.loads(text) for text in texts if text.endswith("\n")]
