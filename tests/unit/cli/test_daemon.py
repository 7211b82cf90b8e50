"""``peerterm --no-ui`` with the real engine, as a process on the loopback interface."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from peerterm.cli import daemon
from peerterm.control.lock import is_held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[3]


@pytest.fixture
def environment(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Keep every engine of the test on this machine."""
    monkeypatch.setenv("PEERTERM_INTERFACE", "lo")
    monkeypatch.setenv("PEERTERM_DOWNLOAD_DIR", str(tmp_path / "downloads"))
    monkeypatch.setenv("PEERTERM_NAME", "lab")
    monkeypatch.chdir(ROOT)
    return home


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start an engine in the foreground."""
    command = [sys.executable, "-m", "peerterm", "--no-ui", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def engine(environment: Path) -> Iterator[subprocess.Popen[str]]:
    """Yield an engine that is ready."""
    process = start()
    assert process.stderr is not None
    while "is ready" not in (line := process.stderr.readline()):
        assert line, "the engine ended"
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_it_in_order(engine: subprocess.Popen[str], environment: Path, number: int) -> None:
    """It ends within five seconds with 0, and leaves neither socket nor lock."""
    begin = time.monotonic()
    engine.send_signal(number)
    code = engine.wait(10)

    assert code == 0
    assert time.monotonic() - begin < 5
    assert not (environment / "run" / "control.sock").exists()
    assert not is_held(environment / "lock")


def test_ready_line_names_port_and_profile(environment: Path) -> None:
    """One line on stderr, nothing on stdout."""
    process = start("--name", "desk")
    assert process.stderr is not None
    lines = [process.stderr.readline()]
    while "is ready" not in lines[-1]:
        assert lines[-1], "the engine ended"
        lines.append(process.stderr.readline())
    process.terminate()
    out, _ = process.communicate(timeout=10)

    assert lines[-1].startswith("peerterm desk is ready: port ")
    assert str(environment) in lines[-1]
    assert out == ""


def test_second_engine_is_refused(
    engine: subprocess.Popen[str], run: Callable[..., Any], environment: Path
) -> None:
    """The message names the first one's process."""
    done = run("--no-ui", "--json")

    error = json.loads(done.err)["error"]
    assert done.code == 1
    assert error["code"] == "engine_busy"
    assert str(engine.pid) in error["message"]


def test_verbs_reach_it(engine: subprocess.Popen[str], run: Callable[..., Any], tmp_path: Path) -> None:
    """Share, list, look at, stop."""
    (tmp_path / "film.txt").write_text("x" * 1000)
    shared = run("share", str(tmp_path / "film.txt"), "--json")
    status = run("status", "--wait", "5", "--json")
    stopped = run("stop")

    assert (shared.code, shared.json[0]["state"], shared.json[0]["bytes"]) == (0, "ready", 1000)
    assert (status.json["state"], status.json["pid"], status.json["name"]) == ("ready", engine.pid, "lab")
    assert stopped.code == 0
    assert engine.wait(10) == 0


def test_verb_starts_it_in_the_background(environment: Path, run: Callable[..., Any]) -> None:
    """The first verb takes the time to start it, and says so; stop ends it."""
    first = run("shares")
    status = run("status", "--no-start", "--json")
    stopped = run("stop")

    assert first.code == 0
    assert "starting the engine" in first.err
    assert status.json["interfaces"] == ["lo"]
    assert os.getsid(0) != status.json["pid"]
    assert stopped.code == 0


def test_bad_settings_are_told_by_the_verb(environment: Path, run: Callable[..., Any]) -> None:
    """The error of the engine that could not start is the verb's own."""
    environment.mkdir(exist_ok=True)
    (environment / "config.toml").write_text("[node]\nprt = 1\n")

    done = run("shares")

    assert done.code == 2
    assert "node.port" in done.err


def test_second_signal_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first asks; the second does not wait for the answer."""
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    asked = asyncio.Event()

    daemon._on_signal(asked, signal.SIGTERM)
    after_first = list(codes)
    daemon._on_signal(asked, signal.SIGTERM)

    assert asked.is_set()
    assert (after_first, codes) == ([], [128 + signal.SIGTERM])


def test_stop_that_takes_too_long_is_abandoned(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The process ends with 1, and the log says why."""
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)

    daemon._abandon()

    assert codes == [1]
    assert "took too long" in caplog.text
