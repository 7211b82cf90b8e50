"""The bookkeeping of one source."""

from __future__ import annotations

from random import Random

from peerterm.core.content import Content
from peerterm.core.ids import PeerId, Root
from peerterm.core.pieces import Piece, PieceKind
from peerterm.core.source import MAX_STRIKES, Source
from peerterm.core.window import ASSUMED_RATE, SILENCE_SECONDS

ANN = PeerId("a" * 64)


def content(order: int) -> Content:
    return Content(Root(bytes([order]) * 32), order, 10)


def test_contents_wait_in_order_of_preference() -> None:
    """The queue is ordered by preference and holds each content once."""
    source = Source(ANN)
    for order in (3, 1, 2, 1):
        source.push(content(order))

    roots = []
    while (root := source.first_root) is not None:
        roots.append(root[0])
        source.pop()

    assert roots == [1, 2, 3]


def test_content_can_wait_again() -> None:
    """What was taken out of the queue may come back."""
    source = Source(ANN)
    source.push(content(1))
    source.pop()
    source.push(content(1))

    assert source.first_root == content(1).root


def test_source_is_usable_when_present_ready_and_answering() -> None:
    """Absent, backed-off and stalled sources are not used."""
    source = Source(ANN)

    assert source.is_usable(10.0)

    source.patience.back_off(10.0)

    assert not source.is_usable(10.5)
    assert source.is_usable(11.0)

    source.patience.is_stalled = True

    assert not source.is_usable(11.0)

    source.reset()
    source.is_present = False

    assert not source.is_usable(11.0)


def test_reset_keeps_counts_and_strikes() -> None:
    """What a source did is remembered when it leaves."""
    source = Source(ANN)
    source.strikes, source.verified_bytes = MAX_STRIKES, 7
    source.roots.add(content(1).root)
    source.push(content(1))
    source.reset()

    assert source.is_banned
    assert source.stats().verified_bytes == 7
    assert (source.first_root, source.roots) == (None, set())


def test_sources_choose_by_speed_then_by_chance() -> None:
    """The one that would deliver soonest is first; equals are ordered at random."""
    source, other, rng = Source(ANN), Source(PeerId("b" * 64)), Random(1)
    other.window.open(1000, 0.0)

    assert source.turn(0.0, rng) < other.turn(0.0, rng)
    assert source.turn(0.0, rng) != source.turn(0.0, rng)


def test_next_piece_comes_from_the_first_content_that_has_one() -> None:
    """Contents that are gone or have nothing for the source leave the queue on the way."""
    source = Source(ANN)
    contents = {each.root: each for each in (content(2), content(3), content(4))}
    for order in (1, 2, 3, 4):
        source.push(content(order))
    third = contents[content(3).root]
    third.has(ANN, complete=True, first=0, bits=b"")

    assert source.next_piece(contents, Random(1)) == Piece(third.root, PieceKind.CHUNK, 0)
    assert source.first_root == third.root

    third.has_nothing(ANN)

    assert source.next_piece(contents, Random(1)) is None
    assert source.first_root is None


def test_lost_lane_is_silence_that_may_be_tried_again() -> None:
    """With nothing in flight a stall ends, but the time to give up stays."""
    source = Source(ANN)
    source.patience.heard(10.0)
    source.patience.is_stalled = True
    source.lane_lost()

    assert not source.patience.is_stalled
    assert source.deadlines() == [10.0 + SILENCE_SECONDS]

    made = content(1)
    piece = Piece(made.root, PieceKind.CHUNK, 0)
    source.requests[piece] = made.ask(ANN, piece, 0.0)
    source.patience.is_stalled = True
    source.lane_lost()

    assert source.patience.is_stalled


def test_late_or_struck_source_is_expected_later() -> None:
    """A source is late again by as much as it is now, and needs one try more for each strike."""
    source, made = Source(ANN), content(1)
    piece = Piece(made.root, PieceKind.CHUNK, 0)

    assert source.expected(int(ASSUMED_RATE), 5.0) == 6.0

    source.requests[piece] = made.ask(ANN, piece, 4.0)

    assert source.expected(int(ASSUMED_RATE), 3.0) == 4.0
    assert source.expected(int(ASSUMED_RATE), 5.0) == 7.0

    source.strikes = 2

    assert source.expected(int(ASSUMED_RATE), 5.0) == 11.0


def test_content_with_deadlines_does_not_wait_in_line() -> None:
    """What a player reads is asked for elsewhere, before the line; it does not stop those behind it."""
    source, read, other = Source(ANN), content(1), content(2)
    for each in (read, other):
        each.has(ANN, complete=True, first=0, bits=b"")
        source.push(each)
    read.set_deadlines({0: 1.0})

    assert source.next_piece({each.root: each for each in (read, other)}, Random(1)) == Piece(
        other.root, PieceKind.CHUNK, 0
    )
