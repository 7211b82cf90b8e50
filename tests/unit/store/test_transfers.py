from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from peerterm.core.ids import Root, TransferId
from peerterm.store import transfers as module
from peerterm.store.database import Database
from peerterm.store.migrations import load
from peerterm.store.transfers import TransferRecord, TransferStore


def record(number: int, ended_at: float | None = None) -> TransferRecord:
    return TransferRecord(
        id=TransferId(f"{number:08x}"),
        direction="down",
        name="film.mkv",
        kind="file",
        state="running",
        started_at=float(number),
        ended_at=ended_at,
    )


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[TransferStore]:
    database = await Database.open(tmp_path / "state.db")
    yield TransferStore(database)
    await database.close()


async def test_record_comes_back_as_saved(store: TransferStore) -> None:
    """Every field survives, sources included."""
    saved = TransferRecord(
        id=TransferId("0000abcd"),
        direction="up",
        name="Müller 🎉",
        kind="folder",
        root=Root(b"\1" * 32),
        reference="peerterm:x",
        directory="/home/me",
        state="failed",
        size=2**62,
        bytes=5,
        path="/home/me/x",
        error="no space",
        error_code="disk_full",
        sources=[{"peer_id": "a", "name": "é", "bytes": 7}],
        part="x.peerterm-part",
        part_inode=2**64 - 1,
        priority=-3,
        position=8,
        limit=10 * 2**20,
        only=["*.mkv", "é/**"],
        files=20_000,
        done_files=19_999,
        seconds=12.5,
        local_bytes=3,
        wasted_bytes=4,
        started_at=1.25,
        ended_at=2.5,
    )
    await store.save(saved)

    assert await store.all(10) == [saved]


async def test_saving_again_replaces(store: TransferStore) -> None:
    """A transfer has one record."""
    await store.save(record(1))
    await store.save(replace(record(1), state="done", ended_at=9.0))

    assert await store.all(10) == [replace(record(1), state="done", ended_at=9.0)]


async def test_noting_writes_as_saving_does(store: TransferStore) -> None:
    """Several at once, and none at all."""
    await store.note()
    await store.note(record(1), record(2))
    await store.note(replace(record(1), state="paused"))

    assert await store.all(10) == [replace(record(1), state="paused"), record(2)]


async def test_newest_records_come_oldest_first(store: TransferStore) -> None:
    """A limit keeps the newest; they are told in the order they started."""
    for number in (3, 1, 2):
        await store.save(record(number))

    assert [found.started_at for found in await store.all(2)] == [2.0, 3.0]


async def test_deleted_record_is_gone(store: TransferStore) -> None:
    """Deleting what is not there is no error."""
    await store.save(record(1))
    await store.delete(TransferId("00000001"))
    await store.delete(TransferId("00000001"))

    assert await store.all(10) == []


async def test_history_is_bounded_but_unfinished_transfers_stay(
    store: TransferStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transfers that ended longest ago are forgotten, never one that still runs."""
    monkeypatch.setattr(module, "MAX_ENDED", 1)
    await store.save(record(1))
    await store.save(record(2, ended_at=10.0))
    await store.save(record(3, ended_at=20.0))

    assert [found.started_at for found in await store.all(10)] == [1.0, 3.0]


async def test_queue_comes_in_its_order(store: TransferStore) -> None:
    """Unfinished transfers of every state, by position, then age, whatever their priority; none that ended."""
    states = ["queued", "paused", "waiting", "running", "queued"]
    places = [(0, 2), (0, 1), (5, 9), (0, 1), (-1, 0)]
    queue = [
        replace(record(number), state=state, priority=priority, position=position)
        for number, (state, (priority, position)) in enumerate(zip(states, places, strict=True))
    ]
    await store.save(*queue, record(9, ended_at=1.0))

    assert await store.unfinished() == [queue[4], queue[1], queue[3], queue[0], queue[2]]


async def test_history_tells_the_latest_first(store: TransferStore) -> None:
    """Only what ended, as far back as asked."""
    ended = [record(number, ended_at=float(10 - number)) for number in range(3)]
    await store.save(*ended, record(5))

    assert await store.history(2) == ended[:2]
    assert await store.history(10) == ended


async def test_several_records_are_saved_at_once(store: TransferStore) -> None:
    """Reordering a queue is one write."""
    await store.save(record(1), record(2))
    await store.save(*(replace(record(number), position=3 - number) for number in (1, 2)))

    assert [found.started_at for found in await store.unfinished()] == [2.0, 1.0]


async def test_transfers_of_the_first_schema_are_kept(tmp_path: Path) -> None:
    """A database of version 1 is upgraded: what it listed is there, queued in the order it was started."""
    path = tmp_path / "state.db"
    database = await Database.open(path, load()[:1])
    async with database.transaction() as connection:
        for number in (3, 1, 2):
            ended = None if number < 3 else 9.0
            row = (f"{number:08x}", "down", "film.mkv", "file", b"\1" * 32, "film", "/home/me", "running")
            values = (*row, 5, 4, "", "", "", '[{"peer_id": "a"}]', float(number), ended)
            await connection.execute(f"INSERT INTO transfers VALUES ({', '.join('?' * 16)})", values)
    await database.close()
    database = await Database.open(path)
    store = TransferStore(database)
    expected = [
        replace(
            record(number),
            root=Root(b"\1" * 32),
            reference="film",
            directory="/home/me",
            size=5,
            bytes=4,
            sources=[{"peer_id": "a"}],
            position=number,
        )
        for number in (1, 2, 3)
    ]

    assert await store.unfinished() == expected[:2]
    assert await store.history(10) == [replace(expected[2], ended_at=9.0)]
    assert (tmp_path / "state.db.before-2").exists()
    await store.save(replace(expected[0], state="paused"))
    assert [found.state for found in await store.all(10)] == ["paused", "running", "running"]
    await database.close()
