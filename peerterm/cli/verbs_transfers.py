"""Verbs about transfers that were started: transfers, pause, resume, retry, priority, move, limit, cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from peerterm.api.views import ENDED
from peerterm.cli.common import COMMON, Common, between, each, parse_rate, report_all
from peerterm.cli.table import Table
from peerterm.core.queue import MAX_PRIORITY, MIN_PRIORITY, Move
from peerterm.display import counted, human_bytes, human_rate, human_seconds
from peerterm.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from peerterm.api.engine import EngineApi
    from peerterm.api.views import TransferState, TransferView
    from peerterm.errors import PeertermError

UNFINISHED: tuple[TransferState, ...] = ("queued", "connecting", "running", "waiting", "verifying")
"""What ``pause --all`` pauses."""

_MOVED: dict[Move, str] = {"first": "to the front", "up": "up", "down": "down", "last": "to the end"}
_Ids = Annotated[str, Parameter(help="Their ids, or the ids' first digits.")]
_NeededIds = Annotated[str, Parameter(required=True, help="Their ids, or the ids' first digits.")]


def register(app: App) -> None:
    """Add the verbs."""
    app.command(transfers, help_epilogue="Examples:\n  peerterm transfers --json\n  peerterm transfers --clear")
    app.command(pause, help_epilogue="Examples:\n  peerterm pause 7f3a 5089c145\n  peerterm pause --all")
    app.command(resume, help_epilogue="Examples:\n  peerterm resume 7f3a\n  peerterm resume --all")
    app.command(retry, help_epilogue="Example:\n  peerterm retry 7f3a")
    app.command(priority, help_epilogue="Examples:\n  peerterm priority 7f3a 10\n  peerterm priority 7f3a -1")
    app.command(move, help_epilogue="Examples:\n  peerterm move 7f3a first\n  peerterm move 7f3a up")
    app.command(
        limit,
        help_epilogue="Examples:\n  peerterm limit\n  peerterm limit --down 10M --up 1.5MiB\n"
        "  peerterm limit --up none\n  peerterm limit 7f3a --down 500k",
    )
    app.command(cancel, help_epilogue="Examples:\n  peerterm cancel 7f3a\n  peerterm cancel 7f3a 5089c145 --delete")


async def transfers(
    *,
    clear: Annotated[bool, Parameter(help="Forget those that ended first; no file is touched.")] = False,
    common: Common = COMMON,
) -> None:
    """List downloads and uploads of this session."""
    async with common.engine() as engine:
        if clear:
            common.talk(f"{counted(await engine.clear(), 'transfer')} cleared")
        found = await engine.transfers()
    common.emit(found, transfers_table(found))
    kept = sum(view.state in ("failed", "cancelled") and view.bytes > 0 for view in found)
    if clear and kept:
        common.talk(f"{counted(kept, 'transfer')} kept, partly on disk (peerterm retry ID, or cancel ID --delete)")


def transfers_table(views: Sequence[TransferView]) -> Table:
    """Return transfers for people."""
    columns = (
        *("id", "way", "name~", "state", "done>", "size>", "rate>", "left>", "peers>"),
        *("prio>", "limit>", "note~"),
    )
    return Table(columns, [_row(view) for view in views], "no transfers; fetch something: peerterm get REF")


def _row(view: TransferView) -> tuple[object, ...]:
    moving = view.state == "running"
    return (
        view.transfer_id,
        view.direction,
        view.name,
        view.state,
        f"{view.bytes * 100 // view.total}%" if view.total and view.direction == "down" else "",
        human_bytes(view.total),
        human_rate(view.rate) if moving else "",
        human_seconds(view.eta) if moving and view.eta is not None else "",
        sum(source.state == "active" for source in view.sources) if moving else "",
        view.priority if view.priority and view.state not in ENDED else "",
        human_rate(view.limit) if view.limit and view.state not in ENDED else "",
        reason(view),
    )


def reason(view: TransferView) -> str:
    """Say why a transfer does not move, or what it failed of, and what can be done; empty if it needs no word."""
    if view.error:
        return view.error
    if view.state == "waiting":
        remedy = f"it resumes by itself (or: peerterm cancel {view.transfer_id})"
        return f"no peer that has it is online; {remedy}"
    return f"to go on: peerterm resume {view.transfer_id}" if view.state == "paused" else ""


async def pause(
    *transfers: _Ids,
    all_: Annotated[bool, Parameter(name="--all", help="All that have not ended.")] = False,
    common: Common = COMMON,
) -> int:
    """Stop transfers until they are resumed; what they have stays."""
    _check(transfers, every=all_)
    async with common.engine() as engine:
        chosen = await _in_states(engine, UNFINISHED) if all_ else transfers
        return await _change(chosen, engine.pause, common)


async def resume(
    *transfers: _Ids,
    all_: Annotated[bool, Parameter(name="--all", help="All that are paused.")] = False,
    common: Common = COMMON,
) -> int:
    """Let paused transfers go on, as soon as the queue lets them run."""
    _check(transfers, every=all_)
    async with common.engine() as engine:
        chosen = await _in_states(engine, ("paused",)) if all_ else transfers
        return await _change(chosen, engine.resume, common)


async def retry(*transfers: _NeededIds, common: Common = COMMON) -> int:
    """Fetch again what failed or was cancelled; what is still on disk counts."""
    async with common.engine() as engine:
        return await _change(transfers, engine.retry, common)


async def priority(
    transfer: Annotated[str, Parameter(help="Its id, or the id's first digits.")],
    number: Annotated[
        int, Parameter(validator=between(MIN_PRIORITY, MAX_PRIORITY), help="-100 to 100; 0 at first.")
    ],
    /,
    *,
    common: Common = COMMON,
) -> int:
    """Say how urgent a transfer is: higher numbers run first, equal ones in the order they were asked."""
    async with common.engine() as engine:
        return await _change(
            [transfer],
            lambda reference: engine.prioritise(reference, number),
            common,
            tell=lambda view: f"priority {view.priority}",
        )


async def move(
    transfer: Annotated[str, Parameter(help="Its id, or the id's first digits.")],
    where: Annotated[Move, Parameter(help="Where to, among those of its priority.")],
    /,
    *,
    common: Common = COMMON,
) -> int:
    """Give a transfer another place in the queue."""
    async with common.engine() as engine:
        return await _change(
            [transfer],
            lambda reference: engine.move(reference, where),
            common,
            tell=lambda _: f"moved {_MOVED[where]}",
        )


async def cancel(
    *transfers: _NeededIds,
    delete: Annotated[bool, Parameter(help="Also remove what they have fetched.")] = False,
    common: Common = COMMON,
) -> int:
    """End transfers."""
    async with common.engine() as engine:
        return await _change(transfers, lambda transfer: engine.cancel(transfer, delete=delete), common)


async def limit(
    transfer: Annotated[str | None, Parameter(help="One transfer, by id or its first digits; else all.")] = None,
    /,
    *,
    down: Annotated[
        str | None, Parameter(help="Most bytes received a second, such as 10M or 1.5MiB; 0 or none lifts it.")
    ] = None,
    up: Annotated[str | None, Parameter(help="Most bytes sent a second, by all transfers.")] = None,
    common: Common = COMMON,
) -> None:
    """Show or set limits, at once: of everything, which last for later starts, or of one transfer."""
    if transfer == "":
        raise UsageError("an empty id names no transfer", "see their ids: peerterm transfers")
    if transfer and up is not None:
        raise UsageError("one transfer has a limit for --down only", "leave the id out to limit all that is sent")
    down_rate, up_rate = parse_rate(down), parse_rate(up)
    async with common.engine() as engine:
        found = await engine.limit(transfer or "", down=down_rate, up=up_rate)
    whose = f"{found.transfer_id} " if found.transfer_id else ""
    lines = [f"{whose}down  {_limit_text(found.down)}"]
    common.emit(found, lines if found.transfer_id else [*lines, f"up    {_limit_text(found.up)}"])


def _limit_text(rate: int) -> str:
    return human_rate(rate) if rate else "none"


def _check(transfers: Sequence[str], *, every: bool) -> None:
    if every == bool(transfers):
        raise UsageError("name transfers, or give --all", "see their ids: peerterm transfers")


async def _in_states(engine: EngineApi, states: Sequence[TransferState]) -> list[str]:
    views = await engine.transfers()
    return [view.transfer_id for view in views if view.direction == "down" and view.state in states]


async def _change(
    transfers: Iterable[str],
    ask: Callable[[str], Awaitable[TransferView]],
    common: Common,
    *,
    tell: Callable[[TransferView], str] = lambda view: view.state,
) -> int:
    """Ask something of each transfer, and tell how it is then; returns the exit code."""
    changed: list[TransferView]
    refused: list[PeertermError]
    changed, refused = await each(transfers, ask)
    if changed or not refused:
        common.emit(changed, [f"{view.name}: {tell(view)}" for view in changed])
    if not changed and not refused:
        common.talk("there is none")
    return report_all(refused, as_json=common.json)
