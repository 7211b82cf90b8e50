"""The list of transfers, running and past, as the engine last saved it.

What a download holds on disk is not here but in ``journal``. Called by the engine's transfer services.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from peerterm.store.database import unwrap, wrap

if TYPE_CHECKING:
    import sqlite3

    from peerterm.core.ids import Root, TransferId
    from peerterm.store.database import Database, Row

MAX_ENDED = 1000
"""Most ended transfers kept; the longest ended go first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRecord:
    """One transfer.

    Attributes:
        id: Unique on this machine.
        direction: ``down`` or ``up``.
        root: ``None`` while the reference is not resolved.
        reference: What the user asked for.
        directory: Folder the download goes into.
        size: Bytes in all.
        bytes: Bytes verified and on disk.
        path: Where it ends up; empty until known.
        error: What failed; empty if nothing did.
        error_code: Its code of ``peerterm.errors``.
        sources: What JSON can hold of each source.
        part: ``Destination.part``, to go on with it; empty until there is one.
        part_inode: ``Destination.inode`` beside it.
        priority: Transfers with a higher one run first.
        position: Place in the queue among transfers of one priority, the lowest first.
        files: Files in all.
        done_files: Files that are complete.
        seconds: How long it was under way.
        local_bytes: Of ``bytes``, those copied from this machine.
        wasted_bytes: Bytes that came and were of no use.
        limit: Bytes a second at most; 0 for no limit.
        only: Patterns of what is fetched of a folder; empty for all.
        is_private: Whether others are not to get it from us.
        started_at: Unix time in seconds.
        ended_at: Likewise; ``None`` while unfinished.
    """

    id: TransferId
    direction: str
    name: str
    kind: str
    root: Root | None = None
    reference: str = ""
    directory: str = ""
    state: str
    size: int = 0
    bytes: int = 0
    path: str = ""
    error: str = ""
    error_code: str = ""
    sources: list[dict[str, Any]] = field(default_factory=list)
    part: str = ""
    part_inode: int = 0
    priority: int = 0
    position: int = 0
    limit: int = 0
    only: list[str] = field(default_factory=list)
    is_private: bool = False
    files: int = 1
    done_files: int = 0
    seconds: float = 0.0
    local_bytes: int = 0
    wasted_bytes: int = 0
    started_at: float
    ended_at: float | None = None


_NAMES = [column.name for column in fields(TransferRecord)]
_AS_JSON = ("sources", "only")
_COLUMNS = ", ".join(f'"{name}"' for name in _NAMES)  # quoted: limit is a word of SQL
_UPSERT = f"""
    INSERT INTO transfers ({_COLUMNS}) VALUES ({", ".join(f":{name}" for name in _NAMES)})
    ON CONFLICT (id) DO UPDATE SET {", ".join(f'"{name}" = excluded."{name}"' for name in _NAMES[1:])}
"""  # noqa: S608
_TRIM = """
    DELETE FROM transfers WHERE id IN (
        SELECT id FROM transfers WHERE ended_at IS NOT NULL ORDER BY ended_at DESC, id LIMIT -1 OFFSET ?)
"""


class TransferStore:
    """Keeps transfer records."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, *records: TransferRecord) -> None:
        """Write records, replacing those with their ids; all or none."""
        rows = [_values(record) for record in records]
        async with self._database.transaction() as connection:
            await connection.executemany(_UPSERT, rows)
            await connection.execute(_TRIM, [MAX_ENDED])

    async def note(self, *records: TransferRecord) -> None:
        """Write what may be lost with the power, but in no crash: ``save`` it in the end."""
        if not records:
            return
        rows = [_values(record) for record in records]

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(_UPSERT, rows)
            connection.execute(_TRIM, [MAX_ENDED])

        await self._database.quick_write(write)

    async def all(self, limit: int) -> list[TransferRecord]:
        """Return the newest records, those that started first in front."""
        return (await self._select("ORDER BY started_at DESC, id LIMIT ?", limit))[::-1]

    async def unfinished(self) -> list[TransferRecord]:
        """Return what has not ended, whatever its state, by position, then by age."""
        return await self._select("WHERE ended_at IS NULL ORDER BY position, started_at, id")

    async def history(self, limit: int) -> list[TransferRecord]:
        """Return what has ended, the latest first."""
        return await self._select("WHERE ended_at IS NOT NULL ORDER BY ended_at DESC, id LIMIT ?", limit)

    async def _select(self, condition: str, *parameters: int) -> list[TransferRecord]:
        sql = f"SELECT {_COLUMNS} FROM transfers {condition}"  # noqa: S608
        return [_record(row) for row in await self._database.fetch_all(sql, parameters)]

    async def delete(self, *transfer_ids: TransferId) -> None:
        """Forget records and their journals, all or none; one that is unknown is no error."""
        rows = [(transfer_id,) for transfer_id in transfer_ids]
        async with self._database.transaction() as connection:
            await connection.executemany("DELETE FROM transfers WHERE id = ?", rows)


def _values(record: TransferRecord) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in _NAMES}
    values["part_inode"] = wrap(record.part_inode)
    return values | {name: json.dumps(values[name]) for name in _AS_JSON}


def _record(row: Row) -> TransferRecord:
    values = dict(zip(_NAMES, row, strict=True))
    values["part_inode"] = unwrap(values["part_inode"])
    values["is_private"] = bool(values["is_private"])
    return TransferRecord(**values | {name: json.loads(values[name]) for name in _AS_JSON})
