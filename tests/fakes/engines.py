"""Real engines on loopback, in the process of the test."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, cast

from peerterm.config import FileSettings, NodeSettings, Settings, TransferSettings
from peerterm.core.pieces import Piece, PieceKind, PieceRefused, Refusal
from peerterm.engine.engine import Engine
from peerterm.engine.reading import LaneReader
from peerterm.paths import Paths

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
    from pathlib import Path

    from peerterm.api.engine import EngineApi
    from peerterm.api.events import Event
    from peerterm.api.views import ShareView, TransferView
    from peerterm.core.ids import PeerId
    from peerterm.engine.reading import Offers

PATIENCE = 20.0

BEACON_PORT = 20_000 + os.getpid() % 40_000
"""Where the engines of this process hear one another, and no engine of another process on this machine."""


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
    folder: Path, name: str, *, peers: tuple[str, ...] = (), at_once: int = 3, **files: Any
) -> AsyncIterator[Engine]:
    """Run one engine named ``name`` with a profile of its own below ``folder``, and ``at_once`` downloads."""
    defaults: dict[str, Any] = {"download_dir": folder / name / "downloads", "scan_threads": 2}
    settings = Settings(
        node=NodeSettings(name=name, interfaces=("lo",), discovery_port=BEACON_PORT, peers=peers),
        files=FileSettings(**defaults | files),
        transfers=TransferSettings(running=at_once, min_free=0),
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


async def first(engine: EngineApi, kind: type[Event], *, after: Callable[[], object] | None = None) -> Any:
    """Return the first event of a kind that comes once ``after`` is called."""
    async with (
        asyncio.timeout(PATIENCE),
        aclosing(cast("AsyncGenerator[Event, None]", engine.events())) as events,
    ):
        await anext(events)
        if after:
            after()
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError("the engine ended")


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


class Gate:
    """Lets an engine upload only so many chunks; whoever asks for more waits until the gate opens or closes."""

    def __init__(self, chunks: int) -> None:
        self._is_closed = False
        self._passes = threading.Semaphore(chunks)

    def open(self) -> None:
        """Let everything pass from now on."""
        self._passes.release(1_000_000)

    def close(self) -> None:
        """Refuse every chunk from now on."""
        self._is_closed = True
        self.open()

    def enter(self, piece: Piece) -> None:
        """Wait for leave to upload a piece."""
        if piece.kind is PieceKind.CHUNK:
            self._passes.acquire()
            if self._is_closed:
                raise PieceRefused(Refusal.BUSY)


class _GatedReader(LaneReader):
    def __init__(self, offers: Offers, gate: Gate) -> None:
        super().__init__(offers)
        self._gate = gate

    def read_piece(self, piece: Piece) -> bytes | bytearray | memoryview:
        self._gate.enter(piece)
        return super().read_piece(piece)


@contextmanager
def gated(engine: Engine, chunks: int) -> Iterator[Gate]:
    """Put a gate before an engine's uploads; at the end of the block it closes."""
    gate, uploads = Gate(chunks), engine._uploads

    def open_reader(peer: PeerId) -> LaneReader:
        del peer
        return _GatedReader(uploads, gate)

    uploads.open_reader = open_reader  # type: ignore[method-assign]
    try:
        yield gate
    finally:
        gate.close()
