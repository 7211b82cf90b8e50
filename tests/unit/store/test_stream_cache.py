"""peerterm.store.stream_cache: chunks of streams stay for a while, and never take more room than they may."""

from __future__ import annotations

import os
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from peerterm.core.ids import Root
from peerterm.core.manifest import CHUNK_BYTES
from peerterm.errors import DiskFull, StorageError
from peerterm.store.stream_cache import StreamCache

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILM, SONG = Root(b"f" * 32), Root(b"s" * 32)


def chunk(number: int, length: int = CHUNK_BYTES) -> memoryview:
    return memoryview(bytes([number % 251]) * length)


class Evicted(list[tuple[Root, int]]):
    """Remembers what made room."""

    def note(self, root: Root, index: int) -> None:
        self.append((root, index))


@pytest.fixture
def evicted() -> Evicted:
    return Evicted()


@pytest.fixture
def cache(tmp_path: Path, evicted: Evicted) -> Iterator[StreamCache]:
    cache = StreamCache(tmp_path, 4 * CHUNK_BYTES, evicted.note)
    yield cache
    cache.close()


def test_what_was_kept_is_read_back_whole_and_in_part(cache: StreamCache) -> None:
    """Chunks of several contents do not mix; the last one may be shorter."""
    cache.write(FILM, 0, chunk(1))
    cache.write(FILM, 7, chunk(2, 100))
    cache.write(SONG, 0, chunk(3))

    assert cache.read(FILM, 0) == bytes(chunk(1))
    assert cache.read(FILM, 7) == bytes(chunk(2, 100))
    assert cache.read(FILM, 7, 90, 50) == bytes(chunk(2, 10))
    assert cache.read(FILM, 7, 100) == b""
    assert cache.read(SONG, 0, 5, 3) == bytes(chunk(3, 3))
    assert cache.read(SONG, 1) is None
    assert (cache.has(FILM, 7), cache.has(SONG, 7)) == (True, False)
    assert (cache.numbers(FILM), cache.numbers(Root(b"x" * 32))) == ((0, 7), ())


def test_least_recently_used_makes_room(cache: StreamCache, evicted: Evicted) -> None:
    """Reading counts as use; whoever owns what made room hears of it."""
    for index in range(4):
        cache.write(FILM, index, chunk(index))
    cache.read(FILM, 0)
    cache.write(SONG, 0, chunk(9))

    assert evicted == [(FILM, 1)]
    assert cache.read(FILM, 1) is None
    assert cache.read(FILM, 0) == bytes(chunk(0))
    assert cache.held_bytes == 4 * CHUNK_BYTES


def test_file_never_grows_beyond_the_cap(cache: StreamCache, tmp_path: Path) -> None:
    """Whatever is written, the slots are used again; and the file has no name that could be left behind."""
    for index in range(40):
        cache.write(FILM, index, chunk(index))

    assert os.fstat(cache._descriptor).st_size <= 4 * CHUNK_BYTES
    assert not list(tmp_path.iterdir())
    assert cache.read(FILM, 39) == bytes(chunk(39))


def test_chunk_that_comes_twice_is_kept_once(cache: StreamCache, evicted: Evicted) -> None:
    """A chunk asked of two sources may come from both."""
    for _ in range(6):
        cache.write(FILM, 0, chunk(1))

    assert cache.held_bytes == CHUNK_BYTES
    assert not evicted


def test_room_of_what_is_forgotten_is_used_first(cache: StreamCache, evicted: Evicted) -> None:
    """A film nobody wants any more costs others nothing."""
    for index in range(3):
        cache.write(FILM, index, chunk(index))
    cache.write(SONG, 0, chunk(9))
    cache.forget(FILM)
    for index in range(1, 4):
        cache.write(SONG, index, chunk(index))

    assert not evicted
    assert not cache.numbers(FILM)
    assert cache.read(SONG, 0) == bytes(chunk(9))


def test_readers_never_see_another_chunk(tmp_path: Path) -> None:
    """While threads write far more than fits, what a reader gets is the chunk it asked for, or nothing."""
    cache, stop, wrong = StreamCache(tmp_path, 3 * CHUNK_BYTES, lambda *_: None), threading.Event(), list[int]()

    def read() -> None:
        while not stop.is_set():
            for index in range(8):
                data = cache.read(FILM, index)
                if data is not None and data != bytes(chunk(index)):
                    wrong.append(index)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(200):
        cache.write(FILM, number % 8, chunk(number % 8))
    stop.set()
    for reader in readers:
        reader.join()
    cache.close()

    assert not wrong


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_full_disk_makes_the_cache_smaller(tmp_path: Path, evicted: Evicted) -> None:
    """It does with the room there is; only where there is none for a single chunk does it fail."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3M", "tmpfs", disk], check=True)
    try:
        cache = StreamCache(disk, 100 * CHUNK_BYTES, evicted.note)
        for index in range(8):
            cache.write(FILM, index, chunk(index))
        kept = [index for index in range(8) if cache.read(FILM, index) == bytes(chunk(index))]
        cache.close()
        (disk / "other").write_bytes(bytes(2 * CHUNK_BYTES + CHUNK_BYTES // 2))
        crowded = StreamCache(disk, 100 * CHUNK_BYTES, evicted.note)
        with pytest.raises(DiskFull, match="no space left"):
            crowded.write(FILM, 0, chunk(0))
        crowded.close()
    finally:
        subprocess.run(["umount", disk], check=True)

    assert kept[-1] == 7
    assert 2 <= len(kept) <= 3


def test_disk_that_refuses_is_told(tmp_path: Path, evicted: Evicted) -> None:
    """A folder that is gone is a fault of storage, not a crash."""
    cache = StreamCache(tmp_path / "gone", 4 * CHUNK_BYTES, evicted.note)

    with pytest.raises(StorageError):
        cache.write(FILM, 0, chunk(0))
