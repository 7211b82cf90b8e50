"""Files that are on this machine already: copied instead of fetched, and verified like those of any source.

A file is known by its content here; earlier versions of one, known by its name, are ``engine.seeking``'s.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from peerterm.core.manifest import chunk_count, chunk_digest, head_of
from peerterm.core.names import landing_name
from peerterm.store.completion import to_its_end
from peerterm.store.copying import copy_chunks
from peerterm.store.reading import SharedFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from peerterm.core.ids import Root
    from peerterm.engine.order import Order
    from peerterm.store.catalog import CatalogReader
    from peerterm.store.landed import LandedIndex
    from peerterm.store.partfile import PartFile

MAX_VERSIONS = 2
"""Places at which an earlier version of one thing is looked for."""


class Reuse:
    """Finds copies of contents in our shares and among what earlier transfers fetched."""

    def __init__(self, catalog: CatalogReader, landed: LandedIndex) -> None:
        self._catalog = catalog
        self._landed = landed

    async def find(self, roots: Sequence[Root]) -> dict[Root, list[SharedFile]]:
        """Return where each of these contents should be, for those that are anywhere."""
        found: dict[Root, list[SharedFile]] = {}
        for root, file in await self._catalog.places(roots):
            found.setdefault(root, []).append(
                SharedFile(file.path, file.size, file.mtime_ns, file.inode, file.device)
            )
        for root, landed in await self._landed.find_many(roots):
            found.setdefault(root, []).append(landed)
        return found

    async def versions(self, order: Order) -> list[Path]:
        """Return where earlier versions of what is ordered may be, the likeliest first; nothing vouches for them.

        That is where something of its name landed last, its name in the download folder, and a share so named.
        """
        name, kind = order.name, order.entry.kind
        landed = await self._landed.named(name, kind)
        share = await self._catalog.share_at(name, kind)
        likely = [*landed, order.directory / landing_name(name), *([share] if share else [])]
        is_one = os.path.isdir if kind == "folder" else os.path.isfile
        found = await asyncio.to_thread(lambda: [place for place in dict.fromkeys(likely) if is_one(place)])
        return found[:MAX_VERSIONS]

    async def copy(self, root: Root, sources: list[SharedFile], part: PartFile) -> bool:
        """Copy a whole content into its part file; return whether it is there now, proven against the root.

        Raises:
            StorageError: The part file's disk refuses.
        """
        return await to_its_end(asyncio.to_thread(_copy, root, sources, part))


def _copy(root: Root, sources: list[SharedFile], part: PartFile) -> bool:
    wanted = range(chunk_count(part.size))
    for source in sources:
        digests: list[bytes] = []

        def take(index: int, data: memoryview, digests: list[bytes] = digests) -> bool:
            del index
            digests.append(chunk_digest(data))
            return True

        is_whole = source.size == part.size and len(copy_chunks(source, part, wanted, take)) == len(wanted)
        if is_whole and head_of(part.size, b"".join(digests)).root == root:
            return True
    return False
