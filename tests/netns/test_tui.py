"""The full-screen program as a newcomer uses it: real engines, tmux, keys that the screen names, facts on disk."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from .lan import Lan, wait_until
from .load import MIB, Meter, meet, narrow, part_of, until, view
from .tmux import Tmux, has_tmux
from .trees import make_file, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .lan import Host

FILM_BYTES = 48 * MIB
SLOWEST, SLOW, FAST = "1mbit", "16mbit", "1gbit"
LIMIT = 400_000
MEASURED_SECONDS = 6
RATE = re.compile(r" (\d+(?:\.\d+)?)([KM])/s")


@dataclass
class World:
    """Three machines: alice, at whose terminal the newcomer sits, and two who share something."""

    lan: Lan
    alice: Host
    bob: Host
    home: Path
    files: Path
    size: tuple[int, int]

    def terminal(self) -> Tmux:
        """Return a terminal of alice's."""
        return Tmux(self.alice, *self.size, self.home)

    def row_of(self, name: str) -> str:
        """Return the id of alice's only transfer of this name."""
        (row,) = [row for row in self.alice.json("transfers", "--no-start") if row["name"] == name]
        return str(row["transfer_id"])


@pytest.fixture(params=[(80, 24), (120, 36)], ids=["80x24", "120x36"])
def world(work: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """Make the machines and what they share; alice's engine does not run yet."""
    if not has_tmux():
        assert not os.environ.get("CI"), "CI must have tmux"
        pytest.skip("needs tmux")
    files, home = work / "files", work / "home"
    film = make_file(files / "bob" / "Films" / "lighthouse.mkv", FILM_BYTES)
    make_file(files / "bob" / "Films" / "harbour.mkv", 6 * MIB, 1)
    (files / "carol" / "Films").mkdir(parents=True)
    shutil.copy(film, files / "carol" / "Films")
    for number in range(4):
        make_file(files / "bob" / "Photos" / "2025" / f"IMG_{number}.jpg", 200_000 + number, 2 + number)
    for number in range(2):
        make_file(files / "bob" / "Photos" / "2025" / "holiday" / f"beach{number}.jpg", 300_000, 8 + number)
    make_file(home / "Documents" / "thesis" / "chapter.tex", 20_000, 20)
    make_file(home / "Downloads" / "old.iso", 100, 21)
    with Lan(3) as lan:
        alice, bob, carol = (
            lan.host(number, work / name, name=name) for number, name in enumerate(("alice", "bob", "carol"))
        )
        narrow(lan, 0, SLOW)  # what is on its way is seen
        meet(bob, carol)
        bob.run("share", files / "bob" / "Films", files / "bob" / "Photos")
        carol.run("share", files / "carol" / "Films")
        yield World(lan, alice, bob, home, files, request.param)


def enter(screen: Tmux) -> None:
    """Start the program, and wait until it shows who is here."""
    screen.command("peerterm")
    screen.shows("1*Peers 2", "? help")
    for name in ("bob", "carol"):
        screen.row(name, "online")


def find(screen: Tmux, words: str, name: str) -> None:
    """Search for a content and start its download."""
    screen.follow("3 Search")
    screen.shows("3*Search")
    screen.follow("/ search")
    screen.press("C-u")
    screen.type(words)
    screen.row(name)
    screen.follow("Enter goes to the list")
    screen.hides("Enter goes to the list")
    screen.follow("d get")
    screen.shows(f"{name} queued")
    screen.follow("4 ")
    screen.shows("4*")


def rate_in(row: str) -> float:
    """Return the bytes a second that a row says; 0 if it says none."""
    if not (found := RATE.search(row)):
        return 0
    return float(found[1]) * {"K": 1e3, "M": 1e6}[found[2]]


def holds(meter: Meter, limit: int) -> bool:
    """Whether no more reaches alice in some seconds than a limit lets through, and one chunk that is under way."""
    (counts,) = meter.rates(MEASURED_SECONDS, 0)
    return sum(counts) <= 1.05 * (limit * MEASURED_SECONDS + MIB)


def test_newcomer_shares_finds_and_copies(world: World) -> None:
    """The first start: who is here, a folder to share by Tab, a film found by part of its name, a link to it."""
    with world.terminal() as screen:
        enter(screen)

        screen.follow("6 Shares")
        screen.shows("You share nothing")
        screen.follow("a add")
        screen.shows("Share a file or folder", "~/")
        screen.type("D")
        screen.press("Tab")
        screen.shows("Documents  Downloads")
        screen.type("c")
        screen.press("Tab")
        screen.shows("~/Documents/")
        screen.type("t")
        screen.press("Tab")
        screen.shows("~/Documents/thesis/")
        screen.press("Enter")
        screen.row("thesis", "+ ready")
        (share,) = world.alice.json("shares", "--no-start")
        assert share["path"] == str(world.home / "Documents" / "thesis")
        assert [entry["name"] for entry in world.bob.json("browse", "alice", "thesis")] == ["chapter.tex"]

        screen.look_up("Say all that is known of the share")
        facts = screen.shows("visible to  everyone", share["path"], "state       ready")
        assert share["root"] in re.sub(r"[\s│]", "", facts)
        screen.follow("Esc close")
        screen.hides("visible to  everyone")

        find(screen, "thous", "lighthouse.mkv")
        narrow(world.lan, 0, FAST)
        screen.row("✓ lighthouse.mkv", "100%", "done")
        film = world.files / "bob" / "Films" / "lighthouse.mkv"
        assert sha256(world.alice.downloads / film.name) == sha256(film)

        screen.follow("3 Search")
        screen.row("lighthouse.mkv", "+1")
        screen.look_up("Copy the link, hash or path")
        screen.follow("l  link")
        screen.shows("sent to the terminal's clipboard")
        hit = world.bob.json("search", "lighthouse")[0]
        assert screen.clipboard == f"peerterm:{hit['root']}?name={film.name}&size={FILM_BYTES}"

        screen.press("q")
        screen.prompts()
        assert world.alice.online() == {"bob", "carol"}


def test_newcomer_browses_and_takes_three_entries(world: World) -> None:
    """Two folders down, a folder and two files are marked and fetched; nothing else is."""
    source = world.files / "bob" / "Photos" / "2025"
    with world.terminal() as screen:
        enter(screen)
        screen.press("Home")  # who came first has the cursor
        screen.row("> bob")
        screen.follow("Enter browse")
        screen.shows("bob:/", "2 entries")
        screen.row("> Films/")
        screen.press("Down")
        screen.row("> Photos/", "6 files")
        screen.follow("Enter open")
        screen.shows("bob:/Photos/")
        screen.row("> 2025/")
        screen.press("Enter")
        screen.shows("bob:/Photos/2025/", "5 entries")

        screen.row("> holiday/", "2 files")
        screen.follow("Space mark")
        screen.row("> IMG_0.jpg", "image")
        screen.press("Down", "Space")
        screen.row("> IMG_2.jpg")
        screen.press("Space")
        screen.shows("3 marked, 1.0M")
        narrow(world.lan, 0, SLOWEST)  # else what has come is told before it is read that it was queued
        screen.follow("d get")
        screen.shows("3 downloads queued; 4 shows them")
        screen.hides("3 marked")
        screen.follow("4 shows")
        narrow(world.lan, 0, FAST)
        for name in ("holiday/", "IMG_1.jpg", "IMG_2.jpg"):
            screen.row(f"✓ {name}", "100%", "done")

        screen.follow("2 Files")
        screen.shows("bob:/Photos/2025/")
        screen.row("> IMG_3.jpg")
        screen.follow("h up")
        screen.shows("bob:/Photos/ ")
        screen.row("> 2025/")

    fetched = {path.relative_to(world.alice.downloads): path for path in world.alice.downloads.rglob("*.*")}
    names = ("holiday/beach0.jpg", "holiday/beach1.jpg", "IMG_1.jpg", "IMG_2.jpg")
    assert {str(path) for path in fetched} == set(names)
    for path, copy in fetched.items():
        assert sha256(copy) == sha256(source / path)


def test_newcomer_governs_a_transfer(world: World) -> None:
    """Pause and resume, a limit that holds, details, cancel, retry with what has come, cancel with data, again."""
    film, alice = world.files / "bob" / "Films" / "lighthouse.mkv", world.alice.start()
    with world.terminal() as screen:
        enter(screen)
        find(screen, "light", film.name)
        screen.row(f"↓ {film.name}", "M/s")
        transfer_id = world.row_of(film.name)

        screen.follow("p pause")
        screen.row(f"= {film.name}", "paused")
        assert view(alice, transfer_id)["state"] == "paused"
        screen.follow("p lets it go on")
        screen.row(f"↓ {film.name}", "/s")

        screen.look_up("Limit the rate")
        screen.shows(f"only {film.name}", "none lifts a limit")
        screen.type("400K")
        screen.press("Enter")
        screen.shows("limit set")
        with Meter(world.lan, 0) as meter:
            settled = wait_until(lambda: holds(meter, LIMIT), 10 * MEASURED_SECONDS, "the limit")
        print(f"the limit holds {settled - MEASURED_SECONDS:.1f} s after it was set")
        screen.wait_until(lambda _: 0 < rate_in(screen.row(f"↓ {film.name}")) <= 1.2 * LIMIT, "a rate as limited")

        if "v hides" not in screen.screen:  # where there is room they stand there already
            screen.look_up("Show or hide the details")
        details = screen.shows("v hides", "limit 400K/s", "chunks", " of 48", "from ")
        assert re.search(r"bob +active", details)

        screen.follow("x cancel")
        screen.row(f"✕ {film.name}", "cancelled")
        had = view(alice, transfer_id)["bytes"]
        assert part_of(alice).stat().st_size > 0
        screen.follow("r retry")
        screen.row(f"↓ {film.name}", "/s")
        assert view(alice, transfer_id)["bytes"] >= had > 0

        screen.look_up("Cancel and delete")
        screen.shows(f"Cancel and delete {film.name}?", "will be deleted")
        screen.follow("n or Esc no")
        screen.hides("will be deleted")
        screen.row(f"↓ {film.name}", "/s")
        screen.press("X")
        screen.follow("y yes")
        screen.row(f"✕ {film.name}", "cancelled", "0%")
        assert list(alice.downloads.iterdir()) == []

        screen.follow("r retry")
        screen.row(f"↓ {film.name}", "/s")
        narrow(world.lan, 0, FAST)
        screen.press("b")
        screen.shows(f"only {film.name}", "400K")
        screen.type("none")
        screen.press("Enter")
        screen.shows("limit lifted")
        screen.row(f"✓ {film.name}", "100%", "done")
        assert sha256(alice.downloads / film.name) == sha256(film)

        screen.follow("c clear")
        screen.shows("Nothing yet")
        assert alice.json("transfers", "--no-start") == []
        assert (alice.downloads / film.name).exists()


def test_newcomer_loses_the_engine_and_leaves(world: World) -> None:
    """An engine that dies is missed and started again; who leaves while it works finds the work done later."""
    film, alice = world.files / "bob" / "Films" / "lighthouse.mkv", world.alice.start()
    with world.terminal() as screen:
        enter(screen)
        find(screen, "light", film.name)
        screen.row(f"↓ {film.name}", "M/s")
        alice.kill()
        screen.follow("E starts the engine")
        screen.hides("E starts the engine")
        screen.row(f"↓ {film.name}", "M/s")
        screen.follow("1 Peers")
        for name in ("bob", "carol"):
            screen.row(name, "online")

        screen.press("q")
        screen.shows("Transfers are under way: 1 down")
        screen.follow("n  stay here")
        screen.hides("under way")
        screen.follow("q quit")
        screen.follow("y  leave; they go on")
        screen.prompts()
        transfer_id = world.row_of(film.name)
        assert view(alice, transfer_id)["state"] == "running"

        enter(screen)
        screen.follow("4 ")
        screen.row(f"↓ {film.name}", "M/s")
        narrow(world.lan, 0, FAST)
        screen.row(f"✓ {film.name}", "100%", "done")

    assert until(alice, transfer_id, "done", timeout=5)["path"] == str(alice.downloads / film.name)
    assert sha256(alice.downloads / film.name) == sha256(film)


def test_newcomer_finds_the_way(world: World) -> None:
    """Help, the palette, the list of panes, and the key that leads to what needs attention."""
    thesis = world.home / "Documents" / "thesis"
    world.alice.start().run("share", thesis)
    with world.terminal() as screen:
        enter(screen)
        screen.follow("? help")
        screen.shows("Keys in Peers", "Browse what the peer shares")
        screen.follow("Esc close")
        screen.hides("Keys in")

        screen.follow(": cmds")
        screen.shows("Search for commands")
        screen.type("go to shares")
        screen.wait_until(lambda text: text.count("Go to ") == 1, "one action")
        screen.press("Enter")
        screen.shows("6*Shares")
        screen.row("thesis", "ready")

        screen.look_up("Choose a pane")
        screen.follow("8  Log")
        screen.shows("8*Log")

        screen.look_up("Go to what needs attention")
        screen.shows("nothing needs attention")
        shutil.rmtree(thesis)
        screen.look_up("Look for changes in every share")
        screen.shows("looking for changes")
        wait_until(lambda: world.alice.json("shares", "--no-start")[0]["state"] == "missing", 10)
        screen.press("C-g")
        screen.shows("6*Shares")
        screen.row("> thesis", "! missing")

        screen.resize(60, 16)
        screen.wait_until(lambda text: len(text.splitlines()) == 16 and "? help" in text, "a small screen")
        screen.row("> thesis", "! missing")
        screen.resize(*world.size)
        screen.shows("? help")
        screen.press("C-q")
        screen.prompts()
