"""Offers files to somebody again and again, one offer for each: called as ``offerer.py PEER COUNT PATH``."""

from __future__ import annotations

import asyncio
import os
import sys

from peerterm.control.client import RemoteEngine
from peerterm.paths import Paths


async def main(peer: str, count: int, path: str) -> None:
    """Make all of them."""
    async with await RemoteEngine.connect(Paths.resolve(None, os.environ).socket) as engine:
        for _ in range(count):
            await engine.send([peer], [path])


asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
