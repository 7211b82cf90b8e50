"""Verbs about transfers that were started: transfers, cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from peerterm.cli.common import COMMON, Common, each, report_all
from peerterm.cli.table import Table
from peerterm.display import human_bytes, human_rate, human_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerterm.api.views import TransferView

ENDED = frozenset({"done", "failed", "cancelled"})


def register(app: App) -> None:
    """Add the verbs."""
    app.command(transfers, help_epilogue="Example:\n  peerterm transfers --json")
    app.command(cancel, help_epilogue="Examples:\n  peerterm cancel 7f3a\n  peerterm cancel 7f3a 5089c145 --delete")


async def transfers(*, common: Common = COMMON) -> None:
    """List downloads and uploads of this session."""
    async with common.engine() as engine:
        found = await engine.transfers()
    common.emit(found, transfers_table(found))


def transfers_table(views: Sequence[TransferView]) -> Table:
    """Return transfers for people."""
    columns = ("id", "way", "name~", "state", "done>", "size>", "rate>", "left>", "peers>", "note~")
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
        view.error or ("resumes when a peer that has it is online" if view.state == "waiting" else ""),
    )


def waiting_text(view: TransferView) -> str:
    """Say why a download does not move, and what can be done."""
    return (
        f"{view.name}: no peer that has it is online; it resumes by itself (or: peerterm cancel {view.transfer_id})"
    )


async def cancel(
    *transfers: Annotated[str, Parameter(required=True, help="Their ids, or the ids' first digits.")],
    delete: Annotated[bool, Parameter(help="Also remove what they have fetched.")] = False,
    common: Common = COMMON,
) -> int:
    """End transfers."""
    async with common.engine() as engine:
        ended, refused = await each(transfers, lambda transfer: engine.cancel(transfer, delete=delete))
    if ended:
        common.emit(ended, [f"{view.name}: {view.state}" for view in ended])
    return report_all(refused, as_json=common.json)
