"""The list of transfers, running and past, as the engine last saved it.

What a download holds on disk is not here but in its part file's journal. Called by the engine's transfer services.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from peerterm.core.ids import Root, TransferId
    from peerterm.store.database import Database

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
    started_at: float
    ended_at: float | None = None


_NAMES = [column.name for column in fields(TransferRecord)]
_COLUMNS = ", ".join(_NAMES)
_UPSERT = f"""
    INSERT INTO transfers ({_COLUMNS}) VALUES ({", ".join(f":{name}" for name in _NAMES)})
    ON CONFLICT (id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _NAMES[1:])}
"""  # noqa: S608
_TRIM = """
    DELETE FROM transfers WHERE id IN (
        SELECT id FROM transfers WHERE ended_at IS NOT NULL ORDER BY ended_at DESC, id LIMIT -1 OFFSET ?)
"""


class TransferStore:
    """Keeps transfer records."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, record: TransferRecord) -> None:
        """Write a record, replacing the one with its id."""
        values = {name: getattr(record, name) for name in _NAMES} | {"sources": json.dumps(record.sources)}
        async with self._database.transaction() as connection:
            await connection.execute(_UPSERT, values)
            await connection.execute(_TRIM, [MAX_ENDED])

    async def all(self, limit: int) -> list[TransferRecord]:
        """Return the newest records, those that started first in front."""
        sql = f"SELECT {_COLUMNS} FROM transfers ORDER BY started_at DESC, id LIMIT ?"  # noqa: S608
        rows = [dict(zip(_NAMES, row, strict=True)) for row in await self._database.fetch_all(sql, [limit])]
        return [TransferRecord(**row | {"sources": json.loads(row["sources"])}) for row in reversed(rows)]

    async def delete(self, transfer_id: TransferId) -> None:
        """Forget a record; one that is unknown is no error."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM transfers WHERE id = ?", [transfer_id])
