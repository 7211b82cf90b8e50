"""Lanes whose answers nobody waits for any more."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from peerterm.core.ids import PeerId
from peerterm.core.pieces import Refusal
from peerterm.net.lanes import Accepted, Outcome, PeerLanes, Refused
from tests.fakes.lane_ends import CHUNKS, Memory, Source, answering, contexts_in, dial

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from peerterm.core.pieces import Fetch, Piece
    from peerterm.net.tls_stream import TlsStream

FIRST, SECOND, THIRD, FOURTH = CHUNKS


class Slow(Source):
    """Serves a piece for each time it is let go on."""

    def __init__(self) -> None:
        super().__init__()
        self.served: list[Piece] = []
        self.asked = threading.Semaphore(0)
        self.may_go_on = threading.Semaphore(0)

    def read_piece(self, piece: Piece) -> bytes:
        self.asked.release()
        self.may_go_on.acquire(timeout=10)
        self.served.append(piece)
        return super().read_piece(piece)


class World:
    """One lane to a slow server."""

    def __init__(self, source: Slow, connect: Callable[[], TlsStream]) -> None:
        self.source = source
        self._connect_plainly = connect
        self._outcomes: asyncio.Queue[Outcome] = asyncio.Queue()
        self.lanes = PeerLanes(
            PeerId("a" * 64),
            self._connect,
            loop=asyncio.get_running_loop(),
            on_outcome=self._outcomes.put_nowait,
            lanes=1,
        )

    def _connect(self, adopt: Callable[[socket.socket], None]) -> TlsStream:
        stream = self._connect_plainly()
        adopt(stream._socket)
        return stream

    async def ask(self, *fetches: Fetch) -> None:
        """Submit fetches, and wait until the server works on one of them."""
        for fetch in fetches:
            self.lanes.submit(fetch, Memory())
        assert await asyncio.to_thread(self.source.asked.acquire, timeout=10)

    async def outcomes(self, count: int) -> list[Outcome]:
        """Wait for so many outcomes."""
        return [await asyncio.wait_for(self._outcomes.get(), 10) for _ in range(count)]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Run both ends."""
    contexts, source = contexts_in(tmp_path), Slow()
    async with answering(contexts, source) as server:
        world = World(source, lambda: dial(contexts, server.address))
        yield world
        source.may_go_on.release(100)
        await world.lanes.close()


async def test_lane_that_brings_nothing_wanted_ends_at_once(world: World) -> None:
    """All its fetches are lost, and what is asked for next does not wait behind them."""
    await world.ask(FIRST, SECOND, THIRD)
    world.lanes.forget(lambda fetch: fetch is not FOURTH)
    world.lanes.submit(FOURTH, Memory())
    lost = await world.outcomes(3)
    world.source.may_go_on.release(100)
    [last] = await world.outcomes(1)

    assert {outcome.fetch.piece for outcome in lost} == {fetch.piece for fetch in (FIRST, SECOND, THIRD)}
    assert {outcome.result for outcome in lost} == {Refused(Refusal.LOST)}
    assert last == Outcome(FOURTH, Accepted(None))
    assert {SECOND.piece, THIRD.piece}.isdisjoint(world.source.served)


async def test_lane_that_brings_something_wanted_goes_on(world: World) -> None:
    """Others are not made to ask again for what is on its way."""
    await world.ask(FIRST, SECOND)
    world.lanes.forget(lambda fetch: fetch is FIRST)
    world.source.may_go_on.release(100)

    assert await world.outcomes(2) == [Outcome(fetch, Accepted(None)) for fetch in (FIRST, SECOND)]


async def test_idle_lane_is_kept(world: World) -> None:
    """A lane from which nothing is to come serves whoever asks next."""
    world.source.may_go_on.release(100)
    await world.ask(FIRST)
    await world.outcomes(1)
    world.lanes.forget(lambda _: True)
    await world.ask(SECOND)

    assert await world.outcomes(1) == [Outcome(SECOND, Accepted(None))]
    assert len(world.source.readers) == 1
