"""Downloads of real engines: how a test starts them, waits for them, and looks at what landed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.fakes.engines import MIB, PATIENCE, noise, shared, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from peerterm.api.engine import EngineApi
    from peerterm.api.views import TransferView
    from peerterm.engine.engine import Engine


async def share_each(engine: Engine, folder: Path, names: str, size: int = 2 * MIB) -> None:
    """Share a file of so many bytes for each letter, each of other bytes."""
    for number, name in enumerate(names):
        await shared(engine, write(folder / name, noise(size, number)))


async def get_each(engine: Engine, names: str) -> dict[str, str]:
    """Start the download of anna's file for each letter; return their ids by letter."""
    return {name: (await engine.get(f"anna/{name}")).transfer_id for name in names}


async def partly_fetched(engine: Engine, reference: str, size: int) -> TransferView:
    """Get something and wait until just so many bytes of it came."""
    started = await engine.get(reference)
    return await transfer_when(engine, started.transfer_id, lambda view: view.bytes == size)


async def fetched(engine: EngineApi, reference: str, directory: str = "") -> TransferView:
    """Get something and wait until that is over."""
    return await finished(engine, (await engine.get(reference, directory)).transfer_id)


async def finished(engine: EngineApi, transfer_id: str) -> TransferView:
    """Wait until a transfer is over and return it."""
    return await transfer_when(engine, transfer_id, lambda view: view.state in ("done", "failed", "cancelled"))


async def transfer_when(
    engine: EngineApi, transfer_id: str, condition: Callable[[TransferView], bool]
) -> TransferView:
    """Wait until a transfer meets a condition and return it."""
    view = None
    try:
        async with asyncio.timeout(PATIENCE):
            async for _ in engine.events():
                view = next(view for view in await engine.transfers() if view.transfer_id == transfer_id)
                if condition(view):
                    return view
    except TimeoutError as error:
        raise AssertionError(f"after {PATIENCE} seconds it is still {view}") from error
    raise AssertionError("the engine ended")


async def downloads_of(engine: Engine) -> list[TransferView]:
    """Return its downloads, as they are listed."""
    return [view for view in await engine.transfers() if view.direction == "down"]


def received(view: TransferView, name: str) -> int:
    """Return how many bytes of a download came from a peer."""
    return next((source.bytes for source in view.sources if source.name == name), 0)


def place(folder: Path) -> Path:
    """Return where ben's downloads go."""
    return folder / "ben" / "downloads"


def landed(folder: Path) -> list[str]:
    """Return the names of what lies where ben's downloads go."""
    return sorted(path.name for path in place(folder).iterdir()) if place(folder).exists() else []


def chunks_in(path: Path, data: bytes) -> set[int]:
    """Return which chunks of a content lie at their place in a file."""
    found = path.read_bytes()
    spans = range(0, len(data), MIB)
    return {at // MIB for at in spans if found[at : at + MIB] == data[at : at + MIB]}
