"""Folders of many small files: how fast they come, and that a folder that changed costs only what changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from .lan import Lan, run, wait_until
from .load import MIB, begin, meet, received, until
from .trees import describe, make_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .lan import Host

pytestmark = pytest.mark.endurance

FILES = 20_000
FILE_BYTES = 4096
CHANGED = 10
FILES_PER_SECOND = 1000
KILLS = 8


@pytest.fixture
def disk(work: Path) -> Iterator[Path]:
    """A new disk of its own, with a journal.

    ext4 without one passes over each inode that was freed in the last five minutes whenever it makes a file. Where
    an earlier run has just been removed this takes a millisecond a file, whoever makes it.
    """
    image, place = work / "disk", work / "mounted"
    with image.open("wb") as file:
        file.truncate(2 << 30)
    place.mkdir()
    run("mkfs.ext4", "-q", "-F", image)
    run("mount", "-o", "loop", image, place)
    yield place
    run("umount", "-l", place)


def cpu_seconds(host: Host) -> float:
    """Return how much processor time the host's engine has had."""
    assert host.process
    fields = Path(f"/proc/{host.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def make_tree(top: Path, files: int) -> Path:
    """Make a folder of folders of small files."""
    for number in range(files):
        make_file(top / f"{number % 100:02}" / f"{number:05}", FILE_BYTES, number)
    return top


def rsync_seconds(seed: Host, leech: Host, tree: Path, destination: Path) -> float:
    """Return how long an rsync daemon on the seed takes for the same folder."""
    config = seed.home / "rsyncd.conf"
    config.write_text(f"use chroot = no\nport = 8730\nuid = root\ngid = root\n[m]\npath = {tree}\n")
    daemon = subprocess.Popen([*seed.inside(), "rsync", "--daemon", "--no-detach", f"--config={config}"])
    url = f"rsync://{seed.lan.address(seed.number)}:8730/m"
    try:
        ready = [*leech.inside(), "rsync", "-q", url]
        wait_until(lambda: subprocess.run(ready, capture_output=True, check=False).returncode == 0, 10, "rsync")
        started_at = time.monotonic()
        subprocess.run([*leech.inside(), "rsync", "-a", url, str(destination)], check=True, timeout=120)
        return time.monotonic() - started_at
    finally:
        daemon.terminate()
        daemon.wait(10)


def copy_seconds(tree: Path, destination: Path) -> float:
    """Return how long ``cp -r`` takes for the same folder on the same disk."""
    started_at = time.monotonic()
    subprocess.run(["cp", "-r", tree, destination], check=True, timeout=120)
    return time.monotonic() - started_at


def test_folder_of_many_files(disk: Path) -> None:
    """20,000 files come at 1,000 a second or more; after ten changed, fetching it again moves only those."""
    tree = make_tree(disk / "share" / "tree", FILES)
    with Lan(2) as lan:
        seed, leech = lan.host(0, disk / "host0"), lan.host(1, disk / "host1")
        meet(seed, leech)
        seed.run("share", tree)
        before, spent = received(lan, 1), [cpu_seconds(seed), cpu_seconds(leech)]
        got = leech.json("get", "host0/tree")
        first = received(lan, 1) - before
        each = [(cpu_seconds(host) - at) / FILES * 1e6 for host, at in zip((seed, leech), spent, strict=True)]
        print(f"\n{FILES:,} files: {got['seconds']:.2f} s, {FILES / got['seconds']:,.0f} a second")
        print(f"processor time for each: {each[0]:.0f} us at the sender, {each[1]:.0f} us at the receiver")
        assert got["state"] == "done"
        assert describe(Path(got["path"])) == describe(tree)

        if shutil.which("rsync"):
            seconds = rsync_seconds(seed, leech, tree, disk / "rsync")
            print(f"rsync daemon: {seconds:.2f} s; peerterm takes {got['seconds'] / seconds:.2f} times as long")
        else:
            print("no rsync here to compare with")
        seconds = copy_seconds(tree, disk / "copy")
        print(f"cp -r: {seconds:.2f} s; peerterm takes {got['seconds'] / seconds:.2f} times as long")

        for number in range(CHANGED):
            make_file(tree / f"{number * 7:02}" / f"{number * 107:05}", FILE_BYTES, FILES + number)
        seed.run("rescan", "tree")
        before = received(lan, 1)
        again = leech.json("get", "host0/tree")
        second = received(lan, 1) - before
        print(f"again after {CHANGED} changed: {again['seconds']:.2f} s, {again['local_bytes']:,} bytes were here;")
        print(f"{second:,} bytes came over the cable, {first:,} the first time")
        assert describe(Path(again["path"])) == describe(tree)
        assert again["local_bytes"] == (FILES - CHANGED) * FILE_BYTES
        assert second < 3 * MIB  # the listings of 20,000 names, and ten files
        assert FILES / got["seconds"] >= FILES_PER_SECOND


def test_killed_receiver_of_many_files_ends_exact(disk: Path) -> None:
    """Killed again and again while files are written under their final names, it leaves none torn or twice."""
    tree, moments = make_tree(disk / "share" / "tree", FILES // 2), Random("kill")
    with Lan(2) as lan:
        seed, leech = lan.host(0, disk / "host0"), lan.host(1, disk / "host1")
        meet(seed, leech)
        seed.run("share", tree)
        transfer_id = begin(leech, "host0/tree")
        part, step = leech.downloads / "tree.peerterm-part", FILES // 2 // KILLS
        for number in range(KILLS):
            goal = moments.randrange(step) + number * step
            wait_until(partial(has_come, part, goal), 60, f"{goal} files")
            leech.kill()
            print(f"killed at {count_files(part):,} files")
            leech.start()
        row = until(leech, transfer_id, "done", timeout=120)

    assert describe(Path(row["path"])) == describe(tree)
    assert row["done_files"] == FILES // 2
    assert os.listdir(leech.downloads) == ["tree"]


def count_files(top: Path) -> int:
    """Return how many files are below a folder that others write."""
    return sum(len(files) for _, _, files in os.walk(top))


def has_come(part: Path, files: int) -> bool:
    """Whether so many files are in the part folder, or all came and it has its name."""
    return count_files(part) >= files or not part.exists()


def test_only_what_is_chosen_comes(work: Path) -> None:
    """``get --only`` fetches the files that fit a pattern, and nothing else."""
    tree = make_tree(work / "share" / "tree", 500)
    make_file(tree / "film.mkv", 30 * MIB)
    with Lan(2) as lan:
        seed, leech = lan.host(0, work / "host0"), lan.host(1, work / "host1")
        meet(seed, leech)
        seed.run("share", tree)
        before = received(lan, 1)
        got = leech.json("get", "host0/tree", "--only", "0?/*")
        came = received(lan, 1) - before

    wanted = {name: entry for name, entry in describe(tree).items() if name.startswith("0") and "/" in name}
    found = {name: entry for name, entry in describe(Path(got["path"])).items() if entry[0] == "file"}
    print(f"\n{len(found)} files chosen, {came:,} bytes over the cable")
    assert found == wanted
    assert got["files"] == got["done_files"] == len(wanted) == 50
    assert came < 2 * MIB
