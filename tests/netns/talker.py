"""Says ``PREFIX 1`` to ``PREFIX COUNT`` to somebody, one after the other, though the engine is killed meanwhile.

Called as ``talker.py WHERE PREFIX COUNT SECONDS``; takes at least so many seconds for each line. Prints how many
lines the engine was told just as it ended. Such a line may be kept or not: it is looked for before it is said
again.
"""

from __future__ import annotations

import asyncio
import os
import sys

from peerterm.control.client import RemoteEngine
from peerterm.errors import ControlError, EngineBusy
from peerterm.paths import Paths

LOOK_BACK = 100
RETRY_SECONDS = 0.05


async def say(engine: RemoteEngine, where: str, text: str) -> None:
    """Say one, as soon as not too many wait to be taken."""
    while True:
        try:
            await engine.say(where, text)
        except EngineBusy:
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return


async def main(where: str, prefix: str, count: int, pause: float) -> None:
    """Say all of them."""
    socket = Paths.resolve(None, os.environ).socket
    said = 0
    is_sure = True
    lost: set[int] = set()
    while said < count:
        try:
            async with await RemoteEngine.connect(socket) as engine:
                while said < count:
                    text = f"{prefix} {said + 1}"
                    if is_sure or text not in [line.text for line in await engine.messages(where, LOOK_BACK)]:
                        is_sure = False
                        await say(engine, where, text)
                    said, is_sure = said + 1, True
                    await asyncio.sleep(pause)
        except ControlError:
            if not is_sure:
                lost.add(said)
            await asyncio.sleep(RETRY_SECONDS)
    print(len(lost))


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
