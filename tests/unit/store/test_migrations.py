from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from peerterm.errors import SchemaTooNew, StorageError
from peerterm.store.database import Database
from peerterm.store.migrations import Migration, load

FIRST = load()
SECOND = Migration(len(FIRST) + 1, "CREATE TABLE later (x INTEGER); INSERT INTO later VALUES (1);")
THIRD = Migration(len(FIRST) + 2, "ALTER TABLE later ADD COLUMN y INTEGER;")


async def make(path: Path) -> None:
    database = await Database.open(path)
    async with database.transaction() as connection:
        await connection.execute("UPDATE catalog SET seq = 7")
    await database.close()


def test_numbers_start_at_one_and_leave_none_out() -> None:
    """A migration's place in the list is its number."""
    assert [migration.number for migration in FIRST] == list(range(1, len(FIRST) + 1))


async def test_new_database_gets_all_migrations_and_no_copy(tmp_path: Path) -> None:
    """There is nothing to save before the first schema."""
    path = tmp_path / "state.db"
    database = await Database.open(path, [*FIRST, SECOND, THIRD])

    assert await database.fetch_all("SELECT x, y FROM later") == [(1, None)]
    assert await database.fetch_one("PRAGMA user_version") == (THIRD.number,)
    assert not list(tmp_path.glob("*before*"))
    await database.close()


async def test_existing_database_is_copied_then_migrated(tmp_path: Path) -> None:
    """The copy holds the state before; the data survives the change."""
    path = tmp_path / "state.db"
    await make(path)
    (tmp_path / f"state.db.before-{SECOND.number}.part").write_text("left by a crash")

    database = await Database.open(path, [*FIRST, SECOND, THIRD])
    await database.close()
    copy = sqlite3.connect(tmp_path / f"state.db.before-{SECOND.number}")
    kept = copy.execute("SELECT seq FROM catalog").fetchall(), copy.execute("PRAGMA user_version").fetchone()
    copy.close()

    assert kept == ([(7,)], (len(FIRST),))
    assert not list(tmp_path.glob("*.part"))
    assert (tmp_path / f"state.db.before-{SECOND.number}").stat().st_mode & 0o777 == 0o600


async def test_migrated_database_opens_again_without_a_change(tmp_path: Path) -> None:
    """What was applied is not applied twice."""
    path = tmp_path / "state.db"
    for _ in range(2):
        database = await Database.open(path, [*FIRST, SECOND])

        assert await database.fetch_all("SELECT x FROM later") == [(1,)]
        await database.close()


async def test_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    """An older program does not touch what a newer one wrote, and says what to do."""
    path = tmp_path / "state.db"
    database = await Database.open(path, [*FIRST, SECOND])
    await database.close()
    content = path.read_bytes()

    with pytest.raises(SchemaTooNew) as caught:
        await Database.open(path)

    assert caught.value.hint
    assert path.read_bytes() == content
    assert not list(tmp_path.glob("*damaged*"))


async def test_failing_migration_leaves_the_state_before(tmp_path: Path) -> None:
    """Half a migration is undone; the next start finds the old schema."""
    path = tmp_path / "state.db"
    await make(path)
    broken = Migration(SECOND.number, "CREATE TABLE later (x); INSERT INTO nowhere VALUES (1);")

    with pytest.raises(sqlite3.OperationalError):
        await Database.open(path, [*FIRST, broken])
    database = await Database.open(path)

    assert await database.fetch_one("PRAGMA user_version") == (len(FIRST),)
    assert await database.fetch_all("SELECT name FROM sqlite_schema WHERE name = 'later'") == []
    await database.close()


async def test_migration_that_breaks_references_is_undone(tmp_path: Path) -> None:
    """Rows that refer to nothing after the change are found before the commit."""
    path = tmp_path / "state.db"
    await make(path)
    orphan = Migration(SECOND.number, "INSERT INTO skipped VALUES ('none', 'x', 'y');")

    with pytest.raises(StorageError, match="refer to nothing"):
        await Database.open(path, [*FIRST, orphan])
    database = await Database.open(path)

    assert await database.fetch_all("SELECT * FROM skipped") == []
    await database.close()
