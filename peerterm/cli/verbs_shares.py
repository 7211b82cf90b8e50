"""Verbs about what this machine offers: share, shares, unshare, rescan."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from peerterm.api.events import ShareChanged, ShareRemoved, Snapshot
from peerterm.cli.common import COMMON, Common, Table, absolute, report, stream
from peerterm.cli.progress import Bars
from peerterm.display import human_bytes, human_seconds, short_id
from peerterm.errors import ControlError, NotFound, StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from peerterm.api.events import Event
    from peerterm.api.views import ShareView


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
    *paths: Annotated[str, Parameter(required=True, help="Files and folders.")],
    name: Annotated[str, Parameter(help="What peers see it as; its own name if not given.")] = "",
    to: Annotated[str, Parameter(help="Who may have it: everyone, known, verified or a PEER.")] = "everyone",
    common: Common = COMMON,
) -> int:
    """Offer files and folders to this network; waits until they are indexed."""
    if name and len(paths) > 1:
        raise UsageError("--name fits one PATH only", "share them one by one")
    wanted = [absolute(path) for path in paths]
    async with common.engine() as engine, stream(engine.events()) as events:
        await _first(events)
        found = [await engine.share(path, name, to) for path in wanted]
        finished = await _indexed(events, found, common)
    common.emit(finished, shares_table(finished))
    if to == "everyone" and not common.json:
        common.talk("everyone on this network can list and fetch this; to end that: peerterm unshare ID")
    return _complain(finished, common)


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
    return _complain(finished, common)


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
    with Bars(quiet=common.quiet) as bars:
        try:
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
    detail = f"{human_bytes(share.done_bytes)} of {human_bytes(share.bytes)}, {human_seconds(share.eta)} left"
    if share.state != "indexing":
        detail = f"{share.state}, {human_bytes(share.bytes)} in {share.files} files"
    done = share.done_bytes if share.state == "indexing" else share.bytes
    bars.show(share.share_id, share.name, done=done, total=share.bytes, detail=detail)


def _complain(shares: Sequence[ShareView], common: Common) -> int:
    """Tell what was left out or failed; returns the exit code."""
    code = 0
    for share in shares:
        for skipped in share.skipped:
            common.talk(f"{share.name}: left out: {skipped}")
        if share.state != "ready":
            error = StorageError(f"{share.path}: {share.state}: {share.error or 'it could not be indexed'}")
            report(error, as_json=common.json)
            code = error.exit_code
    return code


def shares_table(shares: Sequence[ShareView]) -> Table:
    """Return shares for people."""
    rows = [
        (
            short_id(x.share_id),
            x.name,
            x.state,
            f"{x.files}",
            human_bytes(x.bytes),
            x.visibility,
            x.root[:12],
            x.path,
        )
        for x in shares
    ]
    columns = ("id", "name", "state", "files>", "size>", "for", "root", "path")
    return Table(columns, rows, "nothing is shared; offer a folder: peerterm share PATH")
