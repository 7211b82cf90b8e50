"""Serves an engine on a real control socket, in this loop or in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from peerterm.control.server import ControlServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.fakes.fake_engine import FakeEngine


class ServedEngine:
    """A fake engine whose loop runs in another thread, as a verb of the command line meets it."""

    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()

    def run(self, socket: Path) -> None:
        """Serve until the engine is stopped."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve(socket))

    async def _serve(self, socket: Path) -> None:
        async with ControlServer(self.engine, socket):
            self._ready.set()
            await self.engine.run_until_stopped()
            await asyncio.sleep(0)  # the answer to `stop` leaves first

    def wait(self) -> None:
        """Return once it serves."""
        assert self._ready.wait(5)

    def do(self, change: Callable[[], object]) -> None:
        """Change the engine from another thread."""
        self._loop.call_soon_threadsafe(change)

    def stop(self) -> None:
        """Stop the engine, if it still runs."""
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(lambda: self._loop.create_task(self.engine.stop()))


@contextmanager
def served(engine: FakeEngine, socket: Path) -> Iterator[ServedEngine]:
    """Serve an engine while the block runs."""
    serving = ServedEngine(engine)
    thread = threading.Thread(target=serving.run, args=(socket,))
    thread.start()
    serving.wait()
    try:
        yield serving
    finally:
        serving.stop()
        thread.join(5)
