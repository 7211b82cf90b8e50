"""How fast content is indexed and found."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sqlite3
import subprocess
import time
from contextlib import closing
from statistics import median
from typing import TYPE_CHECKING

from peerterm.api.views import SearchQuery
from peerterm.control.client import RemoteEngine
from peerterm.core.catalog import fold
from tests.netns.trees import make_file

from .machine import MIB, engines, in_mib, openssl_seconds, show, timed, warm

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 1024 * MIB
ENTRIES = 100_000
WORDS = ("holiday", "lecture", "concert", "archive", "report", "drawing", "recipe", "garden")


def test_scan_of_one_big_file(work: Path) -> None:
    """1 GiB is indexed, against openssl and sha256sum; the second time nothing is read."""
    film = make_file(work / "film.mkv", SIZE)
    warm(film)
    reference = openssl_seconds(film)
    summed = timed(lambda: subprocess.run(["sha256sum", film], check=True, capture_output=True))
    with engines(work, "seed") as (seed,):
        idle = timed(lambda: seed.run("shares"))
        first = timed(lambda: seed.run("share", film)) - idle
        again = timed(lambda: seed.run("rescan"))
    rows = [
        ("openssl dgst -sha256", reference),
        ("sha256sum", summed),
        ("peerterm share (chunks and flat)", first),
        ("peerterm rescan (with the verb)", again),
    ]
    show(
        "indexing 1 GiB, the verb's own start taken off",
        [(name, each, in_mib(SIZE, each), reference / each) for name, each in rows],
    )


def add_entries(database: Path, owner: str) -> None:
    """Put entries into an engine's catalog that no disk holds."""
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        ((share_id, share),) = connection.execute("SELECT id, name FROM shares")
        rows = []
        for number in range(ENTRIES):
            word = WORDS[number % len(WORDS)]
            parent, name = f"{word} {number % 500}/", f"{word} of {owner} {number:06}.mkv"
            root = hashlib.sha256(f"{owner if number % 2 else ''} {number}".encode()).digest()
            rows.append((share_id, parent, name, number, root, root, number, fold(f"{share}/{parent}{name}")))
        connection.executemany(
            "INSERT INTO entries (share_id, parent, name, kind, type, size, files, root, sha256, executable,"
            " mtime_ns, device, inode, ctime_ns, seq, folded) VALUES (?, ?, ?, 'file', 'video', ?, 1, ?, ?, 0,"
            " 0, 0, ?, 0, 1, ?)",
            rows,
        )


async def latencies(socket: Path, text: str, count: int) -> tuple[float, float, int]:
    """Return the median seconds to the first and to the last hit of a search, and the number of hits."""
    firsts, lasts, hits = [], [], 0
    async with await RemoteEngine.connect(socket) as engine:
        for _ in range(count):
            started_at, found = time.perf_counter(), 0
            async for _hit in engine.search(SearchQuery(text=text, timeout=10.0)):
                found += 1
                if found == 1:
                    firsts.append(time.perf_counter() - started_at)
            lasts.append(time.perf_counter() - started_at)
            hits = found
    return median(firsts) if firsts else float("nan"), median(lasts), hits


def test_search_in_big_catalogs(work: Path) -> None:
    """A search over three peers with 100,000 entries each: time to the first and to the last hit."""
    make_file(work / "share" / "one file", 10)
    with engines(work, "asker", "one", "two", "three") as (asker, *peers):
        asker.run("status")
        for peer in peers:
            peer.run("share", work / "share")
            add_entries(peer.home / "profile" / "peerterm.db", peer.name)
        socket = asker.home / "profile" / "run" / "control.sock"
        print(f"\n\nsearch over 3 x {ENTRIES:,} entries ({os.cpu_count()} cores)")
        print(f"{'':34}{'first, ms':>10}{'last, ms':>10}{'hits':>7}")
        for text in ("holiday", "holiday 012344", "concert 77 one", "ga", "qz", "nothing like this"):
            first, last, hits = asyncio.run(latencies(socket, text, 5))
            print(f"{text:34}{first * 1000:10.0f}{last * 1000:10.0f}{hits:7}")
            assert last < 10
