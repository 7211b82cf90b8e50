"""What the full-screen program costs, and how long its user waits while everything else works as hard as it can."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import pytest

from peerterm.core.catalog import fold
from tests.netns.trees import make_file

from .machine import MIB, ROOT, Engine, engines, in_mib
from .terminal import ENTER, ESCAPE, FAR, NEAR, PATIENCE, Tui, fetch, fetching, names_of, p95, say_latencies

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 100_000
MARKED = 10_000
LINES = 10_000
GREEK_AND_RUSSIAN = "αβγδεζηθικλμνξοπρστυφχψω" + "абвгдежзийклмнопрстуфхцчшщъыьэюя"
LIVE = 12
KEYS = 200
FILTERS = 5
FILM_BYTES = 2048 * MIB
SHORT_FILM_BYTES = 1024 * MIB
LIVE_RATE = 12 * MIB

OPEN_SECONDS, KEY_SECONDS, FILTER_SECONDS = 0.3, 0.05, 0.1
CORE, OUTPUT_RATE = 0.03, 12_000.0
THROUGHPUT = 0.95
FIRST_FRAME_SECONDS = 0.6
"""What is demanded on a machine of its own."""

LENIENCE = 3.0
"""A test fails only where that is missed by so much: other programs may run here."""


def share_many(seed: Engine, work: Path, count: int) -> None:
    """Share a folder ``many`` of so many files, which but for the first are on no disk."""
    first, *names = names_of("entry", count)
    make_file(work / "albums" / "many" / first, 10)
    seed.run("share", work / "albums")
    database = seed.home / "profile" / "peerterm.db"
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        ((share_id,),) = connection.execute("SELECT id FROM shares WHERE name = 'albums'")
        connection.executemany(
            "INSERT INTO entries (share_id, parent, name, kind, type, size, files, root, sha256, executable,"
            " mtime_ns, device, inode, ctime_ns, seq, folded) VALUES (?, 'many/', ?, 'file', 'video', ?, 1, ?, ?,"
            " 0, 0, 0, ?, 0, 1, ?)",
            (
                (share_id, name, number, digest, digest, number, fold(f"albums/many/{name}"))
                for number, name in enumerate(names, 1)
                for digest in [sha256(name.encode()).digest()]
            ),
        )


def open_many(tui: Tui) -> float:
    """Go down to the folder ``many``; return the seconds until it is there."""
    tui.press("2", "seed")
    tui.press(ENTER, "albums/")
    tui.press(ENTER, "many/")
    tui.read(0.5)
    return tui.press(ENTER, "entry 000000")


def type_filter(tui: Tui, text: str) -> list[float]:
    """Type a filter that one row passes in the end, and clear it; return the seconds that each letter took."""
    tui.press("/", "accept")
    taken = []
    for end in range(1, len(text) + 1):
        tui.read(0.3)
        taken.append(tui.press(text[end - 1], "entry 0"))
    tui.read(0.3)
    tui.press(ESCAPE, "entry 098766")
    return taken


def test_browsing_many_entries(work: Path, memory: Path) -> None:
    """A folder of 100,000 entries opens at once and follows every key, also while it is still being listed."""
    film = make_file(memory / "film.mkv", FILM_BYTES)
    with engines(memory, "leech", "seed") as (leech, seed):
        seed.run("share", film)
        share_many(seed, work, ROWS)
        names = names_of("entry", ROWS)
        print(f"\n\na folder of {ROWS:,} entries")
        with Tui(leech) as tui, fetching(leech, "seed/film.mkv"):
            tui.settle("seed", "leech")
            opened = open_many(tui)
            print(f"{'opened':46}{opened * 1000:14.0f} ms")
            early = tui.walk(names, KEYS // 2, NEAR)
            say_latencies("a key, while it is listed", early)
            tui.rest("so far")
            tui.press("G", names[-1])
            tui.press("g", names[0])
            late = tui.walk(names, KEYS, FAR)
            say_latencies("a key", late)
            letters, *further = zip(*(type_filter(tui, "98765") for _ in range(FILTERS)), strict=True)
            say_latencies("the first letter of a filter", letters)
            say_latencies("each further one", [each for taken in further for each in taken])

    assert max(letters) < FILTER_SECONDS * LENIENCE
    assert max(map(max, further)) < FILTER_SECONDS * LENIENCE
    assert opened < OPEN_SECONDS * LENIENCE
    assert p95(late) < KEY_SECONDS * LENIENCE
    assert p95(early) < KEY_SECONDS * LENIENCE


@contextmanager
def finding(home: Path, hits: int) -> Iterator[Engine]:
    """Run an engine that finds so many contents."""
    engine = Engine(home, "finder")
    home.mkdir()
    command = [sys.executable, "-m", "tests.bench.terminal", str(home / "profile"), str(hits)]
    process = subprocess.Popen(command, env=engine.environment, cwd=ROOT)
    try:
        engine.run("status", "--wait", "20", "--no-start")
        yield engine
    finally:
        process.terminate()
        process.wait(10)


def test_searching_many_hits(memory: Path) -> None:
    """100,000 hits are listed as they come, and keys are followed, while a transfer of others takes the machine."""
    film = make_file(memory / "film.mkv", FILM_BYTES)
    with engines(memory, "leech", "seed") as (leech, seed), finding(memory / "finder", ROWS) as finder:
        seed.run("share", film)
        names = names_of("hit", ROWS)
        print(f"\n\n{ROWS:,} hits of a search")
        with Tui(finder) as tui, fetching(leech, "seed/film.mkv"):
            tui.settle("seed", "fake")
            tui.press("3/hit", names[0])
            tui.send(ENTER)
            tui.read(0.5)
            early = tui.walk(names, KEYS // 4, NEAR, page=17)
            say_latencies("a key, while they come", early)
            tui.rest("searching")
            tui.press("G", names[-1])
            tui.press("g", names[0])
            late = tui.walk(names, KEYS, FAR, page=17)
            say_latencies("a key", late)
            tui.send("/")
            tui.read(0.5)
            again = tui.press("\x15mkv" + ENTER, names[0])
            print(f"{'found':46}{again * 1000:14.0f} ms")

    assert again < OPEN_SECONDS * LENIENCE
    assert p95(late) < KEY_SECONDS * LENIENCE
    assert p95(early) < KEY_SECONDS * LENIENCE


def test_flood_of_lines(memory: Path) -> None:
    """Of 10,000 lines in 10 seconds none is waited for: what is typed is painted, and the end is reached."""
    print(f"\n\n{LINES:,} lines of a conversation")
    with finding(memory / "finder", LINES) as finder, Tui(finder) as tui:
        tui.settle("seed", "fake")
        tui.press("5", "#lan")
        tui.settle()
        tui.press(ENTER, "new line")
        tui.send("go" + ENTER)
        tui.press("", "flood")
        typed = []
        for letter in GREEK_AND_RUSSIAN:  # no line has them
            typed.append(tui.press(letter, letter))
            tui.read(0.1)
        say_latencies("a letter, while they come", typed)
        last = tui.wait_for(f"flood {LINES - 1:06}", seconds=PATIENCE)
        print(f"{'the last one is there after another':46}{last:14.1f} s")

    assert p95(typed) < KEY_SECONDS * LENIENCE


def test_twelve_live_transfers(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve transfers that move cost little, and nothing that moves costs nothing."""
    monkeypatch.setenv("PEERTERM_RUNNING", str(LIVE))
    monkeypatch.setenv("PEERTERM_DOWN_LIMIT", str(LIVE_RATE))
    films = [
        make_file(memory / "films" / name, 128 * MIB, number) for number, name in enumerate(names_of("film", LIVE))
    ]
    print("\n\nwhat the program costs")
    with engines(memory, "leech", "seed") as (leech, seed), Tui(leech) as tui:
        for film in films:
            seed.run("share", film)
        tui.settle("seed", "leech")
        idle = []
        for pane in "12345678":
            tui.send(pane)
            tui.settle()
            idle.append(tui.cost(3))
        tui.send("4")
        for film in films:
            leech.run("get", f"seed/{film.name}", "--detach")
        tui.rest("queued")
        live = tui.cost(20)
        moved = [each for each in leech.json("transfers") if each["direction"] == "down"]
    print(f"{f'{LIVE} live transfers':46}{live[0]:7.1%} of a core, {live[1]:8,.0f} B/s")
    core, output = map(max, zip(*idle, strict=True))
    print(f"{'nothing moves':46}{core:7.1%} of a core, {output:8,.0f} B/s")

    assert all(each["state"] == "running" for each in moved)
    assert output == 0
    assert live[0] < CORE * LENIENCE
    assert live[1] < OUTPUT_RATE


def test_throughput_with_the_program(memory: Path) -> None:
    """A transfer is as fast with the program looking on as without."""
    film = make_file(memory / "film.mkv", SHORT_FILM_BYTES)
    alone, watched, cores = [], [], []
    with engines(memory, "leech", "seed") as (leech, seed):
        seed.run("share", film)
        fetch(leech, "seed/film.mkv")
        for _ in range(5):
            alone.append(fetch(leech, "seed/film.mkv")[0])
            with Tui(leech) as tui:
                tui.settle("seed", "leech")
                tui.send("4")
                tui.settle("film.mkv")
                before = tui.cpu_seconds()
                watched.append(tui.read_while(lambda: fetch(leech, "seed/film.mkv")[0]))
                cores.append((tui.cpu_seconds() - before) / watched[-1])
    ratio = median(alone) / median(watched)
    print("\n\nthroughput")
    print(f"{'alone':46}{in_mib(SHORT_FILM_BYTES, median(alone)):>14}")
    print(f"{'with the program':46}{in_mib(SHORT_FILM_BYTES, median(watched)):>14}, ratio {ratio:.3f}")
    print(f"{'which takes':46}{median(cores):7.1%} of a core; load {os.getloadavg()[0]:.1f}")

    assert ratio > 1 - (1 - THROUGHPUT) * LENIENCE
    assert median(cores) < CORE * LENIENCE


def test_downloading_many_marked_rows(memory: Path) -> None:
    """10,000 rows are marked and asked for with three keys; every key after that is followed, and Esc stops it."""
    names = names_of("entry", MARKED)
    for number, name in enumerate(names):
        make_file(memory / "albums" / "many" / name, 10, number)
    print(f"\n\n{MARKED:,} marked rows")
    with engines(memory, "leech", "seed") as (leech, seed), Tui(leech) as tui:
        seed.run("share", memory / "albums")
        tui.settle("seed", "leech")
        open_many(tui)
        tui.rest("so far")
        marked = tui.press("A", f"{MARKED:,} marked")
        asked = tui.press("d", f"Download {MARKED:,} entries")
        print(f"{'marked, asked whether':46}{marked * 1000:8.0f} ms,{asked * 1000:6.0f} ms")
        tui.press("y", f" of {MARKED:,}; Esc stops")
        keys = tui.walk(names, KEYS, FAR)
        say_latencies("a key, while they are asked for", keys)
        shown = tui.press("4", "Progress")
        cost = tui.cost(5)
        stopped = tui.press(ESCAPE, "stopped")
        print(f"{'their list opened, the rest stopped':46}{shown * 1000:8.0f} ms,{stopped * 1000:6.0f} ms")
        print(f"{'while they come':46}{cost[0]:7.1%} of a core, {cost[1]:8,.0f} B/s")

    assert p95(keys) < KEY_SECONDS * LENIENCE
    assert max(marked, asked, shown, stopped) < OPEN_SECONDS * LENIENCE


def test_first_frame(memory: Path) -> None:
    """With an engine that runs."""
    with engines(memory, "leech") as (leech,):
        frames = []
        for _ in range(5):
            with Tui(leech) as tui:
                frames.append(tui.wait_for("1*Peers", "help", "leech"))
    print(f"\n\n{'first frame, with what the engine says':46}{min(frames):8.2f} s, median {median(frames):.2f} s")

    assert min(frames) < FIRST_FRAME_SECONDS * LENIENCE
