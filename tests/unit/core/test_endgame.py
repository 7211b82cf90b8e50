"""Which late piece an idle source takes over."""

from __future__ import annotations

from peerterm.core.content import Content
from peerterm.core.endgame import late_pieces, piece_for
from peerterm.core.ids import PeerId, Root
from peerterm.core.pieces import Piece, PieceKind
from peerterm.core.source import Source
from tests.fakes.contents import MadeContent

ANN, BOB = Source(PeerId("a" * 64)), Source(PeerId("b" * 64))
MADE = [MadeContent.of(100, seed) for seed in range(3)]
PIECES = [made.piece(PieceKind.CHUNK) for made in MADE]


def asked(*dues: float) -> tuple[Source, dict[Root, Content]]:
    """Return a source that was asked for the chunk of each content, due at these times, and the contents."""
    source = Source(ANN.peer)
    contents: dict[Root, Content] = {}
    for number, due in enumerate(dues):
        content = contents[MADE[number].root] = Content(MADE[number].root, number, 100)
        for peer in (ANN.peer, BOB.peer):
            content.has(peer, complete=True, first=0, bits=b"")
        source.requests[PIECES[number]] = content.ask(ANN.peer, PIECES[number], due)
    return source, contents


def late(source: Source, contents: dict[Root, Content], now: float) -> list[Piece]:
    return [piece for _, piece in late_pieces([source], contents, now)]


def test_latest_piece_is_first() -> None:
    """Pieces are listed by when they are expected; one that is overdue will be as late again."""
    source, contents = asked(5.0, 9.0, 7.0)

    assert late(source, contents, 0.0) == [PIECES[1], PIECES[2], PIECES[0]]
    assert late_pieces([source], contents, 8.0)[0] == (11.0, PIECES[0])


def test_what_is_not_wanted_any_more_is_not_late() -> None:
    """Chunks that are held, requests that ended and contents that are gone do not count."""
    source, contents = asked(5.0, 9.0, 7.0)
    contents[MADE[0].root].hold(0)
    contents[MADE[1].root].end(source.requests[PIECES[1]])
    del contents[MADE[2].root]

    assert late(source, contents, 0.0) == []


def test_what_a_player_waits_for_or_skipped_is_not_late() -> None:
    """Pieces with a deadline are overtaken by that; chunks outside the window are left to come when they come."""
    source, contents = asked(5.0, 9.0, 7.0)
    contents[MADE[0].root].set_deadlines({0: 1.0})
    contents[MADE[1].root].set_window([])

    assert late(source, contents, 0.0) == [PIECES[2]]


def test_source_takes_over_what_it_has_and_brings_sooner() -> None:
    """A piece is asked again only of a source that has it and would be first."""
    source, contents = asked(5.0, 9.0)
    pieces = late_pieces([source], contents, 0.0)

    assert piece_for(BOB, contents, pieces, 0.0) == PIECES[1]

    contents[MADE[1].root].has_nothing(BOB.peer)

    assert piece_for(BOB, contents, pieces, 0.0) == PIECES[0]
    assert piece_for(BOB, contents, pieces, 5.0) is None
    assert piece_for(ANN, contents, pieces, 0.0) is None
