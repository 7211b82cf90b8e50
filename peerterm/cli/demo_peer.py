"""One engine of ``peerterm demo``, as ``python -m peerterm.cli.demo_peer HOME SECONDS REFERENCE``.

It lives as long as somebody holds the other end of its stdin: when that is closed, or its holder dies of anything,
the engine ends in order and removes its folder, and the last one the folder around it. Started by ``demo_network``,
and for no folder but those it makes.
"""

from __future__ import annotations

import asyncio
import os
import select
import shutil
import signal
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from peerterm.cli import daemon
from peerterm.cli.common import Common, report
from peerterm.control.launch import START_SECONDS, wait_ready
from peerterm.errors import ControlError, NotFound, PeerError, PeertermError, UsageError

PREFIX = "peerterm-"
"""How the name of the demo's temporary folder begins."""


def main(home: Path, join_after: float, reference: str) -> int:
    """Run the engine of a profile; returns the exit code.

    Args:
        home: The profile, with its settings.
        join_after: Seconds to stay away from the network at first.
        reference: What to fetch as soon as somebody has it; empty for nothing.
    """
    if not _is_of_demo(home):
        report(UsageError(f"{home}: no folder of peerterm demo", "it would be removed"), as_json=False)
        return UsageError.exit_code
    try:
        if _is_over(join_after):
            return 0
        threading.Thread(target=_end_with_demo, daemon=True).start()
        if reference:
            threading.Thread(target=asyncio.run, args=(_fetch(home, reference),), daemon=True).start()
        return daemon.run(Common(profile=home, quiet=True), {})
    except PeertermError as error:
        report(error, as_json=False)
        return error.exit_code
    finally:
        if _is_over(0):  # before that, the demo wants to read why we ended
            shutil.rmtree(home)
            with suppress(OSError):  # others still live there
                home.parent.rmdir()


def _is_of_demo(home: Path) -> bool:
    """Whether a folder lies where the demo makes its folders, which are nobody else's."""
    folder = Path(os.path.realpath(home)).parent
    rooms = {os.path.realpath(room) for room in (tempfile.gettempdir(), "/tmp")}  # noqa: S108 - see demo_network
    return folder.name.startswith(PREFIX) and str(folder.parent) in rooms


def _is_over(seconds: float) -> bool:
    """Whether the demo has ended, or does so within a time: nobody ever writes to us."""
    return bool(select.select([sys.stdin], [], [], seconds)[0])


def _end_with_demo() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


async def _fetch(home: Path, reference: str) -> None:
    paths = Common(profile=home).paths()
    with suppress(ControlError):  # the engine ends, and we with it
        async with await wait_ready(paths, seconds=START_SECONDS) as engine:
            async for _ in engine.events():  # such as a peer that joins
                with suppress(NotFound, PeerError):
                    await engine.get(reference)
                    return


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3]))
