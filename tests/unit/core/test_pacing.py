"""Who is to bring a chunk that a player waits for."""

from __future__ import annotations

from peerterm.core.content import Content
from peerterm.core.ids import PeerId, Root
from peerterm.core.manifest import CHUNK_BYTES
from peerterm.core.pacing import awaited, left_to_others
from peerterm.core.pieces import Piece, PieceKind
from peerterm.core.source import Source
from tests.fakes.contents import MadeContent

MADE = MadeContent.unreadable(6)
ANN, BOB = PeerId("a" * 64), PeerId("b" * 64)


def source_at(peer: PeerId, seconds: float) -> Source:
    """Return a source that needs so long for a chunk."""
    source = Source(peer)
    source.window.rate = CHUNK_BYTES / seconds
    return source


def reading(deadlines: dict[int, float]) -> Content:
    """Return a content that both announced whole."""
    content = Content(MADE.root, 1, None)
    content.learn_head(MADE.head.encode())
    content.learn_page(0, MADE.digests)
    for peer in (ANN, BOB):
        content.has(peer, complete=True, first=0, bits=b"")
    content.set_deadlines(deadlines)
    return content


def left(source: Source, content: Content, *others: Source, now: float = 0.0) -> set[int]:
    chunks = left_to_others(source, content, [source, *others], now)
    return {chunk for chunk in range(MADE.chunks) if chunks >> chunk & 1}


def test_content_with_the_earliest_deadline_is_first() -> None:
    """Contents that no player reads are not in the list."""
    contents = {Root(bytes([number])): Content(Root(bytes([number])), number, 10) for number in range(3)}
    for number, when in ((0, 5.0), (2, 4.0)):
        contents[Root(bytes([number]))].set_deadlines({0: when, 1: 9.0})

    assert [content.order for content in awaited(contents)] == [2, 0]


def test_what_another_brings_sooner_is_left_to_it() -> None:
    """A slow source takes only deadlines twice as far as its answer; the fast one takes any."""
    slow, fast = source_at(ANN, 4.0), source_at(BOB, 0.5)
    content = reading({0: 0.0, 1: 4.0, 2: 7.9, 3: 8.0})

    assert left(slow, content, fast) == {0, 1, 2}
    assert left(fast, content, slow) == set()


def test_nothing_is_left_to_who_cannot_bring_it() -> None:
    """A source that lacks the chunk, may not be asked now, or is no faster does not count."""
    slow, fast = source_at(ANN, 4.0), source_at(BOB, 0.5)
    content = reading({0: 0.0, 1: 1.0})
    content.lacks(BOB, MADE.piece(PieceKind.CHUNK, 1))

    assert left(slow, content, fast) == {0}
    assert left(slow, content, source_at(BOB, 4.0)) == set()

    fast.patience.back_off(0.0)

    assert left(slow, content, fast) == set()


def test_what_comes_soon_enough_is_not_asked_again() -> None:
    """Another try is worth its bytes only if it takes less than half of what the first will."""
    other = source_at(BOB, 1.0)
    content = reading({0: 0.0})
    content.ask(ANN, Piece(MADE.root, PieceKind.CHUNK, 0), 2.0)

    assert left(other, content, now=0.0) == {0}
    assert left(other, content, now=3.9) == {0}
    assert left(other, content, now=4.1) == set()
