"""peerterm.store.destination: chunks from any lane in any order, until it is closed or discarded."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from peerterm.core.manifest import CHUNK_BYTES
from peerterm.core.names import part_name
from peerterm.errors import StorageError
from peerterm.store.destination import MAX_OPEN_FILES, Destination
from tests.fakes.landing import CONTENT, MTIME, fill, tree

if TYPE_CHECKING:
    from pathlib import Path

    from peerterm.store.partfile import PartFile


def test_chunks_come_in_any_order_and_are_read_back(downloads: Path) -> None:
    """A chunk can be read as soon as it is written, so that others get it meanwhile; the file is sparse."""
    destination = Destination.open(downloads, "film.mkv", "file")
    file = destination.file((), len(CONTENT))
    file.write_chunk(2, memoryview(b"the rest"))

    assert file.read_chunk(2) == b"the rest"
    assert (downloads / destination.part).stat().st_blocks * 512 < CHUNK_BYTES
    fill(file)
    assert file.sha256() == hashlib.sha256(CONTENT).digest()
    assert file.read_chunk(0) == CONTENT[:CHUNK_BYTES]
    destination.close()


def test_chunk_of_a_wrong_length_is_a_bug(downloads: Path) -> None:
    """Only whole chunks are written."""
    destination = Destination.open(downloads, "film.mkv", "file")
    file = destination.file((), len(CONTENT))

    with pytest.raises(ValueError, match="chunk of 8"):
        file.write_chunk(2, memoryview(b"the res"))
    with pytest.raises(IndexError):
        file.write_chunk(3, memoryview(b""))
    destination.close()


def test_chunk_that_was_lost_is_a_storage_error(downloads: Path) -> None:
    """A part that lost what it had, or was never written, is told apart from one that holds the chunk."""
    destination = Destination.open(downloads, "album", "folder")
    file = destination.file(("a",), len(CONTENT))
    with pytest.raises(StorageError, match="No such file"):
        file.read_chunk(0)
    fill(file)
    os.truncate(downloads / destination.part / part_name("a"), 10)

    with pytest.raises(StorageError, match="shorter"):
        file.read_chunk(1)
    destination.close()


def test_many_lanes_write_many_files_with_few_descriptors(downloads: Path) -> None:
    """Chunks of two hundred files arrive from eight threads; the number of open files stays small."""
    destination = Destination.open(downloads, "album", "folder")
    content = os.urandom(CHUNK_BYTES + 3)
    files = [destination.file((f"d{number % 7}", f"f{number}"), len(content)) for number in range(200)]
    most = 0

    def write(job: tuple[PartFile, int]) -> None:
        nonlocal most
        file, index = job
        file.write_chunk(index, memoryview(content)[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES])
        most = max(most, len(os.listdir("/proc/self/fd")))

    before = len(os.listdir("/proc/self/fd"))
    with ThreadPoolExecutor(8) as lanes:
        list(lanes.map(write, [(file, index) for index in (1, 0) for file in files]))
    for file in files:
        file.finish(MTIME, executable=False)
    top = destination.finish()
    destination.close()

    assert most - before <= MAX_OPEN_FILES + 8 * 3 + 2
    assert len(os.listdir("/proc/self/fd")) < before
    assert all((top / f"d{number % 7}" / f"f{number}").read_bytes() == content for number in range(200))


def test_first_chunks_of_one_file_may_race(downloads: Path) -> None:
    """Several lanes that create one file at once all write into the same."""
    destination = Destination.open(downloads, "album", "folder")
    for number in range(10):
        file = destination.file((f"d{number}", "f"), 4 * CHUNK_BYTES)
        chunk = memoryview(bytes([number]) * CHUNK_BYTES)
        with ThreadPoolExecutor(4) as lanes:
            list(lanes.map(lambda index, file=file, chunk=chunk: file.write_chunk(index, chunk), range(4)))
        assert file.sha256() == hashlib.sha256(bytes(chunk) * 4).digest()
    destination.close()


def test_closed_destination_is_not_used(downloads: Path) -> None:
    """A lane that comes late gets an error, not somebody else's descriptor."""
    destination = Destination.open(downloads, "film.mkv", "file")
    file = destination.file((), 3)
    destination.close()

    with pytest.raises(StorageError, match="closed"):
        fill(file, b"abc")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_discard_removes_what_the_transfer_made(downloads: Path, outside: Path, kind: str) -> None:
    """Discarding leaves everything else, also behind links; a second time does nothing."""
    path = () if kind == "file" else ("sub", "film")
    destination = Destination.open(downloads, "thing", "file" if kind == "file" else "folder")
    fill(destination.file(path, len(CONTENT)))
    (downloads / "mine").write_bytes(b"mine")
    if kind == "folder":
        (downloads / destination.part / "link").symlink_to(outside)

    destination.discard()
    destination.discard()
    destination.close()

    assert tree(downloads) == {"mine"}
    assert (outside / "sentinel").exists()


def test_what_is_finished_is_not_discarded(downloads: Path) -> None:
    """Finishing twice is finishing once; what has its name is the user's."""
    destination = Destination.open(downloads, "film.mkv", "file")
    file = destination.file((), 3)
    fill(file, b"abc")
    file.finish(MTIME, executable=False)

    first = destination.finish()
    assert destination.finish() == first
    destination.discard()
    assert file.read_chunk(0) == b"abc"
    destination.close()
    destination.close()
    assert tree(downloads) == {"film.mkv"}
