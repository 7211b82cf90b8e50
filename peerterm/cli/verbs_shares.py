"""Verbs about what this machine offers: share, shares, unshare, rescan."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from peerterm.api.events import ShareChanged, ShareRemoved, Snapshot
from peerterm.cli.common import COMMON, AnyPath, Common, absolute, each, report_all, stream
from peerterm.cli.progress import Bars
from peerterm.cli.table import Table
from peerterm.display import counted, human_bytes, human_seconds, short_id
from peerterm.errors import ControlError, NotFound, StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from peerterm.api.events import Event
    from peerterm.api.views import ShareView
    from peerterm.errors import PeertermError

MAX_LEFT_OUT_SHOWN = 5
"""Most entries that were left out of a share and are named."""


def register(app: App) -> None:
    """Add the verbs."""
    app.command(
        share,
        help_epilogue="Examples:\n  peerterm share ~/Videos\n  peerterm share notes.pdf --name handout\n"
        "  peerterm share a.iso b.iso --json",
    )
    app.command(shares, help_epilogue="Example:\n  peerterm shares")
    app.command(unshare, help_epilogue="Examples:\n  peerterm unshare Videos\n  peerterm unshare 1f0c22ab")
    app.command(rescan, help_epilogue="Examples:\n  peerterm rescan\n  peerterm rescan Videos")


async def share(
    *paths: Annotated[AnyPath, Parameter(required=True, help="Files and folders.")],
    name: Annotated[str, Parameter(help="What peers see it as; its own name if not given.")] = "",
    to: Annotated[
        str, Parameter(help="Who may have it: everyone, known, verified or a PEER.", show_default=True)
    ] = "everyone",
    common: Common = COMMON,
) -> int:
    """Offer files and folders to this network; waits until they are indexed."""
    if name and len(paths) > 1:
        raise UsageError("--name fits one PATH only", "share them one by one")
    wanted = [absolute(path) for path in paths]
    async with common.engine() as engine, stream(engine.events()) as events:
        await _first(events)
        found, refused = await each(wanted, lambda path: engine.share(path, name, to))
        finished = await _indexed(events, found, common)
    if finished:
        common.emit(finished, shares_table(finished))
    for view in finished:
        who = "everyone on this network" if view.visibility == "everyone" else view.visibility
        common.talk(f"{view.name}: {who} can see and fetch it (to end that: peerterm unshare {view.share_id})")
    return report_all(refused + _left_out(finished, common), as_json=common.json)


async def shares(*, common: Common = COMMON) -> None:
    """List what this machine offers."""
    async with common.engine() as engine:
        found = await engine.shares()
    common.emit(found, shares_table(found))


async def unshare(
    name: Annotated[str, Parameter(help="The share's id, name or path.")], /, *, common: Common = COMMON
) -> None:
    """Stop offering a share; its files stay where they are."""
    async with common.engine() as engine:
        gone = await engine.unshare(_reference(name))
    common.emit([gone], [f"{gone.name} is offered no longer"])


async def rescan(
    name: Annotated[str, Parameter(help="The share's id, name or path.")] = "",
    /,
    *,
    common: Common = COMMON,
) -> int:
    """Look for changes in one share, or in all; waits until they are indexed."""
    async with common.engine() as engine, stream(engine.events()) as events:
        await _first(events)
        found = await engine.rescan(_reference(name))
        finished = await _indexed(events, found, common)
    common.emit(finished, shares_table(finished))
    return report_all(_left_out(finished, common), as_json=common.json)


def _reference(name: str) -> str:
    """Return what the engine calls a share: a path is made absolute, an id or a name stays."""
    return absolute(name) if "/" in name or name in {".", "..", "~"} else name


async def _first(events: AsyncIterator[Event]) -> None:
    """Wait for the snapshot: what changes from here on comes as an event."""
    if not isinstance(await anext(events, None), Snapshot):
        raise ControlError("the engine ended", "see why: peerterm log")


async def _indexed(events: AsyncIterator[Event], started: Sequence[ShareView], common: Common) -> list[ShareView]:
    """Wait until shares are indexed; returns them in the same order."""
    latest = {share.share_id: share for share in started}
    try:
        with Bars(quiet=common.quiet) as bars:
            while any(share.state == "indexing" for share in latest.values()):
                _take(await anext(events, None), latest)
                for share in latest.values():
                    _show(bars, share)
    except asyncio.CancelledError:
        common.talk("indexing goes on in the background (to see it: peerterm shares)")
        raise
    return [latest[share.share_id] for share in started]


def _take(event: Event | None, latest: dict[str, ShareView]) -> None:
    match event:
        case ShareChanged(share=share) if share.share_id in latest:
            latest[share.share_id] = share
        case ShareRemoved(share_id=share_id) if share_id in latest:
            raise NotFound(f"{latest[share_id].name}: somebody ended this share meanwhile", "see: peerterm shares")
        case Snapshot(shares=shares):
            latest.update({share.share_id: share for share in shares if share.share_id in latest})
        case None:
            raise ControlError("the engine ended", "see why: peerterm log")


def _show(bars: Bars, share: ShareView) -> None:
    done = share.done_bytes if share.state == "indexing" else share.bytes
    detail = f"of {human_bytes(share.bytes)} in {counted(share.files, 'file')}"
    if share.state != "indexing":
        detail += f", {share.state}"
    elif share.eta is not None:
        detail += f", {human_seconds(share.eta)} left"
    bars.show(
        share.share_id,
        share.name,
        done=done,
        total=share.bytes,
        detail=detail if share.bytes else "looking for files",
    )


def _left_out(shares: Sequence[ShareView], common: Common) -> list[PeertermError]:
    """Tell what was left out of shares and why; returns the errors of those that could not be indexed."""
    for share in shares:
        shown = share.skipped[:MAX_LEFT_OUT_SHOWN]
        for line in shown:
            common.talk(f"{share.name}: left out: {line}")
        if rest := _count(share.skipped) - len(shown):
            common.talk(f"{share.name}: left out: {rest} more (to see why: peerterm shares --json)")
    return [
        StorageError(f"{share.path}: {share.state}: {share.error or 'it could not be indexed'}")
        for share in shares
        if share.state != "ready"
    ]


def _count(skipped: Sequence[str]) -> int:
    """Return how much was left out; the engine names only so many, and says last how many others there are."""
    more = re.fullmatch(r"and (\d+) more", skipped[-1]) if skipped else None
    return len(skipped) - 1 + int(more[1]) if more else len(skipped)


def shares_table(shares: Sequence[ShareView]) -> Table:
    """Return shares for people."""
    rows = [
        (
            short_id(x.share_id),
            x.name,
            x.state,
            x.files,
            human_bytes(x.bytes),
            x.visibility,
            short_id(x.root),
            x.path,
        )
        for x in shares
    ]
    columns = ("id", "name~", "state", "files>", "size>", "for", "root", "path~")
    return Table(columns, rows, "nothing is shared; offer a folder: peerterm share PATH")
