"""Engines that end when nobody is attached and there is nothing to do: real processes on the loopback interface."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from peerterm.cli import daemon
from peerterm.control.launch import attach
from peerterm.control.lock import is_held
from peerterm.paths import Paths
from tests.fakes.fake_engine import FakeEngine, make_transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from peerterm.api.views import TransferState

HASTY = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from peerterm.cli import app, daemon
daemon.LINGER_SECONDS = 0.2
sys.exit(app.main(sys.argv[1:]))
"""
COMMAND = [sys.executable, "-c", HASTY]
LONG = 1.5


@pytest.fixture(autouse=True)
def alone(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep every engine of the test on this machine."""
    monkeypatch.setenv("PEERTERM_INTERFACE", "lo")
    monkeypatch.setenv("PEERTERM_DOWNLOAD_DIR", str(tmp_path / "downloads"))


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Yield what starts an engine in the foreground and waits until it is ready."""
    started: list[subprocess.Popen[str]] = []

    def start_one(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen([*COMMAND, "--no-ui", *arguments], stderr=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stderr is not None
        while "is ready" not in (line := process.stderr.readline()):
            assert line, "the engine ended"
        return process

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


async def ends(paths: Paths, seconds: float = 10.0) -> bool:
    """Whether the engine of a profile ends in time."""
    try:
        async with asyncio.timeout(seconds):
            while is_held(paths.lock):
                await asyncio.sleep(0.01)
    except TimeoutError:
        return False
    return True


def goes_on(engine: subprocess.Popen[str]) -> bool:
    """Whether an engine lives many times longer than it waits for a client."""
    try:
        engine.wait(LONG)
    except subprocess.TimeoutExpired:
        return True
    return False


async def test_engine_that_the_screen_started_ends_when_it_is_idle(home: Path) -> None:
    """Not while a client is attached, however quiet; then soon, in order, with nothing left behind."""
    paths = Paths.resolve(str(home), {})
    engine = await attach(paths, command=COMMAND)
    async with engine:
        ended_early = await ends(paths, LONG)

    assert engine.is_new
    assert not ended_early
    assert await ends(paths)
    assert not paths.socket.exists()
    assert "nothing to do" in paths.log.read_text()


async def test_engine_that_was_started_to_stay_stays(home: Path) -> None:
    """A verb's engine ends when it is told to."""
    paths = Paths.resolve(str(home), {})
    async with await attach(paths, command=COMMAND, stays=True):
        pass
    ended_early = await ends(paths, LONG)
    async with await attach(paths, start=False) as again:
        await again.stop()

    assert not ended_early
    assert await ends(paths)


def test_engine_in_the_foreground_stays(
    start: Callable[..., subprocess.Popen[str]], run: Callable[..., Any]
) -> None:
    """A service is not ended by whoever looked at it last."""
    engine = start()
    run("shares", "--no-start")

    assert goes_on(engine)


def test_engine_that_offers_something_goes_on(
    start: Callable[..., subprocess.Popen[str]], run: Callable[..., Any], tmp_path: Path
) -> None:
    """What is shared is for others; when it is not any more, the engine ends."""
    (tmp_path / "film.txt").write_text("x")
    engine = start("--until-idle", "--share", str(tmp_path / "film.txt"))
    went_on = goes_on(engine)
    gone = run("unshare", "film.txt", "--no-start")

    assert went_on
    assert gone.code == 0
    assert engine.wait(10) == 0


@pytest.mark.parametrize(
    ("state", "fields", "is_idle"),
    [
        *((state, {}, False) for state in ("queued", "connecting", "running", "waiting", "verifying")),
        *((state, {}, True) for state in ("done", "failed", "cancelled", "paused")),
        ("paused", {"error_code": "disk_full"}, False),
        ("running", {"direction": "up"}, False),
    ],
)
async def test_transfer_that_goes_on_by_itself_keeps_the_engine(
    state: TransferState, fields: dict[str, Any], is_idle: bool
) -> None:
    """One that the user paused does not; one that a full disk stopped does."""
    fake = FakeEngine()
    fake.known_transfers = [make_transfer("x", state="done"), make_transfer("y", state=state, **fields)]

    assert await daemon._is_idle(fake) is is_idle


async def test_share_keeps_the_engine(tmp_path: Path) -> None:
    """It is offered to whoever comes."""
    fake = FakeEngine()
    await fake.share(str(tmp_path))

    assert not await daemon._is_idle(fake)


def test_flag_without_the_foreground_is_refused(run: Callable[..., Any]) -> None:
    """It would be ignored."""
    done = run("--until-idle")

    assert done.code == 2
    assert "--no-ui" in done.err
