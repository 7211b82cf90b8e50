"""The command line as a whole: options, errors, exit codes, help."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from peerterm import __main__, __version__
from peerterm.cli import app as module
from peerterm.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fakes.fake_engine import FakeEngine
    from tests.fakes.serving import ServedEngine

VERBS = [name for name in app if not name.startswith("-")]


@pytest.mark.parametrize("verb", [*VERBS, "config list", "config get", "config set", "config path"])
def test_every_verb_explains_itself(verb: str, run: Callable[..., Any]) -> None:
    """Help names the common options and shows an example."""
    shown = run(*verb.split(), "--help")

    assert shown.code == 0
    assert f"peerterm {verb}" in shown.out
    assert "--profile" in shown.out
    assert "Example" in shown.out
    assert "False" not in shown.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--json", "shares"],
        ["shares", "--json"],
        ["--quiet", "--profile", "{home}", "--no-start", "--json", "shares"],
        ["--profile={home}", "-q", "shares", "--json"],
    ],
)
def test_common_options_stand_before_or_after_the_verb(
    arguments: list[str], home: Path, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """The place of a common option makes no difference."""
    done = run(*(part.format(home=home) for part in arguments))

    assert (done.code, done.json) == (0, [])


def test_common_options_before_a_verb_of_two_words(home: Path, run: Callable[..., Any]) -> None:
    """Groups of verbs take them as well."""
    done = run("--json", "config", "path")

    assert done.json == {"path": str(home / "config.toml")}


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["statsu"], "unknown verb: statsu", "did you mean: peerterm status"),
        (["qqqqqq"], "unknown verb: qqqqqq", "peerterm --help lists all"),
        (["-q", "statsu", "--help"], "unknown verb: statsu", "did you mean: peerterm status"),
        (["peers", "--timeout", "nan"], "from 0 to 1000000", "peerterm peers --help"),
        (["log", "-n", "0"], "from 1 to 1000", "peerterm log --help"),
        (["share", ""], "an empty path", "for the current folder, write ."),
        (["stop", "now"], "too many arguments: now", "peerterm stop --help"),
        (["search"], "WORDS", "peerterm search --help"),
        (["peers", "--wiat", "1"], "--wiat", "peerterm peers --help"),
        (["peers", "--wait", "x"], "--wait", "peerterm peers --help"),
        (["config", "set", "port"], "VALUE", "peerterm config set --help"),
    ],
)
def test_usage_errors_exit_with_2(arguments: list[str], message: str, hint: str, run: Callable[..., Any]) -> None:
    """One line says what is wrong, the next what to do; nothing on stdout."""
    done = run(*arguments)

    first, second = done.err.splitlines()
    assert (done.code, done.out) == (2, "")
    assert first.startswith("peerterm: ")
    assert message in first
    assert second == f"  {hint}"


def test_errors_are_json_when_asked_for(run: Callable[..., Any]) -> None:
    """A script gets the code on stderr, as one object."""
    done = run("stop", "--json")

    error = json.loads(done.err)["error"]
    assert (done.code, done.out) == (3, "")
    assert error["code"] == "engine_not_running"
    assert set(error) == {"code", "message", "hint"}


def test_no_start_refuses_with_3(home: Path, run: Callable[..., Any]) -> None:
    """No engine is started behind the user's back."""
    done = run("shares", "--no-start")

    assert done.code == 3
    assert "no engine runs" in done.err
    assert not (home / "lock").exists()


def test_error_text_of_a_peer_is_cleaned(fake: FakeEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """No escape reaches the terminal by way of a message."""
    done = run("browse", "\x1b[2Jevil\u202e")

    assert done.code == 4
    assert done.err.startswith("peerterm: [2Jevil: there is none")


def test_interrupt_ends_with_130(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl+C is no error to be explained."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "app", interrupt)
    monkeypatch.setattr(module, "_verb_first", list)

    assert run("status").code == 130


def test_version_loads_nothing_else(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The fast path and the command line say the same."""
    monkeypatch.setattr(sys, "argv", ["peerterm", "--version"])
    fast = __main__.main()
    monkeypatch.setattr(sys, "argv", ["peerterm", "--json", "--version"])
    slow = __main__.main()

    shown = capsys.readouterr().out.splitlines()
    assert (fast, slow) == (0, 0)
    assert shown == [f"peerterm {__version__}"] * 2


def test_version_is_told_at_once() -> None:
    """``peerterm --version`` takes less than 0.15 s; the best of three, as the machine may be busy."""

    def measure() -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "peerterm", "--version"], check=True, capture_output=True)
        return time.perf_counter() - start

    assert min(measure() for _ in range(3)) < 0.15


def test_closed_pipe_is_quiet(home: Path) -> None:
    """``peerterm ... | head -0`` prints no traceback."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "peerterm", "config", "list", "--json"],
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
        text=True,
    )
    os.close(write)

    assert (done.returncode, done.stderr) == (0, "")
