"""One content: what can be asked of whom, and how answers are judged."""

from __future__ import annotations

from random import Random

import pytest

from peerterm.core.bitfield import Bitfield
from peerterm.core.content import MAX_CHUNKS, Content
from peerterm.core.ids import PeerId
from peerterm.core.manifest import CHUNK_BYTES, MAX_HEAD_BYTES, PAGE_CHUNKS
from peerterm.core.pieces import Piece, PieceKind
from peerterm.errors import ProtocolViolation
from tests.fakes.contents import MadeContent

ANN, BOB = PeerId("a" * 64), PeerId("b" * 64)
HEAD, PAGE, CHUNK = PieceKind.HEAD, PieceKind.PAGE, PieceKind.CHUNK
LONG = MadeContent.unreadable(PAGE_CHUNKS + 10)
SHORT = MadeContent.unreadable(5)


def started(made: MadeContent, *, pages: int = 0) -> Content:
    """Return a content whose head and first pages are known."""
    content = Content(made.root, 1, None)
    assert content.learn_head(made.head.encode())
    for page in range(pages):
        content.learn_page(page, made.proof(made.piece(PAGE, page)) or b"")
    return content


def asked_in_turn(content: Content, peer: PeerId) -> list[Piece]:
    """Ask one source for everything it can be asked for."""
    pieces = []
    while piece := content.next_piece(peer, Random(1)):
        content.ask(peer, piece, 0.0)
        pieces.append(piece)
    return pieces


def test_nothing_is_asked_of_a_source_that_announced_nothing() -> None:
    """A source without announcement has no next piece."""
    content = started(SHORT)
    content.has(ANN, complete=False, first=0, bits=b"\0")

    assert content.next_piece(ANN, Random(1)) is None
    assert not content.may_ask(ANN, SHORT.piece(CHUNK))


def test_head_comes_first_then_pages_then_chunks() -> None:
    """Only a piece that can be proven is asked for."""
    content = Content(SHORT.root, 1, None)
    content.has(ANN, complete=True, first=0, bits=b"")

    assert asked_in_turn(content, ANN) == [SHORT.piece(HEAD)]

    content.learn_head(SHORT.head.encode())

    assert asked_in_turn(content, ANN) == [SHORT.piece(PAGE)]

    content.learn_page(0, SHORT.digests)

    assert sorted(piece.index for piece in asked_in_turn(content, ANN)) == [0, 1, 2, 3, 4]


def test_one_chunk_of_claimed_size_needs_no_proof() -> None:
    """A small file from a listing costs one request; its root judges the chunk."""
    made = MadeContent.of(1000)
    content = Content(made.root, 1, made.size)
    content.has(ANN, complete=True, first=0, bits=b"")

    [piece] = asked_in_turn(content, ANN)
    fetch = content.ask(BOB, piece, 0.0).fetch

    assert (piece, fetch.max_bytes) == (made.piece(CHUNK), 1000)
    assert made.answer(fetch)
    assert not fetch.accepts(memoryview(bytes(1000)))
    assert not fetch.accepts(memoryview(made.read(piece)[:-1]))


def test_one_chunk_of_unknown_size_needs_the_head_only() -> None:
    """The head proves the size, and with it the chunk; no page is asked for."""
    made = MadeContent.of(1000)
    content = started(made)
    content.has(ANN, complete=True, first=0, bits=b"")

    assert asked_in_turn(content, ANN) == [made.piece(CHUNK)]


def test_every_kind_of_answer_is_judged() -> None:
    """True bytes are accepted, others are not."""
    made = MadeContent.of(CHUNK_BYTES + 5)
    content = started(made, pages=1)
    head = Content(made.root, 1, None).ask(ANN, made.piece(HEAD), 0.0).fetch
    page = started(made).ask(ANN, made.piece(PAGE), 0.0).fetch
    chunk = content.ask(ANN, made.piece(CHUNK, 1), 0.0).fetch

    assert [head.max_bytes, page.max_bytes, chunk.max_bytes] == [MAX_HEAD_BYTES, 64, 5]
    for fetch in (head, page, chunk):
        assert made.answer(fetch)
        assert not fetch.accepts(memoryview(made.read(fetch.piece)[:-1]))
        assert not fetch.accepts(memoryview(bytes(len(made.read(fetch.piece)))))


def test_whoever_has_a_chunk_is_asked_for_its_page() -> None:
    """A partial source is asked only for pages it must know and chunks it announced."""
    content = started(LONG)
    content.has_more(ANN, [PAGE_CHUNKS + 3], complete=False)

    assert asked_in_turn(content, ANN) == [LONG.piece(PAGE, 1)]

    content.learn_page(1, LONG.proof(LONG.piece(PAGE, 1)) or b"")

    assert asked_in_turn(content, ANN) == [LONG.piece(CHUNK, PAGE_CHUNKS + 3)]


def test_announcements_add_up() -> None:
    """Slices and updates of one source are joined."""
    content = started(SHORT, pages=1)
    content.has(ANN, complete=False, first=0, bits=b"\x80")
    content.has_more(ANN, [2], complete=False)

    assert {piece.index for piece in asked_in_turn(content, ANN)} == {0, 2}

    content.has_more(ANN, [], complete=True)

    assert {piece.index for piece in asked_in_turn(content, ANN)} == {1, 3, 4}


def test_bits_beyond_the_end_are_not_remembered() -> None:
    """A source cannot make us keep bits of chunks that the content does not have."""
    content = started(SHORT, pages=1)
    content.has(ANN, complete=False, first=MAX_CHUNKS - 8, bits=b"\xff")

    assert ANN not in content.holdings


@pytest.mark.parametrize(
    ("first", "bits"), [(4, b"\x80"), (MAX_CHUNKS, b"\x80"), (MAX_CHUNKS - 8, b"\0\0"), (2**62, b"\1")]
)
def test_impossible_bits_are_a_violation(first: int, bits: bytes) -> None:
    """Bits inside a byte, or of chunks beyond any content, are refused before they cost memory."""
    with pytest.raises(ProtocolViolation):
        Content(SHORT.root, 1, None).has(ANN, complete=False, first=first, bits=bits)


def test_impossible_chunks_are_a_violation() -> None:
    """So are updates with chunks beyond any content."""
    with pytest.raises(ProtocolViolation):
        Content(SHORT.root, 1, None).has_more(ANN, [MAX_CHUNKS], complete=False)


def test_source_without_a_chunk_is_corrected() -> None:
    """A source that turns out to lack a chunk keeps the rest."""
    content = started(SHORT, pages=1)
    content.has(ANN, complete=True, first=0, bits=b"")
    content.lacks(ANN, SHORT.piece(CHUNK, 2))
    content.lacks(BOB, SHORT.piece(CHUNK, 2))

    assert {piece.index for piece in asked_in_turn(content, ANN)} == {0, 1, 3, 4}

    content.has_more(ANN, [2], complete=False)

    assert [piece.index for piece in asked_in_turn(content, ANN)] == [2]


def test_source_without_a_page_is_asked_again_after_an_update() -> None:
    """A lacking page is forgotten once the source announces more."""
    content = started(SHORT)
    content.has(ANN, complete=True, first=0, bits=b"")
    content.lacks(ANN, SHORT.piece(PAGE))

    assert content.next_piece(ANN, Random(1)) is None

    content.has_more(ANN, [1], complete=False)

    assert content.next_piece(ANN, Random(1)) == SHORT.piece(PAGE)


def test_source_that_has_nothing_any_more_is_forgotten() -> None:
    """Its chunks no longer count as available either."""
    content = started(SHORT, pages=1)
    content.has(ANN, complete=False, first=0, bits=b"\xf8")
    content.has(BOB, complete=True, first=0, bits=b"")
    content.has_nothing(ANN)
    content.has_nothing(ANN)

    assert content.next_piece(ANN, Random(1)) is None
    assert content.next_piece(BOB, Random(1)) is not None


def test_piece_in_flight_is_not_idle_until_it_ends() -> None:
    """Asked pieces are handed out again only when given up."""
    content = started(MadeContent.unreadable(2), pages=0)
    made = MadeContent.unreadable(2)
    content.has(ANN, complete=True, first=0, bits=b"")
    content.has(BOB, complete=True, first=0, bits=b"")
    request = content.ask(ANN, made.piece(PAGE), 0.0)

    assert content.next_piece(BOB, Random(1)) is None
    assert content.may_ask(BOB, made.piece(PAGE))
    assert not content.may_ask(ANN, made.piece(PAGE))

    content.end(request)

    assert content.next_piece(BOB, Random(1)) == made.piece(PAGE)
    assert not content.has_asked(request)


def test_piece_of_a_silent_source_is_idle_for_one_other() -> None:
    """A stalled request frees its piece for a second source, not a third, and never for the same one."""
    content = started(SHORT, pages=1)
    for peer in (ANN, BOB, PeerId("c")):
        content.has(peer, complete=False, first=0, bits=b"\x80")
    first = content.ask(ANN, SHORT.piece(CHUNK), 0.0)
    content.stall(first, is_stalled=True)

    assert content.next_piece(ANN, Random(1)) is None
    assert content.next_piece(BOB, Random(1)) == SHORT.piece(CHUNK)

    second = content.ask(BOB, SHORT.piece(CHUNK), 0.0)
    content.stall(second, is_stalled=True)

    assert content.next_piece(PeerId("c"), Random(1)) is None
    assert not content.may_ask(PeerId("c"), SHORT.piece(CHUNK))

    content.end(second)
    content.stall(first, is_stalled=False)

    assert content.next_piece(PeerId("c"), Random(1)) is None


def test_complete_content_asks_for_nothing() -> None:
    """Once all chunks are held the content is complete and has no next piece."""
    content = started(SHORT, pages=1)
    content.has(ANN, complete=True, first=0, bits=b"")
    for chunk in range(SHORT.chunks):
        content.hold(chunk)

    assert content.is_complete
    assert content.next_piece(ANN, Random(1)) is None
    assert not content.needs(SHORT.piece(CHUNK))


def test_held_chunks_of_an_earlier_run_are_not_asked() -> None:
    """Pages whose chunks are all on disk are skipped, and so are the chunks."""
    held = Bitfield(LONG.chunks)
    for chunk in range(PAGE_CHUNKS + 9):
        held.set(chunk)
    content = Content(LONG.root, 1, LONG.size, held)
    content.has(ANN, complete=True, first=0, bits=b"")

    assert asked_in_turn(content, ANN) == [LONG.piece(HEAD)]

    content.learn_head(LONG.head.encode())

    assert asked_in_turn(content, ANN) == [LONG.piece(PAGE, 1)]

    content.learn_page(1, LONG.proof(LONG.piece(PAGE, 1)) or b"")

    assert asked_in_turn(content, ANN) == [LONG.piece(CHUNK, PAGE_CHUNKS + 9)]


def test_head_that_contradicts_the_claim_is_told() -> None:
    """``learn_head`` reports a size that differs from the one claimed."""
    assert not Content(SHORT.root, 1, SHORT.size + 1).learn_head(SHORT.head.encode())
    assert Content(SHORT.root, 1, SHORT.size).learn_head(SHORT.head.encode())


def test_doubted_size_is_proven_by_the_head() -> None:
    """A one-chunk content in doubt asks for its head, then for the chunk again."""
    made = MadeContent.of(1000)
    content = Content(made.root, 1, made.size)
    content.has(ANN, complete=True, first=0, bits=b"")
    content.doubt_size()

    assert not content.is_proven
    assert asked_in_turn(content, ANN) == [made.piece(HEAD)]

    content.learn_head(made.head.encode())

    assert content.is_proven
    assert asked_in_turn(content, ANN) == [made.piece(CHUNK)]


def test_deadlines_order_the_chunks() -> None:
    """Chunks a player waits for are asked for first, soonest first."""
    content = started(SHORT, pages=1)
    content.has(ANN, complete=True, first=0, bits=b"")
    content.set_deadlines({4: 2.0, 1: 1.0})

    assert [piece.index for piece in asked_in_turn(content, ANN)][:2] == [1, 4]


def test_only_the_window_is_asked_for() -> None:
    """Chunks outside are not asked for, of use though they are; without a window all are."""
    content = started(SHORT, pages=1)
    content.has(ANN, complete=True, first=0, bits=b"")
    content.set_window({1, 3, 9})

    assert sorted(piece.index for piece in asked_in_turn(content, ANN)) == [1, 3]
    assert not content.may_ask(BOB, SHORT.piece(CHUNK, 2))
    assert content.needs(SHORT.piece(CHUNK, 2))

    content.set_window(None)

    assert sorted(piece.index for piece in asked_in_turn(content, ANN)) == [0, 2, 4]


def test_window_needs_its_own_pages_only() -> None:
    """A page is asked for if it proves a chunk of the window; the head always is."""
    content = Content(LONG.root, 1, None)
    content.has(ANN, complete=True, first=0, bits=b"")
    content.set_window({PAGE_CHUNKS + 3})

    assert asked_in_turn(content, ANN) == [LONG.piece(HEAD)]

    content.learn_head(LONG.head.encode())

    assert asked_in_turn(content, ANN) == [LONG.piece(PAGE, 1)]

    content.set_window([])

    assert content.next_piece(BOB, Random(1)) is None


def test_windowed_content_is_complete_when_all_is_held() -> None:
    """To hold all of the window is not to hold the content."""
    content = started(SHORT, pages=1)
    content.set_window({0})
    content.hold(0)

    assert not content.is_complete

    for chunk in range(1, SHORT.chunks):
        content.hold(chunk)

    assert content.is_complete


def test_late_piece_is_idle_for_one_other() -> None:
    """A chunk expected after its deadline, and any page while a player waits, may be asked of a second source."""
    content = started(LONG, pages=1)
    for peer in (ANN, BOB, PeerId("c")):
        content.has(peer, complete=True, first=0, bits=b"")
    content.ask(ANN, LONG.piece(CHUNK, 2), 5.0)
    content.ask(ANN, LONG.piece(PAGE, 1), 0.1)
    content.set_deadlines({2: 6.0})
    content.note_late(4.0)

    assert content.deadline_of(LONG.piece(CHUNK, 2)) == 6.0
    assert content.deadline_of(LONG.piece(CHUNK, 3)) == float("inf")
    assert content.next_piece(BOB, Random(1)) == LONG.piece(PAGE, 1)

    content.ask(BOB, LONG.piece(PAGE, 1), 5.0)

    assert content.next_piece(BOB, Random(1)) != LONG.piece(CHUNK, 2)

    content.note_late(5.8)

    assert content.expected_at(LONG.piece(CHUNK, 2), 5.8) == pytest.approx(6.6)
    assert content.next_piece(ANN, Random(1)) != LONG.piece(CHUNK, 2)
    assert content.next_piece(BOB, Random(1), left=1 << 2) != LONG.piece(CHUNK, 2)
    assert content.next_piece(BOB, Random(1)) == LONG.piece(CHUNK, 2)

    content.ask(BOB, LONG.piece(CHUNK, 2), 7.0)

    assert content.next_piece(PeerId("c"), Random(1)) != LONG.piece(CHUNK, 2)


def test_nothing_is_late_without_deadlines() -> None:
    """When nobody waits any more, what is in flight is nobody else's again."""
    content = started(SHORT, pages=1)
    for peer in (ANN, BOB):
        content.has(peer, complete=False, first=0, bits=b"\x80")
    content.ask(ANN, SHORT.piece(CHUNK, 0), 5.0)
    content.set_deadlines({0: 1.0})

    assert content.next_piece(BOB, Random(1)) == SHORT.piece(CHUNK, 0)

    content.set_deadlines({})

    assert content.next_piece(BOB, Random(1)) is None


def test_sought_chunks_are_idle_once_they_were_looked_for() -> None:
    """A page makes them known, a look makes them free to be asked for."""
    content = Content(SHORT.root, 1, SHORT.size, is_sought=True)
    content.learn_head(SHORT.head.encode())
    content.has(ANN, complete=True, first=0, bits=b"")

    assert content.look_for(0) is None

    content.learn_page(0, SHORT.digests)
    call = content.look_for(0)

    assert call
    assert call.chunks == (0, 1, 2, 3, 4)
    assert content.next_piece(ANN, Random(1)) is None

    content.hold(2)
    for chunk in (1, 2, 3):
        content.looked(chunk)
    call = content.look_for(0)

    assert call
    assert call.chunks == (0, 4)
    assert sorted(piece.index for piece in asked_in_turn(content, ANN)) == [1, 3]


def test_all_chunks_of_a_later_page_are_looked_for() -> None:
    """They go by their numbers in the content; when the last was looked for, none is left."""
    content = Content(LONG.root, 1, None, is_sought=True)
    content.learn_head(LONG.head.encode())
    content.learn_page(1, LONG.proof(LONG.piece(PAGE, 1)) or b"")
    call = content.look_for(1)

    assert call
    assert call.chunks == tuple(range(PAGE_CHUNKS, PAGE_CHUNKS + 10))
    assert content.look_for(0) is None

    for chunk in call.chunks:
        content.looked(chunk)

    assert content.look_for(1) is None


def test_sought_chunk_is_told_by_its_own_digest() -> None:
    """No chunk is taken for another."""
    made = MadeContent.of(2 * CHUNK_BYTES + 5)
    content = Content(made.root, 1, made.size, is_sought=True)
    content.learn_head(made.head.encode())
    content.learn_page(0, made.digests)
    call = content.look_for(0)
    data = [memoryview(made.read(made.piece(CHUNK, index))) for index in range(3)]

    assert call
    assert [[call.accepts(one, data[other]) for other in range(3)] for one in range(3)] == [
        [True, False, False],
        [False, True, False],
        [False, False, True],
    ]
