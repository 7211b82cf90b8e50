"""Bytes that land in a ``Destination``, and what the disk shows of them."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from peerterm.core.manifest import CHUNK_BYTES, chunk_digest, head_of
from peerterm.store.destination import Destination

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from peerterm.store.partfile import PartFile

CONTENT = os.urandom(2 * CHUNK_BYTES) + b"the rest"
ROOT = head_of(
    len(CONTENT),
    b"".join(chunk_digest(CONTENT[at : at + CHUNK_BYTES]) for at in range(0, len(CONTENT), CHUNK_BYTES)),
).root
MTIME = 1_600_000_000_123_456_789


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Set the umask for as long as the block lasts."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def fill(file: PartFile, content: bytes = CONTENT) -> None:
    """Write every chunk."""
    for index, offset in enumerate(range(0, len(content), CHUNK_BYTES)):
        file.write_chunk(index, memoryview(content)[offset : offset + CHUNK_BYTES])


def tree(top: Path) -> set[str]:
    """Return the paths of all that is below a folder."""
    return {str(path.relative_to(top)) for path in top.rglob("*")}


def fetch(downloads: Path, name: str, content: bytes = CONTENT) -> Path:
    """Land a single file; return where it is."""
    destination = Destination.open(downloads, name, "file")
    file = destination.file((), len(content))
    fill(file, content)
    file.finish(MTIME, executable=False)
    path = destination.finish()
    destination.close()
    return path
