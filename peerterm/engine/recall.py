"""What an earlier attempt of a transfer left on this disk, checked before it counts."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from peerterm.core.bitfield import Bitfield
from peerterm.store.completion import to_its_end, until_stopped
from peerterm.store.destination import Destination

if TYPE_CHECKING:
    from peerterm.core.ids import Root
    from peerterm.engine.order import Order
    from peerterm.store.journal import Journal, Journaled, Landed
    from peerterm.store.partfile import PartFile

log = logging.getLogger("peerterm.recall")

MAX_PROVING = 64
"""Chunks of a part that are read to see whether it is the one that the journal speaks of."""


class Recall:
    """The journal of one transfer, held against its part file or folder.

    Attributes:
        contents: What is partly there, by content; not yet checked.
        landed: Files that are complete and still as they landed.
    """

    def __init__(self, journal: Journal, order: Order) -> None:
        self.contents: dict[Root, Journaled] = {}
        self.landed: dict[tuple[str, ...], Landed] = {}
        self._journal = journal
        self._order = order

    async def load(self, destination: Destination) -> None:
        """Read the journal; forget it if the part it speaks of is gone, and leave a part alone that is not ours.

        Raises:
            StorageError: The disk refuses.
        """
        transfer_id, is_whole = self._order.transfer_id, True
        if destination.resumed:
            self.contents = await self._journal.load(transfer_id)
            landed = await self._journal.load_landed(transfer_id)
            standing = await until_stopped(destination.check_landed, landed)
            await self._journal.keep_landed(transfer_id, standing)
            self.landed = {path: landed[path] for path in standing}
            is_whole = len(standing) == len(landed)
        if destination.is_published:
            is_ours = is_whole and (bool(self.landed) or await self._is_whole(destination))
        else:
            is_ours = not destination.is_doubtful or await self._is_proven(destination)
        if not is_ours:
            await to_its_end(asyncio.to_thread(destination.start_anew))
            self.contents, self.landed = {}, {}
        if not self.landed and not self.contents:
            await self._journal.forget(transfer_id)

    async def discard(self, part: str, inode: int) -> None:
        """Remove the part of an earlier attempt, unless it may be somebody else's.

        Raises:
            StorageError: The disk refuses.

        Cancel: shield it; the part may be left half removed.
        """
        order = self._order
        destination = await asyncio.to_thread(
            Destination.open, order.directory, order.name, order.entry.kind, part, inode
        )
        try:
            if destination.is_doubtful:
                self.contents = await self._journal.load(order.transfer_id)
                noted = await self._journal.load_landed(order.transfer_id)
                sure = {path: replace(each, is_certain=True) for path, each in noted.items()}  # to look is enough
                self.landed = {
                    path: noted[path] for path in await asyncio.to_thread(destination.check_landed, sure)
                }
                destination.is_doubtful = not await self._is_proven(destination)
            if destination.is_doubtful:
                log.warning("left alone, may be somebody else's path=%r", str(order.directory / destination.part))
            await asyncio.to_thread(destination.discard)
        finally:
            await asyncio.to_thread(destination.close)

    async def _is_proven(self, destination: Destination) -> bool:
        """Whether anything that was noted is there, so that the part must be the one that was left."""
        if self.landed or self._order.is_folder:
            return bool(self.landed)
        if (noted := self.contents.get(self._order.entry.root)) is None:
            return False
        some = Bitfield(noted.held.size)
        for index in islice(filter(noted.held.has, range(noted.held.size)), MAX_PROVING):
            some.set(index)
        found = await until_stopped(destination.file((), noted.size).recheck, some, noted.sums)
        return found.count > 0

    async def _is_whole(self, destination: Destination) -> bool:
        """Whether a single file is there to its last chunk, as far as that was noted."""
        noted = self.contents.get(self._order.entry.root)
        if noted is None or self._order.is_folder:
            return False
        part = destination.file((), noted.size)
        return (await until_stopped(part.recheck, noted.held, noted.sums)).is_complete

    async def held(self, root: Root, part: PartFile) -> Bitfield | None:
        """Return which chunks of a content its part file still has; ``None`` if none was ever noted.

        Raises:
            StorageError: The disk cannot be read.
        """
        if (noted := self.contents.get(root)) is None or noted.size != part.size:
            return None
        kept = await until_stopped(part.recheck, noted.held, noted.sums, noted.stamp)
        self._journal.keep(self._order.transfer_id, root, kept)
        return kept
