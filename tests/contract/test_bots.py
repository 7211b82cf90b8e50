"""The bot of ``docs/bots.md`` does what the page says: that very file runs, beside real engines."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from peerterm.control.launch import environment
from peerterm.control.server import ControlServer
from peerterm.paths import Paths
from tests.fakes.engines import running, until_online

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from peerterm.engine.engine import Engine

BOT = Path(__file__).parents[2] / "docs" / "examples" / "ping_bot.py"


def command_in(folder: Path) -> str:
    """Put ``peerterm`` into a folder, as an installation does; return the search path with it."""
    command = folder / "peerterm"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m peerterm "$@"\n')
    command.chmod(0o700)
    return os.pathsep.join((str(folder), os.environ["PATH"]))


@asynccontextmanager
async def bot_of(folder: Path) -> AsyncIterator[None]:
    """Run the bot beside the engine of the profile that ``running`` gives ``bot``."""
    variables = {"PEERTERM_HOME": str(folder / "bot" / "profile"), "PATH": command_in(folder)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, BOT, env=environment() | variables, stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield
    finally:
        os.killpg(process.pid, 15)
        await process.wait()


async def answers(engine: Engine, where: str, count: int) -> list[str]:
    """Wait until others said so much somewhere, and return it."""
    async with asyncio.timeout(30):
        while True:
            said = [line.text for line in await engine.messages(where) if line.state == "received"]
            if len(said) >= count:
                return said
            await asyncio.sleep(0.05)


async def test_the_bot_answers_ping_and_nothing_else(tmp_path: Path) -> None:
    """In the room and to a peer, by the name of who asked; its own answers are no questions."""
    async with running(tmp_path, "ada") as ada, running(tmp_path, "bot") as engine:
        await until_online(ada, 1)
        await until_online(engine, 1)
        paths = Paths.resolve(str(tmp_path / "bot" / "profile"), {})
        async with ControlServer(engine, paths.socket), bot_of(tmp_path):
            room: list[str] = []
            while not room:  # until the bot listens
                await ada.say("#lan", "!ping")
                await asyncio.sleep(0.5)
                room = [line.text for line in await ada.messages("#lan") if line.state == "received"]
            await ada.say("bot", "ping!")
            await ada.say("bot", " !ping\n")
            direct = await answers(ada, "bot", 1)

    assert set(room) == {"ada: pong"}
    assert direct == ["ada: pong"]
