"""Files that finished transfers put on this disk, by content: what is here already need not be fetched again.

Only a memory: a file may have changed or gone since, which ``SharedFile.open`` finds out, and its bytes are
verified like those of any source. Called by the engine's transfer services.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from peerterm.core.ids import Root
from peerterm.store.database import EARLIEST_NS, unwrap, wrap
from peerterm.store.reading import SharedFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from peerterm.core.ids import TransferId
    from peerterm.core.listing import EntryKind
    from peerterm.store.database import Database

MAX_LANDED = 500_000
"""Most files remembered; those remembered first go first."""
MAX_FOUND = 16
"""Most places of one content that are told."""

_SAVE = """
    INSERT OR REPLACE INTO landed (root, path, size, mtime_ns, inode, device) VALUES (?, ?, ?, ?, ?, ?)
"""
_TAKE_OVER = """
    INSERT OR REPLACE INTO landed (root, path, size, mtime_ns, inode, device)
    SELECT root, ?1 || iif(path = '', '', '/' || path), size, mtime_ns, inode, device
    FROM journal_landed WHERE transfer_id = ?2 ORDER BY path
"""
_TRIM = "DELETE FROM landed WHERE id <= (SELECT max(id) FROM landed) - ?"


class LandedIndex:
    """Remembers where contents landed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remember(self, rows: Iterable[tuple[Root, SharedFile]]) -> None:
        """Add files; one that is known by its path is replaced.

        Raises:
            DiskFull, StorageError: Nothing was added.
        Cancel: Safe.
        """
        values = [
            (root, str(file.path), file.size, wrap(file.mtime_ns), wrap(file.inode), wrap(file.device))
            for root, file in rows
        ]
        async with self._database.transaction() as connection:
            await connection.executemany(_SAVE, values)
            await connection.execute(_TRIM, [MAX_LANDED])

    async def take_over(self, transfer_id: TransferId, top: Path) -> None:
        """Add all files of a finished transfer from its flushed journal, which then is forgotten.

        Args:
            transfer_id: The transfer.
            top: Where ``Destination.finish`` put it.

        Raises:
            DiskFull, StorageError: Nothing was changed.
        Cancel: Safe.
        """
        async with self._database.transaction() as connection:
            await connection.execute(_TAKE_OVER, (str(top), transfer_id))
            await connection.execute("DELETE FROM journal_landed WHERE transfer_id = ?", [transfer_id])
            await connection.execute("DELETE FROM journal WHERE transfer_id = ?", [transfer_id])
            await connection.execute(_TRIM, [MAX_LANDED])

    async def find(self, root: Root) -> list[SharedFile]:
        """Return where a content landed, the latest first; at most ``MAX_FOUND`` places.

        Raises:
            StorageError: The database cannot be read.
        Cancel: Safe.
        """
        sql = "SELECT path, size, mtime_ns, inode, device FROM landed WHERE root = ? ORDER BY id DESC LIMIT ?"
        return [
            SharedFile(Path(path), size, unwrap(mtime_ns, EARLIEST_NS), unwrap(inode), unwrap(device))
            for path, size, mtime_ns, inode, device in await self._database.fetch_all(sql, [root, MAX_FOUND])
        ]

    async def named(self, name: str, kind: EntryKind) -> list[Path]:
        """Return where a transfer of something of this name put it last; empty if none did.

        Raises:
            StorageError: The database cannot be read.
        Cancel: Safe.
        """
        sql = """
            SELECT path FROM transfers WHERE name = ? AND kind = ? AND direction = 'down' AND state = 'done'
            ORDER BY ended_at DESC LIMIT 1
        """
        return [Path(path) for (path,) in await self._database.fetch_all(sql, [name, kind])]

    async def find_many(self, roots: Sequence[Root]) -> list[tuple[Root, SharedFile]]:
        """Return where any of these contents landed, in one query; as ``find`` for the rest."""
        sql = f"""
            SELECT root, path, size, mtime_ns, inode, device FROM landed
            WHERE root IN ({", ".join("?" * len(roots))}) ORDER BY id DESC
        """  # noqa: S608
        return [
            (Root(root), SharedFile(Path(path), size, unwrap(mtime_ns, EARLIEST_NS), unwrap(inode), unwrap(device)))
            for root, path, size, mtime_ns, inode, device in await self._database.fetch_all(sql, roots)
        ]

    async def forget(self, path: Path) -> None:
        """Drop a file that is no longer what it was; one that is unknown is no error.

        Raises:
            DiskFull, StorageError: It was not dropped.
        Cancel: Safe.
        """
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM landed WHERE path = ?", [str(path)])
