"""Verbs about what single peers send each other: send, inbox, accept, decline, withdraw."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from peerterm.api.events import OfferChanged, OfferIndexing, Snapshot
from peerterm.cli.chat_text import moment
from peerterm.cli.common import COMMON, AnyPath, Common, absolute, each, report_all, stream
from peerterm.cli.following import follow
from peerterm.cli.progress import Bars
from peerterm.cli.table import Table
from peerterm.display import counted, human_bytes, human_seconds, short_id
from peerterm.errors import (
    AmbiguousReference,
    ControlError,
    NotFound,
    PeerRefused,
    PeertermError,
    UsageError,
    by_code,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from peerterm.api.engine import EngineApi
    from peerterm.api.events import Event
    from peerterm.api.views import OfferView

ENDED = ("declined", "withdrawn", "landed")
"""States in which an offer stays for good."""

_Id = Annotated[str, Parameter(help="The offer's id, or its first digits.")]
_Ids = Annotated[str, Parameter(required=True, help="The offers' ids, or their first digits.")]
_Wait = Annotated[bool, Parameter(help="Return only when nothing more is to come of it.")]


def register(app: App) -> None:
    """Add the verbs."""
    app.command(
        send,
        help_epilogue="Examples:\n  peerterm send anna report.pdf\n  peerterm send anna,ben Photos notes.txt\n"
        "  peerterm send anna film.mkv --wait",
    )
    app.command(
        inbox, help_epilogue="Examples:\n  peerterm inbox\n  peerterm inbox 58c8ad23\n  peerterm inbox --all"
    )
    app.command(
        accept,
        help_epilogue="Examples:\n  peerterm accept 58c8\n  peerterm accept 58c8 --items 1,3 -o ~/Desktop --wait",
    )
    app.command(decline, help_epilogue="Example:\n  peerterm decline 58c8")
    app.command(withdraw, help_epilogue="Example:\n  peerterm withdraw 58c8")


async def send(
    peers: Annotated[str, Parameter(help="Whom to: names or ids, with commas between them.")],
    /,
    *paths: Annotated[AnyPath, Parameter(required=True, help="Files and folders, at most 32.")],
    wait: _Wait = False,
    common: Common = COMMON,
) -> int:
    """Offer files and folders to somebody and nobody else. It gets there by itself, however long that takes."""
    names = [name for name in (part.strip() for part in peers.split(",")) if name]
    wanted = [absolute(path) for path in paths]
    async with common.engine() as engine:
        made = await _indexed(engine, names, wanted, common)
        here = {peer.peer_id for peer in await engine.peers() if peer.state == "online"}
        for view in made:
            if view.state == "queued" and view.peer_id not in here:
                common.talk(
                    f"{view.peer_name} is not here; it hears of this as soon as it is"
                    f" (to take it back: peerterm withdraw {short_id(view.offer_id)})"
                )
        if wait:
            made = await _wait_for(engine, made, common)
    _emit(made, common)
    return report_all([error for view in made if (error := _failure(view))], as_json=common.json)


async def inbox(
    offer: Annotated[str, Parameter(help="Show the items of this offer; its id, or the id's first digits.")] = "",
    /,
    *,
    all_: Annotated[bool, Parameter(name="--all", help="Also what you offer, and what is over.")] = False,
    common: Common = COMMON,
) -> None:
    """List what peers offer you and what you accepted of it."""
    async with common.engine() as engine:
        found = await engine.offers()
    if offer:
        view = _find(found, offer)
        common.emit(_plain(view), _items_table(view))
        if view.error:
            common.talk(f"{view.name}: {view.error}")
        return
    shown = [view for view in found if all_ or (view.direction == "in" and view.state not in ENDED)]
    common.emit([_plain(view) for view in shown], offers_table(shown, with_way=all_))


async def accept(
    offer: _Id,
    /,
    *,
    output: Annotated[AnyPath | None, Parameter(name=["--output", "-o"], help="Folder to put it in.")] = None,
    items: Annotated[
        str, Parameter(help="Only the items with these numbers, such as 1,3; inbox ID shows them.")
    ] = "",
    wait: _Wait = False,
    common: Common = COMMON,
) -> int:
    """Fetch what a peer offers you, all of it or some items."""
    numbers = _numbers(items)
    directory = absolute(output) if output is not None else ""
    async with common.engine() as engine, stream(engine.events()) as events:
        await anext(events, None)
        view = await engine.accept(offer, directory, numbers or None)
        failures: list[PeertermError] = []
        if wait:
            started = [got for got in await engine.transfers() if got.transfer_id in view.transfer_ids]
            ended = await follow(engine, events, started, common)
            for got in ended:
                if got.state == "failed":
                    failures.append(by_code().get(got.error_code, PeertermError)(f"{got.name}: {got.error}"))
                elif got.path:
                    common.talk(f"{got.name}: {got.path}")
            [view] = await _wait_for(engine, [view], common)
    _emit([view], common, is_single=True)
    if view.transfer_ids and not wait:
        common.talk("it is fetched in the background (to see it: peerterm transfers)")
    if not failures and (error := _failure(view)):
        failures = [error]
    return report_all(failures, as_json=common.json)


async def decline(*offers: _Ids, common: Common = COMMON) -> int:
    """Refuse what a peer offers you, or give up what you accepted and is not here yet."""
    async with common.engine() as engine:
        return await _change(offers, engine.decline, common)


async def withdraw(*offers: _Ids, common: Common = COMMON) -> int:
    """Take back what you offered: what the peer has not fetched by now, it does not get."""
    async with common.engine() as engine:
        return await _change(offers, engine.withdraw, common)


async def _change(offers: Sequence[str], ask: Callable[[str], Awaitable[OfferView]], common: Common) -> int:
    changed, refused = await each(offers, ask)
    if changed:
        common.emit([_plain(view) for view in changed], [f"{view.name}: {view.state}" for view in changed])
    return report_all(refused, as_json=common.json)


async def _indexed(engine: EngineApi, peers: list[str], paths: list[str], common: Common) -> list[OfferView]:
    """Send, and show meanwhile how far the reading of files is."""
    sending = asyncio.ensure_future(engine.send(peers, paths))
    async with stream(engine.events()) as events:
        with Bars(quiet=common.quiet) as bars:
            showing = asyncio.ensure_future(_show_indexing(events, bars, paths))
            try:
                return await sending
            finally:
                showing.cancel()
                await asyncio.gather(showing, return_exceptions=True)


async def _show_indexing(events: AsyncIterator[Event], bars: Bars, paths: Sequence[str]) -> None:
    async for event in events:
        if isinstance(event, OfferIndexing) and event.path in paths:
            left = f", {human_seconds(event.eta)} left" if event.eta is not None else ""
            detail = f"of {human_bytes(event.bytes)} in {counted(event.files, 'file')}{left}"
            label = event.path.rpartition("/")[2] or event.path
            bars.show(event.path, label, done=event.done_bytes, total=event.bytes, detail=detail)


async def _wait_for(engine: EngineApi, offers: Sequence[OfferView], common: Common) -> list[OfferView]:
    """Wait until nothing more is to come of offers; returns them in the same order."""
    latest = {view.offer_id: view for view in offers}
    try:
        async with stream(engine.events()) as events:
            while any(view.state not in (*ENDED, "failed") for view in latest.values()):
                match await anext(events, None):
                    case OfferChanged(offer=offer):
                        changed = [offer]
                    case Snapshot(offers=known):
                        changed = known
                    case None:
                        raise ControlError("the engine ended; the offer stands", "to see it: peerterm inbox --all")
                    case _:
                        continue
                latest.update({view.offer_id: view for view in changed if view.offer_id in latest})
    except asyncio.CancelledError:
        common.talk("nothing is lost: to see how far it is: peerterm inbox --all")
        raise
    return [latest[view.offer_id] for view in offers]


def _failure(view: OfferView) -> PeertermError | None:
    """Return the error that an offer ended with, as far as whoever waited for it is concerned."""
    if view.state == "declined" and view.direction == "in":
        return PeertermError(f"{view.name}: it was given up here", "ask for it to be sent again")
    if view.state == "declined":
        return PeerRefused(f"{view.name}: {view.peer_name} declined it", "ask why: peerterm chat")
    if view.state == "withdrawn":
        return PeerRefused(f"{view.name}: {view.error or 'it was withdrawn'}")
    if view.state == "failed":
        return PeertermError(f"{view.name}: {view.error}")
    return None


def _find(offers: Sequence[OfferView], reference: str) -> OfferView:
    found = [view for view in offers if view.offer_id.startswith(reference.lower())]
    if not found:
        raise NotFound(f"no offer {reference!r}", "peerterm inbox --all lists them")
    if len(found) > 1:
        raise AmbiguousReference(f"{reference!r} fits {len(found)} offers", "use more of the id")
    return found[0]


def _numbers(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")] if text else []
    if not all(part.isascii() and part.isdigit() and len(part) < 4 for part in parts):
        raise UsageError(f"{text!r:.100} is no list of numbers", "write them as --items 1,3")
    return [int(part) for part in parts]


def _plain(view: OfferView) -> dict[str, Any]:
    """Return an offer for JSON; ``peer`` is what other verbs take as PEER."""
    from peerterm.control.messages import to_plain

    fields: dict[str, Any] = to_plain(view)
    return {"offer_id": view.offer_id, "peer": view.peer_id} | fields


def _emit(views: Sequence[OfferView], common: Common, *, is_single: bool = False) -> None:
    plain = [_plain(view) for view in views]
    common.emit(plain[0] if is_single else plain, offers_table(views))


def offers_table(views: Sequence[OfferView], *, with_way: bool = False) -> Table:
    """Return offers for people."""
    rows = [
        (
            short_id(view.offer_id),
            *((view.direction,) if with_way else ()),
            view.peer_name,
            view.name,
            view.files,
            human_bytes(view.bytes),
            view.state,
            moment(view.sent_at),
            view.error,
        )
        for view in views
    ]
    columns = ("id", *(("way",) if with_way else ()), "peer~", "name~", "files>", "size>", "state", "sent", "note~")
    nothing = (
        "no offers" if with_way else "nothing is offered to you (all, also what is over: peerterm inbox --all)"
    )
    return Table(columns, rows, nothing)


def _items_table(view: OfferView) -> Table:
    rows = [
        (number, item.name + "/" * (item.kind == "folder"), item.files, human_bytes(item.size), short_id(item.root))
        for number, item in enumerate(view.items, 1)
    ]
    return Table(("no>", "name~", "files>", "size>", "root"), rows)
