"""A fake engine as a process of its own, started in place of ``python -m peerterm``.

The first argument says how it behaves: ``serve``, ``fail`` (a documented error), ``crash`` (a bug) or ``hang``. The
rest are the arguments peerterm would get.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from peerterm.cli.common import report
from peerterm.control.lock import ProfileLock
from peerterm.control.server import ControlServer
from peerterm.errors import PeertermError, PortTaken
from peerterm.paths import Paths
from tests.fakes.fake_engine import FakeEngine


async def serve(paths: Paths) -> None:
    """Serve until a client stops it."""
    engine = FakeEngine()
    async with ControlServer(engine, paths.socket):
        await engine.run_until_stopped()
        await asyncio.sleep(0)


def main(behaviour: str, *arguments: str) -> int:
    """Behave; returns the exit code."""
    paths = Paths.resolve(next(a.partition("=")[2] for a in arguments if a.startswith("--profile=")), {})
    (paths.home / "arguments").write_text("\n".join(arguments))
    try:
        if behaviour == "fail":
            raise PortTaken("port 1 is taken", "choose another")
        if behaviour == "crash":
            raise ZeroDivisionError("bug")
        if behaviour == "hang":
            signal.pause()
        with ProfileLock(paths.lock):
            asyncio.run(serve(paths))
    except PeertermError as error:
        report(error, as_json="--json" in arguments)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
