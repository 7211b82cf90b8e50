"""How a control server ends: its clients' streams first, then its clients."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from peerterm.api.events import Snapshot
from peerterm.control import server
from peerterm.control.client import RemoteEngine
from peerterm.control.server import ControlServer
from peerterm.errors import ControlError
from tests.fakes.fake_engine import FakeEngine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from peerterm.api.events import Event


class SlowEngine(FakeEngine):
    """Its events end so long after it was stopped; never without a time."""

    def __init__(self, seconds: float | None) -> None:
        super().__init__()
        self._seconds = seconds

    async def events(self) -> AsyncIterator[Event]:
        """Yield a snapshot, and end."""
        async for event in super().events():
            yield event
            await self.run_until_stopped()
            await (asyncio.Event().wait() if self._seconds is None else asyncio.sleep(self._seconds))
            return


async def subscribed(engine: FakeEngine, path: Path, broken: Exception | None = None) -> list[Event]:
    """Serve an engine until it is stopped, or breaks; return what a client of its events got."""
    got: list[Event] = []
    first = asyncio.Event()

    async def subscribe(remote: RemoteEngine) -> None:
        async for event in remote.events():
            got.append(event)
            first.set()

    with suppress(ZeroDivisionError):
        async with ControlServer(engine, path):
            remote = await RemoteEngine.connect(path)
            subscriber = asyncio.create_task(subscribe(remote))
            await first.wait()
            await remote.stop()
            if broken:
                raise broken
    async with remote:
        await subscriber
    return got


async def test_stream_that_ends_with_the_engine_ends_in_order(tmp_path: Path) -> None:
    """The client is told the end, not that the connection is gone."""
    got = await subscribed(SlowEngine(0.05), tmp_path / "socket")

    assert [type(event) for event in got] == [Snapshot]


@pytest.mark.parametrize("broken", [None, ZeroDivisionError()])
async def test_stream_that_goes_on_or_of_a_broken_engine_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: Exception | None
) -> None:
    """Nobody is waited for without end, and a bug is no clean stop."""
    monkeypatch.setattr(server, "END_SECONDS", 60.0 if broken else 0.05)

    async with asyncio.timeout(10):
        with pytest.raises(ControlError, match="closed the connection"):
            await subscribed(SlowEngine(None), tmp_path / "socket", broken)


async def test_alone_is_who_has_had_no_client_for_a_while(tmp_path: Path) -> None:
    """A client puts it off, one that comes meanwhile too."""
    path = tmp_path / "socket"
    async with ControlServer(FakeEngine(), path) as serving:
        async with await RemoteEngine.connect(path):
            alone = asyncio.create_task(serving.wait_alone(0.1))
            await asyncio.wait([alone], timeout=0.3)
            was_alone_with_a_client = alone.done()
        async with await RemoteEngine.connect(path):
            await asyncio.wait([alone], timeout=0.3)
            was_alone_with_another = alone.done()
        async with asyncio.timeout(10):
            await alone

    assert not was_alone_with_a_client
    assert not was_alone_with_another
