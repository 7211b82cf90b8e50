"""A download as clients see it. Called by ``engine.transfer``; changes nothing."""

from __future__ import annotations

from heapq import nlargest
from typing import TYPE_CHECKING

from peerterm.api.views import SourceView, TransferView
from peerterm.core.life import PauseReason, State
from peerterm.errors import DiskFull

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerterm.core.ids import PeerId
    from peerterm.engine.transfer import Transfer

MAX_NAMED = 3
"""Most peers that are named as those who had what is waited for."""

MAX_SOURCES = 64
"""Sources that are shown and noted of a transfer, those that gave most. Anybody may call himself one."""


def view_of(transfer: Transfer, name_of: Callable[[PeerId], str]) -> TransferView:
    """Return a download as clients see it; ``name_of`` returns what a peer calls itself."""
    attempt, order = transfer.attempt, transfer.order
    fetching = attempt.fetching if attempt else None
    rate = fetching.exchange.rate if fetching and transfer.life.state is State.RUNNING else 0.0
    return TransferView(
        transfer_id=order.transfer_id,
        direction="down",
        name=order.name,
        kind=order.entry.kind,
        root=order.entry.root.hex(),
        state=transfer.life.state.value,
        bytes=transfer.bytes,
        total=transfer.total,
        rate=rate,
        eta=(transfer.total - transfer.bytes) / rate if rate else None,
        seconds=transfer.seconds,
        files=transfer.files,
        done_files=transfer.landed_files,
        path=transfer.path,
        directory=str(order.directory),
        sources=_source_views(transfer, name_of),
        error=_trouble(transfer, name_of),
        error_code=transfer.error.code if transfer.error else "",
        priority=transfer.priority,
        limit=transfer.limit,
        local_bytes=transfer.tally.local_bytes + (attempt.local_bytes if attempt else 0),
        wasted_bytes=transfer.tally.wasted_bytes + (fetching.machine.wasted_bytes if fetching else 0),
    )


def main_sources(given: dict[PeerId, int]) -> dict[PeerId, int]:
    """Return those of the sources that gave most bytes, in the order in which they came."""
    if len(given) <= MAX_SOURCES:
        return given
    kept = set(nlargest(MAX_SOURCES, given, key=given.__getitem__))
    return {peer: size for peer, size in given.items() if peer in kept}


def _trouble(transfer: Transfer, name_of: Callable[[PeerId], str]) -> str:
    """Say what failed or is waited for, and what to do."""
    if transfer.error:
        when = "there is room" if isinstance(transfer.error, DiskFull) else "the disk can be written"
        is_waited_for = transfer.life.pause_reason is PauseReason.DISK
        return transfer.error.advice + (f"; it goes on by itself when {when}" if is_waited_for else "")
    if transfer.life.state is State.WAITING:
        now = transfer.attempt.fetching if transfer.attempt else None
        had = transfer.tally.sources | (now.machine.sources if now else {})
        names = ", ".join(name_of(peer) for peer in list(had)[:MAX_NAMED])
        return f"no peer that has it is online{f' ({names} had it)' if names else ''}; it resumes by itself"
    return ""


def _source_views(transfer: Transfer, name_of: Callable[[PeerId], str]) -> list[SourceView]:
    fetching, tally = transfer.attempt.fetching if transfer.attempt else None, transfer.tally
    now = fetching.machine.sources if fetching else {}
    given = tally.sources | {peer: tally.sources.get(peer, 0) + stats.verified_bytes for peer, stats in now.items()}
    views = []
    for peer, size in main_sources(given).items():
        stats = now.get(peer)
        strikes = stats.strikes if stats else tally.strikes.get(peer, 0)
        is_active = stats is not None and stats.is_present
        views.append(
            SourceView(
                peer_id=peer,
                name=name_of(peer),
                bytes=size,
                rate=fetching.exchange.rate_of(peer) if fetching and is_active else 0.0,
                state="active" if is_active else "dropped" if strikes else "gone" if fetching else "idle",
                strikes=strikes,
            )
        )
    return views
