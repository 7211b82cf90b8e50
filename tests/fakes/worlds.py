"""Every implementation of ``EngineApi`` with a world around it, which a test tells what is to happen there."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol

from peerterm import logs
from peerterm.api.views import EntryView, HolderView, LogLine, SourceView
from peerterm.control.client import RemoteEngine
from peerterm.control.server import ControlServer
from tests.fakes.engines import running, shared, until_online, write
from tests.fakes.fake_engine import FakeEngine, make_hit, make_peer, make_transfer
from tests.fakes.gates import gated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from peerterm.api.engine import EngineApi
    from peerterm.engine.engine import Engine

FILM = b"film" * 1000
NAMES = ["a.txt", "b.txt", "c.txt"]
HOLDER = "anna"
IMPLEMENTATIONS = ["fake", "fake, remote", "real", "real, remote"]


class World(Protocol):
    """What is around an engine. A test says what it needs there; how it comes about is each engine's own matter."""

    async def join(self) -> None:
        """Let the peer ``HOLDER`` come online, with ``FILM`` as ``x.mkv`` and the folder ``docs`` of ``NAMES``."""

    async def leave(self) -> None:
        """Let it go."""

    def hold(self) -> None:
        """Let it give no bytes from now on."""

    def note(self, text: str) -> None:
        """Let the engine log a line."""


class FakeWorld:
    """Tells the fake engine what it is to say."""

    def __init__(self, fake: FakeEngine) -> None:
        self._fake = fake
        self._peer = make_peer(HOLDER)
        self._is_holding = False

    async def join(self) -> None:
        fake, root = self._fake, "f" * 64
        holder = HolderView(peer_id=self._peer.peer_id, name=HOLDER)
        fake.hits = [make_hit("x.mkv", path="x.mkv", size=len(FILM), root=root, peers=[holder])]
        fake.entries = [EntryView(name=name, kind="file", size=1, root="", mtime=0.0) for name in NAMES]
        source = SourceView(peer_id=self._peer.peer_id, name=HOLDER, bytes=0)
        view = make_transfer("x.mkv", total=len(FILM), sources=[source])
        done = [] if self._is_holding else [make_transfer("x.mkv", total=len(FILM), bytes=len(FILM), state="done")]
        fake.progress[f"{HOLDER}/x.mkv"] = [view, *done]
        fake.progress[f"{HOLDER}/docs"] = [
            make_transfer("docs", kind="folder", files=1, done_files=1, state="done")
        ]
        fake.peer_joined(self._peer)

    async def leave(self) -> None:
        self._fake.peer_left(self._peer)

    def hold(self) -> None:
        self._is_holding = True
        self._fake.progress = {reference: steps[:1] for reference, steps in self._fake.progress.items()}

    def note(self, text: str) -> None:
        self._fake.lines.append(LogLine(at=1.0, level="info", source="test", text=text))


class RealWorld:
    """A second engine on loopback."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self._folder = folder
        self._engine = engine
        self._stack = AsyncExitStack()
        self._holder: Engine | None = None

    async def join(self) -> None:
        self._holder = await self._stack.enter_async_context(running(self._folder, HOLDER))
        await shared(self._holder, write(self._folder / "content" / "x.mkv", FILM))
        for name in NAMES:
            write(self._folder / "content" / "docs" / name, name.encode())
        await shared(self._holder, self._folder / "content" / "docs")
        await until_online(self._engine, 1)

    async def leave(self) -> None:
        await self._stack.aclose()

    def hold(self) -> None:
        assert self._holder, "it has joined"
        self._stack.enter_context(gated(self._holder, 0))

    def note(self, text: str) -> None:
        logging.getLogger("peerterm.test").info("%s", text)


class Setup(NamedTuple):
    """An implementation, and the world around it."""

    api: EngineApi
    world: World


@asynccontextmanager
async def implementation(name: str, folder: Path) -> AsyncIterator[Setup]:
    """Run one of ``IMPLEMENTATIONS``, with what it writes below a folder."""
    async with AsyncExitStack() as stack:
        is_real, is_remote = name.startswith("real"), name.endswith("remote")
        socket = folder / "control.sock" if is_remote else None
        serve = _real_engine if is_real else _fake_engine
        api, world = await stack.enter_async_context(serve(folder, socket))
        if socket:
            api = await stack.enter_async_context(await RemoteEngine.connect(socket))
        yield Setup(api, world)


@asynccontextmanager
async def _fake_engine(folder: Path, socket: Path | None) -> AsyncIterator[tuple[EngineApi, World]]:
    """Run a fake engine, on a control socket if one is named."""
    del folder
    fake = FakeEngine()
    async with AsyncExitStack() as stack:
        if socket:
            await stack.enter_async_context(ControlServer(fake, socket))
        yield fake, FakeWorld(fake)


@asynccontextmanager
async def _real_engine(folder: Path, socket: Path | None) -> AsyncIterator[tuple[EngineApi, World]]:
    """Run a real engine as the daemon does: until a client stops it or the block ends."""
    ready: asyncio.Future[Engine] = asyncio.get_running_loop().create_future()

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            engine = await stack.enter_async_context(running(folder, "fake"))
            if socket:
                await stack.enter_async_context(ControlServer(engine, socket))
            ready.set_result(engine)
            await engine.run_until_stopped()

    logs.setup(folder / "log", level="info", size_bytes=100_000, keep=1, to_stderr=False)
    serving = asyncio.create_task(serve())
    async with asyncio.timeout(10):
        engine = await ready
    world = RealWorld(folder, engine)
    try:
        yield engine, world
    finally:
        await world.leave()
        await engine.stop()
        await serving
        logs.shutdown()
