"""peerterm.store.onechunk: a small file is what it will be once its only chunk is written."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from peerterm.core.manifest import CHUNK_BYTES
from peerterm.errors import DiskFull, StorageError
from peerterm.store.destination import Destination
from peerterm.store.onechunk import OneChunkFile
from peerterm.store.partfile import FileMark, chunk_sum
from tests.fakes.landing import MTIME, fill, tree, umask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATH = ("sub", "small")


@pytest.fixture
def destination(downloads: Path) -> Iterator[Destination]:
    destination = Destination.open(downloads, "album", "folder")
    yield destination
    destination.close()


@pytest.fixture
def landing(downloads: Path, destination: Destination) -> Path:
    return (downloads / destination.part).joinpath(*PATH)


@pytest.mark.parametrize(("executable", "mode"), [(False, 0o644), (True, 0o755)])
def test_written_file_has_name_time_and_mode(
    destination: Destination, landing: Path, executable: bool, mode: int
) -> None:
    """Nothing is left to do once it is written, and no other name is ever seen."""
    with umask(0o022):
        file = destination.file(PATH, 5, MTIME, executable=executable)
        assert file.mark is None
        assert file.write_chunk(0, memoryview(b"small")) == chunk_sum(b"small")

    status = landing.stat()
    assert landing.read_bytes() == file.read_chunk(0) == b"small"
    assert (status.st_mtime_ns, status.st_mode & 0o777) == (MTIME, mode)
    assert file.mark == file.finish(MTIME, executable) == FileMark.of(status)
    assert os.listdir(landing.parent) == ["small"]


def test_whole_file_takes_five_calls_of_the_system(
    destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Open, write, set the time, look, close: thousands of files are as fast as these."""
    destination.folder(PATH[:-1])
    destination.file((*PATH[:-1], "first"), 5, MTIME).write_chunk(0, memoryview(b"first"))
    calls = []
    for name in (
        *("open", "pwrite", "utime", "fstat", "close", "stat", "ftruncate", "fchmod", "rename", "mkdir", "fsync"),
        *("unlink", "link", "lseek", "pread", "preadv"),
    ):
        real = getattr(os, name)

        def note(*arguments: object, name: str = name, real: object = real, **options: object) -> object:
            calls.append(name)
            return real(*arguments, **options)  # type: ignore[operator]

        monkeypatch.setattr(f"os.{name}", note)
    destination.file(PATH, 5, MTIME).write_chunk(0, memoryview(b"small"))
    monkeypatch.undo()

    assert calls == ["open", "pwrite", "utime", "fstat", "close"]


def test_only_files_of_one_chunk_inside_a_folder_are_such(downloads: Path, destination: Destination) -> None:
    """A larger file, a single one, and one whose time is not known yet go through a part name."""
    single = Destination.open(downloads, "film.mkv", "file")

    assert isinstance(destination.file(("a",), CHUNK_BYTES, MTIME), OneChunkFile)
    assert not isinstance(destination.file(("a",), CHUNK_BYTES + 1, MTIME), OneChunkFile)
    assert not isinstance(destination.file(("a",), CHUNK_BYTES), OneChunkFile)
    assert not isinstance(single.file((), 1, MTIME), OneChunkFile)
    single.close()


def test_empty_file_is_made_when_it_is_finished(destination: Destination, landing: Path) -> None:
    """It has no chunk that could be written."""
    file = destination.file(PATH, 0, MTIME)

    assert file.finish(MTIME, executable=False) == FileMark.of(landing.stat())
    assert (landing.stat().st_size, landing.stat().st_mtime_ns) == (0, MTIME)


def test_chunk_that_comes_again_is_dropped(destination: Destination, landing: Path) -> None:
    """A finished file is not touched, whichever lanes bring its chunk at once."""
    file = destination.file(PATH, CHUNK_BYTES, MTIME)
    data = memoryview(os.urandom(CHUNK_BYTES))
    start = threading.Barrier(4)

    def write() -> bytes:
        start.wait()
        return file.write_chunk(0, data)

    with ThreadPoolExecutor(4) as lanes:
        sums = [lane.result() for lane in [lanes.submit(write) for _ in range(4)]]

    assert sorted(sums) == [b"", b"", b"", chunk_sum(data)]
    assert landing.read_bytes() == data
    assert file.mark == FileMark.of(landing.stat())


def test_other_bytes_for_a_finished_file_are_a_bug(destination: Destination, landing: Path) -> None:
    """Whoever brings them believes that they are on disk."""
    file = destination.file(PATH, 5, MTIME)
    file.write_chunk(0, memoryview(b"wrong"))

    with pytest.raises(ValueError, match="other bytes"):
        file.write_chunk(0, memoryview(b"right"))
    assert landing.read_bytes() == b"wrong"


@pytest.mark.parametrize(("index", "data"), [(0, b"smal"), (0, b"smaller"), (1, b"small")])
def test_anything_but_the_whole_is_a_bug(destination: Destination, landing: Path, index: int, data: bytes) -> None:
    """Only the whole chunk is written."""
    file = destination.file(PATH, 5, MTIME)

    with pytest.raises(ValueError, match="of a file of 5"):
        file.write_chunk(index, memoryview(data))
    assert not landing.exists()


@pytest.mark.parametrize("torn", [b"", b"sma", b"small, and more of it"])
def test_file_that_a_kill_left_half_done_is_written_again(downloads: Path, landing: Path, torn: bytes) -> None:
    """What an earlier run left under the final name ends with the exact bytes, size, time and mode."""
    first = Destination.open(downloads, "album", "folder")
    (downloads / first.part / "sub").mkdir()
    (downloads / first.part).joinpath(*PATH).write_bytes(torn)
    (downloads / first.part).joinpath(*PATH).chmod(0o744)
    first.close()
    again = Destination.open(downloads, "album", "folder", first.part, first.inode)
    file = again.file(PATH, 5, MTIME)
    fill(file, b"small")
    path = again.finish().joinpath(*PATH)
    again.close()

    assert path.read_bytes() == b"small"
    assert path.stat().st_mode & 0o111 == 0
    assert file.mark == FileMark.of(path.stat())


def test_strangers_file_in_a_new_part_folder_is_not_written(destination: Destination, landing: Path) -> None:
    """What this run did not make, and no earlier one can have, is an error."""
    landing.parent.mkdir()
    landing.write_bytes(b"mine")

    with pytest.raises(StorageError, match="File exists"):
        fill(destination.file(PATH, 5, MTIME), b"small")
    assert landing.read_bytes() == b"mine"


def test_published_file_is_not_written(downloads: Path) -> None:
    """What has its place already is the user's, even if the journal lost it."""
    first = Destination.open(downloads, "album", "folder")
    fill(first.file(PATH, 5, MTIME), b"small")
    path = first.finish().joinpath(*PATH)
    first.close()
    path.write_bytes(b"mine")
    again = Destination.open(downloads, "album", "folder", "album.peerterm-part", first.inode)

    assert again.is_published
    with pytest.raises(StorageError, match="File exists"):
        fill(again.file(PATH, 5, MTIME), b"small")
    assert path.read_bytes() == b"mine"
    again.close()


@pytest.mark.parametrize("what", ["file", "folder"])
def test_link_is_not_followed(destination: Destination, landing: Path, outside: Path, what: str) -> None:
    """Neither as the file nor as a folder on the way, in a part folder of an earlier run either."""
    destination.resumed = True
    if what == "file":
        landing.parent.mkdir()
        landing.symlink_to(outside / "sentinel")
    else:
        landing.parent.symlink_to(outside)

    with pytest.raises(StorageError):
        fill(destination.file(PATH, 5, MTIME), b"small")
    assert tree(outside) == {"sentinel"}
    assert (outside / "sentinel").read_bytes() == b"sentinel"


def test_failed_write_can_be_tried_again(
    destination: Destination, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a full disk left was made by this run, so it may be written again; nothing counts until then."""
    file = destination.file(PATH, 5, MTIME)

    def write_some(descriptor: int, data: memoryview, offset: int) -> int:
        if offset:
            raise OSError(28, "No space left on device")
        return os.write(descriptor, data[:2])

    monkeypatch.setattr("os.pwrite", write_some)
    with pytest.raises(DiskFull):
        file.write_chunk(0, memoryview(b"small"))
    monkeypatch.undo()
    assert file.mark is None
    assert landing.read_bytes() == b"sm"
    file.write_chunk(0, memoryview(b"small"))

    assert landing.read_bytes() == b"small"
    assert file.mark == FileMark.of(landing.stat())


def test_removed_transfer_is_not_made_anew(downloads: Path, destination: Destination) -> None:
    """A chunk that comes while the part is removed finds it closed."""
    destination.discard()

    with pytest.raises(StorageError, match="closed"):
        fill(destination.file(PATH, 5, MTIME), b"small")
    assert not tree(downloads)
