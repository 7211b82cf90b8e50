"""Talking in the full-screen program as a newcomer does: real engines, tmux, one who answers from a shell."""

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

ROOT = "ab" * 32


@dataclass
class Table:
    """Two machines: alice, at whose terminal the newcomer sits, and bob, who has a shell only."""

    alice: Host
    bob: Host
    home: Path
    size: tuple[int, int]

    @contextmanager
    def terminal(self) -> Iterator[Tmux]:
        """Run the program in a terminal of alice's."""
        with Tmux(self.alice, *self.size, self.home) as screen:
            screen.command("peerterm")
            screen.row("bob", "online")
            yield screen

    def heard(self, where: str) -> list[str]:
        """Return what bob has in a conversation."""
        return [line["text"] for line in self.bob.json("chat", "log", where)]


@pytest.fixture(params=[(80, 24), (120, 36)], ids=["80x24", "120x36"])
def table(work: Path, request: pytest.FixtureRequest) -> Iterator[Table]:
    """Make the machines."""
    if not has_tmux():
        assert not os.environ.get("CI"), "CI must have tmux"
        pytest.skip("needs tmux")
    home = work / "home"
    home.mkdir()
    with Lan(2) as lan:
        alice, bob = (lan.host(number, work / name, name=name) for number, name in enumerate(("alice", "bob")))
        meet(alice, bob)
        yield Table(alice, bob, home, request.param)


def test_newcomer_writes_is_answered_and_reads(table: Table) -> None:
    """By what the screen names: write, see it get there and be read, be called, go there, leave a draft."""
    with table.terminal() as screen:
        screen.follow("m write")
        screen.shows("Nothing was said to bob yet.", "bob  online", "Enter send")
        screen.type("did the iso arrive?")
        screen.follow("Ctrl+j new")
        screen.type("it is large")
        screen.press("Enter")
        screen.shows("your last line: delivered", "did the iso arrive?", "it is large")
        wait_until(lambda: table.heard("alice") == ["did the iso arrive?\nit is large"], 5, "the line at bob's")
        table.bob.run("chat", "read", "alice")
        screen.shows("your last line: read")

        screen.press("Escape")
        screen.hides("Enter send")
        screen.press("1")
        screen.row("bob", "online")
        table.bob.run("chat", "send", "alice", f"yes: peerterm:{ROOT}?name=disk.iso&size=886000000")
        screen.shows("5 Chat (1)", "msg 1")
        screen.press("C-g")
        screen.shows("1 new", "yes: [disk.iso 886M abababab]", "d downloads disk.iso, 886M; w plays it")
        screen.hides("msg 1")
        screen.press("d")
        screen.shows("no peer")  # nobody offers it
        screen.press("q")
        screen.prompts()


def test_rooms_commands_and_what_waits(table: Table) -> None:
    """A slip is not sent; a deed is done in a room; what is written to somebody who is away goes by itself."""
    with table.terminal() as screen:
        screen.press("5")
        screen.shows("#lan  with bob")
        screen.press("Enter")
        screen.shows("Enter send")
        screen.type("/jion #ops")
        screen.press("Enter")
        screen.shows("there is no /jion")
        screen.press("C-u")
        screen.type("/me waves")
        screen.press("Enter")
        screen.shows("alice waves")
        wait_until(lambda: table.heard("#lan") == ["waves"], 5, "the deed at bob's")
        screen.type("/join #ops")
        screen.press("Enter")
        screen.shows("#ops  nobody else is here")
        screen.press("Escape")
        screen.hides("Enter send")
        screen.follow("Tab next")
        screen.hides("#ops  nobody")

        table.bob.stop()
        screen.press("1")
        screen.row("bob", "offline")
        screen.press("m")
        screen.shows("bob is not here.", "Enter send")
        screen.type("read this when you are back")
        screen.press("Enter")
        screen.shows("it goes by itself when bob is here")
        table.bob.start()
        screen.shows("your last line: delivered")
        assert table.heard("alice") == ["read this when you are back"]
        screen.press("Escape")
        screen.hides("Enter send")
        screen.press("q")
        screen.prompts()
