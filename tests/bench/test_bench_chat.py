"""How long a message takes there and back between two engines on one machine, which move a big file meanwhile."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from peerterm.api.events import MessageAdded, TransferChanged
from peerterm.control.client import RemoteEngine
from peerterm.paths import Paths
from tests.netns.trees import make_file

from .machine import MIB, engines, warm

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from .machine import Engine

SIZE = 1024 * MIB
ROUND_TRIPS = 200
IDLE_ROUND_TRIPS = 50
PAUSE_SECONDS = 0.2
"""So that all is pushed: beyond 5 lines a second somebody asks for them at its own pace."""
MOST_SECONDS = 0.020
BUSY_DISK = 2
"""How much longer it may take where each write waits behind half a gigabyte a second."""


class Talker:
    """A client of one engine: says things, and hears what is said to it."""

    def __init__(self, engine: RemoteEngine, other: str) -> None:
        self._engine = engine
        self._other = other
        self._heard: asyncio.Queue[str] = asyncio.Queue()
        self.is_listening = asyncio.Event()

    async def listen(self) -> None:
        """Take what is said until cancelled."""
        async with aclosing(cast("AsyncGenerator[object, None]", self._engine.events())) as events:
            async for event in events:
                self.is_listening.set()
                if isinstance(event, MessageAdded) and event.message.state == "received":
                    self._heard.put_nowait(event.message.text)

    async def say(self, text: str) -> None:
        """Say something; return once it is kept."""
        await self._engine.say(self._other, text)

    async def hear(self, text: str) -> None:
        """Wait for something that is said."""
        assert await asyncio.wait_for(self._heard.get(), 10) == text


@asynccontextmanager
async def attached(engine: Engine) -> AsyncIterator[RemoteEngine]:
    """Be a client of an engine."""
    async with await RemoteEngine.connect(Paths.resolve(None, engine.environment).socket) as remote:
        yield remote


async def fetch_again_and_again(leech: RemoteEngine, reference: str, done: list[int]) -> None:
    """Fetch a file, delete it and fetch it anew until cancelled; note what each fetched."""
    async with aclosing(cast("AsyncGenerator[object, None]", leech.events())) as events:
        transfer = await leech.get(reference)
        async for event in events:
            if not isinstance(event, TransferChanged) or event.transfer.transfer_id != transfer.transfer_id:
                continue
            assert event.transfer.state != "failed", event.transfer
            if event.transfer.state == "done":
                done.append(event.transfer.bytes)
                await asyncio.to_thread(Path(event.transfer.path).unlink)  # a GiB of memory is freed for a while
                await leech.clear(transfer.transfer_id)
                transfer = await leech.get(reference)


async def round_trips(here: Talker, there: Talker, name: str, count: int) -> list[float]:
    """Return how long each message took there and back."""
    seconds = []
    for number in range(count):
        began = time.perf_counter()
        for one, other, text in ((here, there, f"{name} {number}"), (there, here, f"{name} {number} back")):
            saying = asyncio.create_task(one.say(text))
            await other.hear(text)
            await saying
        seconds.append(time.perf_counter() - began)
        await asyncio.sleep(PAUSE_SECONDS)
    return seconds


def percentile(seconds: Sequence[float], part: float) -> float:
    """Return the value that so large a part of the others does not exceed."""
    return sorted(seconds)[int(part * (len(seconds) - 1))]


async def measured(seed: Engine, leech: Engine) -> tuple[list[float], list[float], float]:
    """Return the round trips without and with a transfer, and the bytes a second that this moved."""
    async with attached(seed) as at_seed, attached(leech) as at_leech:
        here, there = Talker(at_seed, "leech"), Talker(at_leech, "seed")
        listening = [asyncio.create_task(talker.listen()) for talker in (here, there)]
        for talker in (here, there):
            await talker.is_listening.wait()
        idle = await round_trips(here, there, "idle", IDLE_ROUND_TRIPS)
        done: list[int] = []
        fetching = asyncio.create_task(fetch_again_and_again(at_leech, "seed/film.mkv", done))
        while not any(transfer.rate > MIB for transfer in await at_leech.transfers()):
            await asyncio.sleep(0.05)
        began, before = time.perf_counter(), await fetched(at_leech, done)
        busy = await round_trips(here, there, "busy", ROUND_TRIPS)
        rate = (await fetched(at_leech, done) - before) / (time.perf_counter() - began)
        assert not fetching.done(), fetching
        for task in (fetching, *listening):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    return idle, busy, rate


async def fetched(leech: RemoteEngine, done: Sequence[int]) -> int:
    """Return how many bytes were fetched so far."""
    return sum(done) + sum(view.bytes for view in await leech.transfers() if view.state != "done")


@pytest.mark.parametrize(("place", "most_seconds"), [("memory", MOST_SECONDS), ("work", MOST_SECONDS * BUSY_DISK)])
def test_message_goes_there_and_back_beside_a_transfer(
    place: str, most_seconds: float, request: pytest.FixtureRequest
) -> None:
    """200 round trips over two clients, each line kept before it is sent, while 1 GiB moves again and again.

    In memory, where the transfer takes all of the processors; and on a disk, which it takes, too.
    """
    folder: Path = request.getfixturevalue(place)
    film = make_file(folder / "film.mkv", SIZE)
    warm(film)
    with engines(folder, "seed", "leech") as (seed, leech):
        seed.run("share", film)
        idle, busy, rate = asyncio.run(measured(seed, leech))

    where = "in memory" if place == "memory" else "on the disk"
    print(f"\n\n{ROUND_TRIPS} round trips of a message, all {where}, milliseconds")
    print(f"{'':34}{'median':>9}{'p95':>9}{'most':>9}")
    for name, seconds in (("nothing else", idle), (f"beside {rate / MIB:,.0f} MiB/s", busy)):
        cells = "".join(f"{1000 * percentile(seconds, part):9.1f}" for part in (0.5, 0.95, 1))
        print(f"{name:34}{cells}")
    assert percentile(busy, 0.95) < most_seconds
