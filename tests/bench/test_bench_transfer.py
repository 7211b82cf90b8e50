"""How fast content moves between two engines on one machine, as ratios to what the same machine does otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.netns.trees import make_file, sha256

from .machine import MIB, ROOT, engines, in_mib, openssl_seconds, show, timed, warm

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 1024 * MIB
FILES = 20_000
FILE_BYTES = 4096


def best_of(count: int, measure: Callable[[], float]) -> float:
    """Return the shortest of several measurements: whatever else runs here only makes them longer."""
    return min(measure() for _ in range(count))


def tls_seconds(source: Path, destination: Path) -> float:
    """Return how long a plain copy over TLS takes."""
    command = [sys.executable, str(ROOT / "tests" / "bench" / "tls_copy.py"), str(source), str(destination)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return float(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


def test_one_big_file(work: Path) -> None:
    """1 GiB over loopback, against cp and against a copy over TLS that verifies nothing."""
    film = make_file(work / "film.mkv", SIZE)
    warm(film)
    copy = work / "copy"

    def copied() -> float:
        copy.unlink(missing_ok=True)
        return timed(lambda: subprocess.run(["cp", "--reflink=never", film, copy], check=True))

    with engines(work, "seed", "leech") as (seed, leech):
        seed.run("share", film)

        def fetched() -> float:
            got = leech.json("get", "seed/film.mkv")
            path = Path(got["path"])
            assert got["bytes"] == SIZE
            assert sha256(path) == sha256(film)
            path.unlink()
            return float(got["seconds"])

        tls = best_of(2, lambda: tls_seconds(film, copy))
        hashed = openssl_seconds(film)
        rows = [
            ("copy over TLS, nothing verified", tls),
            ("cp", best_of(2, copied)),
            ("openssl dgst -sha256", hashed),
            ("peerterm get", best_of(3, fetched)),
        ]
    show("1 GiB on one machine", [(name, each, in_mib(SIZE, each), tls / each) for name, each in rows])


def test_many_small_files(work: Path) -> None:
    """20,000 files of 4 KiB, against cp and against tar to tar over a pipe."""
    tree = work / "tree"
    for number in range(FILES):
        make_file(tree / f"{number % 100:02}" / f"{number:05}", FILE_BYTES, number)
    copied = timed(lambda: subprocess.run(["cp", "-r", tree, work / "copy"], check=True))

    def pack() -> None:
        with tarfile.open(work / "tree.tar", "w") as archive:
            archive.add(tree, "tree")

    packed = timed(pack)
    with engines(work, "seed", "leech") as (seed, leech):
        shared = timed(lambda: seed.run("share", tree))
        got = leech.json("get", "seed/tree")
        assert got["done_files"] == FILES
    rows = [
        ("cp -r", copied),
        ("tar, by Python", packed),
        ("peerterm share", shared),
        ("peerterm get", got["seconds"]),
    ]
    show(
        f"{FILES:,} files of 4 KiB",
        [(name, each, f"{FILES / each:,.0f} files/s", copied / each) for name, each in rows],
    )
