"""mpv: started with a configuration of its own, told over a private socket what to play, and steered there.

No URL is ever in its arguments or its environment, which others can read. No script, no configuration of the
user, no helper and no reference inside what it plays makes it open anything else. When this process dies, mpv
quits. Called by whoever has a terminal and a stream.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from peerterm.display import clean
from peerterm.errors import PeertermError, UsageError
from peerterm.player.formats import FORMATS, PROTOCOLS
from peerterm.player.ipc import connected
from peerterm.player.process import STOP_SECONDS, ending, running
from peerterm.player.tracking import OBSERVED, Tracker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from peerterm.player.base import Ending, Item, Subtitle
    from peerterm.player.ipc import MpvIpc
    from peerterm.player.process import PlayerProcess
    from peerterm.player.tracking import Position

log = logging.getLogger("peerterm.player")

SUBTITLE_SECONDS = 60.0
"""How long mpv may take to fetch subtitles; it plays meanwhile."""

MAX_ITEMS = 10_000
"""Longest playlist."""

OPTIONS = (
    "--no-config",
    "--load-scripts=no",
    "--ytdl=no",
    "--access-references=no",
    "--load-unsafe-playlists=no",
    "--autoload-files=no",
    "--resume-playback=no",
    "--save-position-on-quit=no",
    f"--demuxer-lavf-o=protocol_whitelist=[{PROTOCOLS}],format_whitelist=[{FORMATS}]",
    "--network-timeout=0",  # a peer may come back: whoever serves the stream knows when to give up
    "--terminal=no",
    "--idle=once",  # wait for the first item, end after the last
)


@dataclass(frozen=True, slots=True)
class Mpv:
    """The mpv of this machine; 0.33 or later.

    Attributes:
        program: Its name or path.
        extra_arguments: Further options; they win over those given here.
    """

    program: str = "mpv"
    extra_arguments: tuple[str, ...] = ()
    name: ClassVar[str] = "mpv"
    shows_url: ClassVar[bool] = False

    @asynccontextmanager
    async def play(self, item: Item) -> AsyncIterator[MpvPlayback]:
        """Start mpv and play; it has ended when the context is left.

        Raises:
            PeertermError: mpv does not start.

        Cancel: safe; it is ended.
        """
        ours, theirs = socket.socketpair()
        tracker = Tracker()
        options = (*OPTIONS, *self.extra_arguments, f"--input-ipc-client=fd://{theirs.fileno()}")
        async with AsyncExitStack() as stack:
            stack.enter_context(theirs)
            ipc = await stack.enter_async_context(connected(ours, tracker.heard, tracker.over))
            process = await stack.enter_async_context(
                running([self.program, *options], inherited=[theirs.fileno()])
            )
            theirs.close()  # or mpv's end would never be heard
            playback = MpvPlayback(process, ipc, tracker)
            stack.push_async_callback(playback.close)
            try:
                await playback.begin(item)
            except PeertermError as error:
                reason = process.last_words() or error.message
                raise PeertermError(f"mpv did not start to play: {reason}", "it must be 0.33 or later") from error
            yield playback


class MpvPlayback:
    """An mpv that runs; made by ``Mpv.play``. Every command raises ``PeertermError`` once mpv has ended."""

    def __init__(self, process: PlayerProcess, ipc: MpvIpc, tracker: Tracker) -> None:
        self._process = process
        self._ipc = ipc
        self._tracker = tracker
        self._items: dict[int, Item] = {}
        self._adding = asyncio.Lock()
        self._offering = asyncio.create_task(self._offer_subtitles())

    @property
    def position(self) -> Position:
        """Where it is; the last that is known once it has ended."""
        return self._tracker.position

    def positions(self) -> AsyncIterator[Position]:
        """Yield where it is, now and whenever that changes; ends when mpv does. Slow readers miss steps.

        Cancel: safe.
        """
        return self._tracker.positions()

    async def begin(self, item: Item) -> None:
        """Play the first item. Called by ``Mpv.play``.

        Raises:
            PeertermError: mpv does not listen.
        """
        for number, name in enumerate(OBSERVED, 1):
            await self._ipc.command(["observe_property", number, name])
        await self.append(item)

    async def append(self, item: Item, place: int | None = None) -> None:
        """Put an item at the end of the playlist, or at a place in it, counted from 0.

        Raises:
            UsageError: The playlist is full.
            PeertermError: mpv has ended, or does not answer.

        Cancel: safe; the item may be on the playlist, without its subtitles.
        """
        if len(self._items) >= MAX_ITEMS:
            raise UsageError(f"a playlist has at most {MAX_ITEMS} items")
        if place is not None:
            await self._tracker.begun()  # before, mpv would begin with whatever comes to stand first
        title = {"force-media-title": clean(item.title)}
        async with self._adding:
            reply = await self._ipc.command(
                {"name": "loadfile", "url": item.url, "flags": "append-play", "options": title}
            )
            entry = int(reply["playlist_entry_id"])
            self._items[entry] = item
            self._tracker.added(entry)
            if place is not None:
                await self._ipc.command(["playlist-move", len(self._items) - 1, place])

    async def pause(self, is_paused: bool = True) -> None:
        """Pause, or play on."""
        await self._ipc.command(["set_property", "pause", is_paused])

    async def seek(self, seconds: float, *, is_relative: bool = False) -> None:
        """Play on from a position of the item; refused while none is open.

        Args:
            seconds: From the item's start, or from where it is, and then negative is back.
            is_relative: Which of the two.
        """
        await self._ipc.command(["seek", seconds, "relative" if is_relative else "absolute"])

    async def next(self) -> None:
        """Play the next item; refused at the last."""
        await self._ipc.command(["playlist-next"])

    async def previous(self) -> None:
        """Play the item before; refused at the first."""
        await self._ipc.command(["playlist-prev"])

    async def jump(self, place: int) -> None:
        """Play the item at a place of the playlist, counted from 0."""
        await self._ipc.command(["playlist-play-index", place])

    async def wait(self) -> Ending:
        """Wait until mpv has ended, because all is played, the user closed it, or it was stopped.

        Cancel: safe; it plays on.
        """
        await self._ipc.closed()
        await self._end()
        message = ""
        if self._tracker.failure is not None:
            entry, reason = self._tracker.failure
            message = f"{clean(self._items[entry].title)}: {reason}" if entry in self._items else reason
        elif self._ipc.failure is not None:
            message = self._ipc.failure.message
        return ending(await self._process.wait(), message or self._process.last_words())

    async def stop(self) -> None:
        """End mpv, and return once it has ended; it is killed if it does not end soon.

        Cancel: safe; leaving the context ends it.
        """
        self._ipc.hang_up()
        await self._end()

    async def close(self) -> None:
        """End mpv and what is done beside it. Called by ``Mpv.play``."""
        try:
            await self.stop()
        finally:
            self._offering.cancel()
            await asyncio.wait([self._offering])
        if not self._offering.cancelled():
            self._offering.result()

    async def _end(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        await self._process.stop()

    async def _offer_subtitles(self) -> None:
        while True:
            await self._tracker.loaded()
            async with self._adding:  # the item is known here once mpv's answer to ``append`` has been read
                entry = self._tracker.entry
                item = self._items.get(entry)
            for number, subtitle in enumerate(item.subtitles if item else ()):
                if self._tracker.entry == entry:
                    await self._add(subtitle, "auto" if number else "select")

    async def _add(self, subtitle: Subtitle, choice: str) -> None:
        title = clean(subtitle.title)
        command = ["sub-add", subtitle.url, choice, title, subtitle.language]
        try:
            await self._ipc.command(command, aside=True, seconds=SUBTITLE_SECONDS)
        except PeertermError as error:
            log.warning("subtitles not loaded title=%r reason=%r", title, error.message)
