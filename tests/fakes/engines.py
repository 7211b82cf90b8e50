"""Real engines on loopback, in the process of the test."""

from __future__ import annotations

import asyncio
import hashlib
import os
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

from peerterm.api.events import Event
from peerterm.config import EventSettings, FileSettings, NodeSettings, Settings, TransferSettings
from peerterm.config_values import EVENT_KINDS
from peerterm.core.manifest import CHUNK_BYTES
from peerterm.engine.engine import Engine
from peerterm.paths import Paths

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    import pytest

    from peerterm.api.engine import EngineApi
    from peerterm.api.views import ShareView

PATIENCE = 20.0

MIB = CHUNK_BYTES
T = TypeVar("T")
E = TypeVar("E", bound=Event)

BEACON_PORT = 20_000 + os.getpid() % 40_000
"""Where the engines of this process hear one another, and no engine of another process on this machine."""


def settle(patch: pytest.MonkeyPatch) -> None:
    """Let engines not wait for peers after their start: the test has waited."""
    patch.setattr("peerterm.engine.peers.LONELY_SECONDS", 0.0)
    patch.setattr("peerterm.engine.peers.MEETING_SECONDS", 0.0)


def write(path: Path, data: bytes) -> Path:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def noise(size: int, seed: int = 0) -> bytes:
    """Return bytes that look random."""
    return hashlib.shake_256(seed.to_bytes(8, "big")).digest(size)


@asynccontextmanager
async def running(
    folder: Path, name: str, *, peers: tuple[str, ...] = (), at_once: int = 3, on_event: str = "", **files: Any
) -> AsyncIterator[Engine]:
    """Run one engine named ``name`` with a profile of its own below ``folder``, and ``at_once`` downloads."""
    defaults: dict[str, Any] = {"download_dir": folder / name / "downloads", "scan_threads": 2}
    settings = Settings(
        node=NodeSettings(name=name, interfaces=("lo",), discovery_port=BEACON_PORT, peers=peers),
        files=FileSettings(**defaults | files),
        transfers=TransferSettings(running=at_once, min_free=0),
        events=EventSettings(on_event=on_event, on_event_kinds=EVENT_KINDS),
    )
    async with Engine(settings, Paths.resolve(str(folder / name / "profile"), {})) as engine:
        yield engine


@asynccontextmanager
async def network(folder: Path, *names: str) -> AsyncIterator[list[Engine]]:
    """Run several engines and wait until all see all."""
    async with AsyncExitStack() as stack:
        engines = [await stack.enter_async_context(running(folder, name)) for name in names]
        for engine in engines:
            await until_online(engine, len(engines) - 1)
        yield engines


async def until_online(engine: Engine, count: int) -> None:
    """Wait until an engine sees so many peers online."""
    async with asyncio.timeout(PATIENCE):
        async for _ in engine.events():
            if (await engine.status()).peers >= count:
                return


async def eventually(condition: Callable[[], object]) -> None:
    """Wait for something that no event tells of."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


def closing(items: AsyncIterator[T]) -> AbstractAsyncContextManager[AsyncIterator[T]]:
    """Close a stream of an engine at the end of the block."""
    return aclosing(cast("AsyncGenerator[T, None]", items))


async def until(events: AsyncIterator[Event], kind: type[E]) -> E:
    """Return the next event of a kind."""
    async with asyncio.timeout(PATIENCE):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError("the engine ended")


async def first(engine: EngineApi, kind: type[E], *, after: Callable[[], object] | None = None) -> E:
    """Return the first event of a kind that comes once ``after`` is called."""
    async with closing(engine.events()) as events:
        await anext(events)
        if after:
            after()
        return await until(events, kind)


async def shared(engine: EngineApi, path: Path) -> str:
    """Share a path, wait until it is indexed, and return its root."""
    view = await indexed(engine, (await engine.share(str(path))).share_id)
    assert view.state == "ready", view.error
    return view.root


async def indexed(engine: EngineApi, share_id: str) -> ShareView:
    """Wait until a share is not being indexed, and return it."""
    return await share_when(engine, share_id, lambda view: view.state != "indexing")


async def share_when(engine: EngineApi, share_id: str, condition: Callable[[ShareView], bool]) -> ShareView:
    """Wait until a share meets a condition and return it."""
    async with asyncio.timeout(PATIENCE):
        async for _ in engine.events():
            view = next(view for view in await engine.shares() if view.share_id == share_id)
            if condition(view):
                return view
    raise AssertionError("the engine ended")
