"""Private shares: contents that are offered to single peers, and the grants that say to whom.

A private share is what one scan found, and stays that: its root was promised to somebody. ``store.catalog`` knows
nothing of it. Called by the engine's grants.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from peerterm.core.catalog import CatalogEntry
from peerterm.core.ids import PeerId, Root, ShareId
from peerterm.core.manifest import CHUNK_BYTES, chunk_digest
from peerterm.errors import NotFound
from peerterm.store.batches import many
from peerterm.store.catalog import MAX_COPIES
from peerterm.store.database import EARLIEST_NS, unwrap, wrap
from peerterm.store.reading import SharedFile
from peerterm.store.shares import known_files

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import aiosqlite

    from peerterm.core.listing import EntryKind
    from peerterm.store.database import Database, Row
    from peerterm.store.scanner import FileKey, KnownFile, ScannedEntry, ScanResult

_GRANTED = "share_id IN (SELECT value FROM json_each(?))"
_INSERT = "INSERT INTO private_entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_MOVE = """
    UPDATE private_entries SET mtime_ns = ?3, device = ?4, inode = ?5
    WHERE share_id = ?1 AND path = ?2 AND (mtime_ns, device, inode) IS NOT (?3, ?4, ?5)
"""
_KEEP_CONTENT = """
    INSERT INTO private_contents VALUES (?1, ?2, ?3) ON CONFLICT (root) DO UPDATE
    SET digests = coalesce(digests, ?2), listing = coalesce(listing, ?3)
"""
_BORROW_DIGESTS = """
    INSERT OR IGNORE INTO private_contents (root, digests)
    SELECT root, digests FROM digests WHERE root IN (
        SELECT root FROM private_entries WHERE share_id = ?1 AND kind = 'file' AND size > ?2)
"""
_LACKING = """
    SELECT count(*) FROM private_entries LEFT JOIN private_contents USING (root)
    WHERE share_id = ?1 AND kind = 'file' AND size > ?2 AND digests IS NULL
"""
_REMOVE_UNUSED = "DELETE FROM private_shares WHERE id = ? AND id NOT IN (SELECT share_id FROM grants)"
_DROP_UNUSED = "DELETE FROM private_contents WHERE root NOT IN (SELECT root FROM private_entries)"
_HASHED_FILES = """
    SELECT device, inode, size, mtime_ns, root, sha256 FROM private_entries WHERE kind = 'file'
"""
_FIND = f"""
    SELECT private_shares.name, private_entries.path, private_entries.kind, private_entries.size,
        private_entries.files, private_entries.root, sha256, executable, mtime_ns, min(length(private_entries.path))
    FROM private_entries JOIN private_shares ON private_shares.id = share_id
    WHERE {_GRANTED} AND private_entries.root BETWEEN ? AND ?
    GROUP BY private_entries.root ORDER BY private_entries.root LIMIT ?
"""  # noqa: S608
_CONTENT = f"""
    SELECT kind, size, sha256, digests, listing FROM private_entries LEFT JOIN private_contents USING (root)
    WHERE {_GRANTED} AND root = ? LIMIT 1
"""  # noqa: S608
_FILES = f"""
    SELECT private_shares.path, private_entries.path, private_entries.size, mtime_ns, inode, device
    FROM private_entries JOIN private_shares ON private_shares.id = share_id
    WHERE {_GRANTED} AND private_entries.root = ? AND private_entries.kind = 'file' LIMIT ?
"""  # noqa: S608


class DigestsLost(Exception):
    """A scan went by hashes whose chunk digests were dropped meanwhile: scan anew, by none."""


@dataclass(frozen=True, slots=True)
class PrivateShare:
    """What single peers may have.

    Attributes:
        name: What recipients call it.
        root: Never another one, whatever becomes of the files.
        size: Bytes of all files.
        files: Files in it; 1 if it is one.
    """

    share_id: ShareId
    name: str
    path: Path
    kind: EntryKind
    root: Root
    size: int
    files: int


@dataclass(frozen=True, slots=True)
class Grant:
    """That a peer may have a private share, by an offer; several offers may grant the same."""

    share_id: ShareId
    peer: PeerId
    offer_id: str


@dataclass(frozen=True, slots=True)
class PrivateContent:
    """A content of a private share: chunk digests, and files or a listing to read it from."""

    size: int
    digests: bytes
    files: tuple[SharedFile, ...] = ()
    listing: bytes | None = None


class GrantStore:
    """Keeps private shares and grants. Each write happens as a whole or not at all."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, share: PrivateShare, result: ScanResult) -> None:
        """Keep a new private share as a scan found it. Nobody may have it yet.

        Raises:
            DigestsLost: Nothing was kept.
            DiskFull, StorageError: Likewise.
        """
        row = share.share_id, share.name, str(share.path), share.kind, share.root, share.size, share.files
        async with self._database.transaction() as connection:
            await connection.execute("INSERT INTO private_shares VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            await _write(connection, share.share_id, result)

    async def confirm(self, share_id: ShareId, result: ScanResult) -> bool:
        """Note where the files of a private share are now: a disk may get another number when it is mounted again.

        Who reads meanwhile finds every entry, as it was or as it is.

        Args:
            share_id: The share; one that is unknown is no error.
            result: Of a scan that found the share's root.

        Returns:
            Whether that is elsewhere than was known.

        Raises:
            DiskFull, StorageError: Nothing was changed.
        """
        places = (_place(share_id, entry) for entry in result.entries if entry.kind == "file")
        async with self._database.transaction() as connection:
            before = connection.total_changes
            await many(connection, _MOVE, places)
            return connection.total_changes > before

    async def remove_unused(self, *share_ids: ShareId) -> None:
        """Forget those of these private shares that nobody has a grant for; the files stay."""
        async with self._database.transaction() as connection:
            await _remove_unused(connection, [(share_id,) for share_id in share_ids])

    async def grant(self, grant: Grant) -> None:
        """Keep a grant; one that is kept already is no error.

        Raises:
            NotFound: There is no such private share.
        """
        row = grant.share_id, grant.peer, grant.offer_id
        async with self._database.transaction() as connection:
            if not await _is_known(connection, grant.share_id):
                raise NotFound(f"{grant.share_id}: no longer kept to be offered", "offer it again")
            await connection.execute("INSERT OR IGNORE INTO grants VALUES (?, ?, ?)", row)

    async def revoke(self, peer: PeerId, offer_id: str) -> None:
        """Forget the grants of an offer to a peer, and the private shares that nobody has a grant for then."""
        async with self._database.transaction() as connection:
            sql = "SELECT share_id FROM grants WHERE peer = ? AND offer_id = ?"
            granted = cast("list[Row]", await connection.execute_fetchall(sql, (peer, offer_id)))
            await connection.execute("DELETE FROM grants WHERE peer = ? AND offer_id = ?", (peer, offer_id))
            await _remove_unused(connection, granted)

    async def shares(self) -> list[PrivateShare]:
        """Return all private shares."""
        sql = "SELECT id, name, path, kind, root, size, files FROM private_shares"
        return [
            PrivateShare(ShareId(share_id), name, Path(path), kind, Root(root), size, files)
            for share_id, name, path, kind, root, size, files in await self._database.fetch_all(sql)
        ]

    async def grants(self) -> list[Grant]:
        """Return all grants."""
        rows = await self._database.fetch_all("SELECT share_id, peer, offer_id FROM grants")
        return [Grant(ShareId(share_id), PeerId(peer), offer_id) for share_id, peer, offer_id in rows]

    async def hash_cache(self) -> dict[FileKey, KnownFile]:
        """Return what private shares know of files, for a scan to reuse."""
        return known_files(await self._database.fetch_all(_HASHED_FILES))

    # What of some shares a peer may have. Whatever is not in these shares is as if it were not at all.

    async def find(self, share_ids: Collection[ShareId], prefix_hex: str, limit: int) -> list[CatalogEntry]:
        """Return one entry for each content whose root starts with these hex digits, by root."""
        bounds = bytes.fromhex(prefix_hex.ljust(64, "0")), bytes.fromhex(prefix_hex.ljust(64, "f"))
        rows = await self._database.fetch_all(_FIND, (_json(share_ids), *bounds, limit))
        return [_entry(row) for row in rows]

    async def present(self, share_ids: Collection[ShareId], roots: Sequence[Root]) -> set[Root]:
        """Return which of these contents are there."""
        places = ", ".join("?" * len(roots))
        sql = f"SELECT root FROM private_entries WHERE {_GRANTED} AND root IN ({places})"  # noqa: S608
        return {Root(root) for (root,) in await self._database.fetch_all(sql, (_json(share_ids), *roots))}

    async def content(self, share_ids: Collection[ShareId], root: Root) -> PrivateContent | None:
        """Return a content; of a file, at most ``catalog.MAX_COPIES`` places, each to be checked before use."""
        row = await self._database.fetch_one(_CONTENT, (_json(share_ids), root))
        if row is None:
            return None
        kind, size, sha256, digests, listing = row
        if kind == "folder":
            return PrivateContent(len(listing), digests or chunk_digest(listing), listing=listing)
        files = await self._database.fetch_all(_FILES, (_json(share_ids), root, MAX_COPIES))
        return PrivateContent(size, digests or (sha256 if size else b""), tuple(map(_file, files)))


async def _is_known(connection: aiosqlite.Connection, share_id: ShareId) -> bool:
    return bool(await connection.execute_fetchall("SELECT 1 FROM private_shares WHERE id = ?", [share_id]))


async def _write(connection: aiosqlite.Connection, share_id: ShareId, result: ScanResult) -> None:
    await many(connection, _INSERT, (_row(share_id, entry) for entry in result.entries))
    await many(connection, _KEEP_CONTENT, ((root, digests, None) for root, digests in result.digests.items()))
    await many(connection, _KEEP_CONTENT, ((root, None, listing) for root, listing in result.listings.items()))
    await connection.execute(_BORROW_DIGESTS, (share_id, CHUNK_BYTES))
    [(lacking,)] = await connection.execute_fetchall(_LACKING, (share_id, CHUNK_BYTES))
    if lacking:
        raise DigestsLost


async def _remove_unused(connection: aiosqlite.Connection, share_ids: Iterable[Row]) -> None:
    await connection.executemany(_REMOVE_UNUSED, share_ids)
    await connection.execute(_DROP_UNUSED)


def _row(share_id: ShareId, entry: ScannedEntry) -> Row:
    share_id, path, *place = _place(share_id, entry)
    what = entry.kind, entry.size, entry.files, entry.root, entry.sha256, int(entry.executable)
    return share_id, path, *what, *place


def _place(share_id: ShareId, entry: ScannedEntry) -> Row:
    return share_id, "/".join(entry.path), wrap(entry.mtime_ns), wrap(entry.device), wrap(entry.inode)


def _entry(row: Row) -> CatalogEntry:
    share, path, kind, size, files, root, sha256, executable, mtime_ns, _ = row
    whole = (share, *path.split("/")) if path else (share,)
    mtime_ns = unwrap(mtime_ns, EARLIEST_NS)
    return CatalogEntry(whole, kind, size, files, Root(root), sha256, bool(executable), mtime_ns, is_private=True)


def _file(row: Row) -> SharedFile:
    share, path, size, mtime_ns, inode, device = row
    return SharedFile(Path(share, path), size, unwrap(mtime_ns, EARLIEST_NS), unwrap(inode), unwrap(device))


def _json(share_ids: Collection[ShareId]) -> str:
    return json.dumps(list(share_ids))
