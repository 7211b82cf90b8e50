"""The download machine in the hands of a test: sources that join, and true answers to all it asks."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from peerterm.core.download import Download, Event
from peerterm.core.ids import PeerId
from peerterm.core.pieces import Fetch, PieceKind
from tests.fakes.contents import MadeContent

if TYPE_CHECKING:
    from peerterm.core.budget import Budget

ANN, BOB, CAT = PeerId("a" * 64), PeerId("b" * 64), PeerId("c" * 64)
HEAD, PAGE, CHUNK = PieceKind.HEAD, PieceKind.PAGE, PieceKind.CHUNK
MADE = MadeContent.unreadable(8)


def downloading(*peers: PeerId, made: MadeContent = MADE, budgets: tuple[Budget, ...] = ()) -> Download:
    """Return a machine that fetches one content from complete sources."""
    download = Download(Random(1), budgets)
    download.add_content(made.root, made.size)
    for peer in peers:
        joined(download, peer, made)
    return download


def joined(download: Download, peer: PeerId, made: MadeContent = MADE, now: float = 0.0) -> None:
    """Let a source join that has all of a content."""
    download.source_joined(peer, now)
    download.has(peer, made.root, complete=True)


def proven(*peers: PeerId, budgets: tuple[Budget, ...] = ()) -> Download:
    """Return a machine that knows head and page of ``MADE``, learnt from the first peer at time 0."""
    download = downloading(*peers, budgets=budgets)
    for _ in (HEAD, PAGE):
        [fetch] = download.pump(0.0)
        download.arrived(fetch, MADE.proof(fetch.piece), 0.0)
    return download


def small(count: int) -> list[MadeContent]:
    """Return contents of one small chunk each."""
    return [MadeContent.of(100, seed) for seed in range(count)]


def chunks(fetches: list[Fetch], peer: PeerId) -> list[int]:
    """Return the chunks that a peer is asked for."""
    return [fetch.piece.index for fetch in fetches if fetch.peer == peer]


def finish(download: Download, made: MadeContent, now: float = 0.0) -> list[Event]:
    """Answer everything truly until nothing is left to ask."""
    events: list[Event] = []
    while fetches := download.pump(now):
        for fetch in fetches:
            events += download.arrived(fetch, made.proof(fetch.piece), now)
    return events
