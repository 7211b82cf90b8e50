"""Which parts of a download are held, for whoever draws it. Called by ``engine.downloading``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from peerterm.api.views import ChunkMapView
from peerterm.core.chunk_map import ChunkMap
from peerterm.core.life import State
from peerterm.core.manifest import CHUNK_BYTES, chunk_count

if TYPE_CHECKING:
    from peerterm.engine.attempt import Attempt
    from peerterm.engine.order import Order
    from peerterm.engine.transfer import Transfer
    from peerterm.store.journal import Journal

MAX_CELLS = 512
"""Most parts of one map."""

BATCH_FILES = 10_000
"""Files that are added up without a break."""


async def chunk_map(transfer: Transfer, journal: Journal, cells: int) -> ChunkMapView:
    """See ``EngineApi.chunk_map``."""
    cells = max(1, min(cells, MAX_CELLS))
    attempt, percents = transfer.attempt, list[int]()
    if transfer.life.state is State.DONE:
        percents = [100] * cells
    elif attempt and attempt.total is not None:
        percents = await _percents(attempt, attempt.total, cells)
    elif not attempt and transfer.part and not transfer.order.is_folder:
        percents = await _noted(transfer.order, journal, cells)
    is_complete = transfer.bytes >= transfer.total
    chunks = chunk_count(transfer.total)
    held = chunks if is_complete else transfer.bytes // CHUNK_BYTES
    return ChunkMapView(transfer_id=transfer.order.transfer_id, chunks=chunks, held=held, cells=percents)


async def _percents(attempt: Attempt, total: int, cells: int) -> list[int]:
    """Add up what an attempt holds; what comes meanwhile may count or not."""
    shown = ChunkMap(total, cells)
    for number, (file, has_landed, held) in enumerate(attempt.pieces(), 1):
        if has_landed:
            shown.add_whole(file.size * len(file.places))
        else:
            shown.add(file.size, held)
            shown.add(file.size * (len(file.places) - 1))  # they are copied when the first has landed
        if number % BATCH_FILES == 0:
            await asyncio.sleep(0)
    return shown.percents


async def _noted(order: Order, journal: Journal, cells: int) -> list[int]:
    """Add up what the journal knows of a file that rests; an attempt that begins meanwhile loads it after us."""
    noted = (await journal.load(order.transfer_id)).get(order.entry.root)
    if noted is None:
        return []
    shown = ChunkMap(noted.size, cells)
    shown.add(noted.size, noted.held)
    return shown.percents
