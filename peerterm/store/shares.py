"""The shares and what their last scan found. Writes the catalog; ``store.catalog`` reads it.

Every change that peers can see takes the next of the catalog's sequence numbers, removals included. Of one scan the
removals come first and a folder after all that is in it, so a folder's number is never below its contents'.
Called by the engine's sharing service.
"""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, cast

from peerterm.core.catalog import fold, type_of
from peerterm.core.ids import Root, ShareId
from peerterm.core.manifest import CHUNK_BYTES
from peerterm.errors import InvalidName, InvalidPath, NotFound
from peerterm.store.batches import batches, many
from peerterm.store.database import EARLIEST_NS, unwrap, wrap
from peerterm.store.scanner import FileKey, KnownFile, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import aiosqlite

    from peerterm.core.listing import EntryKind
    from peerterm.store.database import Database, Row
    from peerterm.store.scanner import ScannedEntry, ScanResult

MAX_REMOVED = 100_000
"""Most removals remembered for peers that follow the catalog; the oldest are forgotten."""

_SHARES = """
    SELECT shares.id, shares.name, path, shares.kind, visibility, added_at, shares.root, sha256, shares.files,
        shares.size, coalesce(seq, 0)
    FROM shares LEFT JOIN entries ON share_id = shares.id AND parent = '' AND entries.name = ''
    ORDER BY shares.name
"""
_STORED = """
    SELECT parent, name, id, seq, device, inode, ctime_ns, kind, size, files, root, sha256, executable, mtime_ns
    FROM entries WHERE share_id = ?
"""
_INSERT = """
    INSERT INTO entries (seq, device, inode, ctime_ns, kind, size, files, root, sha256, executable, mtime_ns,
        share_id, parent, name, type, folded)
    VALUES {rows}
"""
_UPDATE = """
    UPDATE entries SET seq = ?, device = ?, inode = ?, ctime_ns = ?, kind = ?, size = ?, files = ?, root = ?,
        sha256 = ?, executable = ?, mtime_ns = ?, type = ?
    WHERE id = ?
"""
_HASHED_FILES = """
    SELECT device, inode, size, mtime_ns, root, sha256 FROM entries
    WHERE kind = 'file' AND (size <= ? OR EXISTS (SELECT 1 FROM digests WHERE digests.root = entries.root))
"""
_FORGET_REMOVALS = """
    UPDATE catalog SET forgotten = max(forgotten, coalesce(
        (SELECT seq FROM removed ORDER BY seq DESC LIMIT 1 OFFSET ?), 0))
"""


@dataclass(frozen=True, slots=True)
class StoredShare:
    """A share as of its last scan.

    Attributes:
        added_at: Unix time in seconds.
        root: ``None`` until scanned.
        sha256: Of a share that is a single file.
        files: Files in it.
        size: Bytes of all files.
        seq: Number of the newest change in it, 0 until scanned.
    """

    share_id: ShareId
    name: str
    path: Path
    kind: EntryKind
    visibility: str
    added_at: int
    root: Root | None
    sha256: bytes | None
    files: int
    size: int
    seq: int


@dataclass(frozen=True, slots=True)
class ScanOutcome:
    """How many entries a scan added, changed and removed as peers see it; ``seq`` is the catalog's number now."""

    added: int
    changed: int
    removed: int
    seq: int


@dataclass(slots=True)
class _Changes:
    """What a scan result asks the database to do, as parameters of its statements."""

    seq: int
    added: list[tuple[int, ScannedEntry]] = field(default_factory=list)  # with their numbers
    updated: list[Row] = field(default_factory=list)
    deleted: list[Row] = field(default_factory=list)
    tombstones: list[Row] = field(default_factory=list)
    listings: list[Row] = field(default_factory=list)
    unsure: set[Root] = field(default_factory=set)  # contents that no entry may refer to any more
    visibly_changed: int = 0


class ShareStore:
    """Keeps shares and their entries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, share_id: ShareId, name: str, path: Path, kind: EntryKind, visibility: str) -> None:
        """Keep a new share; nothing of it is offered before its first scan.

        Raises:
            InvalidPath: The path is shared already, or is not valid UTF-8.
            InvalidName: Another share has the name.
        """
        try:
            str(path).encode()
        except UnicodeEncodeError as error:
            raise InvalidPath(f"{str(path)!a}: its name is not valid UTF-8", "rename it, then share it") from error
        sql = "INSERT INTO shares (id, name, path, kind, visibility) VALUES (?, ?, ?, ?, ?)"
        async with self._database.transaction() as connection:
            try:
                await connection.execute(sql, (share_id, name, str(path), kind, visibility))
            except sqlite3.IntegrityError as error:
                if "shares.path" in str(error):
                    raise InvalidPath(f"{path}: already shared") from error
                if "shares.name" in str(error):
                    raise InvalidName(f"{name}: another share has this name", "choose one with --name") from error
                raise

    async def all(self) -> list[StoredShare]:
        """Return all shares by name."""
        return [
            StoredShare(ShareId(share_id), name, Path(path), *rest)
            for share_id, name, path, *rest in await self._database.fetch_all(_SHARES)
        ]

    async def remove(self, share_id: ShareId) -> None:
        """Forget a share and all its entries; one that is unknown is no error. The files stay."""
        async with self._database.transaction() as connection:
            name = await _share_name(connection, share_id)
            if name is None:
                return
            [(scanned,)] = await connection.execute_fetchall(
                "SELECT root IS NOT NULL FROM shares WHERE id = ?", [share_id]
            )
            await connection.execute("DELETE FROM shares WHERE id = ?", [share_id])
            await connection.execute("DELETE FROM removed WHERE share_id = ?", [share_id])
            if scanned:
                seq = await _seq(connection) + 1
                await connection.execute("INSERT INTO removed VALUES (?, ?, '', ?)", (share_id, name, seq))
                await _finish(connection, seq)
            for table in ("digests", "listings"):
                await connection.execute(f"DELETE FROM {table} WHERE root NOT IN (SELECT root FROM entries)")  # noqa: S608

    async def apply_scan(self, share_id: ShareId, result: ScanResult) -> ScanOutcome:
        """Make a share's entries what a scan found, touching only what differs.

        An entry that only moved to another device or inode keeps its number: peers see no change.

        Raises:
            NotFound: The share was removed meanwhile.
            DiskFull, StorageError: Nothing was changed.
        Cancel: Safe; nothing was changed.
        """
        async with self._database.transaction() as connection:
            name = await _share_name(connection, share_id)
            if name is None:
                raise NotFound(f"{share_id}: this share was removed while it was scanned")
            stored = cast("list[Row]", await connection.execute_fetchall(_STORED, [share_id]))
            seq = await _seq(connection)
            changes = await asyncio.to_thread(_compare, stored, result, share_id, name, seq)
            await _write_entries(connection, changes, share_id, name)
            await _write_contents(connection, changes, result)
            await _write_share(connection, share_id, result)
            await _finish(connection, changes.seq)
        return ScanOutcome(len(changes.added), changes.visibly_changed, len(changes.deleted), changes.seq)

    async def hash_cache(self) -> dict[FileKey, KnownFile]:
        """Return what was hashed before, in all shares, for a scan to reuse.

        Files whose chunk digests got lost are left out, so the next scan restores them.
        """
        rows = await self._database.fetch_all(_HASHED_FILES, [CHUNK_BYTES])
        return await asyncio.to_thread(known_files, rows)

    async def skipped(self, share_id: ShareId) -> list[Skipped]:
        """Return what the last scan left out and why, by path."""
        sql = "SELECT path, reason FROM skipped WHERE share_id = ? ORDER BY path"
        return [Skipped(path, reason) for path, reason in await self._database.fetch_all(sql, [share_id])]


def _compare(stored: Sequence[Row], result: ScanResult, share_id: ShareId, share_name: str, seq: int) -> _Changes:
    """Work out what turns the stored rows into the scanned entries."""
    rows = {(row[0], row[1]): row for row in stored}
    numbered: list[tuple[ScannedEntry, Row | None]] = []
    changes = _Changes(seq)
    for entry in sorted(result.entries, key=attrgetter("path")):
        row = rows.pop(_key(entry.path), None)
        if row is None or row[7:] != _visible(entry):
            numbered.append((entry, row))
        elif row[4:7] != _local(entry):
            changes.updated.append((row[3], *_local(entry), *_visible(entry), _type(entry, share_name), row[2]))
    _remove(changes, rows.values(), share_id, share_name)
    newest = changes.seq = changes.seq + len(numbered)
    for place, (entry, row) in enumerate(numbered):
        number = newest - place  # parents sort before their children, and get the higher number
        if entry.root in result.listings:
            changes.listings.append((entry.root, result.listings[entry.root]))
        if row is None:
            changes.added.append((number, entry))
        else:
            changes.updated.append((number, *_local(entry), *_visible(entry), _type(entry, share_name), row[2]))
            changes.unsure.add(row[10])
            changes.visibly_changed += 1
    changes.unsure |= result.digests.keys()
    changes.unsure.difference_update(entry.root for entry in result.entries)
    return changes


def _remove(changes: _Changes, gone: Iterable[Row], share_id: ShareId, share_name: str) -> None:
    for row in gone:
        changes.seq += 1
        changes.deleted.append((row[2],))
        changes.tombstones.append((share_id, share_name, row[0] + row[1], changes.seq))
        changes.unsure.add(row[10])


def _key(path: tuple[str, ...]) -> tuple[str, str]:
    """Return a path's ``parent`` and ``name`` columns."""
    if not path:
        return "", ""
    *parents, name = path
    return "".join(f"{part}/" for part in parents), name


def _local(entry: ScannedEntry) -> Row:
    """Return the columns that tell whether a file is still the one hashed before."""
    return wrap(entry.device), wrap(entry.inode), wrap(entry.ctime_ns)


def _visible(entry: ScannedEntry) -> Row:
    """Return the columns from ``kind`` to ``mtime_ns``: what peers learn of an entry."""
    mtime = wrap(entry.mtime_ns)
    return entry.kind, entry.size, entry.files, entry.root, entry.sha256, int(entry.executable), mtime


def _type(entry: ScannedEntry, share_name: str) -> str:
    if entry.kind == "folder":
        return "folder"
    return type_of(entry.path[-1] if entry.path else share_name)


def known_files(rows: Iterable[Row]) -> dict[FileKey, KnownFile]:
    """Return hashed files by what tells them, of rows of (device, inode, size, mtime_ns, root, sha256)."""
    return {
        FileKey(unwrap(device), unwrap(inode), size, unwrap(mtime_ns, EARLIEST_NS)): KnownFile(Root(root), sha256)
        for device, inode, size, mtime_ns, root, sha256 in rows
    }


async def _share_name(connection: aiosqlite.Connection, share_id: ShareId) -> str | None:
    rows = cast("list[Row]", await connection.execute_fetchall("SELECT name FROM shares WHERE id = ?", [share_id]))
    return rows[0][0] if rows else None


async def _seq(connection: aiosqlite.Connection) -> int:
    [(seq,)] = await connection.execute_fetchall("SELECT seq FROM catalog")
    return int(seq)


async def _bulk(connection: aiosqlite.Connection, sql: str, rows: Iterable[Row]) -> None:
    """Run one statement for many rows; the full-text index flushes once a statement, which halves the time."""
    async for batch in batches(rows):
        places = f"({', '.join('?' * len(batch[0]))})"
        statement = sql.format(rows=", ".join([places] * len(batch)))
        await connection.execute(statement, list(chain.from_iterable(batch)))


async def _write_entries(
    connection: aiosqlite.Connection, changes: _Changes, share_id: ShareId, share_name: str
) -> None:
    def inserted(number: int, entry: ScannedEntry) -> Row:
        folded = fold("/".join((share_name, *entry.path)))
        kind = _type(entry, share_name)
        return number, *_local(entry), *_visible(entry), share_id, *_key(entry.path), kind, folded

    await _bulk(connection, "DELETE FROM entries WHERE id IN (VALUES {rows})", changes.deleted)
    await many(connection, "INSERT INTO removed VALUES (?, ?, ?, ?)", changes.tombstones)
    await many(connection, _UPDATE, changes.updated)
    await _bulk(connection, _INSERT, (inserted(number, entry) for number, entry in changes.added))
    revived = ((share_id, "/".join(entry.path)) for _, entry in changes.added)
    await many(connection, "DELETE FROM removed WHERE share_id = ? AND path = ?", revived)


async def _write_contents(connection: aiosqlite.Connection, changes: _Changes, result: ScanResult) -> None:
    """Keep the digests and listings of what is offered, and drop those of what was the last of its kind."""
    await many(connection, "INSERT OR IGNORE INTO listings VALUES (?, ?)", changes.listings)
    await many(connection, "INSERT OR IGNORE INTO digests VALUES (?, ?)", result.digests.items())
    unsure = [(root,) for root in changes.unsure]
    for table in ("digests", "listings"):
        unused = "NOT EXISTS (SELECT 1 FROM entries WHERE entries.root = ?1)"
        await many(connection, f"DELETE FROM {table} WHERE root = ?1 AND {unused}", unsure)  # noqa: S608


async def _write_share(connection: aiosqlite.Connection, share_id: ShareId, result: ScanResult) -> None:
    top = next((entry for entry in result.entries if not entry.path), None)
    totals = (top.root, top.files, top.size) if top else (None, 0, 0)
    await connection.execute("UPDATE shares SET root = ?, files = ?, size = ? WHERE id = ?", (*totals, share_id))
    await connection.execute("DELETE FROM skipped WHERE share_id = ?", [share_id])
    skipped = [(share_id, item.path, item.reason) for item in result.skipped]
    await many(connection, "INSERT INTO skipped VALUES (?, ?, ?)", skipped)


async def _finish(connection: aiosqlite.Connection, seq: int) -> None:
    """Note the catalog's new number and keep the list of removals within its bound."""
    await connection.execute("UPDATE catalog SET seq = ?", [seq])
    await connection.execute(_FORGET_REMOVALS, [MAX_REMOVED])
    await connection.execute("DELETE FROM removed WHERE seq <= (SELECT forgotten FROM catalog)")
