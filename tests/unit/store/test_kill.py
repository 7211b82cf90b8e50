"""A process that fetches is killed at random moments: what its journal says is true."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from peerterm.core.manifest import CHUNK_BYTES, chunk_count
from peerterm.store.database import Database
from peerterm.store.destination import Destination
from peerterm.store.journal import Journal
from tests.fakes.contents import chunk_bytes
from tests.fakes.journaling import FILES, FILM, SIZE, SMALL, TRANSFER, small_path, small_root

ROOT = Path(__file__).parents[3]
ROUNDS = 10


def kill_while_fetching(place: Path, kind: str, seconds: float) -> tuple[str, int, int]:
    """Start a fetching process and kill it so long after it began; return part, inode and number of flushes."""
    command = [
        sys.executable,
        "-m",
        "tests.fakes.journaling",
        str(place / "state.db"),
        str(place / "downloads"),
        kind,
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout
        part, _, inode = process.stdout.readline().decode().strip().rpartition(" ")
        select.select([process.stdout], [], [], 10)  # the first flush
        deadline, lines = time.monotonic() + seconds, b""
        while (left := deadline - time.monotonic()) > 0 and b"all" not in lines:
            if select.select([process.stdout], [], [], left)[0]:
                lines += os.read(process.stdout.fileno(), 4096)
        process.kill()
        lines += process.stdout.read()
    return part, int(inode), lines.count(b"flushed")


@pytest.mark.parametrize("number", range(ROUNDS))
async def test_journaled_chunks_are_on_disk_after_a_kill(tmp_path: Path, number: int) -> None:
    """All that was flushed is kept, and what is kept has its exact bytes; damage costs its chunk only."""
    part, inode, flushes = kill_while_fetching(tmp_path, "file", Random(number).uniform(0, 0.25))
    database = await Database.open(tmp_path / "state.db")
    journal = Journal(database)
    found = (await journal.load(TRANSFER))[FILM]
    destination = Destination.open(tmp_path / "downloads", "thing", "file", part, inode)
    file = destination.file((), SIZE)
    kept = file.recheck(found.held, found.sums, found.stamp)
    held = [index for index in range(chunk_count(SIZE)) if found.held.has(index)]
    damaged = Random(number).sample(held, min(3, len(held)))
    with (tmp_path / "downloads" / part).open("r+b") as opened:
        for index in damaged:
            opened.seek(index * CHUNK_BYTES + 17)
            opened.write(b"damaged")

    assert not database.was_rebuilt
    assert (destination.resumed, destination.is_doubtful) == (True, False)
    assert len(held) >= flushes > 0
    assert kept.to_bytes() == found.held.to_bytes()
    kept = file.recheck(found.held, found.sums, found.stamp)
    assert [index for index in held if not kept.has(index)] == sorted(damaged)
    assert all(file.read_chunk(index) == chunk_bytes(SIZE, 0, index) for index in held if index not in damaged)
    destination.close()
    await database.close()


@pytest.mark.parametrize("number", range(ROUNDS))
async def test_landed_files_are_on_disk_after_a_kill(tmp_path: Path, number: int) -> None:
    """Files that were flushed as landed stand and are exact; the rest is found as a part, or fetched again."""
    part, inode, flushes = kill_while_fetching(tmp_path, "folder", Random(number).uniform(0, 0.1))
    database = await Database.open(tmp_path / "state.db")
    journal = Journal(database)
    destination = Destination.open(tmp_path / "downloads", "thing", "folder", part, inode)
    landed = await journal.load_landed(TRANSFER)
    roots = {small_root(each): each for each in range(FILES)}
    partial = {roots[root]: found for root, found in (await journal.load(TRANSFER)).items()}

    assert len(landed) >= flushes > 0
    assert destination.check_landed(landed) == set(landed) == {small_path(each) for each in range(len(landed))}
    for each in range(len(landed)):
        content = (tmp_path / "downloads" / part).joinpath(*small_path(each)).read_bytes()
        assert content == chunk_bytes(SMALL, each, 0)
    for each, found in partial.items():
        assert each >= len(landed)
        assert destination.file(small_path(each), SMALL).recheck(found.held, found.sums).is_complete
    destination.close()
    await database.close()
