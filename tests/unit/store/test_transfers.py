from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from peerterm.core.ids import Root, TransferId
from peerterm.store import transfers as module
from peerterm.store.database import Database
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
