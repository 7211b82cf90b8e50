"""Real engines on loopback, in the process of the test."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from peerterm.config import FileSettings, NodeSettings, Settings
from peerterm.engine.engine import Engine
from peerterm.paths import Paths

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from peerterm.api.views import TransferView

PATIENCE = 20.0


@asynccontextmanager
async def running(folder: Path, name: str, **files: object) -> AsyncIterator[Engine]:
    """Run one engine named ``name`` with a profile of its own below ``folder``."""
    settings = Settings(
        node=NodeSettings(name=name, interfaces=("lo",)),
        files=FileSettings(download_dir=folder / name / "downloads", scan_threads=2, **files),  # type: ignore[arg-type]
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


async def shared(engine: Engine, path: Path) -> str:
    """Share a path, wait until it is indexed, and return its root."""
    share_id = (await engine.share(str(path))).share_id
    async with asyncio.timeout(PATIENCE):
        async for _ in engine.events():
            view = next(view for view in await engine.shares() if view.share_id == share_id)
            if view.state != "indexing":
                assert view.state == "ready", view.error
                return view.root
    raise AssertionError("the engine ended")


async def finished(engine: Engine, transfer_id: str) -> TransferView:
    """Wait until a transfer is over and return it."""
    return await transfer_when(engine, transfer_id, lambda view: view.state in ("done", "failed", "cancelled"))


async def transfer_when(
    engine: Engine, transfer_id: str, condition: Callable[[TransferView], bool]
) -> TransferView:
    """Wait until a transfer meets a condition and return it."""
    async with asyncio.timeout(PATIENCE):
        async for _ in engine.events():
            view = next(view for view in await engine.transfers() if view.transfer_id == transfer_id)
            if condition(view):
                return view
    raise AssertionError("the engine ended")
