"""Players that can only be started: VLC, ffplay, and any command of the user.

Their arguments necessarily hold the stream's URL, token and all, where every user of this machine can read it
as long as they run (``shows_url``); only ``player.mpv`` keeps it. They are neither steered nor asked where they
are, get no subtitles, and VLC and commands of the user follow playlists inside what they play.
"""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from peerterm.display import clean
from peerterm.player.formats import FORMATS, PROTOCOLS
from peerterm.player.process import ending, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from peerterm.player.base import Ending, Item
    from peerterm.player.process import PlayerProcess

VLC_ARGUMENTS = ("--no-one-instance", "--play-and-exit", "--meta-title={title}", "{url}")
FFPLAY_ARGUMENTS = (
    "-loglevel", "fatal", "-nostats", "-autoexit", "-window_title", "{title}",
    "-protocol_whitelist", PROTOCOLS, "-format_whitelist", FORMATS, "-i", "{url}",
)  # fmt: skip

_FILLED_IN = re.compile(r"\{(url|title)\}")


@dataclass(frozen=True, slots=True)
class CommandPlayer:
    """A program that is started with the URL.

    Attributes:
        name: What people call it.
        program: Its name or path.
        arguments: ``{url}`` and ``{title}`` stand for the item's.
    """

    name: str
    program: str
    arguments: tuple[str, ...]
    shows_url: ClassVar[bool] = True

    @asynccontextmanager
    async def play(self, item: Item) -> AsyncIterator[CommandPlayback]:
        """Start the program; it has ended when the context is left.

        What it started and left behind when it ended by itself goes on.

        Raises:
            PeertermError: The program does not start.

        Cancel: safe; it is ended.
        """
        values = {"url": item.url, "title": clean(item.title)}
        filled = [_FILLED_IN.sub(lambda found: values[found[1]], argument) for argument in self.arguments]
        async with running([self.program, *filled]) as process:
            yield CommandPlayback(process, item.url)


class CommandPlayback:
    """A program that runs; made by ``CommandPlayer.play``."""

    def __init__(self, process: PlayerProcess, url: str) -> None:
        self._process = process
        self._url = url

    async def wait(self) -> Ending:
        """Wait until the program has ended; the message is the last line that it wrote to stderr.

        ffplay returns 0 even if it could not play.

        Cancel: safe; it plays on.
        """
        status = await self._process.wait()
        return ending(status, _without(self._url, self._process.last_words()))

    async def stop(self) -> None:
        """End the program, and return once it has ended; it is killed if it does not end soon.

        Cancel: safe; it is killed at once.
        """
        await self._process.stop()


def _without(url: str, text: str) -> str:
    """Take a URL out of what a program says, and its token where that stands alone."""
    text = text.replace(url, "the stream")
    for secret in urlsplit(url).path.split("/")[:-1]:
        text = text.replace(secret, "...") if secret else text
    return text
