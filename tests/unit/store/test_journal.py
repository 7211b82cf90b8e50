"""peerterm.store.journal: what was flushed is there after any end; nothing doubtful is believed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerterm.core.bitfield import Bitfield
from peerterm.core.ids import Root, TransferId
from peerterm.core.manifest import CHUNK_BYTES, PAGE_CHUNKS
from peerterm.errors import StorageError
from peerterm.store import journal as module
from peerterm.store.database import Database
from peerterm.store.journal import Journal, Landed, boot_number
from peerterm.store.partfile import SUM_BYTES, FileMark
from peerterm.store.transfers import TransferRecord, TransferStore

if TYPE_CHECKING:
    from collections.abc import Iterable


ONE, OTHER = TransferId("00000001"), TransferId("00000002")
FILM, SONG = Root(b"\1" * 32), Root(b"\2" * 32)
SIZE = (PAGE_CHUNKS + 2) * CHUNK_BYTES + 5
CHUNKS = PAGE_CHUNKS + 3
MARK = FileMark(7, -1_600_000_000_123_456_789, 2**64 - 1, 2**64 - 2)


def sum_of(index: int) -> bytes:
    return (index + 1).to_bytes(SUM_BYTES, "big")


def note(journal: Journal, indexes: Iterable[int], transfer_id: TransferId = ONE, root: Root = FILM) -> None:
    for index in indexes:
        journal.note(transfer_id, root, SIZE, index, sum_of(index))


def indexes_of(held: Bitfield) -> list[int]:
    return [index for index in range(held.size) if held.has(index)]


async def held_of(journal: Journal, transfer_id: TransferId = ONE, root: Root = FILM) -> list[int]:
    return indexes_of((await journal.load(transfer_id))[root].held)


@pytest.fixture
def journal(database: Database) -> Journal:
    return Journal(database, boot=1)


async def test_flushed_chunks_are_there_after_the_process_died(database: Database, journal: Journal) -> None:
    """Another process finds size, chunks and sums of each content, over several pages."""
    indexes = [0, 7, PAGE_CHUNKS - 1, PAGE_CHUNKS, CHUNKS - 1]
    note(journal, indexes)
    note(journal, [3], root=SONG)
    note(journal, [4], OTHER)
    await journal.flush()
    found = await Journal(database, boot=1).load(ONE)

    assert set(found) == {FILM, SONG}
    film = found[FILM]
    assert (film.size, indexes_of(film.held), film.stamp) == (SIZE, indexes, "")
    assert len(film.sums) == CHUNKS * SUM_BYTES
    assert all(film.sums[index * SUM_BYTES :][:SUM_BYTES] == sum_of(index) for index in indexes)
    assert film.sums.count(0) >= (CHUNKS - len(indexes)) * SUM_BYTES
    assert indexes_of(found[SONG].held) == [3]


async def test_what_was_not_flushed_is_lost_with_the_process(database: Database, journal: Journal) -> None:
    """Notes are only memory; loading in the same process writes them first."""
    note(journal, [1])

    assert await Journal(database, boot=1).load(ONE) == {}
    assert await held_of(journal) == [1]
    assert await held_of(Journal(database, boot=1)) == [1]


async def test_journal_grows_over_several_runs(database: Database, journal: Journal) -> None:
    """A run that loads first adds to what earlier ones wrote."""
    note(journal, [1, CHUNKS - 1])
    await journal.flush()
    again = Journal(database, boot=1)
    await again.load(ONE)
    note(again, [2])
    await again.flush()

    assert await held_of(Journal(database, boot=1)) == [1, 2, CHUNKS - 1]


async def test_only_changed_pages_are_written(
    database: Database, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flush costs what changed since the last one, however big the file is; without a change it costs nothing."""
    note(journal, range(CHUNKS))
    await journal.flush()
    async with database.transaction() as connection:
        await connection.execute("CREATE TABLE writes (page INTEGER)")
        await connection.execute(
            "CREATE TRIGGER t AFTER UPDATE ON journal_sums BEGIN INSERT INTO writes VALUES (new.page); END"
        )
    note(journal, [CHUNKS - 1])
    await journal.flush()
    monkeypatch.setattr(database, "quick_write", None)
    await journal.flush()

    assert await database.fetch_all("SELECT page FROM writes") == [(1,)]


async def test_failed_flush_is_made_up_for(
    database: Database, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the disk is full nothing is lost: the next flush writes it all, with what came meanwhile."""

    def refusing(_: object) -> None:
        note(journal, [2])
        journal.note_landed(ONE, ("b",), SONG, MARK)
        raise StorageError("full")

    note(journal, [1])
    journal.note_landed(ONE, ("a",), SONG, MARK)
    monkeypatch.setattr(database, "quick_write", refusing)
    with pytest.raises(StorageError):
        await journal.flush()
    monkeypatch.undo()
    await journal.flush()
    again = Journal(database, boot=1)

    assert await held_of(again) == [1, 2]
    assert set(await again.load_landed(ONE)) == {("a",), ("b",)}


async def test_late_chunk_without_a_sum_is_not_noted(journal: Journal) -> None:
    """A chunk that came when its file had landed leaves no journal."""
    journal.note(ONE, FILM, SIZE, 1, b"")

    assert await journal.load(ONE) == {}


async def test_lost_chunks_are_struck_out(database: Database, journal: Journal) -> None:
    """What the re-check did not keep is not believed by the next run either."""
    note(journal, range(CHUNKS))
    await journal.flush()
    again = Journal(database, boot=1)
    kept = (await again.load(ONE))[FILM].held
    kept = Bitfield.from_bytes(kept.size, b"\x7f" + kept.to_bytes()[1:-1] + b"\0")
    again.keep(ONE, FILM, kept)
    again.keep(ONE, SONG, kept)
    await again.flush()

    assert await held_of(Journal(database, boot=1)) == indexes_of(kept)
    assert kept.count == CHUNKS - 1 - CHUNKS % 8


async def test_keeping_all_writes_nothing(
    database: Database, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks that never were held are nothing to strike out."""
    note(journal, [5])
    held = (await journal.load(ONE))[FILM].held
    journal.keep(ONE, FILM, held)
    monkeypatch.setattr(database, "quick_write", None)

    await journal.flush()
    assert held.count == 1


async def test_stamp_of_a_stop_in_order_comes_back(database: Database, journal: Journal) -> None:
    """After a stop in order the stamp says that nothing need be read; what was noted is written with it."""
    note(journal, [1])
    await journal.mark_clean(ONE, {FILM: "stamp"}, durable=False)
    found = await Journal(database, boot=1).load(ONE)

    assert found[FILM].stamp == "stamp"
    assert indexes_of(found[FILM].held) == [1]


@pytest.mark.parametrize(("durable", "stamp"), [(False, ""), (True, "stamp")])
async def test_stamp_outlives_a_restart_of_the_machine_only_if_synced(
    database: Database, journal: Journal, durable: bool, stamp: str
) -> None:
    """A power cut can take bytes that were never synced, whatever the file looks like."""
    note(journal, [1])
    journal.note_landed(ONE, ("a",), SONG, MARK)
    await journal.mark_clean(ONE, {FILM: "stamp"}, durable=durable)
    rebooted = Journal(database, boot=2)

    assert (await rebooted.load(ONE))[FILM].stamp == stamp
    assert (await rebooted.load_landed(ONE))["a",].is_certain == durable


async def test_chunk_noted_later_ends_the_stamp(database: Database, journal: Journal) -> None:
    """A transfer that went on and was killed is re-checked."""
    note(journal, [1])
    await journal.mark_clean(ONE, {FILM: "stamp"}, durable=True)
    await journal.load(ONE)
    note(journal, [2])
    await journal.flush()
    found = await Journal(database, boot=1).load(ONE)

    assert found[FILM].stamp == ""
    assert indexes_of(found[FILM].held) == [1, 2]


async def test_landed_file_replaces_its_chunks(database: Database, journal: Journal) -> None:
    """A finished file is one row; its sums are gone, whether they had been written or not."""
    note(journal, [0])
    await journal.flush()
    note(journal, [1])
    journal.note_landed(ONE, ("sub", "film"), FILM, MARK)
    journal.note_landed(ONE, (), SONG, MARK)
    journal.note_landed(OTHER, ("x",), SONG, MARK)
    await journal.flush()
    again = Journal(database, boot=1)

    assert await again.load(ONE) == {}
    assert await again.load_landed(ONE) == {
        ("sub", "film"): Landed(FILM, MARK, is_certain=True),
        (): Landed(SONG, MARK, is_certain=True),
    }
    assert await database.fetch_all("SELECT * FROM journal_sums") == []


async def test_landed_file_is_uncertain_after_a_restart_until_it_was_checked(database: Database) -> None:
    """What stood the check is certain from then on, what did not is forgotten."""
    before = Journal(database, boot=1)
    for name in ("kept", "lost"):
        before.note_landed(ONE, (name,), FILM, MARK)
    await before.flush()
    after = Journal(database, boot=2)
    assert not (await after.load_landed(ONE))["kept",].is_certain
    await after.keep_landed(ONE, {("kept",)})

    assert await after.load_landed(ONE) == {("kept",): Landed(FILM, MARK, is_certain=True)}


async def test_forgotten_transfer_leaves_nothing(database: Database, journal: Journal) -> None:
    """Rows and notes of one transfer go, those of others stay."""
    for transfer_id in (ONE, OTHER):
        note(journal, [1], transfer_id)
        journal.note_landed(transfer_id, ("a",), SONG, MARK)
        await journal.flush()
        note(journal, [2], transfer_id)
        journal.note_landed(transfer_id, ("b",), SONG, MARK)
    await journal.forget(ONE)

    assert (await journal.load(ONE), await journal.load_landed(ONE)) == ({}, {})
    assert await held_of(journal, OTHER) == [1, 2]
    assert len(await journal.load_landed(OTHER)) == 2


async def test_one_content_is_forgotten_alone(database: Database, journal: Journal) -> None:
    """The part file that is fetched anew begins with an empty journal; one that is unknown is no error."""
    note(journal, [1])
    note(journal, [1], root=SONG)
    await journal.flush()
    await journal.forget(ONE, FILM)
    await journal.forget(OTHER, FILM)

    assert set(await journal.load(ONE)) == {SONG}
    assert set(await Journal(database, boot=1).load(ONE)) == {SONG}


async def test_journal_goes_with_its_transfer(database: Database, journal: Journal) -> None:
    """Deleting a record deletes what it had on disk, in one step; a late note does not fail."""
    store = TransferStore(database)
    await store.save(
        TransferRecord(id=ONE, direction="down", name="x", kind="file", state="running", started_at=1.0)
    )
    note(journal, [1])
    journal.note_landed(ONE, ("a",), SONG, MARK)
    await journal.flush()
    await store.delete(ONE)
    assert await database.fetch_all("SELECT 1 FROM journal, journal_sums, journal_landed") == []
    note(journal, [2])

    await journal.flush()
    assert await held_of(Journal(database, boot=1)) == [1, 2]


@given(st.lists(st.binary(min_size=SUM_BYTES, max_size=SUM_BYTES), max_size=40))
def test_held_chunks_are_those_with_a_sum(sums: list[bytes]) -> None:
    """A sum of zeros is no sum."""
    held = module._held(b"".join(sums))

    assert held.size == len(sums)
    assert indexes_of(held) == [index for index, each in enumerate(sums) if any(each)]
    assert held.count == len(indexes_of(held))


def test_start_of_the_machine_has_one_number(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is the same for every process, and never that of what is durable; unknown, it is never the same."""
    first = boot_number()

    assert first == boot_number()
    assert 0 < first < 2**63
    for text in ("no id", "00000000-0000-0000-0000-000000000000"):
        (tmp_path / "boot").write_text(text)
        monkeypatch.setattr(module, "_BOOT_ID", tmp_path / "boot")
        assert 0 < boot_number() < 2**63
    (tmp_path / "boot").unlink()
    assert boot_number() != boot_number()
    assert os.path.exists("/proc/sys/kernel/random/boot_id")
