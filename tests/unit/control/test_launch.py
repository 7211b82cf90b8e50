"""Finding or starting an engine, with real processes."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from peerterm.control import launch
from peerterm.control.launch import attach, wait_ready
from peerterm.control.lock import ProfileLock, is_held
from peerterm.control.server import ControlServer
from peerterm.errors import ControlError, EngineNotRunning, PortTaken, StorageError
from peerterm.paths import Paths
from tests.fakes.fake_engine import FakeEngine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from peerterm.control.client import RemoteEngine

SCRIPT = str(Path(__file__).parents[2] / "fakes" / "engine_process.py")


def behaving(how: str) -> list[str]:
    """Return the command of an engine that behaves so."""
    return [sys.executable, SCRIPT, how]


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Return a new profile."""
    return Paths.resolve(str(tmp_path / "profile"), {})


@pytest.fixture
async def stopping(paths: Paths) -> AsyncIterator[None]:
    """Stop the engine that a test left."""
    yield
    engine = await attach(paths, start=False)
    await end(engine, paths)


async def end(engine: RemoteEngine, paths: Paths) -> None:
    """Stop an engine and wait until its process let go of the profile."""
    async with engine, asyncio.timeout(10):
        await engine.stop()
        await engine.wait_closed()
        while is_held(paths.lock):
            await asyncio.sleep(0.01)


async def told_busy(paths: Paths) -> None:
    """Wait until an engine ended because another holds the profile."""
    async with asyncio.timeout(10):
        while not paths.start_log.exists() or "engine_busy" not in paths.start_log.read_text():
            await asyncio.sleep(0.01)


async def test_engine_that_runs_is_attached_to(paths: Paths) -> None:
    """None is started then."""
    async with ControlServer(FakeEngine(), paths.socket), await attach(paths, command=["/absent"]) as engine:
        status = await engine.status()

    assert status.name == "fake"
    assert not engine.is_new


async def test_missing_engine_is_started_detached(paths: Paths, stopping: None) -> None:
    """It gets its arguments, a session of its own, and outlives the client."""
    started: list[bool] = []
    engine = await attach(
        paths, command=behaving("serve"), extra_args=["--name=x"], on_start=lambda: started.append(True)
    )
    is_new = engine.is_new
    await engine.close()
    async with await attach(paths, start=False) as again:
        status = await again.status()
    process = int(paths.lock.read_text())

    arguments = (paths.home / "arguments").read_text().splitlines()
    assert (is_new, started) == (True, [True])
    assert status.name == "fake"
    assert arguments == ["--no-ui", "--until-idle", "--quiet", "--json", f"--profile={paths.home}", "--name=x"]
    assert os.getsid(process) == process != os.getsid(0)


async def test_two_that_start_at_once_attach_to_one_engine(paths: Paths, stopping: None) -> None:
    """The loser's engine ends by itself; neither client notices."""
    first, second = await asyncio.gather(*(attach(paths, command=behaving("serve")) for _ in range(2)))
    first_status, second_status = await first.status(), await second.status()
    await first.close()
    await second.close()
    await told_busy(paths)

    assert first_status == second_status
    assert is_held(paths.lock)


async def test_no_start_refuses_at_once(paths: Paths) -> None:
    """Nothing is started behind the user's back."""
    with pytest.raises(EngineNotRunning):
        await attach(paths, start=False, command=behaving("serve"))

    assert not (paths.home / "arguments").exists()


async def test_error_of_the_engine_is_the_callers(paths: Paths) -> None:
    """It has the type, message and hint that the engine reported."""
    with pytest.raises(PortTaken) as raised:
        await attach(paths, command=behaving("fail"))

    assert (raised.value.message, raised.value.hint) == ("port 1 is taken", "choose another")


async def test_crash_of_the_engine_shows_its_last_line(paths: Paths) -> None:
    """The whole of it is in start.log."""
    with pytest.raises(ControlError, match="ZeroDivisionError: bug") as raised:
        await attach(paths, command=behaving("crash"))

    assert "start.log" in raised.value.hint
    assert "Traceback" in paths.start_log.read_text()


async def test_only_the_last_start_is_reported(paths: Paths) -> None:
    """What an earlier engine said is not taken for this one's, and the file stays small."""
    paths.start_log.write_text('{"error": {"code": "disk_full", "message": "old", "hint": ""}}\n')
    with pytest.raises(ControlError, match="ended with 0"):
        await attach(paths, command=["/bin/true"])
    paths.start_log.write_text("x" * (launch.MAX_START_LOG_BYTES + 1))
    with pytest.raises(ControlError, match="ended with 1"):
        await attach(paths, command=["/bin/false"])

    assert paths.start_log.read_text() == ""


async def test_engine_that_hangs_is_not_waited_for(paths: Paths) -> None:
    """The message says where to look."""
    script = "import signal, sys; sys.stdin.close(); signal.alarm(1); signal.pause()"

    with pytest.raises(ControlError, match="not ready") as raised:
        await attach(paths, command=[sys.executable, "-c", script], seconds=0.2)

    assert "peerterm.log" in raised.value.hint


async def test_engine_that_is_about_to_end_is_waited_for(paths: Paths, stopping: None) -> None:
    """A profile that is still held by an ending engine is tried again."""
    with ProfileLock(paths.lock):
        waiting = asyncio.ensure_future(attach(paths, command=behaving("serve")))
        await told_busy(paths)
    engine = await waiting
    await engine.close()

    assert engine.is_new


async def test_command_that_does_not_exist_is_told(paths: Paths) -> None:
    """The hint is to start it by hand."""
    with pytest.raises(StorageError, match="cannot be started"):
        await attach(paths, command=["/absent/python"])


async def test_wait_ready_attaches_as_soon_as_somebody_serves(paths: Paths) -> None:
    """The engine is started by somebody else."""
    waiting = asyncio.ensure_future(wait_ready(paths, seconds=10))
    await asyncio.sleep(0)
    async with ControlServer(FakeEngine(), paths.socket), await waiting as engine:
        status = await engine.status()

    assert status.name == "fake"
    with pytest.raises(EngineNotRunning):
        await wait_ready(paths, seconds=0.03)


def test_source_tree_is_found_from_another_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package needs no help."""
    monkeypatch.setenv("PYTHONPATH", "/other")
    root = str(Path(__file__).parents[3])
    tree = launch.environment()["PYTHONPATH"]
    monkeypatch.setattr("peerterm.__file__", "/lib/site-packages/peerterm/__init__.py")

    assert tree == f"{root}{os.pathsep}/other"
    assert launch.environment()["PYTHONPATH"] == "/other"
