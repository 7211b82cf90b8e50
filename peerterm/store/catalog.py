"""Reads the catalog: what peers may browse, search and fetch of our shares, and where its bytes lie on disk.

Never writes. Paths start with the share's name, as peers see them; a path or hash that is not offered yields
nothing, whatever a peer put into it. Called by the engine, for peers' requests and for our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from peerterm.core.catalog import CatalogEntry, rank
from peerterm.core.ids import HASH_BYTES, Root
from peerterm.core.manifest import CHUNK_BYTES, chunk_digest
from peerterm.errors import NotFound
from peerterm.store.database import EARLIEST_NS, unwrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerterm.core.catalog import Query
    from peerterm.core.listing import EntryKind
    from peerterm.store.database import Database, Row

MAX_CANDIDATES = 2000
"""Entries a search ranks at most, however many match."""
MAX_COPIES = 16
"""Places on disk considered for one content."""
TRIGRAM_CHARACTERS = 3
"""Shortest word the full-text index can find."""

_COLUMNS = """
    shares.name, parent, entries.name, entries.kind, entries.size, entries.files, entries.root, sha256,
    executable, mtime_ns, seq
"""
_SHARE = "JOIN shares ON shares.id = share_id"
_ENTRIES = f"SELECT {_COLUMNS} FROM entries {_SHARE}"  # noqa: S608
_SHARES_PAGE = (
    _ENTRIES + " WHERE parent = '' AND entries.name = '' AND shares.name > ? ORDER BY shares.name LIMIT ?"
)
_FOLDER_PAGE = _ENTRIES + " WHERE shares.name = ? AND parent = ? AND entries.name > ? ORDER BY entries.name LIMIT ?"
_AT_PATH = _ENTRIES + " WHERE shares.name = ? AND parent = ? AND entries.name = ?"
_BY_PREFIX = {  # the first of all entries with the same content stands for it
    by: f"""{_ENTRIES} WHERE entries.id IN (
        SELECT min(id) FROM entries WHERE {by} BETWEEN ? AND ? GROUP BY {by} ORDER BY {by} LIMIT ?
    ) ORDER BY entries.{by}"""  # noqa: S608
    for by in ("root", "sha256")
}
_FILES = """
    SELECT path, parent, entries.name, entries.size, mtime_ns, inode, device
    FROM entries JOIN shares ON shares.id = share_id WHERE entries.root = ? AND entries.kind = 'file' LIMIT ?
"""
_SMALL_FILES = """
    SELECT entries.root, sha256, path, parent, entries.name, entries.size, mtime_ns, inode, device
    FROM entries JOIN shares ON shares.id = share_id
    WHERE entries.root IN ({places}) AND entries.kind = 'file' AND entries.size BETWEEN 1 AND ?
"""
_PLACES = """
    SELECT entries.root, path, parent, entries.name, entries.size, mtime_ns, inode, device
    FROM entries JOIN shares ON shares.id = share_id
    WHERE entries.root IN ({places}) AND entries.kind = 'file'
"""
_CONTENT = "SELECT kind, size, sha256 FROM entries WHERE root = ? LIMIT 1"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Where a content should lie on disk, and how its file looked when it was hashed."""

    path: Path
    size: int
    mtime_ns: int
    inode: int
    device: int


@dataclass(frozen=True, slots=True)
class SmallFile:
    """A file of one chunk, whose digest is its flat SHA-256, and where its bytes should lie."""

    digest: bytes
    files: list[StoredFile]


@dataclass(frozen=True, slots=True)
class Totals:
    """What we offer: scanned shares, their files and bytes, and the catalog's newest sequence number."""

    shares: int
    files: int
    size: int
    seq: int


class CatalogReader:
    """Answers questions about what we offer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def browse(self, path: tuple[str, ...], after: str, limit: int) -> tuple[list[CatalogEntry], bool]:
        """Return a page of a folder by name (in byte order) after ``after``, and whether more follow.

        An empty path lists the shares.

        Raises:
            NotFound: No such folder.
        """
        if not (_is_path(path) and _is_text(after)):
            raise _no_folder(path)
        if path:
            share, parent, name = _columns(path)
            inside = f"{parent}{name}/" if name else ""
            rows = await self._database.fetch_all(_FOLDER_PAGE, (share, inside, after, limit + 1))
        else:
            rows = await self._database.fetch_all(_SHARES_PAGE, (after, limit + 1))
        if path and not rows:
            folder = await self.locate(path)
            if folder is None or folder.kind != "folder":
                raise _no_folder(path)
        return [_entry(row) for row in rows[:limit]], len(rows) > limit

    async def locate(self, path: tuple[str, ...]) -> CatalogEntry | None:
        """Return the one entry at a path."""
        if not path or not _is_path(path):
            return None
        row = await self._database.fetch_one(_AT_PATH, _columns(path))
        return _entry(row) if row else None

    async def search(self, query: Query, limit: int) -> list[CatalogEntry]:
        """Return the best matches, best first, of at most ``MAX_CANDIDATES`` looked at."""
        source, conditions, values = _search_conditions(query)
        where = " AND ".join(conditions) or "1"
        sql = f"SELECT entries.folded, {_COLUMNS} FROM {source} {_SHARE} WHERE {where} LIMIT ?"  # noqa: S608
        rows = await self._database.fetch_all(sql, (*values, MAX_CANDIDATES))
        rows.sort(key=lambda row: rank(query, row[0]))
        return [_entry(row[1:]) for row in rows[:limit]]

    async def find(self, by: Literal["root", "sha256"], prefix_hex: str, limit: int) -> list[CatalogEntry]:
        """Return one entry for each content whose hash starts with these hex digits, by hash."""
        digits = 2 * HASH_BYTES
        bounds = bytes.fromhex(prefix_hex.ljust(digits, "0")), bytes.fromhex(prefix_hex.ljust(digits, "f"))
        return [_entry(row) for row in await self._database.fetch_all(_BY_PREFIX[by], (*bounds, limit))]

    async def file_of(self, root: Root) -> list[StoredFile]:
        """Return where a file's bytes should lie; at most ``MAX_COPIES`` places. Check each before use."""
        return [
            StoredFile(Path(path, parent + name), size, unwrap(mtime, EARLIEST_NS), unwrap(inode), unwrap(device))
            for path, parent, name, size, mtime, inode, device in await self._database.fetch_all(
                _FILES, (root, MAX_COPIES)
            )
        ]

    async def share_at(self, name: str, kind: EntryKind) -> Path | None:
        """Return where the share of this name and kind is."""
        sql = "SELECT path FROM shares WHERE name = ? AND kind = ?"
        row = await self._database.fetch_one(sql, (name, kind))
        return Path(row[0]) if row else None

    async def places(self, roots: Sequence[Root]) -> list[tuple[Root, StoredFile]]:
        """Return where the bytes of those of these contents that are files should lie; check each before use."""
        sql = _PLACES.format(places=", ".join("?" * len(roots)))
        return [
            (
                Root(root),
                StoredFile(
                    Path(path, parent + name), size, unwrap(mtime, EARLIEST_NS), unwrap(inode), unwrap(device)
                ),
            )
            for root, path, parent, name, size, mtime, inode, device in await self._database.fetch_all(sql, roots)
        ]

    async def small_files(self, roots: Sequence[Root]) -> dict[Root, SmallFile]:
        """Return what is needed to serve those of these contents that are files of one chunk, in one query.

        Most of a folder's files are such, and a query for each piece of them would cost more than the bytes.
        """
        found: dict[Root, SmallFile] = {}
        places = ", ".join("?" * len(roots))
        rows = await self._database.fetch_all(_SMALL_FILES.format(places=places), [*roots, CHUNK_BYTES])
        for root, sha256, path, parent, name, size, mtime, inode, device in rows:
            file = StoredFile(
                Path(path, parent + name), size, unwrap(mtime, EARLIEST_NS), unwrap(inode), unwrap(device)
            )
            known = found.setdefault(Root(root), SmallFile(bytes(sha256), []))
            if len(known.files) < MAX_COPIES:
                known.files.append(file)
        return found

    async def digests(self, root: Root) -> bytes | None:
        """Return a content's joined chunk digests; ``None`` if it is not offered."""
        stored = await self._database.fetch_one("SELECT digests FROM digests WHERE root = ?", [root])
        if stored:
            return bytes(stored[0])
        row = await self._database.fetch_one(_CONTENT, [root])
        if row is None:
            return None
        kind, size, sha256 = row
        if kind == "folder":
            listing = await self.listing(root)
            return chunk_digest(listing) if listing and len(listing) <= CHUNK_BYTES else None
        if size == 0:
            return b""
        return bytes(sha256) if size <= CHUNK_BYTES else None

    async def listing(self, root: Root) -> bytes | None:
        """Return a folder's listing."""
        row = await self._database.fetch_one("SELECT listing FROM listings WHERE root = ?", [root])
        return bytes(row[0]) if row else None

    async def size_of(self, root: Root) -> int | None:
        """Return how many bytes a content has: of a folder, its listing."""
        row = await self._database.fetch_one(_CONTENT, [root])
        if row is None or row[0] == "file":
            return row[1] if row else None
        row = await self._database.fetch_one("SELECT length(listing) FROM listings WHERE root = ?", [root])
        return row[0] if row else None

    async def settled(self) -> None:
        """Wait until no scan is being written, so that what is not found then is not offered."""
        await self._database.settled()

    async def totals(self) -> Totals:
        """Return what HELLO says of us."""
        sql = """
            SELECT count(*), coalesce(sum(files), 0), coalesce(sum(size), 0), (SELECT seq FROM catalog)
            FROM shares WHERE root IS NOT NULL
        """
        [row] = await self._database.fetch_all(sql)
        return Totals(*row)


def _search_conditions(query: Query) -> tuple[str, list[str], list[Any]]:
    """Return the table to search, the conditions and their values."""
    source = "entries"
    conditions: list[str] = []
    values: list[Any] = []
    indexed = [term for term in query.terms if len(term) >= TRIGRAM_CHARACTERS]
    if indexed:
        source = "search JOIN entries ON entries.id = search.rowid"
        conditions.append("search MATCH ?")
        # Within double quotes the index's query language knows nothing but a doubled quote.
        values.append(" ".join('"' + term.replace('"', '""') + '"' for term in indexed))
    for term in query.terms:
        if len(term) < TRIGRAM_CHARACTERS:
            conditions.append("instr(entries.folded, ?)")
            values.append(term)
    if query.digest is not None:
        conditions.append("(entries.root = ? OR sha256 = ?)")
        values += [query.digest, query.digest]
    if query.kind in ("file", "folder"):
        conditions.append("entries.kind = ?")
        values.append(query.kind)
    elif query.kind != "any":
        conditions.append("type = ?")
        values.append(query.kind)
    if query.min_size > 0:
        conditions.append("entries.size >= ?")
        values.append(query.min_size)
    if query.max_size is not None:
        conditions.append("entries.size <= ?")
        values.append(query.max_size)
    return source, conditions, values


def _columns(path: tuple[str, ...]) -> tuple[str, str, str]:
    """Return the share's name and the ``parent`` and ``name`` columns of a path that is not empty."""
    share, *parents = path
    name = parents.pop() if parents else ""
    return share, "".join(f"{part}/" for part in parents), name


def _is_path(path: tuple[str, ...]) -> bool:
    """Return whether these can be components at all, so that no two paths look alike once joined."""
    return all(part and "/" not in part and _is_text(part) for part in path)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _entry(row: Row) -> CatalogEntry:
    share, parent, name, kind, size, files, root, sha256, executable, mtime_ns, seq = row
    path = (share, *(parent + name).split("/")) if name else (share,)
    return CatalogEntry(
        path, kind, size, files, Root(root), sha256, bool(executable), unwrap(mtime_ns, EARLIEST_NS), seq
    )


def _no_folder(path: tuple[str, ...]) -> NotFound:
    return NotFound(f"{'/'.join(path)!a}: no such folder")
