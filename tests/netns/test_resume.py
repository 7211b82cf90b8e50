"""Downloads that go on: after kills at both ends, absences, cut cables, damaged part files and engine restarts."""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from .lan import Lan, wait_until
from .load import (
    MIB,
    Meter,
    Progress,
    begin,
    chunks_held,
    elapse,
    meet,
    narrow,
    part_of,
    received,
    shape,
    until,
    until_received,
    view,
)
from .trees import make_file, sha256

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.endurance


KILLS = 20
LONGEST_RUN = 5.0
RATE = "100mbit"
RATE_BYTES = 100_000_000 // 8
IN_FLIGHT = MIB
"""Bytes that were in flight at each kill: the chunk that was just coming."""
IN_FLIGHT_SECONDS = 1.5
JOURNAL_SECONDS = 1.0
AWAY_SECONDS = 60.0
CUT_SECONDS = 120.0 if os.environ.get("PEERTERM_LONG") else 60.0
STALL_SECONDS = 5.0
HEADERS = 1.01
"""Bytes on the cable for each byte of content, at most; segments of 64 KiB cross these cables whole."""
SHARED_HEADERS = 1.05
"""The same where two senders compete for the cable: what is lost is sent again in packets of 1,500 bytes."""


@pytest.mark.parametrize("victim", ["receiver", "sender"])
def test_twenty_kills_cost_little(work: Path, victim: str) -> None:
    """One end is killed at 20 random moments: the file is exact, and next to nothing is fetched twice."""
    moments = Random(f"kill the {victim}")
    runs = [moments.uniform(0.1, LONGEST_RUN) for _ in range(KILLS)]
    film = make_file(work / "share" / "film.mkv", int(sum(runs) * RATE_BYTES))
    with Lan(2) as lan, Meter(lan, 1) as meter:
        shape(lan, 0, RATE)
        seed, leech = lan.host(0, work / "host0"), lan.host(1, work / "host1")
        meet(seed, leech)
        root = seed.json("share", film)[0]["root"]
        killed = leech if victim == "receiver" else seed
        before = received(lan, 1)
        transfer_id = begin(leech, root)
        unwritten = 0
        for seconds in runs:
            elapse(seconds)
            assert killed.process
            assert killed.process.poll() is None, killed.log()
            now = time.monotonic()
            killed.kill()
            unwritten += meter.between(now - JOURNAL_SECONDS, now, 1)
            killed.start(wait=False)
        killed.run("status", "--wait", "10", "--no-start")
        assert view(leech, transfer_id)["state"] != "done", "it was to last longer than the kills"
        row = until(leech, transfer_id, "done", timeout=120)
        fetched = received(lan, 1) - before

    size = film.stat().st_size
    twice = fetched / HEADERS - size
    print(f"\n{victim} killed {KILLS} times within {size / MIB:.0f} MiB, {row['wasted_bytes']} bytes thrown away")
    print(f"fetched twice {twice / MIB:.1f} MiB, {twice / size:.1%}, {twice / KILLS / MIB:.2f} MiB a kill")
    print(f"came in the last {JOURNAL_SECONDS:.0f} s before a kill: {unwritten / KILLS / MIB:.2f} MiB")
    assert sha256(Path(row["path"])) == sha256(film)
    assert twice <= 0.05 * size + KILLS * IN_FLIGHT


def test_sources_return_after_a_minute(work: Path) -> None:
    """All sources leave for a minute; one returns under a new name and address, one as somebody else.

    One receiver waits all the time, the other is killed and started anew meanwhile. Both finish unasked.
    """
    films = [make_file(work / "share" / f"film {number}.mkv", 150 * MIB, number) for number in range(2)]
    with Lan(4, has_ipv6=False) as lan:
        for number in (2, 3):
            narrow(lan, number, "60mbit")
        hosts = [lan.host(number, work / f"host{number}") for number in range(4)]
        meet(*hosts)
        roots = [share["root"] for share in hosts[0].json("share", *films)]
        hosts[1].run("share", *films)
        receivers = hosts[2:]
        ids = [begin(host, root) for host, root in zip(receivers, roots, strict=True)]
        for host in receivers:
            until_received(lan, host.number, 20 * MIB)
        hosts[0].stop()
        hosts[1].kill()
        left_at = time.monotonic()
        waiting = [until(host, each, "waiting", timeout=30) for host, each in zip(receivers, ids, strict=True)]
        elapse(AWAY_SECONDS / 3)
        receivers[1].kill()
        before = received(lan, 3)
        receivers[1].start()
        again = until(receivers[1], ids[1], "waiting", timeout=30)
        elapse(left_at + AWAY_SECONDS - time.monotonic())

        lan.ip(0, "addr", "del", f"{lan.address(0)}/24", "dev", "e0")
        lan.ip(0, "addr", "add", f"{lan.address(70)}/24", "brd", "+", "dev", "e0")
        hosts[0].settings["name"] = "renamed"
        hosts[0].start()
        newcomer = lan.host(1, work / "newcomer", name="newcomer").start("--share", films[0], "--share", films[1])
        returned_at = time.monotonic()
        rows = [until(host, each, "done", timeout=60) for host, each in zip(receivers, ids, strict=True)]
        fetched = received(lan, 3) - before
        print(f"\nwhile waiting: {waiting[0]['error']!r}; after the restart: {again['error']!r}")
        print(f"done {time.monotonic() - returned_at:.1f} s after the sources were back")

        for row in rows:
            print(", ".join(f"{source['name']} {source['bytes'] / MIB:.0f} MiB" for source in row["sources"]))
        print(
            f"had {waiting[1]['bytes'] / MIB:.1f} MiB, then {again['bytes'] / MIB:.1f}, fetched {fetched / MIB:.1f}"
        )

        assert newcomer.process
        assert fetched < (rows[1]["total"] - waiting[1]["bytes"]) * SHARED_HEADERS + MIB
        assert any(name in waiting[0]["error"] for name in ("host0", "host1"))
        assert any(name in again["error"] for name in ("host0", "host1"))
        assert again["bytes"] >= waiting[1]["bytes"]
        for row, film in zip(rows, films, strict=True):
            assert sha256(Path(row["path"])) == sha256(film)
            assert {"renamed", "newcomer"} <= {source["name"] for source in row["sources"] if source["bytes"]}


def test_content_shared_later_is_fetched(work: Path) -> None:
    """A peer that was online all the time becomes a source when it shares what a transfer waits for."""
    film = make_file(work / "share" / "film.mkv", 60 * MIB)
    with Lan(3) as lan:
        shape(lan, 0, RATE)
        seed, other, leech = (lan.host(number, work / f"host{number}") for number in range(3))
        meet(seed, other, leech)
        transfer_id = begin(leech, seed.json("share", film)[0]["root"])
        until_received(lan, 2, 20 * MIB)
        seed.kill()
        until(leech, transfer_id, "waiting", timeout=30)
        other.run("share", film)
        row = until(leech, transfer_id, "done", timeout=30)

        assert sha256(Path(row["path"])) == sha256(film)


def flip_three(part: Path, held: list[int]) -> None:
    """Flip a bit in three chunks."""
    with part.open("r+b") as file:
        for index in (held[0], held[len(held) // 2], held[-1]):
            file.seek(index * MIB + 321)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 0x10]))


def truncate(part: Path, held: list[int]) -> None:
    """Cut the part file off in the middle of what it holds."""
    os.truncate(part, held[len(held) // 2] * MIB + 1000)


def delete(part: Path, _held: list[int]) -> None:
    """Delete the part file."""
    part.unlink()


def leave(_part: Path, _held: list[int]) -> None:
    """Change nothing."""


@pytest.mark.parametrize("is_clean", [False, True], ids=["killed", "stopped"])
@pytest.mark.parametrize("damage", [flip_three, truncate, delete, leave])
def test_only_damaged_chunks_are_fetched_again(
    work: Path, damage: Callable[[Path, list[int]], None], *, is_clean: bool
) -> None:
    """A part file that somebody changed while no engine ran costs the chunks that are wrong, and no others."""
    film = make_file(work / "share" / "film.mkv", 60 * MIB + 777)
    chunks = 61
    with Lan(2) as lan:
        shape(lan, 0, RATE)
        seed, leech = lan.host(0, work / "host0"), lan.host(1, work / "host1")
        meet(seed, leech)
        transfer_id = begin(leech, seed.json("share", film)[0]["root"])
        until_received(lan, 1, 30 * MIB)
        seed.kill()
        until(leech, transfer_id, "waiting", timeout=30)
        elapse(2.0)  # the journal is written at most once a second
        (leech.stop if is_clean else leech.kill)()
        part = part_of(leech)
        whole = chunks_held(part, film)
        damage(part, sorted(whole))
        sound = chunks_held(part, film)

        before = received(lan, 1)
        meet(seed, leech)
        row = until(leech, transfer_id, "done", timeout=60)
        fetched = received(lan, 1) - before
    missing = film.stat().st_size - sum(sound.values())
    print(f"\n{damage.__name__}: {len(whole)} of {chunks} chunks were there, {len(whole) - len(sound)} damaged")
    print(f"fetched {fetched / MIB:.2f} MiB, missing were {missing / MIB:.2f} MiB")
    assert len(whole) > 20
    assert sha256(Path(row["path"])) == sha256(film)
    assert fetched < missing * HEADERS + 0.5 * MIB


def test_cut_cables_stop_nothing(work: Path) -> None:
    """Two of three sources lose and regain their link at random: exact, and never 5 s without progress."""
    moments = Random("cut")
    film = make_file(work / "share" / "film.mkv", int(3 * 3_750_000 * CUT_SECONDS))
    with Lan(4) as lan:
        for number in range(3):
            shape(lan, number, "30mbit")
        hosts = [lan.host(number, work / f"host{number}") for number in range(4)]
        meet(*hosts)
        for host in hosts[:3]:
            host.run("share", film)
        progress = Progress(hosts[3])
        transfer_id = begin(hosts[3], hosts[0].json("shares")[0]["root"])
        wait_until(lambda: progress.steps, 10, "a first byte")
        started_at, cuts, is_up = time.monotonic(), 0, [True, True]
        while (left := started_at + CUT_SECONDS - time.monotonic()) > 0:
            elapse(min(left, moments.uniform(0.5, 8.0)))
            number = moments.randrange(2)
            (lan.cut if is_up[number] else lan.join)(number)
            cuts += is_up[number]
            is_up[number] = not is_up[number]
        had = view(hosts[3], transfer_id)
        for number in range(3):
            lan.join(number)
            shape(lan, number, "")
        row = until(hosts[3], transfer_id, "done", timeout=60)
        seconds, at = progress.longest_stall()

        used = had["bytes"] / (CUT_SECONDS * 11_250_000)
        print(f"\n{cuts} cuts in {CUT_SECONDS:.0f} s; {used:.2f} of what three links carry was used")
        print(f"longest stall {seconds:.2f} s, at {at / MIB:.0f} MiB")
        assert had["state"] != "done", "it was to last longer than the cuts"
        assert cuts >= 4
        assert sha256(Path(row["path"])) == sha256(film)
        assert seconds <= STALL_SECONDS


def test_orders_outlive_the_engine(work: Path) -> None:
    """Paused, cancelled and reordered transfers are the same after a kill; each goes on when told to."""
    names = ("paused", "cancelled", "deleted")
    films = {name: make_file(work / "share" / name, 40 * MIB, number) for number, name in enumerate(names)}
    with Lan(2) as lan:
        shape(lan, 0, RATE)
        seed, leech = lan.host(0, work / "host0"), lan.host(1, work / "host1")
        meet(seed, leech)
        roots = {share["name"]: share["root"] for share in seed.json("share", *films.values())}
        ids = {}
        for name, words in zip(names, (["pause"], ["cancel"], ["cancel", "--delete"]), strict=True):
            ids[name] = begin(leech, roots[name])
            until_received(lan, 1, 15 * MIB)
            leech.run(words[0], ids[name], *words[1:])
        leech.run("priority", ids["paused"], "7")
        before = {name: view(leech, ids[name]) for name in names}
        elapse(IN_FLIGHT_SECONDS)  # what was asked for still comes
        quiet_since = received(lan, 1)
        elapse(2.0)

        assert received(lan, 1) - quiet_since < 64 << 10
        assert [before[name]["state"] for name in names] == ["paused", "cancelled", "cancelled"]
        assert not list(leech.downloads.glob("deleted*"))

        leech.kill()
        leech.start()
        leech.run("peers", "--wait", "1", "--timeout", "15")
        after = {name: view(leech, ids[name]) for name in names}
        assert [after[name]["state"] for name in names] == ["paused", "cancelled", "cancelled"]
        assert after["paused"]["bytes"] == before["paused"]["bytes"] > 10 * MIB
        assert after["paused"]["priority"] == 7

        for name, word in zip(names, ("resume", "retry", "retry"), strict=True):
            start = received(lan, 1)
            leech.run(word, ids[name])
            row = until(leech, ids[name], "done", timeout=30)
            fetched = received(lan, 1) - start
            print(f"\n{name}: {fetched / MIB:.1f} of 40 MiB fetched after {word}", end="")
            assert sha256(Path(row["path"])) == sha256(films[name])
            if name == "deleted":
                assert fetched > 39 * MIB
            else:
                assert fetched < 40 * MIB - before[name]["bytes"] + MIB


def test_priority_orders_the_queue_after_a_restart(work: Path) -> None:
    """Of ten transfers, one that was given priority runs at once, though the engine was killed meanwhile."""
    films = [make_file(work / "share" / f"film {number:02}", 25 * MIB, number) for number in range(10)]
    with Lan(2) as lan:
        shape(lan, 0, RATE)
        seed, leech = lan.host(0, work / "host0"), lan.host(1, work / "host1")
        meet(seed, leech)
        roots = [share["root"] for share in seed.json("share", *films)]
        got = leech.json("get", *roots, "--detach")
        ids = [row["transfer_id"] for row in got]
        leech.run("priority", ids[-1], "50")
        leech.run("priority", ids[0], "-50")
        rows = {row["transfer_id"]: row["state"] for row in leech.json("transfers")}
        leech.kill()
        leech.start()
        ended: list[str] = []

        def all_ended() -> bool:
            rows = {row["transfer_id"]: row for row in leech.json("transfers")}
            ended.extend(each for each in ids if rows[each]["state"] == "done" and each not in ended)
            return len(ended) == len(ids)

        wait_until(all_ended, 60)

    print(f"\nstates before the kill: {list(rows.values())}")
    print(f"places: {ended.index(ids[0])} for priority -50, {ended.index(ids[-1])} for 50")
    assert rows[ids[0]] == "queued"
    assert rows[ids[-1]] in ("connecting", "running")
    assert ended.index(ids[-1]) < 3
    assert ended.index(ids[0]) >= 7
