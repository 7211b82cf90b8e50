"""Verbs about content: search, get."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from peerterm.api.events import Snapshot, SourceDropped, TransferChanged
from peerterm.api.views import SearchHit, SearchQuery, TransferView
from peerterm.cli.common import (
    COMMON,
    SECONDS,
    AnyPath,
    Common,
    absolute,
    each,
    parse_size,
    report_all,
    stream,
)
from peerterm.cli.progress import Bars
from peerterm.cli.table import Table
from peerterm.cli.verbs_transfers import ENDED, waiting_text
from peerterm.display import counted, human_bytes, human_rate, human_seconds, short_id, some
from peerterm.errors import ControlError, NotFound, PeertermError, by_code

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from peerterm.api.events import Event

MAX_HITS = 10_000
"""Most contents one search lists."""


def register(app: App) -> None:
    """Add the verbs."""
    app.command(
        search,
        help_epilogue="Examples:\n  peerterm search holiday 2024\n"
        "  peerterm search --type video --min-size 1G the\n"
        "  peerterm search 3fa9c21b77d1 --json",
    )
    app.command(
        get,
        help_epilogue="Examples:\n  peerterm get 3fa9c21b\n  peerterm get anna/Videos/holiday.mkv -o /tmp\n"
        "  peerterm get sha256:9f86d081884c7d65... --json",
    )


async def search(
    *words: Annotated[str, Parameter(required=True, help="All of them must occur in the path.")],
    type_: Annotated[
        Literal["any", "file", "folder", "video", "audio", "image", "document", "archive", "code"],
        Parameter(name="--type", help="What to look for.", show_default=True),
    ] = "any",
    min_size: Annotated[str | None, Parameter(help="Least size, such as 10M or 4GiB.")] = None,
    max_size: Annotated[str | None, Parameter(help="Most size.")] = None,
    timeout: Annotated[float, SECONDS, Parameter(help="Seconds to wait for peers.", show_default=True)] = 3.0,
    common: Common = COMMON,
) -> None:
    """Ask all peers for names with these words, or for a content by its root or sha256."""
    query = SearchQuery(
        text=" ".join(words),
        kind=type_,
        min_size=parse_size(min_size) or 0,
        max_size=parse_size(max_size),
        timeout=timeout,
    )
    hits: dict[str, SearchHit] = {}
    async with common.engine() as engine, stream(engine.search(query)) as found:
        async for hit in found:
            hits[hit.root] = hit
            if len(hits) >= MAX_HITS:
                common.talk(f"only the first {MAX_HITS} are listed; add a word")
                break
    common.emit(list(hits.values()), hits_table(list(hits.values())))
    if not hits:
        raise NotFound(f"{query.text}: nobody who is online has it", "see who is here: peerterm peers")


def hits_table(hits: Sequence[SearchHit]) -> Table:
    """Return search hits for people; what stands first is what ``get`` takes."""
    rows = [
        (
            short_id(x.root),
            x.name + "/" * (x.kind == "folder"),
            human_bytes(x.size),
            some([peer.name for peer in x.peers]),
            x.path.rpartition("/")[0],
        )
        for x in hits
    ]
    return Table(("root", "name~", "size>", "who~", "in~"), rows)


async def get(
    *refs: Annotated[
        str,
        Parameter(
            required=True, help="A root or its first digits, sha256:HEX, a peerterm: link, or PEER/share/path."
        ),
    ],
    output: Annotated[AnyPath | None, Parameter(name=["--output", "-o"], help="Folder to put it in.")] = None,
    detach: Annotated[bool, Parameter(help="Return at once; the engine fetches on.")] = False,
    common: Common = COMMON,
) -> int:
    """Fetch files and folders, from everyone who has them at once."""
    directory = absolute(output) if output is not None else ""
    async with common.engine() as engine, stream(engine.events()) as events:
        await anext(events, None)
        started, refused = await each(refs, lambda ref: engine.get(ref, directory))
        found = started if detach else await _ended(events, started, common)
    if found:
        common.emit(found[0] if len(refs) == 1 else found, _results(found, common), exact=True)
    failures = refused + [failure for view in found if (failure := _failure(view)) is not None]
    return report_all(failures, as_json=common.json)


async def _ended(
    events: AsyncIterator[Event], started: Sequence[TransferView], common: Common
) -> list[TransferView]:
    """Wait until transfers ended; returns them in the same order."""
    latest = {view.transfer_id: view for view in started}
    try:
        with Bars(quiet=common.quiet) as bars:
            while any(view.state not in ENDED for view in latest.values()):
                _take(await anext(events, None), latest, bars)
    except asyncio.CancelledError:
        running = [view for view in latest.values() if view.state not in ENDED]
        common.talk(f"the engine fetches on ({_what_next(running)})")
        raise
    return [latest[view.transfer_id] for view in started]


def _take(event: Event | None, latest: dict[str, TransferView], bars: Bars) -> None:
    """Note what happened to transfers, and show it."""
    match event:
        case TransferChanged(transfer=view):
            changed = [view]
        case Snapshot(transfers=views):
            changed = views
        case SourceDropped() if event.transfer_id in latest:
            bars.say(f"{latest[event.transfer_id].name}: {event.name} is not used any more: {event.reason}")
            return
        case None:
            raise ControlError("the engine ended; it fetches on at its next start", "see: peerterm log")
        case _:
            return
    for view in changed:
        if view.transfer_id in latest:
            latest[view.transfer_id] = view
            bars.show(view.transfer_id, view.name, done=view.bytes, total=view.total, detail=_detail(view))
            if view.state == "waiting":
                bars.say(waiting_text(view))


def _detail(view: TransferView) -> str:
    of = f"of {human_bytes(view.total)}, " if view.total else ""
    if view.state != "running":
        return of + (view.error or view.state)
    active = sum(source.state == "active" for source in view.sources)
    return f"{of}{human_rate(view.rate)}, {human_seconds(view.eta)} left, {counted(active, 'source')}"


def _what_next(views: Sequence[TransferView]) -> str:
    ids = " ".join(view.transfer_id for view in views)
    return f"to see it: peerterm transfers; to end it: peerterm cancel {ids}"


def _failure(view: TransferView) -> PeertermError | None:
    if view.state == "cancelled":
        return PeertermError(f"{view.name}: the transfer was cancelled")
    if view.state == "failed":
        return by_code().get(view.error_code, PeertermError)(f"{view.name}: {view.error}")
    return None


def _results(views: Sequence[TransferView], common: Common) -> list[str]:
    """Tell what came from whom, how fast; returns the lines for stdout: a path, or the id of what goes on."""
    lines = []
    for view in views:
        if view.state == "done":
            rate = f", {human_rate(view.bytes / view.seconds)}" if view.seconds > 0 else ""
            givers = sorted(view.sources, key=lambda source: -source.bytes)
            names = some([f"{source.name} {human_bytes(source.bytes)}" for source in givers])
            took = f"{human_bytes(view.bytes)} in {human_seconds(view.seconds)}{rate}"
            common.talk(f"{view.name}: {took}" + (f", from {names}" if names else ""))
            lines.append(view.path)
        elif view.state not in ENDED:
            common.talk(f"{view.name}: the engine fetches it in the background ({_what_next([view])})")
            lines.append(view.transfer_id)
    return lines
