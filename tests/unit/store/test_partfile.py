"""peerterm.store.partfile: what a part file still holds after whatever happened to it."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from xxhash import xxh3_64_intdigest

from peerterm.core.bitfield import Bitfield
from peerterm.core.manifest import CHUNK_BYTES, chunk_digest, head_of
from peerterm.errors import StorageError
from peerterm.store.destination import Destination
from peerterm.store.partfile import SUM_BYTES, FileMark, PartFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = os.urandom(4 * CHUNK_BYTES) + b"the rest"
CHUNKS = 5


@pytest.fixture
def destination(tmp_path: Path) -> Iterator[Destination]:
    destination = Destination.open(tmp_path, "film.mkv", "file")
    yield destination
    destination.close()


@pytest.fixture
def part(tmp_path: Path, destination: Destination) -> Path:
    return tmp_path / destination.part


@pytest.fixture
def file(destination: Destination) -> PartFile:
    return destination.file((), len(CONTENT))


def chunk(index: int) -> memoryview:
    return memoryview(CONTENT)[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES]


def fill(file: PartFile, *missing: int) -> tuple[Bitfield, bytes]:
    """Write all chunks but some; return what a journal would hold."""
    held, sums = Bitfield(CHUNKS), b""
    for index in range(CHUNKS):
        sums += bytes(SUM_BYTES) if index in missing else file.write_chunk(index, chunk(index))
        if index not in missing:
            held.set(index)
    return held, sums


def indexes_of(held: Bitfield) -> list[int]:
    return [index for index in range(held.size) if held.has(index)]


def test_sum_is_that_of_the_chunk(file: PartFile) -> None:
    """Writing returns xxh3_64, most significant byte first, and nothing for a chunk that came too late."""
    first = file.write_chunk(0, chunk(0))
    file.finish(0, executable=False)
    late = file.write_chunk(0, chunk(0))

    assert first == xxh3_64_intdigest(CONTENT[:CHUNK_BYTES]).to_bytes(SUM_BYTES, "big")
    assert late == b""


def test_untouched_file_keeps_what_was_journaled(file: PartFile) -> None:
    """Only journaled chunks are kept, whatever else is in the file."""
    held, sums = fill(file, 1)
    file.write_chunk(1, chunk(1))

    assert indexes_of(file.recheck(held, sums)) == [0, 2, 3, 4]


def test_flipped_bytes_cost_their_chunks_only(part: Path, file: PartFile) -> None:
    """Three flipped bytes in three chunks: the other two are kept."""
    held, sums = fill(file)
    with part.open("r+b") as opened:
        for offset in (5, 2 * CHUNK_BYTES, len(CONTENT) - 1):
            opened.seek(offset)
            byte = opened.read(1)
            opened.seek(offset)
            opened.write(bytes([byte[0] ^ 1]))

    assert indexes_of(file.recheck(held, sums)) == [1, 3]


@pytest.mark.parametrize(
    ("size", "kept"), [(len(CONTENT) - 1, [0, 1, 2, 3]), (2 * CHUNK_BYTES + 7, [0, 1]), (0, [])]
)
def test_truncated_file_keeps_what_is_before_the_cut(
    part: Path, file: PartFile, size: int, kept: list[int]
) -> None:
    """A chunk that is cut is gone, those before it are not."""
    held, sums = fill(file)
    os.truncate(part, size)

    assert indexes_of(file.recheck(held, sums)) == kept


def test_longer_file_keeps_all(part: Path, file: PartFile) -> None:
    """What somebody appended is cut off when the file is finished."""
    held, sums = fill(file)
    with part.open("ab") as opened:
        opened.write(b"more")

    assert file.recheck(held, sums).is_complete
    file.finish(0, executable=False)
    assert part.read_bytes() == CONTENT


def test_deleted_file_of_a_folder_keeps_nothing(tmp_path: Path) -> None:
    """No file, or no folder for it: nothing is held, and nothing is created by looking."""
    destination = Destination.open(tmp_path, "album", "folder")
    file = destination.file(("sub", "film"), len(CONTENT))
    held, sums = fill(file)
    shutil.rmtree(tmp_path / destination.part / "sub")
    again = Destination.open(tmp_path, "album", "folder", destination.part, destination.inode)
    assert not again.resumed
    destination.close()
    again.close()
    again = Destination.open(tmp_path, "album", "folder", destination.part, destination.inode)
    file = again.file(("sub", "film"), len(CONTENT))

    assert again.resumed
    assert file.recheck(held, sums, "a stamp").count == 0
    assert file.stamp() == ""
    assert not any((tmp_path / again.part).iterdir())
    again.close()


def test_foreign_file_keeps_nothing(part: Path, file: PartFile) -> None:
    """Bytes of something else match no sum."""
    held, sums = fill(file)
    part.write_bytes(os.urandom(len(CONTENT)))

    assert file.recheck(held, sums).count == 0


def test_unreadable_disk_is_an_error(
    part: Path, file: PartFile, destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be read is not taken for lost; a closed destination ends the reading."""
    held, sums = fill(file)

    def failing(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.preadv", failing)
    with pytest.raises(StorageError, match="Input/output error"):
        file.recheck(held, sums)
    monkeypatch.undo()
    destination.close()
    with pytest.raises(StorageError, match="closed"):
        file.recheck(held, sums)


def test_stamped_file_is_not_read(file: PartFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a stop in order nothing is read again; the answer is a copy."""
    held, sums = fill(file, 3)
    stamp = file.stamp()
    monkeypatch.setattr("os.preadv", None)
    kept = file.recheck(held, sums, stamp)
    kept.set(3)

    assert indexes_of(held) == [0, 1, 2, 4]
    assert kept.is_complete


@pytest.mark.parametrize("how", ["write", "truncate", "restored time"])
def test_touched_file_loses_its_stamp(part: Path, file: PartFile, how: str) -> None:
    """Whatever anybody does to the file after a stop in order is found, also with its times set back."""
    held, sums = fill(file)
    stamp, before = file.stamp(), part.stat()
    with part.open("r+b") as opened:
        opened.write(b"\0" if how != "truncate" else b"")
        opened.truncate(len(CONTENT) - (how == "truncate"))
    if how == "restored time":
        os.utime(part, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert file.stamp() != stamp
    assert file.recheck(held, sums, stamp).count == CHUNKS - 1


def test_finished_file_is_known_by_its_mark(part: Path, file: PartFile) -> None:
    """What finishing returns is what the disk says of the file."""
    fill(file)
    mark = file.finish(1_600_000_000_000_000_001, executable=True)

    assert mark == FileMark.of(part.stat())
    assert (mark.size, mark.mtime_ns) == (len(CONTENT), 1_600_000_000_000_000_001)


@pytest.mark.parametrize("size", [0, 5, CHUNK_BYTES, CHUNK_BYTES + 1, len(CONTENT)])
def test_root_is_that_of_the_bytes(destination: Destination, part: Path, size: int) -> None:
    """The root is computed from the disk; a file that is too short has another."""
    content = CONTENT[:size]
    digests = b"".join(chunk_digest(content[at : at + CHUNK_BYTES]) for at in range(0, size, CHUNK_BYTES))
    part.write_bytes(CONTENT)
    file = destination.file((), size)

    assert file.root() == head_of(size, digests).root
    if size:
        os.truncate(part, size - 1)
        assert file.root() != head_of(size, digests).root


def test_only_chunks_without_a_hole_may_have_been_written(file: PartFile, part: Path) -> None:
    """Neither what was never written nor a chunk of which a part is missing; nothing is read to know."""
    assert file.written(range(CHUNKS)) == []

    fill(file, 0, 2)
    with part.open("r+b") as opened:
        opened.seek(2 * CHUNK_BYTES + 8192)
        opened.write(b"a part of a chunk")

    assert file.written(range(CHUNKS)) == [1, 3, 4]
    assert file.written([0, 3]) == [3]

    os.truncate(part, 3 * CHUNK_BYTES + 8192)

    assert file.written(range(CHUNKS)) == [1]


def test_part_that_was_never_begun_has_nothing(tmp_path: Path) -> None:
    """A file of a folder of which no chunk came is not made by looking."""
    destination = Destination.open(tmp_path, "album", "folder")
    song = destination.file(("sub", "song"), len(CONTENT))

    assert song.written(range(CHUNKS)) == []
    assert song.verify(range(CHUNKS), lambda *_: True) == {}
    assert list((tmp_path / destination.part).iterdir()) == []

    destination.close()


def test_huge_part_with_little_in_it_costs_little(destination: Destination, part: Path) -> None:
    """Of a sparse file of a tebibyte only what was written is looked at."""
    huge = destination.file((), 1 << 40)
    huge.write_chunk(1_000_000, chunk(1))
    pages = range(1_000_000 - 300_000, 1_000_001)

    assert huge.written(pages) == [1_000_000]
    assert part.stat().st_blocks * 512 < 2 * CHUNK_BYTES


def test_chunks_nobody_noted_are_verified(file: PartFile, part: Path) -> None:
    """What is accepted comes with its sum, as if it had just been written."""
    _, sums = fill(file, 2)
    with part.open("r+b") as opened:
        opened.seek(CHUNK_BYTES)
        opened.write(b"damage")

    found = file.verify([0, 1, 2, 4], lambda index, data: data == chunk(index))

    assert found == {index: sums[index * SUM_BYTES : (index + 1) * SUM_BYTES] for index in (0, 4)}


def test_disk_that_cannot_tell_holes_refuses(tmp_path: Path) -> None:
    """Whatever it says is the disk's fault, told as such."""
    reader, writer = os.pipe()

    @contextmanager
    def using(*, create: bool) -> Iterator[int]:
        del create
        yield reader

    with pytest.raises(StorageError, match="seek"):
        PartFile(str(tmp_path / "film"), len(CONTENT), using, lambda: None).written(range(CHUNKS))

    os.close(reader)
    os.close(writer)
