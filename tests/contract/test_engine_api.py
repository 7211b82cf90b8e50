"""What every implementation of ``EngineApi`` must do, except with downloads.

Each test runs on the fake and on the real engine, on either also through a socket.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import pytest

from peerterm.api.engine import EngineApi
from peerterm.api.events import PeerJoined, PeerLeft, ShareChanged, Snapshot
from peerterm.api.views import (
    BrowsePage,
    IdentityView,
    LogLine,
    PeerView,
    SearchHit,
    SearchQuery,
    SettingView,
    ShareView,
    StatusView,
)
from peerterm.control.client import RemoteEngine
from peerterm.engine.engine import Engine
from peerterm.errors import InvalidPath, NotFound, NotSupported, PeertermError
from tests.fakes.engines import closing, until, write
from tests.fakes.fake_engine import FakeEngine
from tests.fakes.worlds import FILM, HOLDER, NAMES, Setup

if TYPE_CHECKING:
    from pathlib import Path


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


async def test_stop_ends_every_subscription(setup: Setup) -> None:
    """A stream ends by itself when the engine does."""
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
