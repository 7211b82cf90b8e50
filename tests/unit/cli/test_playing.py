"""Playing a stream: the line on the terminal, news of the engine, and how it all ends."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

import peerterm
from peerterm.api.events import Event, Notice, Snapshot, StreamChanged, StreamRemoved
from peerterm.cli.common import Common
from peerterm.cli.playing import Progress, detail, follow, guarded
from peerterm.errors import ControlError, PeertermError
from peerterm.player.tracking import Position
from tests.fakes.fake_engine import FakeEngine
from tests.fakes.streamed import ANNA, StreamingEngine, make_item, make_stream, program, song

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from peerterm.api.views import StreamView
    from tests.fakes.serving import ServedEngine

STREAM = make_stream("film", ahead=40_000_000, rate=5e6, sources=[ANNA, replace(ANNA, state="gone")])
AT_12_03 = Position(item=0, seconds=723.4, duration=6120.0, is_started=True)


@pytest.fixture
def fake() -> StreamingEngine:
    """Return the engine, which has a song."""
    engine = StreamingEngine()
    engine.media["abc"] = [song("a.wav", 60)]
    return engine


@pytest.mark.parametrize(
    ("news", "position", "text"),
    [
        (None, None, ""),
        (STREAM, None, "40.0 MB ahead, 5.0 MB/s, 1 source"),
        (STREAM, AT_12_03, "12:03 of 1:42:00, 40.0 MB ahead, 5.0 MB/s, 1 source"),
        (None, AT_12_03, "12:03 of 1:42:00"),
        (None, replace(AT_12_03, duration=None), "12:03"),
        (None, replace(AT_12_03, is_paused=True, is_stalled=True), "12:03 of 1:42:00, paused"),
        (None, replace(AT_12_03, is_stalled=True), "12:03 of 1:42:00, waiting"),
        (replace(STREAM, state="local"), AT_12_03, "12:03 of 1:42:00"),
        (
            replace(STREAM, state="waiting"),
            replace(AT_12_03, is_stalled=True),
            "12:03 of 1:42:00, nobody who has it is online",
        ),
    ],
)
def test_line_says_what_is_known(news: StreamView | None, position: Position | None, text: str) -> None:
    """Where the player is, why it stands still, and how the stream does."""
    assert detail(news, position) == text


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        """Claim to be one."""
        return True


def test_line_is_drawn_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the item that plays, made safe to show."""
    album = make_stream("album", make_item("one"), make_item("two\x1b[2J"), item=1, position=500)
    shown = []
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    for stderr in (io.StringIO(), Terminal()):
        monkeypatch.setattr(sys, "stderr", stderr)
        for position in (None, replace(AT_12_03, item=0), Position()):
            with Progress(album, Common()) as progress:  # what it shows is drawn at its end at the latest
                progress.changed(album)
                if position is not None:
                    progress.moved(position)
        shown.append(stderr.getvalue())

    assert shown[0] == ""
    assert "two[2J" in shown[1]
    assert " 50%" in shown[1]
    assert "one" in shown[1]
    assert " 12%" in shown[1]
    assert "12:03 of 1:42:00" in shown[1]


async def news(*events: Event) -> AsyncIterator[Event]:
    """Yield events."""
    for event in events:
        yield event


class Told(Progress):
    """Notes what the engine says."""

    def __init__(self) -> None:
        super().__init__(STREAM, Common())
        self.news: list[StreamView] = []

    def changed(self, news: StreamView) -> None:
        """Note it."""
        self.news.append(news)


async def snapshot(*streams: StreamView) -> Snapshot:
    """Return what an engine says when something was missed."""
    status = await FakeEngine().status()
    return Snapshot(status=status, peers=[], shares=[], transfers=[], streams=list(streams))


@pytest.mark.parametrize("is_missed", [True, False])
async def test_stream_is_followed_until_it_is_closed(is_missed: bool) -> None:
    """Other streams and events are none of its business; a closing that was missed is seen later."""
    told = Told()
    later = replace(STREAM, position=7)
    other = replace(STREAM, stream_id="ffffffff")
    events = news(
        StreamChanged(stream=other),
        Notice(level="info", text="x"),
        StreamRemoved(stream_id="ffffffff"),
        StreamChanged(stream=STREAM),
        await snapshot(other, later),
        await snapshot(other) if is_missed else StreamRemoved(stream_id=STREAM.stream_id),
    )

    with pytest.raises(PeertermError, match="the stream was closed"):
        await follow(events, STREAM.stream_id, told)

    assert told.news == [STREAM, later]


async def test_end_of_the_engine_is_an_error() -> None:
    """Nothing more will ever come."""
    with pytest.raises(ControlError, match="the engine ended"):
        await follow(news(), STREAM.stream_id, Told())


async def test_work_ends_with_its_guard_and_the_guard_with_its_work() -> None:
    """Whichever ends first; neither goes on alone, whatever happens."""
    ended: list[str] = []

    async def stay(name: str) -> NoReturn:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)
        raise AssertionError

    async def fail() -> NoReturn:
        raise ControlError("gone")

    async def work() -> int:
        return 7

    answer = await guarded(work(), stay("guard"))
    with pytest.raises(ControlError, match="gone"):
        await guarded(stay("work"), fail())
    both = asyncio.create_task(guarded(stay("cancelled work"), stay("cancelled guard")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    both.cancel()
    await asyncio.wait([both])

    assert answer == 7
    assert both.cancelled()
    assert ended == ["guard", "work", "cancelled work", "cancelled guard"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_player_and_stream(
    number: signal.Signals, fake: StreamingEngine, serving: ServedEngine, home: Path, tmp_path: Path
) -> None:
    """In a real process: nothing is left, stdout is empty, the exit code is that of an interrupt."""
    player = program(tmp_path / "bin", "player", "echo $$; echo $$ > $0.pid; exec sleep 60")
    arguments = ["-m", "peerterm", "stream", "abc", "--player", f"{player} {{url}}", "--json"]
    environment = os.environ | {"PYTHONPATH": str(Path(peerterm.__file__).parents[1])}
    pid = Path(f"{player}.pid")
    heeding = ["env", "--default-signal=HUP", sys.executable]  # though the tests may run under nohup
    with subprocess.Popen(
        [*heeding, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        _wait_for(pid)
        process.send_signal(number)
        out, err = process.communicate(timeout=10)

    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert not Path(f"/proc/{pid.read_text().strip()}").exists()
    assert fake.known_streams == []


def test_hang_up_that_is_ignored_ends_nothing(
    fake: StreamingEngine, serving: ServedEngine, home: Path, tmp_path: Path
) -> None:
    """As under ``nohup``."""
    player = program(tmp_path / "bin", "player", "kill -HUP $PPID; sleep 0.1; kill -0 $PPID")
    command = [sys.executable, "-m", "peerterm", "stream", "abc", "--player", f"{player} {{url}}"]
    environment = os.environ | {"PYTHONPATH": str(Path(peerterm.__file__).parents[1])}

    done = subprocess.run(
        ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *command], env=environment, check=False, capture_output=True
    )

    assert done.returncode == 0, done.stderr


def _wait_for(path: Path) -> None:
    pause = threading.Event()  # never set: what is waited for happens in another process
    for _ in range(1000):
        if path.exists() and path.read_text().endswith("\n"):
            return
        pause.wait(0.01)
    raise AssertionError(f"{path} never came")
