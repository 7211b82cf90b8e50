"""Downloads onto small, full and read-only disks: they wait for room and lose nothing. Needs root."""

from __future__ import annotations

import os
import subprocess
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from peerterm.engine import disks
from peerterm.errors import DiskFull, StorageError
from tests.fakes.engines import MIB, network, noise, running, shared, until_online, write
from tests.fakes.fetching import fetched, finished, transfer_when
from tests.fakes.gates import gated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = pytest.mark.usefixtures("settled")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder on a disk of one MiB."""
    place = tmp_path / "tiny"
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "peerterm-test", str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


def resize(disk: Path, size: str) -> None:
    """Give a small disk another size."""
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


async def test_transfer_too_large_for_the_disk_waits_for_room(
    tmp_path: Path, tiny_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what is missing and goes on by itself; others go elsewhere meanwhile."""
    monkeypatch.setattr(disks, "DISK_SECONDS", 0.02)
    data = noise(4 * MIB)
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, write(tmp_path / "film.mkv", data))
        started = await ben.get("anna/film.mkv", str(tiny_disk))
        full = await transfer_when(ben, started.transfer_id, lambda view: view.state == "paused")
        elsewhere = await fetched(ben, "anna/film.mkv")
        assert (await ben.transfers())[-1].state == "paused"
        resize(tiny_disk, "16m")
        done = await finished(ben, started.transfer_id)

    assert (full.error_code, full.bytes, elsewhere.state) == (DiskFull.code, 0, "done")
    assert str(tiny_disk) in full.error
    assert "by itself" in full.error
    assert (done.state, done.error, done.error_code) == ("done", "", "")
    assert (tiny_disk / "film.mkv").read_bytes() == data


@pytest.mark.parametrize("restart", [False, True])
async def test_disk_that_others_fill_pauses_the_transfer(
    tmp_path: Path, tiny_disk: Path, monkeypatch: pytest.MonkeyPatch, restart: bool
) -> None:
    """What came stays; when there is room again, for this engine or the next, only the rest is fetched."""
    monkeypatch.setattr(disks, "DISK_SECONDS", 0.02)
    resize(tiny_disk, "8m")
    data = noise(4 * MIB)
    async with network(tmp_path, "anna") as (anna,):
        await shared(anna, write(tmp_path / "film.mkv", data))
        with gated(anna, 2) as gate:
            async with AsyncExitStack() as stack:
                ben = await stack.enter_async_context(running(tmp_path, "ben"))
                await until_online(ben, 1)
                started = await ben.get("anna/film.mkv", str(tiny_disk))
                await transfer_when(ben, started.transfer_id, lambda view: view.bytes == 2 * MIB)
                filler = write(tiny_disk / "filler", bytes(5 * MIB + 512 * 1024))
                gate.open()
                full = await transfer_when(ben, started.transfer_id, lambda view: view.state == "paused")
                if restart:
                    await stack.aclose()
                    ben = await stack.enter_async_context(running(tmp_path, "ben"))
                    await until_online(ben, 1)
                    assert (await ben.transfers())[0].state == "paused"
                filler.unlink()
                done = await finished(ben, started.transfer_id)

    assert full.error_code == DiskFull.code
    assert full.bytes >= 2 * MIB
    assert done.state == "done"
    assert (tiny_disk / "film.mkv").read_bytes() == data


async def test_user_may_resume_onto_a_full_disk_in_vain(tmp_path: Path, tiny_disk: Path) -> None:
    """It is paused again for the same reason."""
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, write(tmp_path / "film.mkv", noise(4 * MIB)))
        started = await ben.get("anna/film.mkv", str(tiny_disk))
        await transfer_when(ben, started.transfer_id, lambda view: view.state == "paused")
        await ben.resume(started.transfer_id)
        again = await transfer_when(ben, started.transfer_id, lambda view: view.state == "paused")

    assert again.error_code == DiskFull.code


async def test_read_only_disk_is_waited_for(
    tmp_path: Path, tiny_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state says what is wrong with the disk; when it can be written again, the transfer finishes unasked."""
    monkeypatch.setattr(disks, "DISK_SECONDS", 0.02)
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, write(tmp_path / "film.mkv", b"film"))
        started = await ben.get("anna/film.mkv", str(tiny_disk))
        paused = await transfer_when(ben, started.transfer_id, lambda view: view.state == "paused")
        subprocess.run(["mount", "-o", "remount,rw", str(tiny_disk)], check=True)
        done = await finished(ben, started.transfer_id)

        assert paused.error_code == StorageError.code
        assert "Read-only" in paused.error
        assert (done.state, done.error) == ("done", "")


async def test_copies_need_room_too(tmp_path: Path, tiny_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A content that goes to two places counts twice before anything of it is fetched."""
    monkeypatch.setattr(disks, "DISK_SECONDS", 0.02)
    data = noise(600_000)
    for name in ("a", "b"):
        write(tmp_path / "album" / name, data)
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, tmp_path / "album")
        started = await ben.get("anna/album", str(tiny_disk))
        full = await transfer_when(ben, started.transfer_id, lambda view: view.state == "paused")
        resize(tiny_disk, "2m")
        done = await finished(ben, started.transfer_id)

    assert (full.error_code, full.bytes) == (DiskFull.code, 0)
    assert (done.state, done.bytes) == ("done", 2 * len(data))
    assert (tiny_disk / "album" / "a").read_bytes() == (tiny_disk / "album" / "b").read_bytes() == data
