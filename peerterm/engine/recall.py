"""What an earlier attempt of a transfer left on this disk, checked before it counts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from peerterm.store.completion import to_its_end

if TYPE_CHECKING:
    from peerterm.core.bitfield import Bitfield
    from peerterm.core.ids import Root
    from peerterm.engine.order import Order
    from peerterm.store.destination import Destination
    from peerterm.store.journal import Journal, Journaled, Landed
    from peerterm.store.partfile import PartFile


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
            standing = await to_its_end(asyncio.to_thread(destination.check_landed, landed))
            await self._journal.keep_landed(transfer_id, standing)
            self.landed = {path: landed[path] for path in standing}
            is_whole = len(standing) == len(landed)
        if destination.is_doubtful or destination.is_published:
            is_ours = await self._has_any(destination) and (is_whole or not destination.is_published)
            if not is_ours:
                await to_its_end(asyncio.to_thread(destination.start_anew))
                self.contents, self.landed = {}, {}
        if not self.landed and not self.contents:
            await self._journal.forget(transfer_id)

    async def _has_any(self, destination: Destination) -> bool:
        """Whether something that was noted is there for certain."""
        noted = self.contents.get(self._order.entry.root)
        if self.landed or self._order.is_folder or noted is None:
            return bool(self.landed)
        part = destination.file((), noted.size)
        held = await to_its_end(asyncio.to_thread(part.recheck, noted.held, noted.sums))
        return held.is_complete if destination.is_published else held.count > 0

    async def held(self, root: Root, part: PartFile) -> Bitfield | None:
        """Return which chunks of a content its part file still has; ``None`` if none was ever noted.

        Raises:
            StorageError: The disk cannot be read.
        """
        if (noted := self.contents.get(root)) is None or noted.size != part.size:
            return None
        kept = await to_its_end(asyncio.to_thread(part.recheck, noted.held, noted.sums, noted.stamp))
        self._journal.keep(self._order.transfer_id, root, kept)
        return kept
