"""peerterm.store.copying: what is on this machine already is taken from here, and verified."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from peerterm.core.manifest import CHUNK_BYTES, chunk_digest
from peerterm.errors import StorageError
from peerterm.store.copying import copy_chunks, file_at
from peerterm.store.destination import Destination
from peerterm.store.partfile import chunk_sum
from peerterm.store.reading import SharedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONTENT = os.urandom(3 * CHUNK_BYTES) + b"the rest"
CHUNKS = 4


def chunk(index: int) -> bytes:
    return CONTENT[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES]


def accepts(index: int, data: memoryview) -> bool:
    return chunk_digest(data) == chunk_digest(chunk(index))


def shared(path: Path, content: bytes = CONTENT) -> SharedFile:
    path.write_bytes(content)
    status = path.stat()
    return SharedFile(path, status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev)


def sums(*indexes: int) -> dict[int, bytes]:
    return {index: chunk_sum(chunk(index)) for index in indexes}


@pytest.fixture
def destination(tmp_path: Path) -> Iterator[Destination]:
    destination = Destination.open(tmp_path, "film.mkv", "file")
    yield destination
    destination.close()


def test_wanted_chunks_are_copied(tmp_path: Path, destination: Destination) -> None:
    """Only those, and the sums for the journal come back."""
    target = destination.file((), len(CONTENT))
    copied = copy_chunks(shared(tmp_path / "source"), target, [3, 1], accepts)

    assert copied == sums(3, 1)
    assert target.read_chunk(1) == chunk(1)
    assert target.read_chunk(3) == chunk(3)
    assert target.read_chunk(0) == bytes(CHUNK_BYTES)


def test_bytes_that_do_not_match_do_not_count(tmp_path: Path, destination: Destination) -> None:
    """An earlier version of the file gives what is the same in both."""
    content = CONTENT[:CHUNK_BYTES] + b"x" + CONTENT[CHUNK_BYTES + 1 :]
    copied = copy_chunks(
        shared(tmp_path / "source", content), destination.file((), len(CONTENT)), range(CHUNKS), accepts
    )

    assert copied == sums(0, 2, 3)


@pytest.mark.parametrize(
    ("size", "expected"),
    [(CHUNK_BYTES + 5, [0]), (3 * CHUNK_BYTES + 7, [0, 1, 2]), (5 * CHUNK_BYTES, [0, 1, 2]), (0, [])],
)
def test_source_of_another_size_gives_whole_chunks_only(
    tmp_path: Path, destination: Destination, size: int, expected: list[int]
) -> None:
    """A chunk that ends elsewhere in the other file is another chunk."""
    content = (CONTENT + bytes(5 * CHUNK_BYTES))[:size]
    target = destination.file((), len(CONTENT))

    assert copy_chunks(shared(tmp_path / "source", content), target, range(9), accepts) == sums(*expected)


def test_source_that_is_gone_gives_nothing(tmp_path: Path, destination: Destination) -> None:
    """No error: there are other sources."""
    source = shared(tmp_path / "source")
    source.path.unlink()

    assert copy_chunks(source, destination.file((), len(CONTENT)), range(CHUNKS), accepts) == {}


def test_source_that_changes_meanwhile_ends_the_copying(tmp_path: Path, destination: Destination) -> None:
    """What was verified before counts."""
    source = shared(tmp_path / "source")

    def changing(index: int, data: memoryview) -> bool:
        if index == 1:
            source.path.write_bytes(b"changed")
        return accepts(index, data)

    copied = copy_chunks(source, destination.file((), len(CONTENT)), range(CHUNKS), changing)

    assert copied == sums(0, 1)


def test_target_that_fails_is_told(tmp_path: Path, destination: Destination) -> None:
    """A target that cannot be written is the transfer's trouble."""
    target = destination.file((), len(CONTENT))
    destination.close()

    with pytest.raises(StorageError, match="closed"):
        copy_chunks(shared(tmp_path / "source"), target, [0], accepts)


@pytest.fixture
def reflinking(tmp_path: Path) -> Iterator[Path]:
    """Mount a small btrfs."""
    if os.geteuid() != 0 or not shutil.which("mkfs.btrfs"):
        pytest.skip("needs root and mkfs.btrfs (apt install btrfs-progs)")
    image, place = tmp_path / "image", tmp_path / "btrfs"
    image.touch()
    os.truncate(image, 128 * CHUNK_BYTES)
    place.mkdir()
    subprocess.run(["mkfs.btrfs", "-q", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


def no_writes(*_: object) -> int:
    raise AssertionError("bytes were copied")


@pytest.mark.parametrize("judge", [accepts, lambda index, data: index != 2 and accepts(index, data)])
def test_disk_blocks_are_shared_where_the_disk_can(
    reflinking: Path, monkeypatch: pytest.MonkeyPatch, judge: Callable[[int, memoryview], bool]
) -> None:
    """On btrfs no byte is written; what is there then is verified before it counts."""
    source = shared(reflinking / "source")
    destination = Destination.open(reflinking, "film.mkv", "file")
    target = destination.file((), len(CONTENT))
    monkeypatch.setattr("os.pwrite", no_writes)
    copied = copy_chunks(source, target, range(CHUNKS), judge)
    monkeypatch.undo()

    assert copied == {
        index: each for index, each in sums(*range(CHUNKS)).items() if judge(index, memoryview(chunk(index)))
    }
    assert (reflinking / destination.part).read_bytes() == CONTENT
    destination.close()


def test_nothing_is_shared_with_a_file_that_cannot_be_opened(tmp_path: Path, destination: Destination) -> None:
    """A source that vanished between two looks is no error."""
    target = destination.file((), len(CONTENT))

    assert not target.clone_chunk(0, tmp_path / "gone")


def test_file_is_taken_as_it_is_now(tmp_path: Path) -> None:
    """Below a folder or itself; it can be opened until it changes."""
    source = shared(tmp_path / "source")
    (tmp_path / "sub").mkdir()
    below = shared(tmp_path / "sub" / "song")

    assert file_at(source.path, ()) == source
    assert file_at(tmp_path, ("sub", "song")) == below


def test_what_is_no_file_is_not_taken(tmp_path: Path) -> None:
    """Nothing, a folder, a FIFO, and whatever a link leads to."""
    shared(tmp_path / "source")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("source")
    (tmp_path / "folder link").symlink_to(".")
    os.mkfifo(tmp_path / "fifo")
    places = [("nothing",), ("folder",), ("link",), ("folder link", "source"), ("fifo",), ("source", "below")]

    assert [file_at(tmp_path, place) for place in places] == [None] * len(places)
    assert file_at(tmp_path / "link", ()) is None
    assert file_at(tmp_path / "fifo", ()) is None
    assert file_at(tmp_path, ()) is None
