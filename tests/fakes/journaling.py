"""A process that fetches as an engine does, until it is killed; run it with a database, a directory and a kind.

Writes chunks that the seed and their number determine, journals them, flushes now and then, and tells each flush on
stdout once it is done.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from peerterm.core.ids import Root, TransferId
from peerterm.core.manifest import CHUNK_BYTES, chunk_count
from peerterm.store.database import Database
from peerterm.store.destination import Destination
from peerterm.store.journal import Journal
from tests.fakes.contents import chunk_bytes

if TYPE_CHECKING:
    from peerterm.store.partfile import PartFile

TRANSFER = TransferId("00000001")
FILM = Root(b"\1" * 32)
SIZE = 64 * CHUNK_BYTES - 5
FILES = 400
SMALL = 4096


def small_root(number: int) -> Root:
    """Return a name for the content of one small file."""
    return Root(number.to_bytes(32, "big"))


def small_path(number: int) -> tuple[str, ...]:
    """Return where a small file goes."""
    return f"sub {number % 7}", f"file {number}"


async def fetch_film(journal: Journal, file: PartFile) -> None:
    """Write all chunks of one file in a random order."""
    random = Random()
    for index in random.sample(range(chunk_count(SIZE)), chunk_count(SIZE)):
        data = memoryview(chunk_bytes(SIZE, 0, index))
        journal.note(TRANSFER, FILM, SIZE, index, await asyncio.to_thread(file.write_chunk, index, data))
        if random.random() < 0.2:
            await journal.flush()
            print("flushed", flush=True)


async def fetch_album(journal: Journal, destination: Destination) -> None:
    """Write and land many small files."""
    random = Random()
    for number in range(FILES):
        file = destination.file(small_path(number), SMALL, number)
        data = memoryview(chunk_bytes(SMALL, number, 0))
        journal.note(TRANSFER, small_root(number), SMALL, 0, file.write_chunk(0, data))
        if random.random() < 0.02:
            await journal.flush()
        journal.note_landed(TRANSFER, small_path(number), small_root(number), file.finish(number, executable=False))
        if random.random() < 0.05:
            await journal.flush()
            print("flushed", flush=True)


async def main() -> None:
    """Fetch until killed."""
    _, database_path, directory, kind = sys.argv
    database = await Database.open(Path(database_path))
    journal = Journal(database)
    destination = Destination.open(Path(directory), "thing", "file" if kind == "file" else "folder")
    print(destination.part, destination.inode, flush=True)
    if kind == "file":
        await fetch_film(journal, destination.file((), SIZE))
    else:
        await fetch_album(journal, destination)
    await journal.flush()
    print("all", flush=True)
    await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main())
