"""Opens a stream and plays it in real mpv without a screen, telling every step as a line of JSON.

Called as ``viewer.py REFERENCE SECONDS``: ends after so many seconds, or when mpv has ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

from peerterm.control.client import RemoteEngine
from peerterm.paths import Paths
from peerterm.player.base import Item
from peerterm.player.mpv import Mpv

SILENT = ("--vo=null", "--ao=null")


def tell(began: float, **fields: object) -> None:
    """Write a line: when, and what."""
    sys.stdout.write(json.dumps({"at": time.monotonic() - began, **fields}) + "\n")
    sys.stdout.flush()


async def main(reference: str, seconds: float) -> None:
    """Play."""
    began = time.monotonic()
    async with await RemoteEngine.connect(Paths.resolve(None, os.environ).socket) as engine:
        stream = await engine.stream(reference)
        tell(began, event="opened", url=stream.url, stream_id=stream.stream_id)
        async with Mpv(extra_arguments=SILENT).play(Item(stream.url, stream.name)) as playback:
            try:
                async with asyncio.timeout(seconds):
                    async for position in playback.positions():
                        tell(
                            began,
                            event="position",
                            seconds=position.seconds,
                            is_started=position.is_started,
                            is_stalled=position.is_stalled,
                        )
            except TimeoutError:
                pass
        tell(began, event="ended")
        await engine.close_stream(stream.stream_id)


asyncio.run(main(sys.argv[1], float(sys.argv[2])))
