"""The start of the program: ``peerterm`` on a terminal, with an engine behind a real socket."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from peerterm.paths import Paths
from tests.fakes.fake_engine import FakeEngine, make_peer
from tests.fakes.pty_screen import XTERM, Screen
from tests.fakes.serving import served

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[Paths]:
    """Serve an engine with one peer in a profile of its own."""
    paths = Paths.resolve(str(tmp_path / "profile"), {})
    paths.config.write_text("")  # not the first start
    engine = FakeEngine()
    engine.known_peers = [make_peer("anna")]
    with served(engine, paths.socket):
        yield paths


def start(paths: Paths, *words: str, **variables: str) -> Screen:
    """Run a command line on a terminal."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PEERTERM_")}
    own = {"PEERTERM_HOME": str(paths.home), "PYTHONPATH": str(ROOT)}
    return Screen([sys.executable, "-m", "peerterm", *words], inherited | XTERM | own | variables)


@pytest.mark.parametrize("words", [(), ("--quiet",)])
def test_bare_command_runs_the_program(paths: Paths, words: tuple[str, ...]) -> None:
    """With the command line or past it."""
    with start(paths, *words) as screen:
        screen.wait_for("1*Peers", "anna", "help")
        screen.send("q")

        assert screen.end() == 0


def test_flags_are_for_the_engine(paths: Paths) -> None:
    """What an engine that runs cannot take is said before the screen is taken."""
    with start(paths, "--name", "other") as screen:
        screen.wait_for("without --name", "anna")
        assert screen.text.index("without --name") < screen.text.index("anna")
        screen.send("q")

        assert screen.end() == 0


def test_preferences_are_taken(paths: Paths) -> None:
    """Glyphs, the mouse and keys as the settings say."""
    paths.config.write_text('[ui]\nascii = "on"\nmouse = "off"\n[ui.keymap]\n"global.shares" = "f6"\n')
    with start(paths) as screen:
        screen.wait_for("anna", "help")
        screen.send("\x1b[17~")
        screen.wait_for("6*Shares")
        screen.send("q")

        assert screen.end() == 0
        assert screen.taken.isascii()
        assert b"\x1b[?1003h" not in screen.taken


def test_settings_that_cannot_be_read_are_told(paths: Paths) -> None:
    """The program runs on its defaults and says what is wrong."""
    paths.config.write_text('[ui]\nmuose = "off"\n')
    with start(paths) as screen:
        screen.wait_for("muose", "anna")
        screen.send("q")

        assert screen.end() == 0


def test_keys_that_clash_are_told(paths: Paths) -> None:
    """At the start, in the status row."""
    paths.config.write_text('[ui.keymap]\n"shares.add" = "x"\n')
    with start(paths) as screen:
        screen.wait_for("x means both", "anna")
        screen.send("q")

        assert screen.end() == 0


def test_profile_that_cannot_be_used_is_told_as_ever(paths: Paths) -> None:
    """On stderr, with the exit code of every verb."""
    file = paths.home / "file"
    file.write_text("")
    with start(paths, PEERTERM_HOME=str(file)) as screen:
        screen.wait_for("the profile folder cannot be used")

        assert screen.end() == 2
        assert b"\x1b" not in screen.taken
