"""Waiting for downloads: shows how far they are until all have ended, or Ctrl+C ends the wait. Used by ``get``."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from peerterm.api.events import Snapshot, SourceDropped, TransferChanged, TransferRemoved
from peerterm.api.views import ENDED
from peerterm.cli.common import Common, each, report_all
from peerterm.cli.progress import Bars
from peerterm.cli.verbs_transfers import reason
from peerterm.display import counted, human_bytes, human_rate, human_seconds
from peerterm.errors import ControlError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Sequence

    from peerterm.api.engine import EngineApi
    from peerterm.api.events import Event
    from peerterm.api.views import TransferView

PAUSE_SECONDS = 3.0
"""How long after a first Ctrl+C, which leaves the downloads running, a second one pauses them."""


async def follow(
    engine: EngineApi, events: AsyncIterator[Event], started: Sequence[TransferView], common: Common
) -> list[TransferView]:
    """Wait until downloads ended; returns them in the same order.

    Raises:
        ControlError: The engine ended.

    Cancel: By Ctrl+C; says that the downloads go on, and pauses them if it is pressed again in ``PAUSE_SECONDS``.
    """
    latest = {view.transfer_id: view for view in started}
    try:
        with Bars(quiet=common.quiet) as bars:
            for view in started:
                _explain(view, bars)
            while _unfinished(latest):
                _take(await anext(events, None), latest, bars)
    except asyncio.CancelledError:
        await _leave(engine, _unfinished(latest), common)
        raise
    return [latest[view.transfer_id] for view in started]


def what_next(transfers: Sequence[str]) -> str:
    """Say what can be done about downloads that go on without anybody waiting for them."""
    return f"to see it: peerterm transfers; to end it: peerterm cancel {' '.join(transfers)}"


def _unfinished(latest: dict[str, TransferView]) -> list[str]:
    return [transfer for transfer, view in latest.items() if view.state not in ENDED]


async def _leave(engine: EngineApi, transfers: Sequence[str], common: Common) -> None:
    """Leave downloads to the engine, or pause them if Ctrl+C is pressed once more."""
    loop = asyncio.get_running_loop()
    pressed = asyncio.Event()
    loop.add_signal_handler(signal.SIGINT, pressed.set)
    common.talk(f"the engine fetches on ({what_next(transfers)}); Ctrl+C again pauses it")
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(PAUSE_SECONDS):
                await pressed.wait()
    finally:
        loop.remove_signal_handler(signal.SIGINT)  # a third Ctrl+C ends this verb whatever the engine does
    if pressed.is_set():
        paused, refused = await each(transfers, engine.pause)
        if paused:
            ids = " ".join(view.transfer_id for view in paused)
            common.talk(f"paused; to go on: peerterm resume {ids}")
        report_all(refused, as_json=common.json)


def _take(event: Event | None, latest: dict[str, TransferView], bars: Bars) -> None:
    """Note what happened to transfers, and show it."""
    match event:
        case TransferChanged(transfer=view):
            changed = [view]
        case TransferRemoved(transfer_id=transfer):
            changed = _gone(latest, {transfer})
        case Snapshot(transfers=views):
            changed = [*views, *_gone(latest, latest.keys() - {view.transfer_id for view in views})]
        case SourceDropped() if event.transfer_id in latest:
            bars.say(f"{latest[event.transfer_id].name}: {event.name} is not used any more: {event.reason}")
            return
        case None:
            raise ControlError("the engine ended; it fetches on at its next start", "see: peerterm log")
        case _:
            return
    for view in changed:
        if (before := latest.get(view.transfer_id)) is not None:
            latest[view.transfer_id] = view
            bars.show(view.transfer_id, view.name, done=view.bytes, total=view.total, detail=_detail(view))
            if (view.state, view.error_code) != (before.state, before.error_code):
                _explain(view, bars)


def _gone(latest: dict[str, TransferView], missing: Collection[str]) -> list[TransferView]:
    """Return the ends of those that are not listed any more: too much happened at once to be told."""
    why = "it ended, but how is not known: it is not listed any more"
    return [replace(latest[key], state="failed", error=why) for key in _unfinished(latest) if key in missing]


def _explain(view: TransferView, bars: Bars) -> None:
    """Say why a download stands still; of one that failed, the verb tells at its end."""
    if view.state not in ENDED and (why := reason(view)):
        bars.say(f"{view.name}: {why}")


def _detail(view: TransferView) -> str:
    of = f"of {human_bytes(view.total)}, " if view.total else ""
    if view.state != "running":
        return of + view.state
    active = sum(source.state == "active" for source in view.sources)
    return f"{of}{human_rate(view.rate)}, {human_seconds(view.eta)} left, {counted(active, 'source')}"
