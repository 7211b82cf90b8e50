from __future__ import annotations

import asyncio
import errno
import sqlite3
from pathlib import Path

import pytest

from peerterm.errors import DiskFull, StorageError
from peerterm.store import database as module
from peerterm.store.database import APPLICATION_ID, EARLIEST_NS, Database, unwrap, wrap

SELECT = "SELECT seq FROM catalog"
SET_SEQ = "UPDATE catalog SET seq = ?"


async def write(database: Database, seq: int) -> None:
    async with database.transaction() as connection:
        await connection.execute(SET_SEQ, [seq])


async def make(path: Path, seq: int = 7) -> None:
    database = await Database.open(path)
    await write(database, seq)
    await database.close()


@pytest.mark.parametrize("value", [0, 1, 2**63 - 1, 2**63, 2**64 - 1])
def test_unsigned_number_survives_storage(value: int) -> None:
    """Device and inode numbers use all 64 bits, SQLite's integers are signed."""
    assert -(2**63) <= wrap(value) < 2**63
    assert unwrap(wrap(value)) == value


@pytest.mark.parametrize("value", [-(2**61), -1, 0, 2**63, 15_032_385_535 * 10**9])
def test_far_off_time_survives_storage(value: int) -> None:
    """Dates before 1970 and up to ext4's last in 2446 come back as they were."""
    assert -(2**63) <= wrap(value) < 2**63
    assert unwrap(wrap(value), EARLIEST_NS) == value


async def test_what_was_committed_is_there_after_reopening(tmp_path: Path) -> None:
    """A database keeps its data and is not taken for damaged."""
    await make(tmp_path / "state.db")

    database = await Database.open(tmp_path / "state.db")

    assert await database.fetch_one(SELECT) == (7,)
    assert not database.was_rebuilt
    await database.close()


async def test_connection_is_set_up_for_safety(tmp_path: Path) -> None:
    """Log mode, full sync, foreign keys, waiting, our mark, no memory mapping; readable by the owner only."""
    path = tmp_path / "state.db"
    database = await Database.open(path)

    async def setting(name: str) -> object:
        row = await database.fetch_one(f"PRAGMA {name}")
        return row and row[0]

    assert await setting("journal_mode") == "wal"
    assert await setting("synchronous") == 2
    assert await setting("foreign_keys") == 1
    assert await setting("busy_timeout") == 5000
    assert await setting("application_id") == APPLICATION_ID
    assert await setting("mmap_size") in (0, None)
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
    await database.close()
    await database.close()


@pytest.mark.parametrize("size", [0, 100, "half"])
async def test_truncated_database_is_set_aside(tmp_path: Path, size: int | str) -> None:
    """A file cut short makes room for an empty database and is kept under another name."""
    path = tmp_path / "state.db"
    await make(path)
    kept = path.read_bytes()
    kept = kept[: len(kept) // 2] if size == "half" else kept[: int(size)]
    path.write_bytes(kept)

    database = await Database.open(path)

    assert database.was_rebuilt
    assert await database.fetch_one(SELECT) == (0,)
    assert (tmp_path / "state.db.damaged-1").read_bytes() == kept
    await database.close()


async def test_garbage_is_set_aside_with_its_log_each_time_under_a_new_number(tmp_path: Path) -> None:
    """Nothing set aside is overwritten by what is set aside later."""
    path = tmp_path / "state.db"
    for content in (b"first" * 999, b"second" * 999):
        path.write_bytes(content)
        path.with_name("state.db-wal").write_bytes(content)
        database = await Database.open(path)
        await database.close()

        assert database.was_rebuilt

    for number, content in ((1, b"first" * 999), (2, b"second" * 999)):
        assert (tmp_path / f"state.db.damaged-{number}").read_bytes() == content
        assert (tmp_path / f"state.db.damaged-{number}-wal").read_bytes() == content


async def test_database_of_another_program_is_set_aside_unchanged(tmp_path: Path) -> None:
    """A whole database that is not ours is never written to."""
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as foreign:
        foreign.execute("CREATE TABLE notes (text)")
    foreign.close()
    content = path.read_bytes()

    database = await Database.open(path)

    assert database.was_rebuilt
    assert (tmp_path / "state.db.damaged-1").read_bytes() == content
    await database.close()


async def test_overwritten_page_is_noticed_at_start(tmp_path: Path) -> None:
    """Damage inside the file is found although its header is fine."""
    path = tmp_path / "state.db"
    await make(path)
    content = bytearray(path.read_bytes())
    content[8192:12288] = b"\xff" * 4096
    path.write_bytes(content)

    database = await Database.open(path)

    assert database.was_rebuilt
    await database.close()


async def test_lost_log_leaves_a_whole_database(tmp_path: Path) -> None:
    """After a crash and the loss of its -wal file the database opens in an earlier state."""
    path, copy = tmp_path / "state.db", tmp_path / "copy.db"
    await make(path)
    database = await Database.open(path)
    await write(database, 8)
    copy.write_bytes(path.read_bytes())
    await database.close()

    reopened = await Database.open(copy)

    assert not reopened.was_rebuilt
    assert await reopened.fetch_one(SELECT) == (7,)
    await reopened.close()


async def test_failed_body_changes_nothing(tmp_path: Path) -> None:
    """An error inside a transaction undoes all of it and passes through."""
    database = await Database.open(tmp_path / "state.db")

    async def writer() -> None:
        async with database.transaction() as connection:
            await connection.execute(SET_SEQ, [5])
            await connection.execute("INSERT INTO catalog VALUES (2, 0, 0)")

    with pytest.raises(sqlite3.IntegrityError):
        await writer()

    assert await database.fetch_one(SELECT) == (0,)
    await database.close()


async def test_cancelled_transaction_rolls_back(tmp_path: Path) -> None:
    """Cancelling the writer between two statements leaves the state before, and the next one may write."""
    database = await Database.open(tmp_path / "state.db")
    inside = asyncio.Event()

    async def writer() -> None:
        async with database.transaction() as connection:
            await connection.execute(SET_SEQ, [5])
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(writer())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await database.fetch_one(SELECT) == (0,)
    await write(database, 6)
    assert await database.fetch_one(SELECT) == (6,)
    await database.close()


@pytest.mark.parametrize("steps", range(12))
async def test_writer_cancelled_at_any_step_writes_all_or_nothing(tmp_path: Path, steps: int) -> None:
    """Wherever the cancellation strikes, twice at that, no half is left and the database stays usable."""
    database = await Database.open(tmp_path / "state.db")

    async def writer() -> None:
        async with database.transaction() as connection:
            await connection.execute(SET_SEQ, [5])
            await connection.execute("UPDATE catalog SET forgotten = 5")

    task = asyncio.create_task(writer())
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert await database.fetch_one("SELECT seq, forgotten FROM catalog") in [(0, 0), (5, 5)]
    await write(database, 6)
    assert await database.fetch_one(SELECT) == (6,)
    await database.close()


async def test_cancelling_during_the_commit_lets_it_complete(tmp_path: Path) -> None:
    """Once the commit has begun the write is kept, and the cancellation still arrives."""
    database = await Database.open(tmp_path / "state.db")

    async def writer() -> None:
        async with database.transaction() as connection:
            await connection.execute(SET_SEQ, [5])
            asyncio.get_running_loop().call_soon(task.cancel)

    task = asyncio.create_task(writer())
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await database.fetch_one(SELECT) == (5,)
    await database.close()


async def test_read_does_not_wait_for_a_write(tmp_path: Path) -> None:
    """A query asked for during a transaction is answered during it."""
    database = await Database.open(tmp_path / "state.db")

    async with database.transaction() as connection:
        await connection.execute(SET_SEQ, [5])
        seen = await database.fetch_one(SELECT)
        await connection.execute(SET_SEQ, [6])

    assert seen == (5,)
    assert await database.fetch_one(SELECT) == (6,)
    await database.close()


async def test_full_disk_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    """SQLite's "full" becomes ``DiskFull``; the database goes on with what it had."""
    path = tmp_path / "state.db"
    database = await Database.open(path)
    await database.fetch_all("PRAGMA max_page_count = 1")

    with pytest.raises(DiskFull, match=r"state\.db"):
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO listings VALUES (x'00', zeroblob(1000000))")

    assert await database.fetch_all("SELECT * FROM listings") == []
    await database.close()


async def test_wrong_sql_is_a_bug_and_passes_through(tmp_path: Path) -> None:
    """A programming mistake is not dressed up as a fault of the disk."""
    database = await Database.open(tmp_path / "state.db")

    with pytest.raises(sqlite3.OperationalError):
        await database.fetch_all("SELECT nothing FROM nowhere")

    await database.close()


async def test_write_refused_by_sqlite_names_the_file(tmp_path: Path) -> None:
    """A database that turned read-only is reported with its path."""
    database = await Database.open(tmp_path / "state.db")
    await database.fetch_all("PRAGMA query_only = ON")

    with pytest.raises(StorageError, match=r"state\.db"):
        await write(database, 1)

    await database.close()


async def test_database_that_another_program_holds_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A locked file is reported, not taken for damaged."""
    path = tmp_path / "state.db"
    await make(path)
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.0)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")

    with pytest.raises(StorageError, match="locked"):
        await Database.open(path)
    other.close()

    assert not list(tmp_path.glob("*damaged*"))


@pytest.mark.parametrize("place", ["missing/state.db", "folder", "file/state.db"])
async def test_place_that_cannot_hold_a_database_is_named(tmp_path: Path, place: str) -> None:
    """No folder, a folder instead of a file: an error with the path, no traceback."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()

    with pytest.raises(StorageError, match=place):
        await Database.open(tmp_path / place)


async def test_no_space_to_begin_with_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk met before SQLite starts is ``DiskFull`` too."""

    def refuse(path: Path) -> bool:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "_prepare_file", refuse)

    with pytest.raises(DiskFull, match=r"state\.db"):
        await Database.open(tmp_path / "state.db")


async def test_file_error_of_the_body_is_left_alone(tmp_path: Path) -> None:
    """Only SQLite's own errors are blamed on the database."""
    database = await Database.open(tmp_path / "state.db")

    with pytest.raises(FileNotFoundError):
        async with database.transaction():
            raise FileNotFoundError

    await database.close()


async def test_quick_write_happens_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    """It returns what its body does; after a failure others write on, and all else waits for the disk as before."""
    database = await Database.open(tmp_path / "state.db")

    def fail(connection: sqlite3.Connection) -> None:
        connection.execute(SET_SEQ, [5])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.quick_write(fail)
    after_failure = await database.fetch_one(SELECT)
    changed = await database.quick_write(lambda connection: connection.execute(SET_SEQ, [6]).rowcount)
    await database.sync()
    await write(database, 7)

    assert after_failure == (0,)
    assert changed == 1
    assert await database.fetch_one(SELECT) == (7,)
    assert await database.fetch_one("PRAGMA synchronous") == (2,)

    await database.close()


async def test_quick_write_refused_by_sqlite_names_the_file(tmp_path: Path) -> None:
    """As every other."""
    database = await Database.open(tmp_path / "state.db")
    await database.fetch_all("PRAGMA query_only = ON")
    with pytest.raises(StorageError, match=r"state\.db"):
        await database.quick_write(lambda connection: connection.execute(SET_SEQ, [6]))

    await database.close()


async def test_log_that_is_gone_cannot_be_synced(tmp_path: Path) -> None:
    """Somebody deleted it: that is said, and nothing else happens."""
    database = await Database.open(tmp_path / "state.db")
    await write(database, 7)
    (tmp_path / "state.db-wal").unlink()
    with pytest.raises(StorageError):
        await database.sync()

    await database.close()
