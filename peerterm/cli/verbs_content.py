"""Verbs about content: search, get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from peerterm.api.views import ENDED, SearchHit, SearchQuery, TransferView
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
from peerterm.cli.following import follow, what_next
from peerterm.cli.table import Table
from peerterm.display import human_bytes, human_rate, human_seconds, short_id, some
from peerterm.errors import NotFound, PeertermError, StorageError, by_code

if TYPE_CHECKING:
    from collections.abc import Sequence


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
        "  peerterm get anna/Videos --only '*.mkv' --only 'trailers/'\n"
        "  peerterm get 3fa9c21b 5089c145 --detach\n  peerterm get sha256:9f86d081884c7d65... --json",
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
    common.emit(list(hits.values()), hits_table(list(hits.values())))
    if any(hit.more for hit in hits.values()):
        common.talk(f"only {len(hits)} are listed and there may be more; add a word")
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
    only: Annotated[
        list[str] | None,
        Parameter(help="Of a folder, fetch what fits this pattern, written as in .gitignore; repeatable."),
    ] = None,
    detach: Annotated[bool, Parameter(help="Return at once; the engine fetches on.")] = False,
    common: Common = COMMON,
) -> int:
    """Fetch files and folders, from everyone who has them at once.

    Ctrl+C leaves them to the engine; pressed again within 3 s, it pauses them.
    """
    directory = absolute(output) if output is not None else ""
    async with common.engine() as engine, stream(engine.events()) as events:
        await anext(events, None)
        started, refused = await each(refs, lambda ref: engine.get(ref, directory, only or None))
        code = report_all(refused, as_json=common.json)
        found = started if detach else await follow(engine, events, started, common)
    if found:
        common.emit(found[0] if len(refs) == 1 else found, _results(found, common), exact=True)
    failures = [failure for view in found if (failure := _failure(view)) is not None]
    failed = report_all(failures, as_json=common.json)
    return code or failed


def _failure(view: TransferView) -> PeertermError | None:
    if view.state == "cancelled":
        return PeertermError(f"{view.name}: the transfer was cancelled")
    kind = by_code().get(view.error_code, PeertermError)
    if view.state == "failed" or (view.state != "done" and issubclass(kind, StorageError)):  # a disk needs help
        return kind(f"{view.name}: {view.error}")
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
            common.talk(f"{view.name}: the engine fetches it in the background ({what_next([view.transfer_id])})")
            lines.append(view.transfer_id)
    return lines
