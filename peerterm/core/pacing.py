"""Fetching against deadlines: which content comes first, and which chunks a source leaves to a sooner one.

Pure functions; ``core.download`` uses them for contents that a player reads. So slow sources are overtaken too: a
chunk that is asked for but expected too late is idle again (``Content.note_late``); this module says for whom.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerterm.core.manifest import CHUNK_BYTES
from peerterm.core.pieces import Piece, PieceKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from peerterm.core.content import Content
    from peerterm.core.ids import Root
    from peerterm.core.source import Source

MARGIN = 2.0
"""A source is trusted with a deadline, or overtakes another, only if that is so many times as far as its answer."""


def awaited(contents: Mapping[Root, Content]) -> list[Content]:
    """Return the contents that a player reads, the one with the earliest deadline first."""
    read = [content for content in contents.values() if content.deadlines]
    return sorted(read, key=lambda content: min(content.deadlines.values()))


def left_to_others(source: Source, content: Content, sources: Iterable[Source], now: float) -> int:
    """Return the chunks, as a set, that this source would bring too late and another one sooner.

    The other may have been asked already; then this one is to gain enough to be worth the bytes.
    """
    expected = source.expected(CHUNK_BYTES, now)
    safe = now + (expected - now) * MARGIN
    soon = [chunk for chunk, when in content.deadlines.items() if when < safe]
    sooner = [
        other
        for other in (sources if soon else ())
        if other.is_usable(now) and other.expected(CHUNK_BYTES, now) < expected
    ]
    left = 0
    for chunk in soon:
        piece = Piece(content.root, PieceKind.CHUNK, chunk)
        comes_sooner = content.expected_at(piece, now) <= safe
        if comes_sooner or any(content.may_ask(other.peer, piece) for other in sooner):
            left |= 1 << chunk
    return left
