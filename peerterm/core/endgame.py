"""The end of a transfer: who with nothing else to do takes over which piece that is late elsewhere.

Pure functions; ``core.download`` decides when.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from peerterm.core.picker import expected_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from peerterm.core.content import Content
    from peerterm.core.ids import Root
    from peerterm.core.pieces import Piece
    from peerterm.core.source import Source


def late_pieces(
    sources: Iterable[Source], contents: Mapping[Root, Content], now: float
) -> list[tuple[float, Piece]]:
    """Return all pieces in flight that are still wanted, the one expected last first, with that time.

    Pieces with a deadline are left out: ``core.pacing`` overtakes them.
    """
    late = [
        (expected_at(request.due, now), piece)
        for source in sources
        for piece, request in source.requests.items()
        if (content := contents.get(piece.root)) and content.has_asked(request) and content.wants(piece)
        if content.deadline_of(piece) == inf
    ]
    return sorted(late, key=lambda entry: entry[0], reverse=True)


def piece_for(
    source: Source, contents: Mapping[Root, Content], late: list[tuple[float, Piece]], now: float
) -> Piece | None:
    """Return the latest of these pieces that a source has and would bring sooner."""
    for expected, piece in late:
        content = contents[piece.root]
        if expected > source.window.due(content.length_of(piece), now) and content.may_ask(source.peer, piece):
            return piece
    return None
