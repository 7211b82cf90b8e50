"""Big files and big catalogs: memory, rescans, searches.

``python -m tests.bench.test_big SRC DST`` moves SRC to DST by two engines on loopback and prints the seconds of
``get``, so that any tool that compares programs can time it.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .machine import MIB, Engine, engines, in_mib, show, timed
from .test_bench_index import latencies

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = 100_000
WORDS = ("holiday", "lecture", "concert", "archive", "report", "drawing", "recipe", "garden")


def move(source: Path, destination: Path) -> float:
    """Move a file between two engines on loopback; return the seconds its ``get`` took."""
    with tempfile.TemporaryDirectory(prefix="pt-", dir=destination.parent) as folder:
        with engines(Path(folder), "seed", "leech") as (seed, leech):
            root = seed.json("share", source)[0]["root"]
            got = leech.json("get", root, "-o", folder)
        Path(got["path"]).rename(destination)
        return float(got["seconds"])


def peak_mib(engine: Engine) -> float:
    """Return the most memory an engine ever held."""
    assert engine.process
    lines = Path(f"/proc/{engine.process.pid}/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


@pytest.mark.parametrize("gib", [1, 20])
def test_memory_of_big_files(work: Path, gib: int) -> None:
    """The most memory either engine holds while a file moves; it is sparse, so that it costs no disk at one end."""
    film = work / "film.mkv"
    with film.open("wb") as file:
        file.write(os.urandom(64 * MIB))
        file.truncate(gib << 30)
    with engines(work, "seed", "leech") as (seed, leech):
        indexed = timed(lambda: seed.run("share", film))
        shared = peak_mib(seed)
        got = leech.json("get", "seed/film.mkv")
        rows = [("peerterm share", indexed), ("peerterm get", got["seconds"])]
        show(f"{gib} GiB, sparse", [(name, each, in_mib(gib << 30, each), indexed / each) for name, each in rows])
        print(
            f"peak memory: seed {peak_mib(seed):.0f} MiB ({shared:.0f} after indexing), leech {peak_mib(leech):.0f}"
        )
        assert Path(got["path"]).stat().st_size == gib << 30


def small_files(top: Path, owner: str) -> Iterator[Path]:
    """Make a folder of very many small files, each like no other."""
    for number in range(FILES):
        word = WORDS[number % len(WORDS)]
        path = top / f"{word} {number % 500}" / f"{word} of {owner} {number:06}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
        yield path


def test_catalogs_of_100_000_files(work: Path) -> None:
    """Three peers with 100,000 files each: first index, rescan of what did not change, searches over all."""
    names = ("one", "two", "three")
    for name in names:
        assert sum(1 for _ in small_files(work / "share" / name, name)) == FILES
    with engines(work, "asker", *names) as (asker, *peers):
        first = [timed(partial(peer.run, "share", work / "share" / peer.name)) for peer in peers]
        again = [timed(partial(peer.run, "rescan")) for peer in peers]
        rows = [("peerterm share", min(first)), ("peerterm rescan, unchanged", min(again))]
        show(
            f"{FILES:,} files, the verb included",
            [(name, each, f"{FILES / each:,.0f} files/s", min(first) / each) for name, each in rows],
        )
        print(f"peak memory of a peer: {max(map(peak_mib, peers)):.0f} MiB")

        socket = asker.home / "profile" / "run" / "control.sock"
        print(f"\n{'search over all three':34}{'first, ms':>10}{'last, ms':>10}{'hits':>7}")
        for text in ("holiday", "holiday 012344", "concert 77 one", "ga", "nothing like this"):
            answered, ended, hits = asyncio.run(latencies(socket, text, 5))
            print(f"{text:34}{answered * 1000:10.0f}{ended * 1000:10.0f}{hits:7}")


if __name__ == "__main__":
    print(move(*map(Path, sys.argv[1:3])))
