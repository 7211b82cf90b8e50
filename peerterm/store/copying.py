"""Taking chunks from a file on this machine instead of from a peer; they are verified all the same.

Blocks, so it belongs in a thread. Called by the engine's transfers.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from peerterm.core.manifest import CHUNK_BYTES, chunk_count, chunk_span
from peerterm.errors import StorageError
from peerterm.store.completion import check_stopped
from peerterm.store.partfile import chunk_sum
from peerterm.store.reading import FOLDER_FLAGS, READ_FLAGS, SharedFile, open_beneath

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from peerterm.store.partfile import PartFile
    from peerterm.store.reading import OpenFile


def file_at(top: Path, path: Sequence[str]) -> SharedFile | None:
    """Return the file below ``top`` (or ``top`` itself) as it is now; ``None`` if no readable file is there.

    Below ``top`` no link is followed.
    """
    try:
        opened = os.open(top, FOLDER_FLAGS if path else READ_FLAGS)
        try:
            descriptor = open_beneath(opened, path, READ_FLAGS) if path else os.dup(opened)
        finally:
            os.close(opened)
        try:
            found = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return SharedFile(top.joinpath(*path), found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev)


def copy_chunks(
    source: SharedFile,
    target: PartFile,
    wanted: Iterable[int],
    accepts: Callable[[int, memoryview], bool],
) -> dict[int, bytes]:
    """Copy those of the wanted chunks that the source has at the same place; stop quietly once it cannot be read.

    Where the file system can, the target shares the source's disk blocks and is only read to verify.

    Args:
        source: A file that holds the content or, in part, an earlier version of it.
        target: Where they go; nobody else writes these chunks meanwhile.
        wanted: Chunk numbers; a few hundred at a time let the caller show progress.
        accepts: Whether these bytes are that chunk; nothing counts before it says so.

    Returns:
        The sum of each chunk that is now in the target, for the journal.

    Raises:
        DiskFull: No space is left; what was copied in this call does not count.
        StorageError: The target's disk refuses; likewise.
    """
    copied: dict[int, bytes] = {}
    try:
        opened = source.open()
    except StorageError:
        return copied
    with opened:
        buffer, clones = bytearray(CHUNK_BYTES), True
        for index in wanted:
            check_stopped()
            if not _is_in_both(index, source.size, target.size):
                continue
            clones = clones and target.clone_chunk(index, source.path)
            data = memoryview(target.read_chunk(index)) if clones else _read(opened, index, buffer)
            if data is None:
                break
            if accepts(index, data):
                copied[index] = chunk_sum(data) if clones else target.write_chunk(index, data)
    return copied


def _is_in_both(index: int, one: int, other: int) -> bool:
    return index < min(chunk_count(one), chunk_count(other)) and chunk_span(one, index) == chunk_span(other, index)


def _read(opened: OpenFile, index: int, buffer: bytearray) -> memoryview | None:
    """Return a chunk of the source, ``None`` if it changed or its disk fails."""
    try:
        return opened.read_chunk(index, buffer)
    except StorageError:
        return None
