"""Lets downloads that their disk stopped go on when it lets them. Called by ``engine.downloading``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from peerterm.core.life import Event, PauseReason
from peerterm.errors import DiskFull, StorageError
from peerterm.store.space import check_writable

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerterm.engine.transfer import Transfer
    from peerterm.engine.transfers import Transfers
    from peerterm.store.space import SpaceAccount

DISK_SECONDS = 5.0
"""How often a disk that was full is looked at again."""


async def watch_disks(transfers: Transfers, space: SpaceAccount, admit: Callable[[], None]) -> None:
    """Queue what its disk stopped as soon as that is over, and have it admitted; until cancelled."""
    while True:
        await asyncio.sleep(DISK_SECONDS)
        for transfer in transfers:
            is_free = _is_stopped_by_disk(transfer) and await _has_room(transfer, space)
            if is_free and _is_stopped_by_disk(transfer):  # still
                transfer.life.take(Event.DISK_FREE)
                transfer.error = None
                transfers.follow(transfer)
        admit()


def _is_stopped_by_disk(transfer: Transfer) -> bool:
    return transfer.life.pause_reason is PauseReason.DISK


async def _has_room(transfer: Transfer, space: SpaceAccount) -> bool:
    """Whether the fault that stopped a transfer is gone."""
    left = max(transfer.total - transfer.bytes, 1)
    files = max(transfer.files - transfer.landed_files, 1)
    directory = transfer.order.directory
    try:
        if isinstance(transfer.error, DiskFull):
            return await asyncio.to_thread(space.has_room, directory, left, files)
        await asyncio.to_thread(check_writable, directory)
    except StorageError:
        return False
    return True
