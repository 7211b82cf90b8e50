"""What unfinished transfers have on disk, so that none begins again from nothing.

Chunks with their sums, and whole files, are noted in memory as they come and written by ``flush``; only what came
since the last one can be lost. Nothing here touches a part file: ``PartFile.recheck`` and
``Destination.check_landed`` compare what is loaded with the disk. Called by the engine's transfer services.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from peerterm.core.bitfield import Bitfield
from peerterm.core.ids import Root, TransferId
from peerterm.core.manifest import PAGE_CHUNKS, page_count, page_span
from peerterm.store.database import EARLIEST_NS, unwrap, wrap
from peerterm.store.partfile import SUM_BYTES, FileMark

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Set

    from peerterm.store.database import Database, Row

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_DIGITS = bytes.maketrans(b"\0\1", b"01")

_SAVE_CONTENT = """
    INSERT INTO journal (transfer_id, root, size) VALUES (?, ?, ?)
    ON CONFLICT (transfer_id, root) DO UPDATE SET stamp = ''
"""
_SAVE_SUMS = """
    INSERT INTO journal_sums (journal_id, page, sums)
    SELECT id, ?, ? FROM journal WHERE transfer_id = ? AND root = ?
    ON CONFLICT (journal_id, page) DO UPDATE SET sums = excluded.sums
"""
_SAVE_LANDED = "INSERT OR REPLACE INTO journal_landed VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_FORGET_CONTENT = "DELETE FROM journal WHERE transfer_id = ? AND root = ?"


@dataclass(frozen=True, slots=True)
class Journaled:
    """What the journal knows of one content.

    Attributes:
        size: Bytes of the content.
        held: Its chunks that were verified and written.
        sums: ``SUM_BYTES`` for each of its chunks; zeros for one that is not held.
        stamp: ``PartFile.stamp`` of the last stop in order; empty after any other.
    """

    size: int
    held: Bitfield
    sums: bytes
    stamp: str


@dataclass(frozen=True, slots=True)
class Landed:
    """A complete file of an unfinished transfer.

    Attributes:
        root: Its content.
        mark: How it looked when it landed.
        is_certain: Whether no power cut can have taken its bytes since.
    """

    root: Root
    mark: FileMark
    is_certain: bool


@dataclass(slots=True)
class _Sums:
    """The sums of one content: whole pages of them, and which pages the database lacks."""

    size: int
    pages: dict[int, bytearray] = field(default_factory=dict)
    unsaved: set[int] = field(default_factory=set)

    def put(self, index: int, chunk_sum: bytes) -> None:
        page, slot = divmod(index, PAGE_CHUNKS)
        if page not in self.pages:
            self.pages[page] = bytearray(page_span(self.size, page)[1] * SUM_BYTES)
        self.pages[page][slot * SUM_BYTES : (slot + 1) * SUM_BYTES] = chunk_sum
        self.unsaved.add(page)

    def clear(self, first: int, count: int) -> None:
        """Forget a range of chunks."""
        for page in range(first // PAGE_CHUNKS, (first + count - 1) // PAGE_CHUNKS + 1):
            sums = self.pages.get(page, bytearray())
            start = max(first - page * PAGE_CHUNKS, 0) * SUM_BYTES
            end = min((first + count - page * PAGE_CHUNKS) * SUM_BYTES, len(sums))
            if any(sums[start:end]):
                sums[start:end] = bytes(end - start)
                self.unsaved.add(page)

    def joined(self) -> bytes:
        """Return the sums of all chunks."""
        pages = range(page_count(self.size))
        return b"".join(self.pages.get(page) or bytes(page_span(self.size, page)[1] * SUM_BYTES) for page in pages)


class Journal:
    """Keeps the journals of all transfers. For one loop; its coroutines take turns.

    Invariant: a transfer that goes on is loaded before anything of it is noted.
    """

    def __init__(self, database: Database, boot: int | None = None) -> None:
        """Keep journals in ``database``; ``boot`` names the machine's current start, found out if ``None``."""
        self._database = database
        self._boot = boot if boot is not None else boot_number()
        self._contents: dict[TransferId, dict[Root, _Sums]] = {}
        self._landed: dict[tuple[TransferId, str], tuple[Root, FileMark]] = {}
        self._turn = asyncio.Lock()

    def note(self, transfer_id: TransferId, root: Root, size: int, index: int, chunk_sum: bytes) -> None:
        """Note a chunk that is on disk, with what ``PartFile.write_chunk`` returned; in memory until ``flush``.

        Does nothing without a sum: the chunk came late, its file has landed.
        """
        if not chunk_sum:
            return
        contents = self._contents.setdefault(transfer_id, {})
        if root not in contents:
            contents[root] = _Sums(size)
        contents[root].put(index, chunk_sum)

    def note_landed(self, transfer_id: TransferId, path: tuple[str, ...], root: Root, mark: FileMark) -> None:
        """Note a file that is complete, and forget its chunks.

        Args:
            transfer_id: Its transfer.
            path: Components below the folder that is fetched; ``()`` if a single file is.
            root: Its content.
            mark: What ``PartFile.finish`` returned.
        """
        self._landed[transfer_id, "/".join(path)] = root, mark
        self._contents.get(transfer_id, {}).pop(root, None)

    def keep(self, transfer_id: TransferId, root: Root, kept: Bitfield) -> None:
        """Forget the chunks of a loaded content that ``PartFile.recheck`` did not keep."""
        if sums := self._contents.get(transfer_id, {}).get(root):
            for first, count in kept.missing():
                sums.clear(first, count)

    async def flush(self) -> None:
        """Write all that was noted, in one transaction; does nothing if nothing was.

        Raises:
            DiskFull, StorageError: Nothing was written; the next flush tries again.
        Cancel: Safe; as after an error.
        """
        async with self._turn:
            is_written = await self._flush()
        if is_written:
            await self._database.sync()  # beside other writes: nobody waits for it

    async def _flush(self) -> bool:
        landed, self._landed = self._landed, {}
        changed = [
            (transfer_id, root, sums, pages)
            for transfer_id, contents in self._contents.items()
            for root, sums in contents.items()
            if (pages := sums.unsaved)
        ]
        if not landed and not changed:
            return False
        saved_contents = [(transfer_id, root, sums.size) for transfer_id, root, sums, _ in changed]
        saved_sums = [
            (page, bytes(sums.pages[page]), transfer_id, root)
            for transfer_id, root, sums, pages in changed
            for page in pages
        ]
        saved_landed = [(*key, root, *_columns(mark), self._boot) for key, (root, mark) in landed.items()]
        done = [(transfer_id, root) for (transfer_id, _), (root, _) in landed.items()]

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(_SAVE_CONTENT, saved_contents)
            connection.executemany(_SAVE_SUMS, saved_sums)
            connection.executemany(_SAVE_LANDED, saved_landed)
            connection.executemany(_FORGET_CONTENT, done)

        with ExitStack() as undo:
            undo.callback(self._put_back, landed, [(sums, pages) for *_, sums, pages in changed])
            for *_, sums, _ in changed:
                sums.unsaved = set()
            await self._database.quick_write(write)
            undo.pop_all()
        return True

    def _put_back(
        self, landed: dict[tuple[TransferId, str], tuple[Root, FileMark]], changed: list[tuple[_Sums, set[int]]]
    ) -> None:
        self._landed = landed | self._landed
        for sums, pages in changed:
            sums.unsaved |= pages

    async def load(self, transfer_id: TransferId) -> dict[Root, Journaled]:
        """Return the contents of a transfer that are partly on disk, what was noted last included.

        Raises:
            DiskFull, StorageError: The database cannot be read or written.
        Cancel: Safe.
        """
        async with self._turn:
            await self._flush()
            sql = "SELECT root, size, stamp, boot FROM journal WHERE transfer_id = ?"
            rows = await self._database.fetch_all(sql, [transfer_id])
            contents = {Root(root): _Sums(size) for root, size, *_ in rows}
            sql = "SELECT root, page, sums FROM journal JOIN journal_sums ON id = journal_id WHERE transfer_id = ?"
            for root, page, sums in await self._database.fetch_all(sql, [transfer_id]):
                contents[root].pages[page] = bytearray(sums)
            self._contents[transfer_id] = contents
        stamps = {root: stamp for root, _, stamp, boot in rows if boot in (0, self._boot)}
        found = {}
        for root, sums in contents.items():
            joined = sums.joined()
            found[root] = Journaled(sums.size, _held(joined), joined, stamps.get(root, ""))
        return found

    async def load_landed(self, transfer_id: TransferId) -> dict[tuple[str, ...], Landed]:
        """Return the files of a transfer that are complete, by path, what was noted last included.

        Raises:
            DiskFull, StorageError: The database cannot be read or written.
        Cancel: Safe.
        """
        await self.flush()
        sql = """
            SELECT path, root, size, mtime_ns, inode, device, boot FROM journal_landed WHERE transfer_id = ?
        """
        rows = await self._database.fetch_all(sql, [transfer_id])
        return {
            tuple(path.split("/")) if path else (): Landed(Root(root), _mark(mark), boot in (0, self._boot))
            for path, root, *mark, boot in rows
        }

    async def keep_landed(self, transfer_id: TransferId, standing: Set[tuple[str, ...]]) -> None:
        """Forget the landed files that ``Destination.check_landed`` did not find; the others are certain now.

        Raises:
            DiskFull, StorageError: Nothing was written.
        Cancel: Safe.
        """
        lost = [path for path in await self.load_landed(transfer_id) if path not in standing]
        async with self._turn, self._database.transaction() as connection:
            sql = "DELETE FROM journal_landed WHERE transfer_id = ? AND path = ?"
            await connection.executemany(sql, [(transfer_id, "/".join(path)) for path in lost])
            sql = "UPDATE journal_landed SET boot = ?1 WHERE transfer_id = ?2 AND boot NOT IN (0, ?1)"
            await connection.execute(sql, (self._boot, transfer_id))

    async def mark_clean(self, transfer_id: TransferId, stamps: Mapping[Root, str], *, durable: bool) -> None:
        """Write what was noted and that the transfer stopped in order, so that nothing need be read again.

        The mark ends by itself when a part file is touched or a chunk noted. Load the transfer before it goes on.

        Args:
            transfer_id: A transfer whose lanes write no more.
            stamps: ``PartFile.stamp`` of the contents that are partly on disk.
            durable: Whether ``Destination.sync`` came before the stamps, so that the mark outlives a restart of the
                machine.

        Raises:
            DiskFull, StorageError: Nothing was marked.
        Cancel: Safe; the transfer is marked or not.
        """
        boot = 0 if durable else self._boot
        async with self._turn:
            await self._flush()
            async with self._database.transaction() as connection:
                sql = "UPDATE journal SET stamp = ?, boot = ? WHERE transfer_id = ? AND root = ?"
                rows = [(stamp, boot, transfer_id, root) for root, stamp in stamps.items()]
                await connection.executemany(sql, rows)
                if durable:
                    sql = "UPDATE journal_landed SET boot = 0 WHERE transfer_id = ? AND boot = ?"
                    await connection.execute(sql, (transfer_id, self._boot))
            self._contents.pop(transfer_id, None)

    async def forget(self, transfer_id: TransferId, root: Root | None = None) -> None:
        """Drop the journal of a transfer, or that of one of its contents; one that is unknown is no error.

        Raises:
            DiskFull, StorageError: The database still has it.
        Cancel: Safe; what was noted in memory is gone.
        """
        async with self._turn:
            if root is not None:
                self._contents.get(transfer_id, {}).pop(root, None)
                async with self._database.transaction() as connection:
                    await connection.execute(_FORGET_CONTENT, (transfer_id, root))
                return
            self._contents.pop(transfer_id, None)
            self._landed = {key: landed for key, landed in self._landed.items() if key[0] != transfer_id}
            async with self._database.transaction() as connection:
                await connection.execute("DELETE FROM journal WHERE transfer_id = ?", [transfer_id])
                await connection.execute("DELETE FROM journal_landed WHERE transfer_id = ?", [transfer_id])


def boot_number() -> int:
    """Return a number that names the machine's current start, never 0; a new one each time where it cannot tell."""
    try:
        number = UUID(_BOOT_ID.read_text().strip()).int
    except (OSError, ValueError):
        number = secrets.randbits(64)
    return number % (2**63 - 1) + 1 if number else 1


def _columns(mark: FileMark) -> tuple[int, int, int, int]:
    return mark.size, wrap(mark.mtime_ns), wrap(mark.inode), wrap(mark.device)


def _mark(row: Row | list[int]) -> FileMark:
    size, mtime_ns, inode, device = row
    return FileMark(size, unwrap(mtime_ns, EARLIEST_NS), unwrap(inode), unwrap(device))


def _held(sums: bytes) -> Bitfield:
    """Return which chunks have a sum: they are packed by int(), for a file may have a million."""
    words = memoryview(sums).cast("Q")
    digits = bytes(map(bool, words)).translate(_DIGITS)
    padded = digits + b"0" * (-len(digits) % 8)
    return Bitfield.from_bytes(len(words), int(padded or b"0", 2).to_bytes(len(padded) // 8, "big"))
