"""What every implementation of ``EngineApi`` must do: the fake and the real engine, each also through a socket."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import typing
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol, cast

import pytest

from peerterm import logs
from peerterm.api.engine import EngineApi
from peerterm.api.events import Event, PeerJoined, PeerLeft, ShareChanged, Snapshot, TransferChanged
from peerterm.api.views import (
    BrowsePage,
    ChunkMapView,
    EntryView,
    HolderView,
    IdentityView,
    LimitsView,
    LogLine,
    PeerView,
    SearchHit,
    SearchQuery,
    SettingView,
    ShareView,
    SourceView,
    StatusView,
    TransferView,
)
from peerterm.control.client import RemoteEngine
from peerterm.control.server import ControlServer
from peerterm.engine.engine import Engine
from peerterm.errors import ControlError, InvalidPath, NotFound, NotSupported, PeertermError, UsageError
from tests.fakes.engines import gated, running, shared, until_online, write
from tests.fakes.fake_engine import FakeEngine, make_hit, make_peer, make_transfer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("settled")

FILM = b"film" * 1000
NAMES = ["a.txt", "b.txt", "c.txt"]
HOLDER = "anna"


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
        fake.join(self._peer)

    async def leave(self) -> None:
        self._fake.leave(self._peer)

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


class Setup(typing.NamedTuple):
    """An implementation, and the world around it."""

    api: EngineApi
    world: World


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let engines not wait for peers after their start: the test has waited."""
    monkeypatch.setattr("peerterm.engine.peers.LONELY_SECONDS", 0.0)
    monkeypatch.setattr("peerterm.engine.peers.MEETING_SECONDS", 0.0)


@pytest.fixture(params=["fake", "fake, remote", "real", "real, remote"])
async def setup(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Setup]:
    """Yield each implementation in turn."""
    async with AsyncExitStack() as stack:
        is_real, is_remote = request.param.startswith("real"), request.param.endswith("remote")
        socket = tmp_path / "control.sock" if is_remote else None
        serve = real_engine if is_real else fake_engine
        api, world = await stack.enter_async_context(serve(tmp_path, socket))
        if socket:
            api = await stack.enter_async_context(await RemoteEngine.connect(socket))
        yield Setup(api, world)


@asynccontextmanager
async def fake_engine(folder: Path, socket: Path | None) -> AsyncIterator[tuple[EngineApi, World]]:
    """Run a fake engine, on a control socket if one is named."""
    del folder
    fake = FakeEngine()
    async with AsyncExitStack() as stack:
        if socket:
            await stack.enter_async_context(ControlServer(fake, socket))
        yield fake, FakeWorld(fake)


@asynccontextmanager
async def real_engine(folder: Path, socket: Path | None) -> AsyncIterator[tuple[EngineApi, World]]:
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


@asynccontextmanager
async def closing(items: AsyncIterator[Any]) -> AsyncIterator[AsyncIterator[Any]]:
    """Close a stream at the end of the block."""
    try:
        yield items
    finally:
        await cast("AsyncGenerator[Any, None]", items).aclose()


async def until(events: AsyncIterator[Event], kind: type[Event]) -> Any:
    """Return the next event of a kind."""
    async with asyncio.timeout(10):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError("the stream ended")


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Return a folder to share."""
    write(tmp_path / "album" / "one.ogg", b"one")
    return tmp_path / "album"


async def test_queries_return_their_views(setup: Setup) -> None:
    """Each query answers with the type that the contract names."""
    await setup.world.join()
    setup.world.note("it works")
    (peer,) = await setup.api.peers()
    lines = await setup.api.log(5)

    assert isinstance(await setup.api.status(), StatusView)
    assert isinstance(await setup.api.identity(), IdentityView)
    assert isinstance(peer, PeerView)
    assert (peer.name, peer.state) == (HOLDER, "online")
    assert 1 <= len(lines) <= 5
    assert all(isinstance(line, LogLine) for line in lines)
    assert "it works" in [line.text for line in await setup.api.log(100)]
    assert all(isinstance(item, SettingView) for item in await setup.api.settings())


async def test_sharing_twice_keeps_one_share(setup: Setup, album: Path) -> None:
    """A path that is shared already returns its share."""
    first = await setup.api.share(str(album))
    second = await setup.api.share(str(album))

    assert isinstance(first, ShareView)
    assert second.share_id == first.share_id
    assert [share.share_id for share in await setup.api.shares()] == [first.share_id]


async def test_end_of_indexing_is_an_event(setup: Setup, album: Path) -> None:
    """A subscriber learns that a share is ready without asking."""
    async with closing(setup.api.events()) as events:
        await until(events, Snapshot)
        view = await setup.api.share(str(album), "videos")
        changed = await until(events, ShareChanged)
        while changed.share.state == "indexing":
            changed = await until(events, ShareChanged)

    assert view.state == "indexing"
    assert (changed.share.state, changed.share.name) == ("ready", "videos")
    assert changed.share.share_id == view.share_id


async def test_path_that_does_not_exist_cannot_be_shared(setup: Setup, tmp_path: Path) -> None:
    """The error names the path and says what to do."""
    with pytest.raises(InvalidPath) as raised:
        await setup.api.share(str(tmp_path / "absent"))

    assert "absent" in raised.value.message
    assert raised.value.hint


async def test_other_visibilities_are_refused(setup: Setup, album: Path) -> None:
    """What is not offered yet is refused, never silently widened."""
    with pytest.raises(NotSupported):
        await setup.api.share(str(album), visibility="known")


async def test_unshare_forgets_and_rescan_finds(setup: Setup, album: Path) -> None:
    """A share can be named by its path; a forgotten one is not found."""
    view = await setup.api.share(str(album))
    again = await setup.api.rescan()
    gone = await setup.api.unshare(str(album))

    assert [share.share_id for share in again] == [view.share_id]
    assert gone.share_id == view.share_id
    assert await setup.api.shares() == []
    with pytest.raises(NotFound):
        await setup.api.unshare(view.share_id)


async def test_browse_continues_where_the_page_ended(setup: Setup) -> None:
    """``next`` of a page leads to the rest, and is empty at the end."""
    await setup.world.join()

    first = await setup.api.browse(HOLDER, "docs", limit=2)
    second = await setup.api.browse(HOLDER, "docs", after=first.next, limit=2)

    assert isinstance(first, BrowsePage)
    assert [len(first.entries), len(second.entries)] == [2, 1]
    assert [entry.name for entry in first.entries + second.entries] == NAMES
    assert second.next == ""


async def test_peer_that_nobody_knows_cannot_be_browsed(setup: Setup) -> None:
    """The error is the same whether anybody is online or not."""
    await setup.world.join()

    with pytest.raises(NotFound):
        await setup.api.browse("nobody")


async def test_search_yields_hits_and_ends(setup: Setup) -> None:
    """Hits come with their holders."""
    await setup.world.join()

    found = [item async for item in setup.api.search(SearchQuery(text="mkv", max_size=10_000))]

    assert all(isinstance(hit, SearchHit) for hit in found)
    assert [(hit.name, hit.size, [holder.name for holder in hit.peers]) for hit in found] == [
        ("x.mkv", len(FILM), [HOLDER])
    ]


async def test_search_can_be_left_early(setup: Setup) -> None:
    """Closing the stream ends the search; the next one works."""
    await setup.world.join()
    async with closing(setup.api.search(SearchQuery(text="mkv"))) as items:
        await anext(items)

    assert len([item async for item in setup.api.search(SearchQuery(text="mkv"))]) == 1


async def test_download_runs_to_its_end(setup: Setup) -> None:
    """From ``get`` on, events tell how far it is, until it is done and complete."""
    await setup.world.join()
    async with closing(setup.api.events()) as events:
        await until(events, Snapshot)
        started = await setup.api.get(f"{HOLDER}/x.mkv")
        changed = await until(events, TransferChanged)
        while changed.transfer.state != "done":
            changed = await until(events, TransferChanged)
        (listed,) = await setup.api.transfers()

    assert isinstance(started, TransferView)
    assert changed.transfer.transfer_id == listed.transfer_id == started.transfer_id
    assert (listed.state, listed.bytes, listed.total) == ("done", len(FILM), len(FILM))


async def test_download_is_listed_and_can_be_cancelled(setup: Setup) -> None:
    """A transfer keeps its id from ``get`` to ``cancel``."""
    await setup.world.join()
    setup.world.hold()

    started = await setup.api.get(f"{HOLDER}/x.mkv")
    listed = await setup.api.transfers()
    ended = await setup.api.cancel(started.transfer_id[:4], delete=True)

    assert isinstance(started, TransferView)
    assert [view.transfer_id for view in listed] == [started.transfer_id]
    assert (ended.transfer_id, ended.state) == (started.transfer_id, "cancelled")
    assert [view.state for view in await setup.api.transfers()] == ["cancelled"]
    with pytest.raises(NotFound):
        await setup.api.cancel("nothing")


async def test_files_of_a_folder_can_be_chosen(setup: Setup) -> None:
    """What fits no pattern is neither fetched nor counted."""
    await setup.world.join()
    async with closing(setup.api.events()) as events:
        await until(events, Snapshot)
        view = await setup.api.get(f"{HOLDER}/docs", only=["b.*"])
        while view.state != "done":
            view = (await until(events, TransferChanged)).transfer

    assert (view.files, view.done_files) == (1, 1)


async def test_paused_download_stands_still_until_it_is_resumed(setup: Setup) -> None:
    """Either wish may be said twice; neither makes sense once the transfer is over."""
    await setup.world.join()
    setup.world.hold()
    ident = (await setup.api.get(f"{HOLDER}/x.mkv")).transfer_id

    paused = [await setup.api.pause(ident[:4]) for _ in range(2)]
    resumed = [await setup.api.resume(ident) for _ in range(2)]
    await setup.api.cancel(ident)

    assert [(view.transfer_id, view.state) for view in paused] == [(ident, "paused")] * 2
    assert all(view.state in ("queued", "connecting", "running", "waiting") for view in resumed)
    for wish in (setup.api.pause, setup.api.resume):
        with pytest.raises(UsageError):
            await wish(ident)
        with pytest.raises(NotFound):
            await wish("nothing")


async def test_cancelled_download_can_be_tried_again(setup: Setup) -> None:
    """It keeps its id; one that is not over is not."""
    await setup.world.join()
    setup.world.hold()
    ident = (await setup.api.get(f"{HOLDER}/x.mkv")).transfer_id
    with pytest.raises(UsageError):
        await setup.api.retry(ident)
    await setup.api.cancel(ident)

    again = await setup.api.retry(ident)

    assert again.transfer_id == ident
    assert again.state in ("queued", "connecting", "running", "waiting")
    assert [view.transfer_id for view in await setup.api.transfers()] == [ident]


async def test_download_has_a_priority_and_a_limit(setup: Setup) -> None:
    """Both are kept and shown; what is not named or out of range changes nothing."""
    await setup.world.join()
    setup.world.hold()
    ident = (await setup.api.get(f"{HOLDER}/x.mkv")).transfer_id

    urgent = await setup.api.prioritise(ident[:4], -7)
    moved = await setup.api.move(ident[:4], "last")
    limited = await setup.api.limit(ident[:4], down=500_000)
    with pytest.raises(UsageError):
        await setup.api.prioritise(ident, 101)
    with pytest.raises(UsageError):
        await setup.api.limit(ident, up=500_000)
    (listed,) = await setup.api.transfers()

    assert urgent.priority == -7
    assert (moved.transfer_id, moved.priority) == (ident, -7)
    assert limited == await setup.api.limit(ident) == LimitsView(down=500_000, up=0, transfer_id=ident)
    assert (listed.priority, listed.limit) == (-7, 500_000)
    with pytest.raises(NotFound):
        await setup.api.limit("nothing", down=1)
    with pytest.raises(NotFound):
        await setup.api.move("nothing", "up")


async def test_download_that_ended_can_be_cleared(setup: Setup) -> None:
    """It is off the list for good; one that has not ended stays on it."""
    await setup.world.join()
    setup.world.hold()
    ident = (await setup.api.get(f"{HOLDER}/x.mkv")).transfer_id
    with pytest.raises(UsageError):
        await setup.api.clear(ident)
    kept = await setup.api.clear()
    await setup.api.cancel(ident)

    assert kept == 0
    assert await setup.api.clear(ident[:4]) == 1
    assert await setup.api.transfers() == []
    assert await setup.api.clear() == 0
    with pytest.raises(NotFound):
        await setup.api.clear(ident)


async def test_chunk_map_says_what_is_held(setup: Setup) -> None:
    """Of a download that is complete every part is."""
    await setup.world.join()
    async with closing(setup.api.events()) as events:
        await until(events, Snapshot)
        view = await setup.api.get(f"{HOLDER}/x.mkv")
        while view.state != "done":
            view = (await until(events, TransferChanged)).transfer
    shown = await setup.api.chunk_map(view.transfer_id[:4], 8)

    assert isinstance(shown, ChunkMapView)
    assert (shown.transfer_id, shown.cells) == (view.transfer_id, [100] * 8)
    assert shown.held == shown.chunks > 0
    with pytest.raises(NotFound):
        await setup.api.chunk_map("nothing", 8)


async def test_engine_has_limits(setup: Setup) -> None:
    """There are none at first; each is set alone, and lifted with 0."""
    at_first = await setup.api.limit()
    down = await setup.api.limit(down=10**6)
    both = await setup.api.limit(up=2 * 10**6)
    lifted = await setup.api.limit(down=0)

    assert at_first == LimitsView(down=0, up=0)
    assert down == LimitsView(down=10**6, up=0)
    assert both == LimitsView(down=10**6, up=2 * 10**6)
    assert lifted == await setup.api.limit() == LimitsView(down=0, up=2 * 10**6)


async def test_error_keeps_its_type_message_and_hint(setup: Setup) -> None:
    """An error is the same on either side of a process boundary."""
    wanted = hashlib.sha256(b"nobody has it").hexdigest()
    with pytest.raises(NotFound) as raised:
        await setup.api.get(wanted)

    assert raised.value.message.startswith(f"{wanted}: ")
    assert "try again later" in raised.value.hint


async def test_events_begin_with_a_snapshot(setup: Setup, album: Path) -> None:
    """Nothing is missed between the snapshot and what follows."""
    share = await setup.api.share(str(album))
    async with closing(setup.api.events()) as events:
        snapshot = await until(events, Snapshot)
        await setup.world.join()
        joined = await until(events, PeerJoined)
        await setup.world.leave()
        left = await until(events, PeerLeft)

    assert snapshot.status.peer_id == (await setup.api.status()).peer_id
    assert snapshot.peers == []
    assert [view.share_id for view in snapshot.shares] == [share.share_id]
    assert (joined.peer.name, joined.peer.state) == (HOLDER, "online")
    assert (left.peer.name, left.peer.state, left.reason) == (HOLDER, "offline", "bye")


async def test_stop_ends_every_subscription(setup: Setup, request: pytest.FixtureRequest) -> None:
    """A stream ends by itself when the engine does."""
    if "real, remote" in request.node.name:
        reason = "the daemon closes the control server before the bus: the client gets ControlError, not the end"
        request.applymarker(pytest.mark.xfail(strict=True, raises=ControlError, reason=reason))
    async with closing(setup.api.events()) as events:
        await until(events, Snapshot)
        await setup.api.stop()
        async with asyncio.timeout(10):
            rest = [event async for event in events]

    assert not any(isinstance(event, Snapshot) for event in rest)


async def test_names_that_are_no_utf8_pass_unchanged(setup: Setup, tmp_path: Path) -> None:
    """A file name of any bytes reaches the engine as the client has it, and comes back."""
    with pytest.raises(InvalidPath) as raised:
        await setup.api.share(str(tmp_path / "bad\udcffname"))

    assert "bad\udcffname" in raised.value.message


def test_implementations_satisfy_the_protocol() -> None:
    """The type checker compares signatures; this says that it did."""
    implementations: list[type[EngineApi]] = [FakeEngine, RemoteEngine, Engine]
    names = {name for name in vars(EngineApi) if not name.startswith("_")}

    assert all(callable(getattr(kind, name)) for kind in implementations for name in names)
    assert issubclass(NotFound, PeertermError)
