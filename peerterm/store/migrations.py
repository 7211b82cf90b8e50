"""Brings a database's schema up to date: numbered, append-only SQL files, one transaction each.

Called by ``Database.open`` alone, with the only connection to the file.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from peerterm.errors import SchemaTooNew, StorageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import aiosqlite


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema. ``number`` is the ``user_version`` it leads to; the first is 1, none is left out."""

    number: int
    sql: str


def load() -> list[Migration]:
    """Return the migrations this version knows, oldest first."""
    folder = files("peerterm.store") / "schema"
    scripts = sorted((item for item in folder.iterdir() if item.name.endswith(".sql")), key=lambda item: item.name)
    return [Migration(int(script.name[:4]), script.read_text("utf-8")) for script in scripts]


async def migrate(connection: aiosqlite.Connection, path: Path, migrations: Sequence[Migration]) -> None:
    """Apply what a database lacks; an existing one is first copied to ``NAME.before-N``.

    Foreign keys must be off, so that a migration may rebuild tables. After an error the caller closes the
    connection, which rolls the failed migration back.

    Raises:
        SchemaTooNew: A newer peerterm wrote the database; nothing was touched.
        StorageError: The copy failed, or the migrated data is inconsistent.
    """
    version = await _version(connection)
    if version > len(migrations):
        raise SchemaTooNew(
            f"{path}: written by a newer peerterm (schema {version}, this one knows {len(migrations)})",
            "start the newer peerterm, or use another profile: peerterm --profile DIR",
        )
    pending = migrations[version:]
    if version and pending:
        await _back_up(connection, path, pending[0].number)
    for migration in pending:
        await _apply(connection, path, migration)


async def _version(connection: aiosqlite.Connection) -> int:
    [(version,)] = await connection.execute_fetchall("PRAGMA user_version")
    return int(version)


async def _apply(connection: aiosqlite.Connection, path: Path, migration: Migration) -> None:
    script = f"BEGIN IMMEDIATE;\n{migration.sql}\nPRAGMA user_version = {migration.number};"
    await connection.executescript(script)
    broken = list(await connection.execute_fetchall("PRAGMA foreign_key_check"))
    if broken:
        raise StorageError(
            f"{path}: {len(broken)} rows refer to nothing after the change to schema {migration.number}",
            "the database was left as it was; go back to the version of peerterm used before",
        )
    await connection.commit()


async def _back_up(connection: aiosqlite.Connection, path: Path, number: int) -> None:
    """Copy the database, with what its log holds; an unfinished copy never bears the final name."""
    unfinished = path.with_name(f"{path.name}.before-{number}.part")
    await asyncio.to_thread(unfinished.unlink, missing_ok=True)
    await connection.execute("VACUUM INTO ?", [str(unfinished)])
    await asyncio.to_thread(_finish_copy, unfinished, unfinished.with_suffix(""))


def _finish_copy(unfinished: Path, final: Path) -> None:
    with unfinished.open("rb") as copy:
        os.fsync(copy.fileno())
    unfinished.chmod(0o600)
    unfinished.replace(final)
