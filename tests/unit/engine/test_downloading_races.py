"""Downloads when things happen at once: wishes, faults of the disk, sources and clients that come and go."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from peerterm.engine import disks, runs, transfer
from peerterm.engine import downloading as module
from peerterm.errors import DiskFull, StorageError, UsageError
from peerterm.store.destination import Destination
from peerterm.store.space import SpaceAccount
from peerterm.wire.messages import HaveUpdate
from tests.fakes.engines import MIB, eventually, network, noise, running, shared, until_online, write
from tests.fakes.fake_peer import FakePeer, fake_peer
from tests.fakes.fetching import (
    downloads_of,
    fetched,
    finished,
    get_each,
    landed,
    partly_fetched,
    place,
    share_each,
    transfer_when,
)
from tests.fakes.gates import gated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from peerterm.core.ids import Root
    from peerterm.engine.engine import Engine

pytestmark = pytest.mark.usefixtures("settled")

FILM = noise(4 * MIB)


class Hold:
    """Holds the thread that calls a method up until it is let go; ``is_reached`` once it is there."""

    def __init__(self, patch: pytest.MonkeyPatch, owner: type, name: str) -> None:
        original = getattr(owner, name)
        self._reached, self._let_go = threading.Event(), threading.Event()

        def held(*arguments: Any) -> Any:
            self._reached.set()
            assert self._let_go.wait(20)
            return original(*arguments)

        patch.setattr(owner, name, held)

    async def reached(self) -> None:
        await eventually(self._reached.is_set)

    def let_go(self) -> None:
        self._let_go.set()


def fill_disk(patch: pytest.MonkeyPatch) -> None:
    """Let no disk have any room."""

    def reserve(*_: object) -> None:
        raise DiskFull("no room")

    patch.setattr(SpaceAccount, "reserve", reserve)
    patch.setattr(SpaceAccount, "has_room", lambda *_: False)


# Disks


async def test_transfer_that_goes_on_onto_a_full_disk_is_paused(
    pair: tuple[Engine, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what it has; the engine lives."""
    anna, ben = pair
    with gated(anna, 2):
        started = await partly_fetched(ben, "anna/film.mkv", 2 * MIB)
        await ben.pause(started.transfer_id)
        fill_disk(monkeypatch)
        await ben.resume(started.transfer_id)
        full = await transfer_when(ben, started.transfer_id, lambda view: view.state == "paused")

    assert (full.error_code, full.bytes) == (DiskFull.code, 2 * MIB)
    assert (await ben.status()).state == "ready"


async def test_copy_on_this_machine_does_not_fit_either(
    pair: tuple[Engine, Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What need not be fetched needs room as well."""
    _, ben = pair
    await shared(ben, tmp_path / "film.mkv")
    fill_disk(monkeypatch)
    started = await ben.get("anna/film.mkv")
    full = await transfer_when(ben, started.transfer_id, lambda view: view.state == "paused")

    assert full.error_code == DiskFull.code


async def test_wrong_file_that_cannot_be_removed_only_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk refuses to remove what a peer lied about: that transfer fails, the engine lives."""

    def refuse(_: Destination) -> None:
        raise StorageError("read-only")

    monkeypatch.setattr(Destination, "discard", refuse)
    async with running(tmp_path, "ben") as ben, fake_peer(tmp_path, ben) as peer:
        await until_online(ben, 1)
        peer.offer(b"another film", sha256=b"s" * 32)
        got = await fetched(ben, f"sha256:{(b's' * 32).hex()}")

        assert (got.state, got.error_code) == ("failed", "integrity")
        assert (await ben.status()).state == "ready"


@pytest.mark.parametrize("wish", ["cancel", "pause"])
async def test_wish_while_the_disk_is_looked_at_holds(
    pair: tuple[Engine, Engine], monkeypatch: pytest.MonkeyPatch, wish: str
) -> None:
    """Room that is found after the user decided otherwise changes nothing, and blocks no place."""
    _, ben = pair
    monkeypatch.setattr(disks, "DISK_SECONDS", 0.02)
    with pytest.MonkeyPatch.context() as patch:
        fill_disk(patch)
        patch.setattr(SpaceAccount, "has_room", lambda *_: True)
        hold = Hold(patch, SpaceAccount, "has_room")
        started = await ben.get("anna/film.mkv")
        await transfer_when(ben, started.transfer_id, lambda view: view.state == "paused")
        await hold.reached()
        await getattr(ben, wish)(started.transfer_id)
        hold.let_go()
    await asyncio.sleep(0.1)
    (view,) = await downloads_of(ben)

    assert (view.state, view.error) == ("cancelled" if wish == "cancel" else "paused", "")
    assert (await ben.status()).state == "ready"


async def test_pause_of_what_the_disk_stopped_outlasts_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the user's from then on: room does not end it, nor does the next engine."""
    monkeypatch.setattr(disks, "DISK_SECONDS", 0.02)
    async with running(tmp_path, "anna") as anna:
        await shared(anna, write(tmp_path / "film.mkv", FILM))
        with pytest.MonkeyPatch.context() as patch:
            fill_disk(patch)
            async with running(tmp_path, "ben") as ben:
                await until_online(ben, 1)
                started = await ben.get("anna/film.mkv")
                await transfer_when(ben, started.transfer_id, lambda view: view.state == "paused")
                await ben.pause(started.transfer_id)
        async with running(tmp_path, "ben") as ben:
            await until_online(ben, 1)
            await asyncio.sleep(0.1)
            (view,) = await ben.transfers()

    assert (view.state, view.error) == ("paused", "")


# Wishes


async def test_retry_waits_for_what_is_being_deleted(
    pair: tuple[Engine, Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new attempt never has its part removed under it."""
    anna, ben = pair
    with gated(anna, 2) as gate:
        started = await partly_fetched(ben, "anna/film.mkv", 2 * MIB)
        hold = Hold(monkeypatch, Destination, "discard")
        deleting = asyncio.ensure_future(ben.cancel(started.transfer_id, delete=True))
        await hold.reached()
        retrying = asyncio.ensure_future(ben.retry(started.transfer_id))
        await asyncio.sleep(0)
        hold.let_go()
        await asyncio.gather(deleting, retrying)
        gate.open()
        done = await finished(ben, started.transfer_id)

    assert (done.state, done.bytes, done.sources[0].bytes) == ("done", len(FILM), len(FILM))
    assert landed(tmp_path) == ["film.mkv"]
    assert (place(tmp_path) / "film.mkv").read_bytes() == FILM


async def test_wish_of_a_client_that_leaves_is_fulfilled(queue: tuple[Engine, Engine], tmp_path: Path) -> None:
    """A terminal that closes while its transfer ends leaves no part behind, and the next one runs."""
    anna, ben = queue
    await share_each(anna, tmp_path, "ab")
    with gated(anna, 1) as gate:
        a, b = (await get_each(ben, "ab")).values()
        await transfer_when(ben, a, lambda view: view.bytes == MIB)
        leaving = asyncio.ensure_future(ben.cancel(a, delete=True))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])
        gate.open()
        done = await finished(ben, b)

    assert (done.state, landed(tmp_path)) == ("done", ["b"])


async def test_pause_and_resume_at_once_leave_one_run(pair: tuple[Engine, Engine], tmp_path: Path) -> None:
    """However fast they follow one another, the file lands once."""
    anna, ben = pair
    with gated(anna, 1) as gate:
        started = await partly_fetched(ben, "anna/film.mkv", MIB)
        wishes = [ben.pause, ben.resume] * 5
        await asyncio.gather(*(wish(started.transfer_id) for wish in wishes))
        gate.open()
        done = await finished(ben, started.transfer_id)

    assert (done.state, landed(tmp_path)) == ("done", ["film.mkv"])
    assert done.sources[0].bytes == len(FILM)


@pytest.mark.parametrize("wish", ["pause", "cancel"])
async def test_wish_that_comes_too_late_is_told_so(
    pair: tuple[Engine, Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wish: str
) -> None:
    """What gets its final name while the user stops it is done, not stopped."""
    _, ben = pair
    hold = Hold(monkeypatch, Destination, "finish")
    started = await ben.get("anna/film.mkv")
    await hold.reached()
    wishing = asyncio.ensure_future(getattr(ben, wish)(started.transfer_id))
    await asyncio.sleep(0)
    hold.let_go()
    view = await wishing

    assert (view.state, view.path) == ("done", str(place(tmp_path) / "film.mkv"))
    assert Path(view.path).read_bytes() == FILM
    assert (await fetched(ben, "anna/film.mkv")).local_bytes == len(FILM), "it is known where it landed"


async def test_get_goes_on_with_what_was_stopped(pair: tuple[Engine, Engine], tmp_path: Path) -> None:
    """A paused transfer is resumed, a cancelled one retried if some of it is there."""
    anna, ben = pair
    with gated(anna, 2) as gate:
        started = await partly_fetched(ben, "anna/film.mkv", 2 * MIB)
        await ben.pause(started.transfer_id)
        resumed = await ben.get("anna/film.mkv")
        await ben.cancel(started.transfer_id)
        retried = await ben.get("anna/film.mkv")
        await ben.cancel(started.transfer_id, delete=True)
        anew = await ben.get("anna/film.mkv")
        gate.open()
        done = await finished(ben, anew.transfer_id)

    assert {resumed.transfer_id, retried.transfer_id} == {started.transfer_id}
    assert {resumed.state, retried.state} <= {"connecting", "running"}
    assert anew.transfer_id != started.transfer_id
    assert (done.state, landed(tmp_path)) == ("done", ["film.mkv"])


async def test_transfer_that_is_done_has_no_limit(pair: tuple[Engine, Engine]) -> None:
    """Nothing of it is still to come."""
    _, ben = pair
    done = await fetched(ben, "anna/film.mkv")

    with pytest.raises(UsageError, match="done"):
        await ben.limit(done.transfer_id, down=1)


# The queue


async def test_more_urgent_transfer_takes_a_place(queue: tuple[Engine, Engine], tmp_path: Path) -> None:
    """The one it overtakes is queued with what it has, and goes on after it."""
    anna, ben = queue
    await share_each(anna, tmp_path, "abc", 4 * MIB)
    with gated(anna, 2) as gate:
        a, b, c = (await get_each(ben, "abc")).values()
        await transfer_when(ben, a, lambda view: view.bytes == 2 * MIB)
        urgent = await ben.prioritise(c, 1)
        overtaken = await transfer_when(ben, a, lambda view: view.state == "queued")
        line = [view.name for view in await ben.transfers()]
        gate.open()
        views = [await finished(ben, each) for each in (c, a, b)]

    assert urgent.state in ("connecting", "running")
    assert overtaken.bytes == 2 * MIB
    assert line == ["c", "a", "b"]
    assert [view.state for view in views] == ["done"] * 3
    assert views[1].sources[0].bytes >= 2 * MIB


async def test_transfers_can_be_moved(tmp_path: Path) -> None:
    """The list shows the order of their turns; it is the same after a restart, whatever was gone meanwhile."""
    async with running(tmp_path, "anna") as anna:
        await share_each(anna, tmp_path, "abcd")
        with gated(anna, 0):
            async with running(tmp_path, "ben", at_once=1) as ben:
                await until_online(ben, 1)
                ids = await get_each(ben, "abcd")
                await ben.move(ids["d"], "first")
                await ben.move(ids["b"], "down")
                await ben.cancel(ids["a"])
                with pytest.raises(UsageError, match="cancelled"):
                    await ben.move(ids["a"], "up")
                before = [view.name for view in await ben.transfers()]
            async with running(tmp_path, "ben", at_once=1) as ben:
                after = [view.name for view in await ben.transfers()]

    assert before == after == ["a", "d", "c", "b"]


@pytest.fixture
async def loner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Engine, FakePeer]]:
    """Yield ben, who runs one download at a time and waits at once, and a peer."""
    monkeypatch.setattr(transfer, "CONNECTING_SECONDS", 0.0)
    async with running(tmp_path, "ben", at_once=1) as ben, fake_peer(tmp_path, ben) as peer:
        await until_online(ben, 1)
        yield ben, peer


async def stuck(ben: Engine, peer: FakePeer, number: int) -> tuple[str, Root]:
    """Start a transfer of what nobody has and wait until it waits."""
    root = peer.offer(noise(2 * MIB, number), f"film {number}")
    peer.haves[root] = []
    started = await ben.get(f"mallory/film {number}")
    await transfer_when(ben, started.transfer_id, lambda view: view.state == "waiting")
    return started.transfer_id, root


async def test_source_that_returns_gives_no_place_that_is_taken(loner: tuple[Engine, FakePeer]) -> None:
    """The transfer that waited is queued, before what stands behind it; never more run than may."""
    ben, peer = loner
    waiting, root = await stuck(ben, peer, 1)
    peer.give(0, of=peer.offer(noise(2 * MIB, 2), "other"))
    runs = await ben.get("mallory/other")
    await transfer_when(ben, runs.transfer_id, lambda view: view.state == "running")
    del peer.haves[root]
    peer.link.send(HaveUpdate(root=root, complete=True))
    queued = await transfer_when(ben, waiting, lambda view: view.state == "queued")
    states = [view.state for view in await ben.transfers()]
    await ben.pause(runs.transfer_id)
    done = await finished(ben, waiting)

    assert queued.error == ""
    assert states == ["queued", "running"]
    assert done.state == "done"


async def test_however_many_wait_few_parts_are_open(
    loner: tuple[Engine, FakePeer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others cost a question each; all of them go on when a peer has what they wait for."""
    monkeypatch.setattr(runs, "MAX_IDLE", 1)
    ben, peer = loner
    waiting = dict([await stuck(ben, peer, number) for number in range(4)])
    await eventually(lambda: len(ben.services.downloads.runs) == 1)
    states = [view.state for view in await ben.transfers()]
    monkeypatch.setattr(transfer, "CONNECTING_SECONDS", 5.0)
    peer.haves.clear()
    await peer.link.close()
    await peer.connect(ben, instance=b"another ")
    views = [await finished(ben, each) for each in waiting]

    assert states == ["waiting"] * 4
    assert [view.state for view in views] == ["done"] * 4


# Flat sums


async def test_next_content_is_tried_if_one_has_not_the_sum(tmp_path: Path) -> None:
    """Most say that the sum is that of another file; the right one arrives all the same."""
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, write(tmp_path / "film.mkv", FILM))
        (share,) = await anna.shares()
        async with fake_peer(tmp_path, ben, "liar") as one, fake_peer(tmp_path, ben, "crony") as two:
            await until_online(ben, 3)
            for peer in (one, two):
                peer.offer(b"another film", "evil", sha256=bytes.fromhex(share.sha256))
            got = await fetched(ben, f"sha256:{share.sha256}")

    assert (got.state, got.name, got.root, got.error) == ("done", "film.mkv", share.root, "")
    assert landed(tmp_path) == ["film.mkv"]
    assert (place(tmp_path) / "film.mkv").read_bytes() == FILM


# The next engine


async def test_folder_is_shown_as_it_was_before_a_source_returns(tmp_path: Path) -> None:
    """Its size, files and what is done, and who had it; after it is done, its history too."""
    write(tmp_path / "album" / "a", b"a")
    write(tmp_path / "album" / "b", b"b" * 1000)
    write(tmp_path / "album" / "c", FILM)
    async with running(tmp_path, "anna") as anna:
        await shared(anna, tmp_path / "album")
        async with running(tmp_path, "ben") as ben:
            await until_online(ben, 1)
            await ben.limit(down=MIB)  # so that the film is not whole before the small files are
            started = await ben.get("anna/album")
            left = await transfer_when(
                ben, started.transfer_id, lambda view: view.done_files == 2 and view.bytes >= 1001 + MIB
            )
            await ben.limit(down=0)
    async with running(tmp_path, "ben") as ben:
        (paused,) = await ben.transfers()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transfer, "CONNECTING_SECONDS", 0.0)
            waiting = await transfer_when(ben, started.transfer_id, lambda view: view.state == "waiting")
        async with running(tmp_path, "anna"):
            done = await finished(ben, started.transfer_id)
    async with running(tmp_path, "ben") as ben:
        (history,) = await downloads_of(ben)

    for view in (paused, waiting):
        assert (view.total, view.files, view.done_files) == (len(FILM) + 1001, 3, 2)
        assert view.bytes >= left.bytes
    assert "(anna had it)" in waiting.error
    assert (done.state, history.state) == ("done", "done")
    assert (history.files, history.done_files, history.bytes) == (3, 3, len(FILM) + 1001)
    assert history.seconds == pytest.approx(done.seconds, abs=1)


async def test_what_a_transfer_has_is_written_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that after a crash, too, the next engine knows how far it was and who had it."""
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.05)
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, write(tmp_path / "film.mkv", FILM))
        with gated(anna, 2):
            await partly_fetched(ben, "anna/film.mkv", 2 * MIB)
            async with asyncio.timeout(10):
                while (record := (await ben.services.downloads.transfers._store.unfinished())[0]).bytes < 2 * MIB:
                    await asyncio.sleep(0.01)

    assert (record.state, record.size) == ("running", len(FILM))
    assert [source["bytes"] for source in record.sources] == [2 * MIB]


async def test_history_keeps_its_order_over_engines(pair: tuple[Engine, Engine], tmp_path: Path) -> None:
    """When a transfer ended is not when an engine stopped."""
    anna, ben = pair
    with gated(anna, 0) as gate:
        first = (await ben.get("anna/film.mkv")).transfer_id
        second = (await ben.get("anna/film.mkv", str(tmp_path / "elsewhere"))).transfer_id
        await ben.cancel(second)
        await ben.cancel(first)
        gate.open()
    store = ben.services.downloads.transfers._store
    before = await store.history(9)
    await ben.services.downloads.transfers.save(*ben.services.downloads.transfers)

    assert [record.id for record in before] == [first, second]
    assert await store.history(9) == before
    assert [view.transfer_id for view in await ben.transfers()] == [second, first]
