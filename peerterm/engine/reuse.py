"""Files that are on this machine already: copied instead of fetched, and verified like those of any source.

A file is known by its content here; earlier versions of one, known by its name, are ``engine.seeking``'s.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from peerterm.core.manifest import chunk_count, chunk_digest, head_of
from peerterm.core.names import landing_name
from peerterm.store.completion import until_stopped
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

    async def copy(self, root: Root, sources: list[SharedFile], part: PartFile) -> bytes | None:
        """Copy a whole content into its part file; return its chunk digests, which the root proves.

        ``None`` if no source has it. Then what of it is in the part file counts for nothing.

        Raises:
            StorageError: The part file's disk refuses.

        Cancel: safe; it ends at the next chunk.
        """
        return await until_stopped(_copy, root, sources, part)


def _copy(root: Root, sources: list[SharedFile], part: PartFile) -> bytes | None:
    wanted = range(chunk_count(part.size))
    for source in sources:
        digests = bytearray()

        def is_last_right(index: int, data: memoryview, digests: bytearray = digests) -> bool:
            # Only the last chunk completes the content, and a file of one chunk is finished by it: the whole must
            # be proven before.
            digests += chunk_digest(data)
            return index + 1 < len(wanted) or head_of(part.size, digests).root == root

        if source.size == part.size and len(copy_chunks(source, part, wanted, is_last_right)) == len(wanted):
            return bytes(digests)
    return None
