"""Handing files to somebody in the full-screen program as newcomers do: two real engines, a tmux terminal each."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from .lan import Lan, wait_until
from .load import meet
from .tmux import Tmux, has_tmux

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .lan import Host

SMALL, LARGE = b"a few words\n", os.urandom(3_000_000)


@dataclass
class Pair:
    """Two machines with a newcomer at each, and what alice has to send."""

    alice: Host
    bob: Host
    work: Path
    size: tuple[int, int]

    @contextmanager
    def terminals(self) -> Iterator[tuple[Tmux, Tmux]]:
        """Run the program at both."""
        homes = [self.work / f"{name}-home" for name in ("alice", "bob")]
        with Tmux(self.alice, *self.size, homes[0]) as alice, Tmux(self.bob, *self.size, homes[1]) as bob:
            for screen, peer in ((alice, "bob"), (bob, "alice")):
                screen.command("peerterm")
                screen.row(peer, "online")
            yield alice, bob


@pytest.fixture(params=[(80, 24), (120, 36)], ids=["80x24", "120x36"])
def pair(work: Path, request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Make the machines."""
    if not has_tmux():
        assert not os.environ.get("CI"), "CI must have tmux"
        pytest.skip("needs tmux")
    for name in ("alice", "bob"):
        (work / f"{name}-home").mkdir()
    trip = work / "alice-home" / "trip"
    trip.mkdir()
    (trip / "map.txt").write_bytes(SMALL)
    (trip / "film.mkv").write_bytes(LARGE)
    (work / "alice-home" / "note.txt").write_bytes(SMALL)
    with Lan(2) as lan:
        alice, bob = (lan.host(number, work / name, name=name) for number, name in enumerate(("alice", "bob")))
        meet(alice, bob)
        yield Pair(alice, bob, work, request.param)


def test_folder_is_sent_accepted_by_keys_and_lands(pair: Pair) -> None:
    """Both follow what the screen names: send a folder, be told, look into it, choose where to, see it land."""
    wanted = pair.work / "bob-home" / "wanted"
    with pair.terminals() as (alice, bob):
        alice.follow("S send")
        alice.shows("Send a file or folder to bob", "~/")
        alice.type("tr")
        alice.press("Tab")
        alice.shows("~/trip")
        alice.press("Enter")
        alice.shows("trip is offered to bob; I shows what becomes of it")

        bob.shows("1 offer (alice)")
        bob.press("C-g")
        bob.shows("Inbox: 1 offer to answer", "trip/", "answer it")
        bob.follow("Enter open")
        bob.shows("from alice", "2 files, 3.0M", "waits for your answer")
        bob.follow("D to folder")
        bob.shows("Accept trip into")
        bob.press("C-u")
        bob.type(str(wanted))
        bob.press("Enter")
        bob.shows("Inbox: nothing to answer")
        bob.row("↓ trip", "here")
        assert (wanted / "trip" / "map.txt").read_bytes() == SMALL
        assert (wanted / "trip" / "film.mkv").read_bytes() == LARGE
        bob.follow("4 transfers")
        bob.row("trip", "done")
        bob.hides("1 offer (alice)")

        alice.press("I")
        alice.row("↑ trip", "to bob", "there")
        alice.press("Escape")
        alice.hides("Inbox")
        wait_until(lambda: pair.alice.json("transfers") == [], 20)  # else leaving asks what becomes of it
        alice.hides("up 1")
        alice.press("q")
        alice.prompts()
        bob.press("q")
        bob.prompts()


def test_offers_in_a_conversation_are_declined_and_taken_back(pair: Pair) -> None:
    """Two files from the field of a conversation: one is declined from its line, the other taken back."""
    with pair.terminals() as (alice, bob):
        alice.follow("m write")
        alice.shows("Nothing was said to bob yet.", "Enter send")
        alice.type("/send ~/note.txt")
        alice.press("Enter")
        alice.shows("note.txt is offered to bob")

        bob.shows("1 offer (alice)")
        bob.press("m")
        bob.shows("Enter send")
        bob.press("Escape")
        bob.shows("o opens note.txt")
        bob.press("o")
        bob.shows("from alice, by its clock")
        bob.follow("x decline")
        bob.shows("Decline note.txt?", "alice is told")
        bob.press("y")
        bob.shows("note.txt declined", "declines note.txt")
        alice.shows("bob declined note.txt")

        alice.type("/send ~/trip/map.txt")
        alice.press("Enter")
        alice.shows("map.txt is offered to bob")
        alice.press("Escape")
        alice.hides("Enter send")
        alice.press("I")
        alice.row("↑ map.txt", "offered")
        alice.follow("x take back")
        alice.shows("Take back map.txt?")
        alice.press("y")
        alice.row("↑ map.txt", "withdrawn")
        bob.shows("withdraws map.txt")
        wait_until(lambda: not list((pair.work / "bob-home").rglob("map.txt")), 1, "nothing at bob's")
