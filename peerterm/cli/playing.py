"""What is said while a stream plays: a line on the terminal, and news of its engine. Used by ``stream``."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

from peerterm.api.events import Snapshot, StreamChanged, StreamRemoved
from peerterm.cli.progress import Bars
from peerterm.display import counted, human_bytes, human_rate
from peerterm.errors import ControlError, PeertermError
from peerterm.player.playing import clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from peerterm.api.events import Event
    from peerterm.api.views import StreamView
    from peerterm.cli.common import Common
    from peerterm.player.base import Playback
    from peerterm.player.tracking import Position

Answer = TypeVar("Answer")


class Progress:
    """One line on a terminal: where the player is, and what is known of the stream. Shown while its block runs."""

    def __init__(self, view: StreamView, common: Common) -> None:
        self._items = view.items
        self._key = view.stream_id
        self._common = common
        self._news: StreamView | None = None
        self._position: Position | None = None
        self._bars = Bars(quiet=common.quiet or not sys.stderr.isatty())

    def __enter__(self) -> Self:
        """Draw it."""
        self._bars.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Take it away."""
        self._bars.__exit__()

    def begun(self, playback: Playback, number: int) -> None:
        """See ``Spectator``: nothing is shown before it moves."""

    def told(self, text: str) -> None:
        """Say something above the line."""
        self._common.talk(text)

    def moved(self, position: Position) -> None:
        """Take note of where the player is."""
        self._position = position
        self._show()

    def changed(self, news: StreamView) -> None:
        """Take note of what the engine says."""
        self._news = news
        self._show()

    def _show(self) -> None:
        news, position = self._news, self._position
        number = position.item if position and position.item is not None else news.item if news else 0
        item = self._items[min(number, len(self._items) - 1)]
        done, total = 0, 0
        if position and position.seconds is not None and position.duration:
            done, total = min(int(position.seconds), int(position.duration)), int(position.duration)
        elif news and not position:
            done, total = min(news.position, item.size), item.size
        self._bars.show(self._key, item.name, done=done, total=total, detail=detail(news, position))


def detail(news: StreamView | None, position: Position | None) -> str:
    """Say where a player is in what it plays, and how the stream does; each as far as it is known."""
    parts = []
    if position and position.seconds is not None:
        of = f" of {clock(position.duration)}" if position.duration else ""
        parts.append(f"{clock(position.seconds)}{of}")
    if position and position.is_paused:
        parts.append("paused")
    elif news and news.state == "waiting":
        parts.append("nobody who has it is online")
    elif position and position.is_stalled:
        parts.append("waiting")
    if news and news.state == "streaming":
        active = sum(source.state == "active" for source in news.sources)
        parts += [f"{human_bytes(news.ahead)} ahead", human_rate(news.rate), counted(active, "source")]
    return ", ".join(parts)


async def follow(events: AsyncIterator[Event], stream: str, progress: Progress) -> NoReturn:
    """Show what an engine says of a stream, for as long as there is one.

    Raises:
        ControlError: The engine ended.
        PeertermError: The stream was closed.
    """
    while True:
        match await anext(events, None):
            case StreamChanged(stream=view) if view.stream_id == stream:
                progress.changed(view)
            case Snapshot(streams=views):  # something was missed
                mine = [view for view in views if view.stream_id == stream]
                if not mine:
                    raise _closed()
                progress.changed(mine[0])
            case StreamRemoved(stream_id=closed) if closed == stream:
                raise _closed()
            case None:
                raise ControlError("the engine ended", "see why: peerterm log")


def _closed() -> PeertermError:
    return PeertermError("the stream was closed", "somebody ran peerterm close, or nothing was read for too long")


async def guarded(work: Coroutine[Any, Any, Answer], guard: Coroutine[Any, Any, NoReturn]) -> Answer:
    """Do some work for as long as a guard raises nothing; returns what it comes to.

    Cancel: both are cancelled and have ended.
    """
    working, guarding = asyncio.create_task(work), asyncio.create_task(guard)
    try:
        await asyncio.wait([working, guarding], return_when=asyncio.FIRST_COMPLETED)
        return await (working if working.done() else guarding)
    finally:
        working.cancel()
        guarding.cancel()
        await asyncio.wait([working, guarding])
