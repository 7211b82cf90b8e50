"""Watching a stream from beginning to end: it is opened, played or offered, and closed. Used by ``stream``.

The stream is this machine's engine's, or that of a machine which ``ssh`` reaches.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from peerterm.api.views import StreamView
from peerterm.cli.common import Common, stream
from peerterm.cli.playing import Progress, follow, guarded
from peerterm.errors import ControlError, NotFound, PeertermError
from peerterm.player.playing import play
from peerterm.player.remote import tunnel_command

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from peerterm.api.engine import EngineApi
    from peerterm.player.base import Ending
    from peerterm.player.finding import Found

CLOSE_SECONDS = 10.0
"""Longest wait for a stream to be closed when nobody plays it any more; it ends by itself later."""

_URL = re.compile("http://127[.]0[.]0[.]1:([0-9]{1,5})/")
_BY_ITSELF = "it ends by itself after an hour without a reader"


async def watch_here(engine: EngineApi, ref: str, player: Found, common: Common) -> int:
    """Play what this machine's engine streams.

    Raises:
        PeertermError: The player failed, or the stream was closed.
        ControlError: The engine ended.

    Cancel: ends the player and closes the stream.
    """
    async with stream(engine.events()) as events:
        await anext(events, None)
        view = await engine.stream(ref)
        async with _closed_in_the_end(lambda: engine.close_stream(view.stream_id), common):
            with Progress(view, common) as progress:
                guard = follow(events, view.stream_id, progress)
                ending = await guarded(play(player, view, progress), guard)
    return _report(view, player, ending, common)


async def watch_there(via: str, ref: str, player: Found | None, advice: str, common: Common) -> int:
    """Play what another machine streams; without a player, keep the way to it open until interrupted.

    Raises:
        PeertermError: The other machine is not reached, or what failed there or here.

    Cancel: ends the player, closes the stream and ends the connection.
    """
    from peerterm.cli.tunnel import Destination, connected

    flags = ["--json", "--quiet", *(["--no-start"] if common.no_start else [])]
    async with connected(Destination.parse(via)) as there:
        view, port = _read(await there.peerterm("stream", "--print-url", *flags, "--", ref))
        async with _closed_in_the_end(lambda: there.peerterm("close", *flags, "--", view.stream_id), common):
            await there.forward(port)
            if player is None:
                offer(view, advice, "to end it: Ctrl+C", common)
                await there.lost()
            with Progress(view, common) as progress:
                ending = await guarded(play(player, view, progress), there.lost())
    return _report(view, player, ending, common)


def _read(value: object) -> tuple[StreamView, int]:
    """Return a stream of another machine, and the one port at which all of it is served there.

    Raises:
        PeertermError: It is none.
    """
    import msgspec

    try:
        view = msgspec.convert(value, StreamView)
    except msgspec.ValidationError as error:
        raise PeertermError(f"the other machine's peerterm is of another version: {error}") from error
    urls = [view.url, *(item.url for item in view.items)]
    urls += [subtitles.url for item in view.items for subtitles in item.subtitles]
    ports = {int(found[1]) if (found := _URL.match(url)) else 0 for url in urls}
    if len(ports) != 1 or ports.isdisjoint(range(1, 2**16)) or not view.items:
        raise PeertermError("the other machine's peerterm serves the stream elsewhere than on its loopback")
    return view, ports.pop()


@asynccontextmanager
async def _closed_in_the_end(close_it: Callable[[], Awaitable[object]], common: Common) -> AsyncIterator[None]:
    """Close a stream when nobody plays it any more."""
    try:
        yield
    finally:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await close_it()
        except (ControlError, NotFound):
            pass  # there is no stream any more
        except PeertermError as error:
            common.talk(f"the stream was not closed: {error.message}; {_BY_ITSELF}")
        except TimeoutError:
            common.talk(f"the stream was not closed: no answer; {_BY_ITSELF}")


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let a verb end at SIGTERM and SIGHUP as at Ctrl+C, so that what it started ends with it."""
    loop = asyncio.get_running_loop()
    numbers = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    for number in numbers:
        loop.add_signal_handler(number, signal.raise_signal, signal.SIGINT)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def offer(view: StreamView, advice: str, end: str, common: Common) -> None:
    """Print where a stream can be read, and say what helps to watch it.

    Args:
        view: The stream.
        advice: What to do about a player that is missed; empty if none is.
        end: How to end the stream.
        common: The common options.
    """
    common.emit(view, [item.url for item in view.items])
    sys.stdout.flush()
    if advice:
        common.talk(advice)
    if advice and sys.stderr.isatty() and not (common.quiet or common.json):
        import segno

        segno.make(view.url).terminal(out=sys.stderr, compact=True, border=2)
    if command := tunnel_command(view.url, os.environ):
        common.talk(f"to watch it on the machine you sit at, run there: {command}")
    common.talk(f"{end}; {_BY_ITSELF}")


def _report(view: StreamView, player: Found, ending: Ending, common: Common) -> int:
    """Print what was played.

    Raises:
        PeertermError: The player failed.
    """
    common.emit(
        {
            "stream_id": view.stream_id,
            "name": view.name,
            "url": view.url,
            "mime": view.mime,
            "size": view.size,
            "player": player.name,
            "status": ending.status,
        },
        [],
    )
    if ending.status:
        raise PeertermError(f"{player.name}: {ending.message or f'ended with status {ending.status}'}")
    return 0
