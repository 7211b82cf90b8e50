"""The program's driver, in a process and on a terminal of its own; the netns tests have what needs an engine."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.pty_screen import LEAVES_SCREEN, XTERM, Screen

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
PROGRAM = """
import os, sys, threading
from contextlib import asynccontextmanager
from dataclasses import replace
from peerterm.tui.terminal import Terminal
terminal = Terminal.of(os.environ)
terminal.prepare(os.environ)
from peerterm.tui.app import PeertermApp
from peerterm.tui.driver import TerminalDriver
from tests.fakes.fake_engine import FakeEngine, make_peer

engine = FakeEngine()
engine.known_peers = [make_peer(f"peer{number}") for number in range(50)]

@asynccontextmanager
async def connect(start):
    yield engine

PeertermApp.action_rescan = lambda self: os.write(1, b"stuck") and threading.Event().wait()
program = PeertermApp(connect, replace(terminal, driver_class=TerminalDriver))
program.run(mouse=terminal.has_mouse)
sys.exit(program.return_code)
"""
REDRAW, QUIT = "\x0c", "\x11"


@pytest.fixture
def screen(request: pytest.FixtureRequest) -> Iterator[Screen]:
    """Run the program; a parameter changes how."""
    changes = getattr(request, "param", {})
    variables = {**os.environ, **XTERM, "PYTHONPATH": str(ROOT), **changes.get("variables", {})}
    is_controlling = changes.get("is_controlling", True)
    with Screen([sys.executable, "-c", PROGRAM], variables, is_controlling=is_controlling) as screen:
        screen.wait_for("peer10", "help")
        yield screen


def test_leaving_restores_the_terminal(screen: Screen) -> None:
    """Exit code 0, the first screen, and modes as a shell wants them."""
    assert not screen.is_cooked
    screen.send("q")

    assert screen.end() == 0
    assert screen.is_cooked
    assert LEAVES_SCREEN in screen.taken


@pytest.mark.parametrize("screen", [{"is_controlling": False}], indirect=True)
def test_end_of_input_is_a_hang_up(screen: Screen) -> None:
    """A terminal may go without a signal, as under nohup; nothing spins on what is left of it."""
    screen.hang_up()

    assert screen.end(3) == 128 + signal.SIGHUP


def test_stuck_program_is_ended_and_the_terminal_restored(screen: Screen) -> None:
    """Even when the program hears nothing any more."""
    screen.send("R")
    screen.wait_for("stuck")
    screen.forget()
    screen.kill(signal.SIGTERM)
    screen.kill(signal.SIGTERM)

    assert screen.end(5) == 128 + signal.SIGTERM
    assert screen.is_cooked
    assert LEAVES_SCREEN in screen.taken


def test_keys_that_come_at_once_go_where_each_one_leads(screen: Screen) -> None:
    """A slow line delivers many keys in one piece: what follows ``/`` is text, and no key of the list."""
    screen.send("/6peer49")
    screen.wait_for("6peer49")

    assert "6*Shares" not in screen.text


def test_nothing_is_lost_while_the_terminal_does_not_read(screen: Screen) -> None:
    """What changed meanwhile is painted as soon as it reads: another size, another pane."""
    for _ in range(40):
        screen.send(REDRAW)
        screen.process_some()
    screen.resize(100, 30)
    screen.send("6")
    screen.process_some()
    screen.wait_for("6*Shares", "You share nothing", seconds=5)
    screen.forget()
    screen.send("1")
    screen.wait_for("peer10", seconds=5)
    screen.send(QUIT)

    assert screen.end() == 0


@pytest.mark.parametrize("screen", [{"variables": {"TERM": "linux", "COLORTERM": ""}}], indirect=True)
def test_console_is_asked_nothing(screen: Screen) -> None:
    """It would print the end of the question."""
    assert b"$p" not in screen.taken
    assert b"\x1b[>" not in screen.taken


@pytest.mark.parametrize(
    ("screen", "has_mouse"),
    [({}, True), ({"variables": {"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}}, False)],
    indirect=["screen"],
)
def test_mouse_stays_the_terminals_over_ssh(screen: Screen, has_mouse: bool) -> None:
    """Where it selects text."""
    assert (b"\x1b[?1003h" in screen.taken) == has_mouse
