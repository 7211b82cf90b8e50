"""Verbs about content: search, get, transfers, cancel."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from peerterm.api.events import Snapshot, TransferChanged
from peerterm.api.views import SearchHit, SearchQuery, TransferView
from peerterm.cli.common import COMMON, Common, Table, absolute, parse_size, report, stream
from peerterm.cli.progress import Bars
from peerterm.display import human_bytes, human_rate, human_seconds, short_id
from peerterm.errors import ControlError, NotFound, PeertermError, UsageError, by_code

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from peerterm.api.engine import EngineApi
    from peerterm.api.events import Event

MAX_HITS = 10_000
"""Most contents one search lists."""

ENDED = frozenset({"done", "failed", "cancelled"})


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
    app.command(transfers, help_epilogue="Example:\n  peerterm transfers --json")
    app.command(cancel, help_epilogue="Examples:\n  peerterm cancel 7f3a\n  peerterm cancel 7f3a --delete")


async def search(
    *words: Annotated[str, Parameter(required=True, help="All of them must occur in the path.")],
    type_: Annotated[
        Literal["any", "file", "folder", "video", "audio", "image", "document", "archive", "code"],
        Parameter(name="--type", help="What to look for."),
    ] = "any",
    min_size: Annotated[str | None, Parameter(help="Least size, such as 10M or 4GiB.")] = None,
    max_size: Annotated[str | None, Parameter(help="Most size.")] = None,
    timeout: Annotated[float, Parameter(help="Seconds to wait for peers.")] = 3.0,
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
    rows = [
        (x.root[:12], x.name, human_bytes(x.size), x.kind, ", ".join(peer.name for peer in x.peers), x.path)
        for x in hits.values()
    ]
    common.emit(list(hits.values()), Table(("root", "name", "size>", "kind", "who", "path"), rows))
    if not hits:
        raise NotFound(f"{query.text}: nobody who is online has it", "see who is here: peerterm peers")


async def get(
    *refs: Annotated[
        str,
        Parameter(
            required=True, help="A root or its first digits, sha256:HEX, a peerterm: link, or PEER/share/path."
        ),
    ],
    output: Annotated[str | None, Parameter(name=["--output", "-o"], help="Folder to put it in.")] = None,
    detach: Annotated[bool, Parameter(help="Return at once; the engine fetches on.")] = False,
    common: Common = COMMON,
) -> int:
    """Fetch files and folders, from everyone who has them at once."""
    directory = absolute(output) if output is not None else ""
    async with common.engine() as engine, stream(engine.events()) as events:
        await anext(events, None)
        started, refused = await _start(engine, refs, directory)
        found = started if detach else await _ended(events, started, common)
    if found:
        single = len(refs) == 1
        common.emit(found[0] if single else found, _lines(found))
    failures = refused + [failure for view in found if (failure := _failure(view)) is not None]
    for failure in failures:
        report(failure, as_json=common.json)
    return failures[0].exit_code if failures else 0


async def _start(
    engine: EngineApi, refs: Sequence[str], directory: str
) -> tuple[list[TransferView], list[PeertermError]]:
    started: list[TransferView] = []
    refused: list[PeertermError] = []
    for ref in refs:
        try:
            started.append(await engine.get(ref, directory))
        except (NotFound, UsageError) as error:  # the others may still be had
            refused.append(error)
    return started, refused


async def _ended(
    events: AsyncIterator[Event], started: Sequence[TransferView], common: Common
) -> list[TransferView]:
    """Wait until transfers ended; returns them in the same order."""
    latest = {view.transfer_id: view for view in started}
    with Bars(quiet=common.quiet) as bars:
        try:
            while any(view.state not in ENDED for view in latest.values()):
                match await anext(events, None):
                    case TransferChanged(transfer=view) if view.transfer_id in latest:
                        latest[view.transfer_id] = view
                    case Snapshot(transfers=views):
                        latest.update({view.transfer_id: view for view in views if view.transfer_id in latest})
                    case None:
                        raise ControlError("the engine ended; it fetches on at its next start", "see: peerterm log")
                for view in latest.values():
                    bars.show(view.transfer_id, view.name, done=view.bytes, total=view.total, detail=_detail(view))
        except asyncio.CancelledError:
            running = " ".join(short_id(view.transfer_id) for view in latest.values() if view.state not in ENDED)
            common.talk(
                f"the engine fetches on (to see it: peerterm transfers; to end it: peerterm cancel {running})"
            )
            raise
    return [latest[view.transfer_id] for view in started]


def _detail(view: TransferView) -> str:
    if view.state in {"running", "verifying"}:
        active = sum(source.state == "active" for source in view.sources)
        of = f"{human_bytes(view.bytes)} of {human_bytes(view.total)}"
        return f"{of}, {human_rate(view.rate)}, {human_seconds(view.eta)} left, {active} sources"
    return f"{view.state} {view.error}".strip()


def _failure(view: TransferView) -> PeertermError | None:
    if view.state == "cancelled":
        return PeertermError(f"{view.name}: the transfer was cancelled")
    if view.state == "failed":
        return by_code().get(view.error_code, PeertermError)(f"{view.name}: {view.error}")
    return None


def _lines(views: Sequence[TransferView]) -> list[str]:
    lines = []
    for view in views:
        if view.state == "done":
            rate = human_rate(view.bytes / view.seconds) if view.seconds > 0 else ""
            names = ", ".join(f"{source.name} {human_bytes(source.bytes)}" for source in view.sources)
            took = f"{human_bytes(view.bytes)} in {human_seconds(view.seconds)} {rate}".strip()
            lines.append(f"{view.path}  {took}" + (f"  from {names}" if names else ""))
        elif view.state not in ENDED:
            lines.append(f"{short_id(view.transfer_id)}  {view.name}  {view.state}")
    return lines


async def transfers(*, common: Common = COMMON) -> None:
    """List downloads and uploads of this session."""
    async with common.engine() as engine:
        found = await engine.transfers()
    common.emit(found, transfers_table(found))


def transfers_table(views: Sequence[TransferView]) -> Table:
    """Return transfers for people."""
    rows = [
        (
            short_id(x.transfer_id),
            {"down": "get", "up": "send"}[x.direction],
            x.name,
            x.state,
            f"{x.bytes * 100 // x.total if x.total else 100}%",
            human_bytes(x.total),
            human_rate(x.rate) if x.rate else "",
            human_seconds(x.eta) if x.eta is not None else "",
            len(x.sources),
            x.error,
        )
        for x in views
    ]
    columns = ("id", "way", "name", "state", "done>", "size>", "rate>", "left>", "peers>", "error")
    return Table(columns, rows, "no transfers; fetch something: peerterm get REF")


async def cancel(
    transfer: Annotated[str, Parameter(help="Its id, or the id's first digits.")],
    /,
    *,
    delete: Annotated[bool, Parameter(help="Also remove what it has fetched.")] = False,
    common: Common = COMMON,
) -> None:
    """End a transfer."""
    async with common.engine() as engine:
        ended = await engine.cancel(transfer, delete=delete)
    common.emit([ended], [f"{ended.name}: {ended.state}"])
