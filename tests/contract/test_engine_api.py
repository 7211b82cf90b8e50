"""What every implementation of ``EngineApi`` must do; the fake engine, directly and through a real socket."""

from __future__ import annotations

import asyncio
import typing
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest

from peerterm.api.engine import EngineApi
from peerterm.api.events import Event, PeerJoined, ShareChanged, Snapshot
from peerterm.api.views import (
    BrowsePage,
    EntryView,
    HolderView,
    IdentityView,
    LogLine,
    SearchQuery,
    SettingView,
    ShareView,
    SourceView,
    StatusView,
    TransferView,
)
from peerterm.control.client import RemoteEngine
from peerterm.control.server import ControlServer
from peerterm.errors import InvalidPath, NotFound, NotSupported, PeertermError
from tests.fakes.fake_engine import FakeEngine, make_hit, make_peer, make_transfer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path


class Setup(typing.NamedTuple):
    """An implementation, and the fake that is behind it."""

    api: EngineApi
    fake: FakeEngine


@pytest.fixture(params=["direct", "remote"])
async def setup(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Setup]:
    """Yield each implementation in turn."""
    fake = FakeEngine()
    if request.param == "direct":
        yield Setup(fake, fake)
        return
    async with (
        ControlServer(fake, tmp_path / "control.sock"),
        await RemoteEngine.connect(tmp_path / "control.sock") as remote,
    ):
        yield Setup(remote, fake)


@asynccontextmanager
async def closing(items: AsyncIterator[Any]) -> AsyncIterator[AsyncIterator[Any]]:
    """Close a stream at the end of the block."""
    try:
        yield items
    finally:
        await cast("AsyncGenerator[Any, None]", items).aclose()


async def until(events: AsyncIterator[Event], kind: type[Event]) -> Any:
    """Return the next event of a kind."""
    async with asyncio.timeout(5):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError("the stream ended")


async def test_queries_return_their_views(setup: Setup) -> None:
    """Each query answers with the type that the contract names."""
    setup.fake.known_peers.append(make_peer("anna"))
    setup.fake.lines.append(LogLine(at=1.0, level="info", source="net", text="up"))

    assert isinstance(await setup.api.status(), StatusView)
    assert isinstance(await setup.api.identity(), IdentityView)
    assert await setup.api.peers() == [make_peer("anna")]
    assert await setup.api.log(5) == setup.fake.lines
    assert all(isinstance(item, SettingView) for item in await setup.api.settings())


async def test_sharing_twice_keeps_one_share(setup: Setup, tmp_path: Path) -> None:
    """A path that is shared already returns its share."""
    first = await setup.api.share(str(tmp_path))
    second = await setup.api.share(str(tmp_path))

    assert isinstance(first, ShareView)
    assert second.share_id == first.share_id
    assert [share.share_id for share in await setup.api.shares()] == [first.share_id]


async def test_end_of_indexing_is_an_event(setup: Setup, tmp_path: Path) -> None:
    """A subscriber learns that a share is ready without asking."""
    async with closing(setup.api.events()) as events:
        await until(events, Snapshot)
        shared = await setup.api.share(str(tmp_path), "videos")
        changed = await until(events, ShareChanged)
        while changed.share.state == "indexing":
            changed = await until(events, ShareChanged)

    assert changed.share.state == "ready"
    assert changed.share.share_id == shared.share_id


async def test_path_that_does_not_exist_cannot_be_shared(setup: Setup, tmp_path: Path) -> None:
    """The error names the path and says what to do."""
    with pytest.raises(InvalidPath) as raised:
        await setup.api.share(str(tmp_path / "absent"))

    assert "absent" in raised.value.message
    assert raised.value.hint


async def test_other_visibilities_are_refused(setup: Setup, tmp_path: Path) -> None:
    """What is not offered yet is refused, never silently widened."""
    with pytest.raises(NotSupported):
        await setup.api.share(str(tmp_path), visibility="known")


async def test_unshare_forgets_and_rescan_finds(setup: Setup, tmp_path: Path) -> None:
    """A share can be named by its path; a forgotten one is not found."""
    shared = await setup.api.share(str(tmp_path))
    again = await setup.api.rescan()
    gone = await setup.api.unshare(str(tmp_path))

    assert [share.share_id for share in again] == [shared.share_id]
    assert gone.share_id == shared.share_id
    with pytest.raises(NotFound):
        await setup.api.unshare(shared.share_id)


async def test_browse_continues_where_the_page_ended(setup: Setup) -> None:
    """``next`` of a page leads to the rest, and is empty at the end."""
    setup.fake.entries = [EntryView(name=name, kind="file", size=1, root="", mtime=0.0) for name in ("a", "b", "c")]

    first = await setup.api.browse("fake")
    second = await setup.api.browse("fake", after=first.next)

    assert isinstance(first, BrowsePage)
    assert [entry.name for entry in first.entries + second.entries] == ["a", "b", "c"]
    assert second.next == ""


async def test_search_yields_hits_and_ends(setup: Setup) -> None:
    """Hits come with their holders."""
    hit = make_hit("x.mkv", peers=[HolderView(peer_id="b" * 64, name="anna")])
    setup.fake.hits = [hit]

    found = [item async for item in setup.api.search(SearchQuery(text="x", max_size=10))]

    assert found == [hit]
    assert setup.fake.asked == [("search", SearchQuery(text="x", max_size=10))]


async def test_download_is_listed_and_can_be_cancelled(setup: Setup) -> None:
    """A transfer keeps its id from ``get`` to ``cancel``."""
    source = SourceView(peer_id="b" * 64, name="anna", bytes=5)
    setup.fake.progress["abc"] = [make_transfer("x", sources=[source])]

    started = await setup.api.get("abc", "/tmp")
    listed = await setup.api.transfers()
    ended = await setup.api.cancel(started.transfer_id[:4], delete=True)

    assert isinstance(started, TransferView)
    assert listed == [started]
    assert (ended.transfer_id, ended.state) == (started.transfer_id, "cancelled")
    assert setup.fake.asked[-1] == ("cancel", started.transfer_id[:4], True)


async def test_error_keeps_its_type_message_and_hint(setup: Setup) -> None:
    """An error is the same on either side of a process boundary."""
    with pytest.raises(NotFound) as raised:
        await setup.api.get("abc")

    assert raised.value.message == "abc: nobody who is online has it"
    assert raised.value.hint == "try again later"


async def test_events_begin_with_a_snapshot(setup: Setup) -> None:
    """Nothing is missed between the snapshot and what follows."""
    setup.fake.known_peers.append(make_peer("anna"))
    async with closing(setup.api.events()) as events:
        snapshot = await until(events, Snapshot)
        setup.fake.join(make_peer("bert"))
        joined = await until(events, PeerJoined)

    assert [peer.name for peer in snapshot.peers] == ["anna"]
    assert joined.peer.name == "bert"


async def test_stop_ends_every_subscription(setup: Setup) -> None:
    """A stream ends by itself when the engine does."""
    async with closing(setup.api.events()) as events:
        await until(events, Snapshot)
        await setup.api.stop()
        async with asyncio.timeout(5):
            rest = [event async for event in events]

    assert rest == []


async def test_names_that_are_no_utf8_pass_unchanged(setup: Setup) -> None:
    """A file name of any bytes reaches the client as the engine has it."""
    setup.fake.known_peers.append(make_peer("bad\udcffname"))

    assert [peer.name for peer in await setup.api.peers()] == ["bad\udcffname"]


def test_fakes_and_clients_satisfy_the_protocol() -> None:
    """The type checker compares signatures; this says that it did."""
    implementations: list[type[EngineApi]] = [FakeEngine, RemoteEngine]
    names = {name for name in vars(EngineApi) if not name.startswith("_")}

    assert all(callable(getattr(kind, name)) for kind in implementations for name in names)
    assert issubclass(NotFound, PeertermError)
