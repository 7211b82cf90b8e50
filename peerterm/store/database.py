"""The one connection to the profile's SQLite file: opening, checking, transactions, and naming what goes wrong.

The table modules beside it run their SQL through a ``Database``; nobody else opens the file.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import aiosqlite

from peerterm.errors import DiskFull, StorageError
from peerterm.store import migrations as schema
from peerterm.store.completion import to_its_end

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
    from pathlib import Path

APPLICATION_ID = 0x70747264  # "ptrd", set by the first migration; tells our file from any other program's
BUSY_SECONDS = 5.0
CACHE_BYTES = 16 * 1024 * 1024
MAX_IDLE_LOG_BYTES = 16 * 1024 * 1024  # a bulk write makes the -wal file longer, the next checkpoint cuts it back

EARLIEST_NS = -(2**61)
"""Times in nanoseconds from here on (1896 to 2481: all that file systems hold) survive ``wrap`` and ``unwrap``."""

Row: TypeAlias = tuple[Any, ...]
_Result = TypeVar("_Result")

_MAGIC = b"SQLite format 3\0"
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def wrap(value: int) -> int:
    """Bring an integer of 64 bits, signed or not, into the range SQLite stores."""
    return (value + 2**63) % 2**64 - 2**63


def unwrap(stored: int, lowest: int = 0) -> int:
    """Undo ``wrap`` for a value known to be in ``lowest`` to ``lowest + 2**64 - 1``."""
    return (stored - lowest) % 2**64 + lowest


class Database:
    """The open database.

    Transactions take turns. A read does not wait for one under way: it may see part of what is being written, which
    a catalog bears well, and which beats a search that hangs for the seconds that 100,000 new entries take.
    """

    def __init__(self, path: Path, connection: aiosqlite.Connection, *, was_rebuilt: bool) -> None:
        self.was_rebuilt = was_rebuilt
        self._path = path
        self._connection = connection
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path, migrations: Sequence[schema.Migration] | None = None) -> Database:
        """Open or create the database at ``path``, whose folder exists, and bring it up to date.

        A file that is damaged or no database of ours is renamed to ``NAME.damaged-N`` with its log, and an empty
        database takes its place; ``was_rebuilt`` then says so.

        Raises:
            SchemaTooNew: A newer peerterm wrote it.
            DiskFull: No space for a new database, or for the copy made before a migration.
            StorageError: The disk refused.
        Cancel: Safe; at most a migrated or set-aside file is left.
        """
        if migrations is None:
            migrations = schema.load()
        with _errors_named(path, with_files=True):
            async with AsyncExitStack() as cleanup:
                connection = await _connect(path, cleanup)
                was_rebuilt = connection is None
                if connection is None:
                    await asyncio.to_thread(_set_aside, path)
                    connection = await _connect(path, cleanup)
                assert connection is not None, "a new database is whole"
                await _configure(connection)
                await schema.migrate(connection, path, migrations)
                await connection.execute("PRAGMA foreign_keys = ON")
                cleanup.pop_all()
        return cls(path, connection, was_rebuilt=was_rebuilt)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        """Run the body as one write that happens as a whole or not at all.

        Use only the connection inside: calling back into this object would wait for itself.

        Raises:
            DiskFull: No space; nothing was written.
            StorageError: The disk refused; nothing was written.
        Cancel: Safe; rolled back unless the commit had begun, which then completes.
        """
        with _errors_named(self._path):
            async with self._turn:
                try:
                    await self._connection.execute("BEGIN IMMEDIATE")
                    yield self._connection
                    await to_its_end(self._connection.commit())
                finally:
                    await to_its_end(self._connection.rollback())  # nothing is left to undo after a commit

    async def quick_write(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Run ``work`` as one write, like ``transaction``, for which somebody waits.

        All of it runs in the database's thread, to which is changed once and not for every statement. A crash
        undoes nothing that was written; a loss of power may, until ``sync`` or the next ``transaction``.

        Raises:
            DiskFull: No space; nothing was written.
            StorageError: The disk refused; nothing was written.
        Cancel: Safe; not begun, or completed.
        """
        with _errors_named(self._path):
            async with self._turn:
                connection = self._connection
                writing = connection._execute(_write, connection._conn, work)  # type: ignore[no-untyped-call] # noqa: SLF001
                return cast("_Result", await to_its_end(writing))

    async def sync(self) -> None:
        """Make sure that no loss of power undoes what was written so far. Others may write meanwhile.

        Raises:
            StorageError: The disk refused.
        Cancel: Safe.
        """
        with _errors_named(self._path, with_files=True):
            await asyncio.to_thread(_sync, self._path.with_name(f"{self._path.name}-wal"))

    async def fetch_all(self, sql: str, parameters: Iterable[Any] = ()) -> list[Row]:
        """Return all rows of a query, with what a transaction under way has written so far.

        Raises:
            StorageError: The disk refused, or the file is damaged.
        Cancel: Safe.
        """
        with _errors_named(self._path):
            rows = await self._connection.execute_fetchall(sql, parameters)
        return cast("list[Row]", rows)

    async def fetch_one(self, sql: str, parameters: Iterable[Any] = ()) -> Row | None:
        """Return the first row of a query that yields few, ``None`` if there is none; see ``fetch_all``."""
        rows = await self.fetch_all(sql, parameters)
        return rows[0] if rows else None

    async def settled(self) -> None:
        """Wait until no transaction is under way, so that what is not found then is not there."""
        async with self._turn:
            pass

    async def close(self) -> None:
        """Wait for the write under way, then close. Closing again does nothing. Cancel: closes all the same."""
        async with self._turn:
            await to_its_end(self._connection.close())


async def _connect(path: Path, cleanup: AsyncExitStack) -> aiosqlite.Connection | None:
    """Connect without changing an existing file; ``None`` if it is damaged or not ours."""
    if not await asyncio.to_thread(_prepare_file, path):
        return None
    async with AsyncExitStack() as attempt:
        connecting = aiosqlite.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        connection = await attempt.enter_async_context(connecting)
        try:
            whole = await _is_whole(connection)
        except sqlite3.DatabaseError as error:
            if _code(error) not in _DAMAGE:
                raise
            whole = False
        if whole:
            cleanup.push_async_exit(attempt.pop_all())
            return connection
    return None


async def _is_whole(connection: aiosqlite.Connection) -> bool:
    [(application,)] = await connection.execute_fetchall("PRAGMA application_id")
    [(objects,)] = await connection.execute_fetchall("SELECT count(*) FROM sqlite_schema")
    if application != APPLICATION_ID and (application, objects) != (0, 0):
        return False
    [(verdict,)] = await connection.execute_fetchall("PRAGMA quick_check(1)")
    return bool(verdict == "ok")


async def _configure(connection: aiosqlite.Connection) -> None:
    """Set what SQLite keeps per connection. Foreign keys stay off until the migrations are done."""
    for setting in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = OFF",
        "mmap_size = 0",
        f"busy_timeout = {int(BUSY_SECONDS * 1000)}",
        f"cache_size = -{CACHE_BYTES // 1024}",
        f"journal_size_limit = {MAX_IDLE_LOG_BYTES}",
    ):
        await connection.execute(f"PRAGMA {setting}")


def _prepare_file(path: Path) -> bool:
    """Make an absent file, readable by its owner alone; return whether a present one looks like a database.

    SQLite never sees one that does not: it would delete its log.
    """
    if path.exists():
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    path.touch(mode=0o600)  # SQLite gives its -wal and -shm files the same mode
    return True


def _set_aside(path: Path) -> None:
    """Rename a database and its log to the first number that is free."""
    suffixes = ("", "-wal", "-shm")
    names = (f"{path.name}.damaged-{number}" for number in count(1))
    free = next(n for n in names if not any(path.with_name(n + suffix).exists() for suffix in suffixes))
    for suffix in suffixes:
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(path.with_name(free + suffix))


def _write(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
    connection.execute("PRAGMA synchronous = NORMAL")
    try:
        connection.execute("BEGIN IMMEDIATE")
        result = work(connection)
        connection.commit()
    finally:
        connection.rollback()  # nothing is left to undo after a commit
        connection.execute("PRAGMA synchronous = FULL")
    return result


def _sync(path: Path) -> None:
    """Bring a file to the disk. Not the database itself: to close that ends the locks SQLite has on it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code; 0 if the error did not come from SQLite."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


@contextmanager
def _errors_named(path: Path, *, with_files: bool = False) -> Iterator[None]:
    """Map faults of the disk; wrong SQL and broken constraints are the caller's and pass through."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = _code(error)
        if code == sqlite3.SQLITE_FULL:
            raise _disk_full(path) from error
        if code in _DAMAGE or (isinstance(error, sqlite3.OperationalError) and code != sqlite3.SQLITE_ERROR):
            raise StorageError(f"{path}: {error}", "check the disk, then restart peerterm") from error
        raise
    except OSError as error:
        if not with_files:
            raise
        if error.errno == errno.ENOSPC:
            raise _disk_full(path) from error
        raise StorageError(f"{path}: {error.strerror}", "check the folder and its permissions") from error


def _disk_full(path: Path) -> DiskFull:
    return DiskFull(f"{path}: no space left on its disk", "free some space, then try again")
