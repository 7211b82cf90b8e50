"""peerterm.store.space: no transfer is begun that the disk has no room for."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerterm.core.ids import TransferId
from peerterm.errors import DiskFull, StorageError
from peerterm.store.space import MIN_FREE_BYTES, Room, SpaceAccount, check_writable, kept_free, room_at

GIB = 1024**3
ONE, TWO = TransferId("00000001"), TransferId("00000002")
HERE, THERE = Path("/here"), Path("/there")
ROOMS = {HERE: Room(1, 100 * GIB, 10 * GIB, 1000), THERE: Room(2, 100 * GIB, 10 * GIB, None)}


def account(minimum_free: int | None = 0) -> SpaceAccount:
    return SpaceAccount(minimum_free, lambda directory: ROOMS[directory])


def test_disk_that_is_too_small_is_told() -> None:
    """The message names the place and what it lacks, the hint what to do."""
    with pytest.raises(DiskFull) as caught:
        account().reserve(ONE, HERE, 12 * GIB, 1005)

    assert str(HERE) in caught.value.message
    assert "2.1 GB" in caught.value.message
    assert "5 free file entries" in caught.value.message
    assert "free some space" in caught.value.hint


def test_room_is_used_to_the_last_byte_and_file() -> None:
    """What fits exactly is reserved."""
    one = account()
    one.reserve(ONE, HERE, 10 * GIB, 1000)

    assert not one.has_room(HERE, 1, 0)
    assert not one.has_room(HERE, 0, 1)
    assert one.has_room(HERE, 0, 0)


def test_what_others_reserved_is_taken() -> None:
    """Two transfers that fit alone do not both get room, unless on different disks."""
    both = account()
    both.reserve(ONE, HERE, 6 * GIB, 1)
    both.reserve(TWO, THERE, 6 * GIB, 10**9)
    with pytest.raises(DiskFull, match=r"lacks 2\.1 GB"):
        both.reserve(TWO, HERE, 6 * GIB, 1)

    assert both.has_room(THERE, 10 * GIB, 1)
    both.release(ONE)
    both.release(ONE)
    both.reserve(TWO, HERE, 6 * GIB, 1)


def test_reserving_again_replaces() -> None:
    """A transfer that learns its size does not stand in its own way."""
    one = account()
    one.reserve(ONE, HERE, 6 * GIB, 600)
    one.reserve(ONE, HERE, 10 * GIB, 1000)

    with pytest.raises(DiskFull):
        one.reserve(ONE, HERE, 11 * GIB, 1)
    assert one.has_room(HERE, 10 * GIB, 1000)


def test_what_landed_is_counted_by_the_disk() -> None:
    """Bytes and files that were written leave the reservation, never below nothing."""
    one = account()
    one.reserve(ONE, HERE, 10 * GIB, 1000)
    one.shrink(ONE, 4 * GIB, 400)
    one.shrink(TWO, GIB)
    assert one.has_room(HERE, 4 * GIB, 400)
    assert not one.has_room(HERE, 4 * GIB + 1, 0)
    one.shrink(ONE, 100 * GIB, 10**6)

    assert one.has_room(HERE, 10 * GIB, 1000)


def test_some_space_stays_free() -> None:
    """What is kept free is no room, and is told."""
    one = account(GIB)
    with pytest.raises(DiskFull, match=r"lacks 1\.1 GB, beside the 1\.1 GB that stay free"):
        one.reserve(ONE, HERE, 10 * GIB, 1)
    one.reserve(ONE, HERE, 9 * GIB, 1)
    one.minimum_free = 2 * GIB

    assert not one.has_room(HERE, 1, 0)
    assert one.has_room(HERE, 0, 1)


@pytest.mark.parametrize(
    ("total", "kept"),
    [
        (0, 0),
        (5 * 1024**2, 5 * 1024**2 // 10),
        (20 * GIB, MIN_FREE_BYTES),
        (50 * GIB, MIN_FREE_BYTES),
        (1000 * GIB, 20 * GIB),
    ],
)
def test_default_keeps_a_gibibyte_or_a_share(total: int, kept: int) -> None:
    """Big disks keep more, small ones less; a number that was configured holds everywhere."""
    room = Room(1, total, total, None)

    assert kept_free(room) == kept
    assert kept_free(room, 0) == 0
    assert kept_free(room, GIB) == GIB


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3 * GIB), st.integers(0, 300)), max_size=30))
def test_reservations_never_exceed_the_disk(steps: list[tuple[int, int, int]]) -> None:
    """Whatever is asked, the sum of what is granted fits."""
    tested, granted = account(), dict[TransferId, tuple[int, int]]()
    for number, size, files in steps:
        transfer_id = TransferId(str(number))
        granted.pop(transfer_id, None)
        try:
            tested.reserve(transfer_id, HERE, size, files)
        except DiskFull:
            continue
        granted[transfer_id] = size, files

    assert sum(size for size, _ in granted.values()) <= 10 * GIB
    assert sum(files for _, files in granted.values()) <= 1000


def test_folder_that_is_not_there_yet_is_on_its_parents_disk(tmp_path: Path) -> None:
    """The nearest folder that exists tells; a file in the way does not hide it."""
    (tmp_path / "file").touch()
    found, here = room_at(tmp_path / "file" / "new" / "folder"), os.statvfs(tmp_path)

    assert found.device == tmp_path.stat().st_dev
    assert found.total == here.f_blocks * here.f_frsize
    assert 0 < found.free <= found.total


def test_disk_that_cannot_be_asked_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drive that fails has no room, and is not full either."""

    def failing(_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.statvfs", failing)
    with pytest.raises(StorageError, match="Input/output") as caught:
        SpaceAccount().has_room(tmp_path, 1, 1)
    assert not isinstance(caught.value, DiskFull)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="needs root to mount a small disk")
def test_real_small_disk_is_counted(tmp_path: Path) -> None:
    """Bytes and inodes of a small tmpfs, before and after something is written there."""
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,nr_inodes=10", "tmpfs", str(small)], check=True)
    try:
        before = room_at(small / "new")
        (small / "file").write_bytes(bytes(1024**2))
        after = room_at(small)
        real = SpaceAccount(0)

        assert before == Room(small.stat().st_dev, 4 * 1024**2, 4 * 1024**2, before.free_files)
        assert before.free_files is not None
        assert after == replace(before, free=3 * 1024**2, free_files=before.free_files - 1)
        assert real.has_room(small, 3 * 1024**2, before.free_files - 1)
        assert not real.has_room(small, 3 * 1024**2, before.free_files)
        assert not real.has_room(small, 3 * 1024**2 + 1, 1)
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_folder_that_can_be_written_is_told_from_one_that_cannot(tmp_path: Path) -> None:
    """A folder that is still to be made counts as its parent; nothing is left behind."""
    check_writable(tmp_path / "to be" / "made")

    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StorageError):
        check_writable(Path("/proc/self"))


def test_dead_disk_is_an_error_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a look at a folder works where a network disk is gone."""

    def gone(path: Path, **_: object) -> None:
        raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN), str(path))

    monkeypatch.setattr("os.stat", gone)
    with pytest.raises(StorageError, match="not connected"):
        check_writable(tmp_path)
    with pytest.raises(StorageError, match="not connected"):
        room_at(tmp_path)
