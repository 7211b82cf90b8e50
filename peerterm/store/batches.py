"""Many rows in one transaction, a batch at a time, so that one that is given up ends soon. Called by the store."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    import aiosqlite

    from peerterm.store.database import Row

BATCH_ROWS = 2000
"""Rows of one call into the database's thread: what a cancelled scan still waits for. 16 values each stay below
SQLite's 32766 for one statement."""


async def batches(rows: Iterable[Row]) -> AsyncIterator[list[Row]]:
    """Yield rows as many at a time as one call takes; they are made in a thread, and none is kept."""
    left = iter(rows)
    while batch := await asyncio.to_thread(list, islice(left, BATCH_ROWS)):
        yield batch


async def many(connection: aiosqlite.Connection, sql: str, rows: Iterable[Row]) -> None:
    """Run a statement once for each row."""
    async for batch in batches(rows):
        await connection.executemany(sql, batch)
