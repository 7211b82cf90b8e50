"""Disks that are full, read-only or broken: the transfer says so, harms nothing else, and finishes afterwards."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .lan import Lan, run, wait_until
from .load import MIB, begin, meet, shape, until, until_received, view
from .trees import describe, make_file, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .lan import Host

pytestmark = pytest.mark.endurance

HERE = Path(__file__).parent
SIZE = 64 * MIB
ROOMY = "size=4g,nr_inodes=100k"
NOTICE_SECONDS = 30.0
RECOVERY_SECONDS = 60.0


@contextmanager
def disk(place: Path, options: str) -> Iterator[Path]:
    """Mount a file system of its own."""
    place.mkdir(parents=True)
    run("mount", "-t", "tmpfs", "-o", options, "tmpfs", place)
    try:
        yield place
    finally:
        run("umount", "-l", place)


def remount(place: Path, options: str) -> None:
    """Change the room a file system has, or whether it can be written."""
    run("mount", "-o", f"remount,{options}", place)


def fill(place: Path) -> None:
    """Leave a file system room for next to nothing."""
    status = os.statvfs(place)
    used = (status.f_blocks - status.f_bfree) * status.f_frsize
    remount(place, f"size={used + 4 * MIB}")


def pair(lan: Lan, work: Path, home: Path, downloads: Path) -> tuple[Host, Host]:
    """Return a seed with a slow link and a receiver that keeps its downloads elsewhere; neither is started."""
    shape(lan, 0, "100mbit")
    seed, leech = lan.host(0, work / "host0"), lan.host(1, home)
    leech.downloads = downloads
    return seed, leech


def says_so(host: Host, transfer_id: str, *codes: str) -> dict[str, Any]:
    """Wait until a transfer stands still because of the disk, and check that it says so and what to do."""
    rows: list[dict[str, Any]] = []

    def stands_still() -> bool:
        rows.append(view(host, transfer_id))
        return bool(rows[-1]["error_code"])

    wait_until(stands_still, NOTICE_SECONDS, "what is wrong with the disk")
    row = rows[-1]
    print(f"\n{row['state']}: {row['error_code']}: {row['error']}")
    assert row["state"] in ("waiting", "paused")
    assert row["error"]
    assert row["error_code"] in codes
    return row


def check_database(host: Host) -> None:
    """Check that the engine's database is sound."""
    url = f"file:{host.home / 'profile' / 'peerterm.db'}?mode=ro"
    with closing(sqlite3.connect(url, uri=True, timeout=10)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*) FROM transfers").fetchone()[0] >= 1


def check_others(host: Host, root: str, folder: Path, film: Path) -> None:
    """Check that another transfer, to a disk that is well, is not disturbed, and the engine is still the same."""
    got = host.json("get", root, "-o", folder, timeout=60)
    assert sha256(Path(got["path"])) == sha256(film)
    assert host.process
    assert host.json("status", "--no-start")["pid"] == host.process.pid


@pytest.mark.parametrize("is_everything", [False, True], ids=["downloads", "profile-too"])
def test_full_disk_is_waited_for(work: Path, *, is_everything: bool) -> None:
    """The disk is full at half: the transfer says so, the database is whole, and with room again it finishes."""
    film, other = make_file(work / "share" / "film.mkv", SIZE), make_file(work / "share" / "other", 5 * MIB, 1)
    with disk(work / "disk", ROOMY) as place, Lan(2) as lan:
        home = place / "host1" if is_everything else work / "host1"
        seed, leech = pair(lan, work, home, place / "downloads")
        meet(seed, leech)
        root, second = (share["root"] for share in seed.json("share", film, other))
        transfer_id = begin(leech, root)
        until_received(lan, 1, SIZE // 2)
        fill(place)
        row = says_so(leech, transfer_id, "disk_full")
        assert SIZE // 4 < row["bytes"] < SIZE
        check_database(leech)
        if not is_everything:
            check_others(leech, second, work / "elsewhere", other)
        assert leech.process
        pid = leech.process.pid

        remount(place, "size=4g")
        row = until(leech, transfer_id, "done", timeout=RECOVERY_SECONDS)
        assert sha256(Path(row["path"])) == sha256(film)
        assert leech.json("status", "--no-start")["pid"] == pid
        check_database(leech)


def test_missing_inodes_are_waited_for(work: Path) -> None:
    """A folder of more files than the disk has room for says so; with more inodes it finishes."""
    for number in range(300):
        make_file(work / "share" / "tree" / f"{number:03}", 20_000, number)
    tree, other = work / "share" / "tree", make_file(work / "share" / "other", 5 * MIB, 1)
    with disk(work / "disk", "size=4g,nr_inodes=150") as place, Lan(2) as lan:
        seed, leech = pair(lan, work, work / "host1", place / "downloads")
        meet(seed, leech)
        root, second = (share["root"] for share in seed.json("share", tree, other))
        transfer_id = begin(leech, root)
        says_so(leech, transfer_id, "disk_full")
        check_database(leech)
        check_others(leech, second, work / "elsewhere", other)

        remount(place, "nr_inodes=10k")
        row = until(leech, transfer_id, "done", timeout=RECOVERY_SECONDS)
        assert describe(Path(row["path"])) == describe(tree)
        check_database(leech)


def test_read_only_disk_is_waited_for(work: Path) -> None:
    """A disk that turns read-only between two runs of a transfer stops it, and only it, until it can be written."""
    film, other = make_file(work / "share" / "film.mkv", SIZE), make_file(work / "share" / "other", 5 * MIB, 1)
    with disk(work / "disk", ROOMY) as place, Lan(2) as lan:
        seed, leech = pair(lan, work, work / "host1", place / "downloads")
        meet(seed, leech)
        root, second = (share["root"] for share in seed.json("share", film, other))
        transfer_id = begin(leech, root)
        until_received(lan, 1, SIZE // 2)
        leech.run("pause", transfer_id)
        until(leech, transfer_id, "paused", timeout=10)
        remount(place, "ro")  # refused while a file is open for writing
        leech.run("resume", transfer_id)
        says_so(leech, transfer_id, "storage")
        check_database(leech)
        check_others(leech, second, work / "elsewhere", other)

        remount(place, "rw")
        row = until(leech, transfer_id, "done", timeout=RECOVERY_SECONDS)
        assert sha256(Path(row["path"])) == sha256(film)


@pytest.mark.parametrize("call", ["fsync", "pwrite"])
def test_broken_disk_is_waited_for(work: Path, call: str) -> None:
    """EIO from one call stops that transfer, and only it; once the disk is well it finishes, and is exact."""
    film, other = make_file(work / "share" / "film.mkv", SIZE), make_file(work / "share" / "other", 5 * MIB, 1)
    fault = work / "fault"
    with Lan(2) as lan:
        seed, leech = pair(lan, work, work / "host1", work / "host1" / "downloads")
        leech.prefix = ("env", f"FAULT={fault}")
        seed.start()
        leech.start(script=HERE / "eio.py")
        leech.run("peers", "--wait", "1", "--timeout", "15")
        root, second = (share["root"] for share in seed.json("share", film, other))
        transfer_id = begin(leech, root)
        until_received(lan, 1, SIZE // 2)
        fault.write_text(f"{call} {leech.downloads}")
        says_so(leech, transfer_id, "storage")
        check_database(leech)
        check_others(leech, second, work / "elsewhere", other)
        says_so(leech, transfer_id, "storage")  # it is tried again now and then
        assert not (leech.downloads / film.name).exists()

        fault.unlink()
        row = until(leech, transfer_id, "done", timeout=RECOVERY_SECONDS)
        assert sha256(Path(row["path"])) == sha256(film)
