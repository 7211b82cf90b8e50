"""The full-screen program on a terminal of its own, and what its user feels of it: time, output, processor time.

``python -m tests.bench.terminal PROFILE HITS`` is an engine whose every search finds so many contents: a real one
asks each peer for its best 200 only. A peer says so many lines in ``#lan``, in ``FLOOD_SECONDS``, once we say
``go``: a real one takes no such flood.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from peerterm.api.views import HolderView
from peerterm.control.server import ControlServer
from peerterm.paths import Paths
from tests.fakes.fake_engine import FakeEngine, make_hit, make_peer
from tests.fakes.pty_screen import XTERM, Screen

from .machine import MIB, Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from peerterm.api.views import MessageView

Value = TypeVar("Value")

ENTER, ESCAPE, REDRAW, DOWN_PAGE, UP_PAGE = "\r", "\x1b", "\x0c", "\x1b[6~", "\x1b[5~"
NEAR: Mapping[str, int] = {"j": 8, " ": 3, "k": 4, DOWN_PAGE: 4, UP_PAGE: 3}
FAR: Mapping[str, int] = {**NEAR, "G": 1, "g": 1}
"""How often a key is pressed among others: of those that stay near, and of all that go through a list."""

PATIENCE = 30.0
"""Seconds after which a benchmark gives up."""

PAUSES = (0.02, 0.12)
"""Seconds between two keys of somebody in a hurry."""


FLOOD_SECONDS, FLOOD_STEPS = 10.0, 200
"""In what time, and how many portions, lines come."""


class Tui(Screen):
    """The program on 80 columns and 24 rows, attached to an engine; killed at the end of the context."""

    def __init__(self, engine: Engine) -> None:
        super().__init__([sys.executable, "-m", "peerterm"], engine.environment | XTERM)

    def __enter__(self) -> Self:
        return self

    def settle(self, *texts: str) -> Tui:
        """Wait until texts were painted, and until nothing else is."""
        self.wait_for(*texts, seconds=PATIENCE)
        self.read(1.0)
        self.forget()
        return self

    def press(self, keys: str, text: str) -> float:
        """Press keys; return the seconds until a text is painted that they bring on the screen."""
        self.forget()
        wanted, started_at = text.encode(), time.perf_counter()
        self.send(keys)
        while wanted not in self.taken:
            if (left := started_at + PATIENCE - time.perf_counter()) <= 0:
                raise AssertionError(f"{keys!r} does not show {text!r}: {self.redrawn()}")
            self._read(left)
        return time.perf_counter() - started_at

    def redrawn(self) -> str:
        """Return what is on the screen."""
        self.forget()
        self.send(REDRAW)
        self.read(0.5)
        return self.text

    def walk(self, names: Sequence[str], count: int, keys: Mapping[str, int], page: int = 18) -> list[float]:
        """Press some of these keys, by how often; return the seconds that each took to move a list of these names.

        The cursor is on the first row, and the names on all that these keys reach.
        """
        rng, line, last = random.Random(1), 0, len(names) - 1
        taken: list[float] = []
        steps = {"j": 1, " ": 1, "k": -1, DOWN_PAGE: page, UP_PAGE: -page, "G": last, "g": -last}
        while len(taken) < count:
            (key,) = rng.choices(list(keys), list(keys.values()))
            target = min(max(line + steps[key], 0), last)
            if target != line:
                line = target
                taken.append(self.press(key, names[line]))
                self.read(rng.uniform(*PAUSES))
        return taken

    def rest(self, unfinished: str) -> None:
        """Wait until a word that tells of something under way is on the screen no more."""
        until = time.perf_counter() + PATIENCE
        while unfinished in self.redrawn():
            assert time.perf_counter() < until, f"for ever {unfinished!r}: {self.text}"

    def cost(self, seconds: float) -> tuple[float, float]:
        """Return the share of a core and the bytes a second that it takes as it is, over a time."""
        self.forget()
        before, started_at = self.cpu_seconds(), time.perf_counter()
        self.read(seconds)
        elapsed = time.perf_counter() - started_at
        return (self.cpu_seconds() - before) / elapsed, len(self.taken) / elapsed

    def read_while(self, work: Callable[[], Value]) -> Value:
        """Do some work in a thread, and read meanwhile."""
        with ThreadPoolExecutor(1) as pool:
            job = pool.submit(work)
            while not job.done():
                self.read(0.05)
                self.forget()
            return job.result()


def p95(values: Sequence[float]) -> float:
    """Return what 95 of a hundred values do not exceed."""
    return sorted(values)[math.ceil(len(values) * 0.95) - 1]


def say_latencies(what: str, values: Sequence[float]) -> None:
    """Print how long something took."""
    half = sorted(values)[len(values) // 2]
    print(
        f"{what:46}{len(values):5} x, median{half * 1000:6.1f} ms, p95{p95(values) * 1000:6.1f},"
        f" max{max(values) * 1000:6.1f}; load {os.getloadavg()[0]:.1f}"
    )


def fetch(leech: Engine, reference: str) -> tuple[float, int]:
    """Get a content and throw it away; return the seconds and bytes of it."""
    got = leech.json("get", reference)
    Path(got["path"]).unlink()
    return got["seconds"], got["bytes"]


@contextmanager
def fetching(leech: Engine, reference: str) -> Iterator[None]:
    """Get a content at full speed, over and over again; print how fast that was."""
    done, is_over = [], threading.Event()

    def repeat() -> None:
        while not is_over.is_set():
            done.append(fetch(leech, reference))

    worker = threading.Thread(target=repeat)
    worker.start()
    try:
        yield
    finally:
        is_over.set()
        worker.join()
        seconds, size = (sum(each) for each in zip(*done, strict=True))
        print(f"{'meanwhile a transfer at':46}{size / MIB / seconds:5.0f} MiB/s, {len(done)} times")


class Crowded(FakeEngine):
    """An engine that hears very much."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self._count = lines

    async def say(self, conversation: str, text: str, kind: str = "text") -> MessageView:
        """Let the flood come when that is said."""
        if text == "go":
            self.start(self._flood())
        return await super().say(conversation, text, kind)

    async def _flood(self) -> None:
        (peer,) = self.known_peers
        for step in range(FLOOD_STEPS):
            for number in range(step * self._count // FLOOD_STEPS, (step + 1) * self._count // FLOOD_STEPS):
                self.hear(
                    "#lan", peer, f"flood {number:06}, and some words so that it is as long as a line of a person"
                )
            await asyncio.sleep(FLOOD_SECONDS / FLOOD_STEPS)


async def serve(paths: Paths, hits: int) -> None:
    """Be an engine that finds many contents."""
    engine = Crowded(hits)
    engine.known_peers = [make_peer("seed")]
    holders = [HolderView(peer_id=engine.known_peers[0].peer_id, name="seed")]
    engine.hits = [
        make_hit(name, path=f"Videos/{number % 500}/{name}", root=f"{number:064x}", size=number, peers=holders)
        for number, name in enumerate(names_of("hit", hits))
    ]
    async with ControlServer(engine, paths.socket):
        await engine.run_until_stopped()


def names_of(kind: str, count: int) -> list[str]:
    """Return names in their order, none of them a part of another."""
    return [f"{kind} {number:06}.mkv" for number in range(count)]


if __name__ == "__main__":
    asyncio.run(serve(Paths.resolve(sys.argv[1], {}), int(sys.argv[2])))
