"""Transfers: started, listed, ended, and taken up again by the next engine."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from peerterm.api.events import TransferChanged
from peerterm.engine import transfer, transfers
from peerterm.errors import AmbiguousReference, InvalidPath, NotFound, StorageError, UsageError
from tests.fakes.engines import MIB, eventually, first, noise, running, shared, until_online, write
from tests.fakes.fake_peer import fake_peer
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
    from peerterm.engine.engine import Engine

pytestmark = pytest.mark.usefixtures("settled")


async def test_getting_what_is_being_fetched_is_the_same_transfer(
    pair: tuple[Engine, Engine], tmp_path: Path
) -> None:
    """By whatever reference; another folder is another transfer, and so is a later get."""
    anna, ben = pair
    (share,) = await anna.shares()
    with gated(anna, 0) as gate:
        one = await ben.get("anna/film.mkv")
        again = await ben.get(share.root)
        elsewhere = await ben.get(share.root, str(tmp_path / "elsewhere"))
        gate.open()
        await transfer_when(ben, one.transfer_id, lambda view: view.state == "done")
        await transfer_when(ben, elsewhere.transfer_id, lambda view: view.state == "done")
        later = await fetched(ben, "anna/film.mkv")

    assert again.transfer_id == one.transfer_id
    assert len({one.transfer_id, elsewhere.transfer_id, later.transfer_id}) == 3
    assert landed(tmp_path) == ["film (2).mkv", "film.mkv"]
    *ended, last = [view.transfer_id for view in await ben.transfers() if view.direction == "down"]
    assert set(ended) == {one.transfer_id, elsewhere.transfer_id}  # at once: either may have been first
    assert last == later.transfer_id


@pytest.mark.parametrize("delete", [False, True])
async def test_cancel_keeps_the_part_unless_it_is_to_be_deleted(
    pair: tuple[Engine, Engine], tmp_path: Path, delete: bool
) -> None:
    """What was fetched stays for who may want it; ``delete`` leaves nothing."""
    anna, ben = pair
    with gated(anna, 2):
        started = await partly_fetched(ben, "anna/film.mkv", 2 * MIB)
        ended = await ben.cancel(started.transfer_id[:4], delete=delete)

    assert (ended.state, ended.transfer_id) == ("cancelled", started.transfer_id)
    assert landed(tmp_path) == ([] if delete else ["film.mkv.peerterm-part"])
    assert (await ben.status()).transfers == 0
    assert (await ben.cancel(started.transfer_id)).state == "cancelled"


async def test_transfer_that_has_hardly_begun_can_be_cancelled(pair: tuple[Engine, Engine], tmp_path: Path) -> None:
    """Even before its first step: it is over, and nothing is left."""
    _, ben = pair
    started = await ben.get("anna/film.mkv")
    ended = await ben.cancel(started.transfer_id, delete=True)

    assert ended.state == "cancelled"
    assert (await ben.status()).transfers == 0
    assert landed(tmp_path) == []


async def test_cancelled_transfer_is_told(pair: tuple[Engine, Engine]) -> None:
    """Subscribers hear of the end."""
    anna, ben = pair
    with gated(anna, 0):
        started = await ben.get("anna/film.mkv")
        await transfer_when(ben, started.transfer_id, lambda view: bool(view.sources))
        changed = await first(
            ben,
            TransferChanged,
            after=lambda: asyncio.ensure_future(ben.cancel(started.transfer_id)),
        )

    assert (changed.transfer.transfer_id, changed.transfer.state) == (started.transfer_id, "cancelled")


async def test_transfers_are_called_by_the_start_of_their_id(pair: tuple[Engine, Engine]) -> None:
    """What fits nothing, or several, is refused."""
    anna, ben = pair
    with gated(anna, 0):
        ids = [(await ben.get("anna/film.mkv", f"/tmp/peerterm-never-{n}")).transfer_id for n in range(17)]
        start = max((each[0] for each in ids), key=lambda digit: sum(each[0] == digit for each in ids))
        with pytest.raises(AmbiguousReference):
            await ben.cancel(start)
        for reference in ("", "nothing"):
            with pytest.raises(NotFound):
                await ben.cancel(reference)
        for each in ids:
            await ben.cancel(each, delete=True)


async def test_listed_transfers_are_bounded(
    pair: tuple[Engine, Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest are forgotten first."""
    monkeypatch.setattr(transfers, "MAX_LISTED", 2)
    _, ben = pair
    ids = [(await fetched(ben, "anna/film.mkv")).transfer_id for _ in range(3)]
    await eventually(lambda: len(ben.services.downloads.transfers.views()) == 2)

    assert [view.transfer_id for view in await ben.transfers()][:2] == ids[1:]


@pytest.mark.parametrize("directory", ["relative", "film.mkv"])
async def test_place_that_is_no_folder_is_refused(
    pair: tuple[Engine, Engine], tmp_path: Path, directory: str
) -> None:
    """Before anything is asked of anybody."""
    _, ben = pair
    where = directory if directory == "relative" else str(tmp_path / directory)

    with pytest.raises(InvalidPath):
        await ben.get("anna/film.mkv", where)
    assert await ben.transfers() == []


async def test_folder_is_created_where_it_is_missing(pair: tuple[Engine, Engine], tmp_path: Path) -> None:
    """Any place that can be made is good."""
    _, ben = pair
    got = await fetched(ben, "anna/film.mkv", str(tmp_path / "new" / "place"))

    assert got.path == str(tmp_path / "new" / "place" / "film.mkv")


async def test_stopped_engine_leaves_the_transfer_to_the_next(tmp_path: Path) -> None:
    """It goes on under its id once somebody offers it; what had ended is still listed, before it."""
    async with running(tmp_path, "anna") as anna:
        film, done = write(tmp_path / "film.mkv", noise(4 * MIB)), write(tmp_path / "done", b"done")
        await shared(anna, film)
        await shared(anna, done)
        async with running(tmp_path, "ben") as ben:
            await until_online(ben, 1)
            with gated(anna, 2):
                ended = await fetched(ben, "anna/done")
                started = await partly_fetched(ben, "anna/film.mkv", MIB)
    async with running(tmp_path, "ben") as ben:
        async with running(tmp_path, "anna"):
            got = await finished(ben, started.transfer_id)
        views = await downloads_of(ben)

    assert (got.name, got.state, got.bytes) == ("film.mkv", "done", 4 * MIB)
    assert [view.transfer_id for view in views] == [ended.transfer_id, started.transfer_id]
    assert (views[0].state, views[0].path, views[0].bytes) == ("done", ended.path, 4)
    assert [source.bytes for source in views[0].sources] == [4]
    assert (place(tmp_path) / "film.mkv").read_bytes() == film.read_bytes()


# What users wish


async def test_paused_transfer_stands_still_until_it_is_resumed(pair: tuple[Engine, Engine]) -> None:
    """It keeps what it has and takes no more; asking twice changes nothing."""
    anna, ben = pair
    with gated(anna, 2) as gate:
        started = await partly_fetched(ben, "anna/film.mkv", 2 * MIB)
        paused = await ben.pause(started.transfer_id)
        gate.open()
        assert (await ben.pause(started.transfer_id)).state == "paused"
        assert (await ben.get("anna/film.mkv")).transfer_id == started.transfer_id
        resumed = await ben.resume(started.transfer_id)
        assert (await ben.resume(started.transfer_id)).state in ("connecting", "running", "verifying")
        done = await finished(ben, started.transfer_id)

    assert (paused.state, paused.bytes, paused.rate, paused.error) == ("paused", 2 * MIB, 0.0, "")
    assert resumed.state in ("connecting", "running")
    assert (done.state, done.bytes, done.sources[0].bytes) == ("done", 4 * MIB, 4 * MIB)


async def test_wish_that_the_state_does_not_allow_is_refused(pair: tuple[Engine, Engine]) -> None:
    """With the name of the transfer and what can be done instead."""
    _, ben = pair
    done = await fetched(ben, "anna/film.mkv")
    for wish in (ben.pause, ben.resume, ben.retry):
        with pytest.raises(UsageError, match=r"film\.mkv: .* done"):
            await wish(done.transfer_id)
    with pytest.raises(UsageError, match="done"):
        await ben.prioritise(done.transfer_id, 1)

    assert (await ben.cancel(done.transfer_id, delete=True)).state == "done"
    assert Path(done.path).exists()


async def test_paused_transfer_stays_paused_after_a_restart(tmp_path: Path) -> None:
    """With its priority, limit and choice; only its user resumes it."""
    write(tmp_path / "album" / "a.mkv", noise(4 * MIB))
    write(tmp_path / "album" / "b.txt", b"b")
    async with running(tmp_path, "anna") as anna:
        await shared(anna, tmp_path / "album")
        with gated(anna, 2) as gate:
            async with running(tmp_path, "ben") as ben:
                await until_online(ben, 1)
                started = await ben.get("anna/album", only=["*.mkv"])
                await transfer_when(ben, started.transfer_id, lambda view: view.bytes == MIB)
                await ben.prioritise(started.transfer_id, 7)
                await ben.limit(started.transfer_id, down=2**40)
                await ben.pause(started.transfer_id)
            gate.open()
            async with running(tmp_path, "ben") as ben:
                await until_online(ben, 1)
                (paused,) = await ben.transfers()
                await ben.resume(paused.transfer_id)
                done = await finished(ben, paused.transfer_id)

    assert (paused.state, paused.bytes, paused.priority, paused.limit) == ("paused", MIB, 7, 2**40)
    assert (done.state, done.bytes) == ("done", 4 * MIB)
    assert not (place(tmp_path) / "album" / "b.txt").exists()


@pytest.mark.parametrize("restart", [False, True])
async def test_failed_transfer_can_be_retried(tmp_path: Path, restart: bool) -> None:
    """By the same engine or the next one; until then it says what failed."""
    obstacle = write(tmp_path / "obstacle", b"")
    async with running(tmp_path, "anna") as anna:
        await shared(anna, write(tmp_path / "film.mkv", noise(2 * MIB)))
        async with AsyncExitStack() as first_run:
            ben = await first_run.enter_async_context(running(tmp_path, "ben"))
            await until_online(ben, 1)
            failed = await fetched(ben, "anna/film.mkv", str(obstacle / "below"))
            if restart:
                await first_run.aclose()
                ben = await first_run.enter_async_context(running(tmp_path, "ben"))
                await until_online(ben, 1)
            (listed,) = await downloads_of(ben)
            obstacle.unlink()
            await ben.retry(failed.transfer_id)
            done = await finished(ben, failed.transfer_id)

    assert (failed.state, failed.error_code) == ("failed", StorageError.code)
    assert (listed.state, listed.error_code) == ("failed", StorageError.code)
    assert str(obstacle) in listed.error
    assert (done.state, done.error, done.error_code) == ("done", "", "")
    assert (obstacle / "below" / "film.mkv").stat().st_size == 2 * MIB


async def test_cancelled_transfer_can_be_retried(pair: tuple[Engine, Engine]) -> None:
    """What it had still counts."""
    anna, ben = pair
    with gated(anna, 2) as gate:
        started = await partly_fetched(ben, "anna/film.mkv", 2 * MIB)
        await ben.cancel(started.transfer_id)
        gate.open()
        await ben.retry(started.transfer_id)
        done = await finished(ben, started.transfer_id)

    assert (done.state, done.bytes, done.sources[0].bytes) == ("done", 4 * MIB, 4 * MIB)


@pytest.mark.parametrize("kind", ["file", "folder"])
async def test_deleting_a_paused_transfer_removes_its_part(
    pair: tuple[Engine, Engine], tmp_path: Path, kind: str
) -> None:
    """Cancelled first or not; it can still be retried, from nothing."""
    anna, ben = pair
    write(tmp_path / "album" / "song", noise(4 * MIB, 1))
    await shared(anna, tmp_path / "album")
    reference = "anna/album" if kind == "folder" else "anna/film.mkv"
    with gated(anna, 2 + (kind == "folder")) as gate:
        started = await ben.get(reference)
        await transfer_when(ben, started.transfer_id, lambda view: view.bytes == 2 * MIB)
        await ben.pause(started.transfer_id)
        before = landed(tmp_path)
        ended = await ben.cancel(started.transfer_id, delete=True)
        after = landed(tmp_path)
        again = await ben.cancel(started.transfer_id, delete=True)
        gate.open()
        await ben.retry(started.transfer_id)
        done = await finished(ben, started.transfer_id)

    assert (len(before), after) == (1, [])
    assert (ended.state, ended.bytes, again.state) == ("cancelled", 0, "cancelled")
    assert (done.state, done.bytes) == ("done", 4 * MIB)


async def test_limit_of_a_transfer_holds(pair: tuple[Engine, Engine], tmp_path: Path) -> None:
    """While it is set a transfer is several times slower than after it was lifted."""
    anna, ben = pair
    await shared(anna, write(tmp_path / "long.mkv", noise(MIB) * 24))
    loop = asyncio.get_running_loop()
    with gated(anna, 0) as gate:
        started = await ben.get("anna/long.mkv")
        assert (await ben.limit(started.transfer_id, down=4 * MIB)).down == 4 * MIB
        assert (await ben.limit(started.transfer_id[:6])).transfer_id == started.transfer_id
        gate.open()
        began = await transfer_when(ben, started.transfer_id, lambda view: view.bytes >= 3 * MIB)
        began_at = loop.time()
        lifted = await transfer_when(ben, started.transfer_id, lambda view: view.bytes >= began.bytes + 4 * MIB)
        lifted_at = loop.time()
        await ben.limit(started.transfer_id, down=0)
        done = await finished(ben, started.transfer_id)
        limited = (lifted.bytes - began.bytes) / (lifted_at - began_at)
        free = (done.bytes - lifted.bytes) / (loop.time() - lifted_at)

    assert limited < 8 * MIB
    assert free > 2 * limited
    assert (lifted.limit, done.limit) == (4 * MIB, 0)


# The queue


async def ends(ben: Engine, count: int) -> list[str]:
    """Return so many transfers in the order in which they end."""
    ended: list[str] = []
    async with asyncio.timeout(20):
        async for event in ben.events():
            if isinstance(event, TransferChanged) and event.transfer.state == "done":
                ended.append(event.transfer.name)
                if len(ended) == count:
                    break
    return ended


async def test_further_transfers_are_queued_by_priority(queue: tuple[Engine, Engine], tmp_path: Path) -> None:
    """One runs; one more urgent takes its place, and equals go in the order they were asked for."""
    anna, ben = queue
    await share_each(anna, tmp_path, "abcd")
    with gated(anna, 0) as gate:
        ids = await get_each(ben, "abcd")
        await transfer_when(ben, ids["a"], lambda view: view.state == "running")
        urgent = await ben.prioritise(ids["d"], 5)
        await ben.prioritise(ids["b"], -5)
        states = [view.state for view in await downloads_of(ben)]
        with pytest.raises(UsageError, match="priority"):
            await ben.prioritise(ids["b"], 101)
        order = asyncio.ensure_future(ends(ben, 4))
        await asyncio.sleep(0)
        gate.open()
        ended = await order

    assert urgent.priority == 5
    assert urgent.state in ("connecting", "running")
    assert states == [states[0], "queued", "queued", "queued"]
    assert ended == ["d", "a", "c", "b"]


async def test_queue_stands_as_it_stood_after_a_restart(tmp_path: Path) -> None:
    """Positions and priorities are kept."""
    async with running(tmp_path, "anna") as anna:
        await share_each(anna, tmp_path, "abcd")
        async with running(tmp_path, "ben", at_once=1) as ben:
            await until_online(ben, 1)
            with gated(anna, 0):
                ids = await get_each(ben, "abcd")
                await ben.prioritise(ids["d"], 5)
        with gated(anna, 0) as gate:
            async with running(tmp_path, "ben", at_once=1) as ben:
                order = asyncio.ensure_future(ends(ben, 4))
                await asyncio.sleep(0)
                gate.open()
                ended = await order

    assert ended == ["d", "a", "b", "c"]


async def test_pause_makes_room_for_the_next(queue: tuple[Engine, Engine], tmp_path: Path) -> None:
    """And what is resumed waits for its turn."""
    anna, ben = queue
    await share_each(anna, tmp_path, "ab")
    with gated(anna, 0) as gate:
        a, b = (await get_each(ben, "ab")).values()
        await ben.pause(a)
        await transfer_when(ben, b, lambda view: view.state == "running")
        resumed = await ben.resume(a)
        gate.open()
        views = [await finished(ben, each) for each in (a, b)]

    assert resumed.state == "queued"
    assert [view.state for view in views] == ["done", "done"]


async def test_transfer_without_a_source_lets_others_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for a peer takes no place."""
    monkeypatch.setattr(transfer, "CONNECTING_SECONDS", 0.0)
    async with running(tmp_path, "ben", at_once=1) as ben, fake_peer(tmp_path, ben) as peer:
        await until_online(ben, 1)
        lost = peer.offer(noise(2 * MIB), "lost.mkv")
        peer.haves[lost] = []
        stuck = await ben.get("mallory/lost.mkv")
        await transfer_when(ben, stuck.transfer_id, lambda view: view.state == "waiting")
        peer.offer(noise(2 * MIB, 1))
        done = await fetched(ben, "mallory/film.mkv")

    assert done.state == "done"


async def test_only_chooses_files_of_a_folder(pair: tuple[Engine, Engine]) -> None:
    """Of a single file there is nothing to choose."""
    _, ben = pair

    with pytest.raises(UsageError, match="single file"):
        await ben.get("anna/film.mkv", only=["*"])


async def test_uploads_are_listed_with_the_transfers(pair: tuple[Engine, Engine]) -> None:
    """Whoever is being served is a row on the serving side."""
    anna, ben = pair
    await fetched(ben, "anna/film.mkv")
    (row,) = await anna.transfers()

    assert (row.direction, row.name) == ("up", "to ben")
    assert row.bytes > 4 * MIB
    assert (await anna.status()).transfers == 0


async def test_lying_flat_sum_is_found_out(tmp_path: Path) -> None:
    """A peer that offers another file under the sum asked for delivers nothing."""
    async with running(tmp_path, "ben") as ben, fake_peer(tmp_path, ben) as peer:
        await until_online(ben, 1)
        peer.offer(b"another film", sha256=b"s" * 32)
        got = await fetched(ben, f"sha256:{(b's' * 32).hex()}")

    assert (got.state, got.error_code) == ("failed", "integrity")
    assert landed(tmp_path) == []
