"""The connection to the engine, whatever becomes of it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from peerterm.api.events import Notice, Snapshot
from peerterm.errors import ControlError, EngineNotRunning, PortTaken, VersionMismatch
from peerterm.tui import attachment as module
from peerterm.tui.attachment import Attachment
from tests.fakes.fake_engine import FakeEngine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from peerterm.api.events import Event
    from peerterm.errors import PeertermError

LOOKS = 1000


class Scene:
    """A connection to what ``world`` holds: engines and errors, one an attempt, the last for ever.

    Attributes:
        starts: Of each attempt, whether it might start an engine.
        open_connections: How many are held.
    """

    def __init__(self, *world: FakeEngine | PeertermError) -> None:
        self.world = list(world)
        self.starts: list[bool] = []
        self.heard: list[Event] = []
        self.states: list[str] = []
        self.open_connections = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.attachment = Attachment(self._connect, self.heard.append, self._told)

    def _told(self) -> None:
        self.states.append(self.attachment.lost)

    @asynccontextmanager
    async def _connect(self, start: bool) -> AsyncIterator[FakeEngine]:
        self.starts.append(start)
        await self.gate.wait()
        found = self.world.pop(0) if len(self.world) > 1 else self.world[0]
        if not isinstance(found, FakeEngine):
            raise found
        self.open_connections += 1
        try:
            yield found
        finally:
            self.open_connections -= 1

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run it; ends it and checks that nothing of it is left."""
        before = asyncio.all_tasks()
        task = asyncio.create_task(self.attachment.run())
        try:
            yield
        finally:
            assert not task.done()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert asyncio.all_tasks() <= before
            assert self.open_connections == 0
            assert all(each.open_streams == 0 for each in self.world if isinstance(each, FakeEngine))
            assert not self.attachment.is_attached

    async def until(self, holds: Callable[[], object]) -> None:
        """Let it work until something holds."""
        for _ in range(LOOKS):
            if holds():
                return
            await asyncio.sleep(0)
        raise AssertionError(f"it never came: {self.starts} {self.states}")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other at once."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)


NOT_RUNNING = EngineNotRunning("no engine runs on this profile", "start one")


async def test_engine_is_heard_from_its_snapshot_on() -> None:
    """It may be started, once; every event arrives in order."""
    fake = FakeEngine()
    scene = Scene(fake)
    async with scene.running():
        await scene.until(lambda: scene.heard)
        fake.announce(Notice(level="info", text="hello"))
        await scene.until(lambda: len(scene.heard) == 2)

        assert isinstance(scene.heard[0], Snapshot)
        assert scene.attachment.is_attached
        assert scene.attachment.engine is fake
        assert scene.attachment.lost == ""
        assert (scene.starts, scene.states) == ([True], [""])


async def test_without_an_engine_questions_fail_politely() -> None:
    """Whoever asks is told, and nothing waits."""
    attachment = Scene(NOT_RUNNING).attachment

    assert not attachment.is_attached
    with pytest.raises(EngineNotRunning, match="the engine is gone"):
        attachment.engine  # noqa: B018 - it raises


async def test_engine_that_was_stopped_is_not_started_again() -> None:
    """Somebody wanted that; the reason stays while it is looked for."""
    fake = FakeEngine()
    scene = Scene(fake, NOT_RUNNING)
    async with scene.running():
        await scene.until(lambda: scene.attachment.is_attached)
        await fake.stop()
        await scene.until(lambda: len(scene.starts) > 5)

        assert not any(scene.starts[1:])
        assert scene.attachment.lost == "the engine has ended"
        assert not scene.attachment.is_attached


async def test_engine_that_comes_back_is_taken() -> None:
    """With a snapshot of its own; the reason is gone."""
    first, second = FakeEngine(), FakeEngine()
    scene = Scene(first, NOT_RUNNING, NOT_RUNNING, second)
    async with scene.running():
        await scene.until(lambda: scene.heard)
        await first.stop()
        await scene.until(lambda: len(scene.heard) == 2)

        assert scene.attachment.engine is second
        assert scene.attachment.lost == ""
        assert scene.open_connections == 1


async def test_reason_why_none_could_start_stays() -> None:
    """The looks that follow know only that none runs, which says less."""
    scene = Scene(PortTaken("port 47470 is taken", "choose another: --port"), NOT_RUNNING)
    async with scene.running():
        await scene.until(lambda: len(scene.starts) > 5)

        assert scene.attachment.lost == "port 47470 is taken (choose another: --port)"
        assert scene.starts[:3] == [True, False, False]


@pytest.mark.parametrize("error", [VersionMismatch("another version", "update"), ControlError("cannot be reached")])
async def test_newer_trouble_replaces_older(error: PeertermError) -> None:
    """An engine that is there and cannot be used is another matter than none."""
    scene = Scene(NOT_RUNNING, error)
    async with scene.running():
        await scene.until(lambda: len(scene.starts) > 3)

        assert scene.attachment.lost == error.advice


async def test_user_starts_an_engine() -> None:
    """At once, and for one attempt."""
    fake = FakeEngine()
    scene = Scene(NOT_RUNNING, NOT_RUNNING, NOT_RUNNING, fake)
    async with scene.running():
        await scene.until(lambda: len(scene.starts) == 2)
        scene.attachment.start_engine()
        await scene.until(lambda: scene.attachment.is_attached)

        assert scene.starts == [True, False, True, False]


async def test_wish_during_an_attempt_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempt that is under way does not know of it, so the next one comes at once."""
    scene = Scene(NOT_RUNNING, NOT_RUNNING, FakeEngine())
    async with scene.running():
        await scene.until(lambda: len(scene.starts) == 1)
        scene.gate.clear()
        await scene.until(lambda: len(scene.starts) == 2)
        monkeypatch.setattr(module, "RETRY_SECONDS", 3600.0)
        scene.attachment.start_engine()
        scene.gate.set()
        await scene.until(lambda: scene.attachment.is_attached)

        assert scene.starts == [True, False, True]


async def test_lost_connection_is_an_error_that_is_told() -> None:
    """The stream may end in the middle of a word."""

    class Breaking(FakeEngine):
        async def events(self) -> AsyncIterator[Event]:
            async for event in super().events():
                yield event
                raise ControlError("the connection broke")

    scene = Scene(Breaking(), NOT_RUNNING)
    async with scene.running():
        await scene.until(lambda: len(scene.starts) > 2)

        assert scene.attachment.lost == "the connection broke"
        assert scene.open_connections == 0


async def test_end_while_connecting_leaves_nothing() -> None:
    """The program may be left before there ever was an engine."""
    scene = Scene(FakeEngine())
    scene.gate.clear()
    async with scene.running():
        await scene.until(lambda: scene.starts)

        assert not scene.attachment.is_attached
