"""The download machine, event by event."""

from __future__ import annotations

from random import Random

import pytest

from peerterm.core import window
from peerterm.core.bitfield import Bitfield
from peerterm.core.budget import Budget
from peerterm.core.content import MAX_CHUNKS
from peerterm.core.download import (
    ENDGAME_SECONDS,
    ChunkHeld,
    ContentDone,
    ContentImpossible,
    Download,
    Event,
    HeadKnown,
    LookFor,
    SourceDropped,
    SourceStruck,
)
from peerterm.core.ids import PeerId, Root
from peerterm.core.manifest import CHUNK_BYTES, EMPTY_ROOT
from peerterm.core.pieces import Fetch, PieceKind, Refusal
from peerterm.core.window import SILENCE_SECONDS, STALL_SECONDS
from peerterm.errors import ProtocolViolation
from tests.fakes.contents import MadeContent

ANN, BOB, CAT = PeerId("a" * 64), PeerId("b" * 64), PeerId("c" * 64)
HEAD, PAGE, CHUNK = PieceKind.HEAD, PieceKind.PAGE, PieceKind.CHUNK
MADE = MadeContent.unreadable(8)


@pytest.fixture(autouse=True)
def _two_chunks_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a source that is not measured have two chunks in flight, which keeps the tests short."""
    monkeypatch.setattr(window, "MIN_WINDOW_BYTES", 2 * CHUNK_BYTES)


def downloading(*peers: PeerId, made: MadeContent = MADE, budgets: tuple[Budget, ...] = ()) -> Download:
    """Return a machine that fetches one content from complete sources."""
    download = Download(Random(1), budgets)
    download.add_content(made.root, made.size)
    for peer in peers:
        joined(download, peer, made)
    return download


def joined(download: Download, peer: PeerId, made: MadeContent = MADE, now: float = 0.0) -> None:
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
    return [MadeContent.of(100, seed) for seed in range(count)]


def chunks(fetches: list[Fetch], peer: PeerId) -> list[int]:
    return [fetch.piece.index for fetch in fetches if fetch.peer == peer]


def finish(download: Download, made: MadeContent, now: float = 0.0) -> list[Event]:
    """Answer everything truly until nothing is left to ask."""
    events: list[Event] = []
    while fetches := download.pump(now):
        for fetch in fetches:
            events += download.arrived(fetch, made.proof(fetch.piece), now)
    return events


def test_content_is_fetched_head_page_chunks() -> None:
    """From one source a content comes whole, with one event for each fact."""
    download = downloading(ANN)
    events = finish(download, MADE)

    assert events[0] == HeadKnown(MADE.root, MADE.size)
    assert events[-1] == ContentDone(MADE.root)
    assert {event.index for event in events if isinstance(event, ChunkHeld)} == set(range(8))
    assert download.sources[ANN].verified_bytes == MADE.size
    assert download.is_idle
    assert download.wasted_bytes == 0


def test_empty_content_is_done_at_once() -> None:
    """Nothing is asked for an empty file, known as such by size or by root."""
    download = Download(Random(1))

    assert download.add_content(EMPTY_ROOT, 0) == [ContentDone(EMPTY_ROOT)]
    assert download.add_content(EMPTY_ROOT) == [ContentDone(EMPTY_ROOT)]


@pytest.mark.parametrize(("root", "size"), [(EMPTY_ROOT, 5), (MADE.root, 0)])
def test_empty_content_with_a_contradiction_is_impossible(root: Root, size: int) -> None:
    """A claim that contradicts the root of emptiness is refused at once."""
    [event] = Download(Random(1)).add_content(root, size)

    assert isinstance(event, ContentImpossible)


def test_content_held_from_an_earlier_run_is_done_at_once() -> None:
    """If nothing is missing, nothing is asked."""
    held = Bitfield.from_bytes(8, b"\xff")
    download = Download(Random(1))

    assert download.add_content(MADE.root, MADE.size, held) == [ContentDone(MADE.root)]

    joined(download, ANN)

    assert download.pump(0.0) == []


def test_held_is_live() -> None:
    """The bitfield to serve from grows as chunks are held; it is unknown while the size is."""
    download = Download(Random(1))
    download.add_content(MADE.root)

    content = download.content(MADE.root)

    assert content is not None
    assert download.held(MADE.root) is content.held is None
    assert download.held(EMPTY_ROOT) is None
    assert download.content(EMPTY_ROOT) is None

    joined(download, ANN)
    finish(download, MADE)
    held = download.held(MADE.root)

    assert held is not None
    assert held.is_complete


def test_small_files_are_asked_in_order_of_adding() -> None:
    """One-chunk files of known size cost one request each, 64 at a time, first added first."""
    download = Download(Random(1))
    files = small(100)
    for made in files:
        download.add_content(made.root, made.size)
    download.source_joined(ANN, 0.0)
    for made in reversed(files):
        download.has(ANN, made.root, complete=True)

    asked = [fetch.piece for fetch in download.pump(0.0)]

    assert asked == [made.piece(CHUNK) for made in files[:64]]


def test_window_bounds_what_is_in_flight() -> None:
    """An unmeasured source gets 2 MiB."""
    download = proven(ANN)

    assert len(download.pump(0.0)) == 2
    assert download.pump(0.0) == []
    assert download.sources[ANN].in_flight_bytes == 2 * CHUNK_BYTES


def test_sources_take_turns() -> None:
    """Equal sources share the chunks, none twice."""
    fetches = proven(ANN, BOB, CAT).pump(0.0)

    assert [len(chunks(fetches, peer)) for peer in (ANN, BOB, CAT)] == [2, 2, 2]
    assert len({fetch.piece for fetch in fetches}) == 6


def test_rarest_chunk_is_asked_first() -> None:
    """A chunk that fewer partial sources have goes first."""
    download = proven(ANN)
    for peer, bits in ((BOB, b"\xfb"), (CAT, b"\xfb")):
        download.source_joined(peer, 0.0)
        download.has(peer, MADE.root, bits=bits)

    assert chunks(download.pump(0.0), ANN)[0] == 5


def test_deadlines_come_first() -> None:
    """What a player waits for is asked before the rest."""
    download = proven(ANN)
    download.set_deadlines(MADE.root, {6: 1.0, 3: 2.0})
    download.set_deadlines(EMPTY_ROOT, {6: 1.0})

    assert chunks(download.pump(0.0), ANN) == [6, 3]


def test_only_announced_chunks_are_asked() -> None:
    """A partial source is asked for what it has, and for more once it announces more."""
    download = proven(ANN)
    download.source_left(ANN, 0.0)
    download.source_joined(BOB, 0.0)
    download.has(BOB, MADE.root, bits=b"\x80")

    assert chunks(download.pump(0.0), BOB) == [0]

    download.has_more(BOB, MADE.root, [7])

    assert chunks(download.pump(0.0), BOB) == [7]


def test_announcements_out_of_place_are_ignored() -> None:
    """Peers that are not sources and contents not fetched do not matter."""
    download = downloading()
    download.has(ANN, MADE.root, complete=True)
    download.source_joined(ANN, 0.0)
    download.has(ANN, EMPTY_ROOT, complete=True)
    download.has_more(ANN, EMPTY_ROOT, complete=True)
    download.has_nothing(ANN, EMPTY_ROOT)
    download.source_left(BOB, 0.0)
    download.has(ANN, MADE.root)

    assert download.pump(0.0) == []


def test_impossible_announcements_are_violations() -> None:
    """A peer that announces what cannot exist breaks the protocol."""
    download = downloading(ANN)

    with pytest.raises(ProtocolViolation):
        download.has(ANN, MADE.root, first=3, bits=b"\1")
    with pytest.raises(ProtocolViolation):
        download.has_more(ANN, MADE.root, [MAX_CHUNKS])


def test_pieces_of_a_leaving_source_are_asked_elsewhere() -> None:
    """When a source leaves, its requests go to others."""
    download = proven(ANN, BOB)
    fetches = download.pump(0.0)
    download.source_left(ANN, 1.0)
    for fetch in fetches:
        if fetch.peer == BOB:
            download.arrived(fetch, None, 1.0)
    events = finish(download, MADE, 1.0)

    assert set(chunks(fetches, ANN)) <= {event.index for event in events if isinstance(event, ChunkHeld)}
    assert not download.sources[ANN].is_present


def test_late_answer_of_a_source_that_left_counts() -> None:
    """Bytes that were accepted are kept, whoever is gone."""
    download = proven(ANN)
    fetch = download.pump(0.0)[0]
    download.source_left(ANN, 1.0)

    assert download.arrived(fetch, None, 2.0) == [ChunkHeld(MADE.root, fetch.piece.index, ANN, CHUNK_BYTES)]
    assert download.arrived(fetch, None, 3.0) == []
    assert download.wasted_bytes == CHUNK_BYTES


def test_answer_to_an_earlier_request_does_not_end_the_present_one() -> None:
    """After leaving and joining again, an old refusal does not touch the new request for the same piece."""
    download = downloading(ANN)
    [old] = download.pump(0.0)
    download.source_left(ANN, 1.0)
    joined(download, ANN, now=2.0)
    [new] = download.pump(2.0)
    download.refused(old, Refusal.NOT_FOUND, 3.0)

    assert new.piece == old.piece
    assert not download.is_idle


def test_removed_content_is_forgotten() -> None:
    """What still comes for a removed content is wasted and harms nobody."""
    download = proven(ANN)
    good, bad = download.pump(0.0)
    download.remove_content(MADE.root)
    download.remove_content(MADE.root)

    assert download.arrived(good, None, 1.0) == []
    assert download.rejected(bad, 1.0) == []
    assert download.wasted_bytes == 2 * CHUNK_BYTES
    assert download.is_idle
    assert download.pump(1.0) == []
    assert download.sources[ANN].strikes == 0


def test_refusal_for_a_removed_content_is_harmless() -> None:
    """A late *not held* for a content that is gone changes nothing."""
    download = proven(ANN)
    for fetch in download.pump(0.0):
        download.remove_content(MADE.root)
        download.refused(fetch, Refusal.NOT_HELD, 1.0)

    assert download.is_idle


def test_three_bad_pieces_drop_a_source() -> None:
    """Each bad piece is a strike; the third is the last, the good bytes stay, and it cannot come back."""
    download = proven(ANN, BOB)
    fetches = download.pump(0.0)
    good, bad = [fetch for fetch in fetches if fetch.peer == ANN]
    download.arrived(good, None, 1.0)
    events = download.rejected(bad, 1.0)
    for fetch in [fetch for fetch in download.pump(1.0) if fetch.peer == ANN]:
        events += download.rejected(fetch, 2.0)
    for fetch in [fetch for fetch in download.pump(2.0) if fetch.peer == ANN]:
        events += download.rejected(fetch, 3.0)
    joined(download, ANN, now=4.0)
    more = download.pump(4.0)

    assert events == [
        SourceStruck(ANN, 1),
        SourceStruck(ANN, 2),
        SourceStruck(ANN, 3),
        SourceDropped(ANN, 3, "bad data"),
    ]
    assert chunks(more, ANN) == []
    assert download.sources[ANN].verified_bytes == CHUNK_BYTES
    assert download.sources[ANN].in_flight_bytes == 0


def test_bad_pieces_after_the_drop_are_not_counted() -> None:
    """A dropped source has exactly three strikes, whatever still comes."""
    download = Download(Random(1))
    files = [MadeContent.unreadable(2, seed) for seed in range(5)]
    for made in files:
        download.add_content(made.root, made.size)
    download.source_joined(ANN, 0.0)
    for made in files:
        download.has(ANN, made.root, complete=True)
    events = [event for fetch in download.pump(0.0) for event in download.rejected(fetch, 1.0)]

    assert len(events) == 4
    assert download.sources[ANN].strikes == 3


def test_bad_chunk_of_claimed_size_is_blamed_once_the_head_proves_the_size() -> None:
    """The claim might be the lie, so the source is struck only when the head has shown that it was not."""
    made = MadeContent.of(100)
    download = downloading(ANN, made=made)
    [chunk] = download.pump(0.0)

    assert download.rejected(chunk, 1.0) == []

    [head] = download.pump(1.0)

    assert head.piece == made.piece(HEAD)
    assert download.arrived(head, made.head.encode(), 2.0) == [HeadKnown(made.root, 100), SourceStruck(ANN, 1)]
    assert finish(download, made, 3.0) == [ChunkHeld(made.root, 0, ANN, 100), ContentDone(made.root)]


def test_good_chunk_of_another_source_proves_the_size_too() -> None:
    """An accepted chunk settles the doubt: the suspect is struck and no head is asked for."""
    made = MadeContent.of(100)
    download = downloading(ANN, BOB, made=made)
    [first] = download.pump(0.0)
    [second] = download.pump(2.0)  # the endgame: the first is late
    download.rejected(first, 2.5)
    events = download.arrived(second, None, 3.0)

    assert events == [
        ChunkHeld(made.root, 0, second.peer, 100),
        SourceStruck(first.peer, 1),
        ContentDone(made.root),
    ]
    assert download.pump(4.0) == []


def test_wrong_claim_makes_the_content_impossible() -> None:
    """If the head contradicts the claimed size nobody is struck: the claim was wrong."""
    made = MadeContent.of(100)
    download = Download(Random(1))
    download.add_content(made.root, 101)
    joined(download, ANN, made)
    [chunk] = download.pump(0.0)
    download.refused(chunk, Refusal.LOST, 1.0)  # an answer of 100 bytes breaks the lane
    download.tick(2.0)
    [head] = download.pump(2.0)
    [event] = download.arrived(head, made.head.encode(), 3.0)

    assert event == ContentImpossible(made.root, "it is not 101 bytes long")
    assert download.pump(4.0) == []
    assert download.sources[ANN].strikes == 0


@pytest.mark.parametrize("refusal", [Refusal.NOT_FOUND, Refusal.CHANGED])
def test_source_that_has_it_no_more_is_not_asked_again(refusal: Refusal) -> None:
    """Not found, or changed: the content is not asked of this source until it announces it anew."""
    download = proven(ANN)
    for fetch in download.pump(0.0):
        download.refused(fetch, refusal, 1.0)

    assert download.pump(1.0) == []

    download.has(ANN, MADE.root, complete=True)

    assert len(download.pump(1.0)) == 2


def test_chunk_not_held_is_asked_elsewhere_only() -> None:
    """A source is not asked again for what it turned out to lack."""
    download = proven(ANN)
    lacking, other = download.pump(0.0)
    download.refused(lacking, Refusal.NOT_HELD, 1.0)
    download.arrived(other, None, 1.0)
    finish(download, MADE, 1.0)

    assert download.is_idle

    joined(download, BOB, now=1.0)
    [fetch] = download.pump(1.0)

    assert (fetch.peer, fetch.piece) == (BOB, lacking.piece)


@pytest.mark.parametrize("refusal", [Refusal.BUSY, Refusal.FAILED, Refusal.LOST])
def test_source_that_cannot_now_is_left_alone_for_a_while(refusal: Refusal) -> None:
    """A busy source is asked again after a second, then after two; the deadline says when."""
    download = proven(ANN)
    for fetch in download.pump(0.0):
        download.refused(fetch, refusal, 10.0)

    assert download.pump(10.5) == []
    assert download.deadline() == 11.0

    download.tick(11.0)
    again = download.pump(11.0)
    download.refused(again[0], refusal, 12.0)

    assert len(again) == 2
    assert download.deadline() == 14.0


def test_what_our_own_disk_refused_is_asked_again() -> None:
    """A fetch returned for our own reasons blames nobody and delays nothing."""
    download = proven(ANN)
    fetch = download.pump(0.0)[0]
    download.returned(fetch, 1.0)

    assert len(download.pump(1.0)) == 1
    assert download.sources[ANN].strikes == 0


def test_silent_source_is_relieved_then_dropped() -> None:
    """After 15 s its pieces go elsewhere and it gets no more; after 45 s it is given up."""
    download = proven(ANN)
    stuck = chunks(download.pump(0.0), ANN)

    assert download.deadline() == STALL_SECONDS
    assert download.tick(STALL_SECONDS) == []
    assert download.sources[ANN].is_stalled

    joined(download, BOB, now=STALL_SECONDS)
    events = finish(download, MADE, STALL_SECONDS)

    assert set(stuck) <= {event.index for event in events if isinstance(event, ChunkHeld)}
    assert download.deadline() == SILENCE_SECONDS
    assert download.tick(SILENCE_SECONDS) == [SourceDropped(ANN, 0, "silent")]
    assert download.deadline() is None


def test_stalled_source_that_answers_is_used_again() -> None:
    """An answer ends the stall; what was asked elsewhere meanwhile is wasted, not an error."""
    download = proven(ANN)
    fetches = download.pump(0.0)
    download.tick(STALL_SECONDS)
    joined(download, BOB, now=STALL_SECONDS)
    finish(download, MADE, STALL_SECONDS)

    assert download.arrived(fetches[0], None, 20.0) == []
    assert download.wasted_bytes == CHUNK_BYTES
    assert not download.sources[ANN].is_stalled


def test_idle_source_takes_over_what_is_late() -> None:
    """In the endgame a piece that is late elsewhere is asked once more, never a third time."""
    made = MadeContent.of(100)
    download = downloading(ANN, made=made)
    [first] = download.pump(0.0)
    joined(download, BOB, made)

    assert download.pump(0.0) == []  # not late yet
    assert download.deadline() == ENDGAME_SECONDS
    assert download.pump(0.05) == []

    [second] = download.pump(2.0)
    joined(download, CAT, made, now=2.0)

    assert (second.peer, second.piece) == (BOB, first.piece)
    assert download.pump(3.0) == []

    assert download.arrived(second, None, 4.0)[-1] == ContentDone(made.root)
    assert download.arrived(first, None, 5.0) == []
    assert download.wasted_bytes == 100


def test_idle_source_takes_over_only_what_it_has() -> None:
    """Of two late pieces a source is asked for the one it announced, and a third source for none."""
    first, second = small(2)
    download = downloading(ANN, made=first)
    download.add_content(second.root, second.size)
    download.has(ANN, second.root, complete=True)
    download.pump(0.0)
    joined(download, BOB, second)
    [fetch] = download.pump(5.0)
    joined(download, CAT, second, now=5.0)

    assert (fetch.peer, fetch.piece) == (BOB, second.piece(CHUNK))
    assert download.pump(5.2) == []


def test_source_that_owes_only_removed_contents_stalls_too() -> None:
    """Silence is silence, whatever was asked; before the limit it is nothing."""
    download = proven(ANN)
    download.pump(0.0)
    download.remove_content(MADE.root)
    download.tick(STALL_SECONDS - 1)

    assert not download.sources[ANN].is_stalled

    download.tick(STALL_SECONDS)

    assert download.sources[ANN].is_stalled
    assert download.tick(SILENCE_SECONDS) == [SourceDropped(ANN, 0, "silent")]


def test_budget_bounds_what_is_asked() -> None:
    """A piece is asked once its budgets are out of debt; the deadline says when, and a new rate holds at once."""
    own, whole = Budget(0, 0.0), Budget(0, 0.0)
    download = proven(ANN, budgets=(own, whole))
    whole.set_rate(CHUNK_BYTES, 1.0)
    [fetch] = download.pump(1.0)
    download.arrived(fetch, None, 1.1)

    assert download.pump(1.5) == []
    assert download.deadline() == whole.ready_at

    own.set_rate(CHUNK_BYTES / 2, 1.5)
    [fetch] = download.pump(whole.ready_at)
    download.arrived(fetch, None, 2.5)

    assert download.pump(3.5) == []
    assert download.deadline() == own.ready_at

    own.set_rate(0, 3.5)

    assert download.deadline() == whole.ready_at
    assert len(download.pump(3.5)) == 1


def test_low_limit_keeps_one_piece_in_flight() -> None:
    """A source is not asked for more than a second of the limit brings, but always for one piece."""
    budget = Budget(0, 0.0)
    download = proven(ANN, budgets=(budget,))
    budget.set_rate(CHUNK_BYTES / 2, 1.0)
    [fetch] = download.pump(100.0)

    assert download.pump(200.0) == []

    download.arrived(fetch, None, 200.0)

    assert len(download.pump(200.0)) == 1


def test_what_did_not_come_costs_nothing() -> None:
    """A short head and a refusal are given back to the budget; a broken lane is not, for bytes may have come."""
    budget = Budget(CHUNK_BYTES, 0.0)
    download = downloading(ANN, budgets=(budget,))
    [head] = download.pump(0.0)

    assert budget.delay(0.0) > 0.03

    download.arrived(head, MADE.head.encode(), 0.0)

    assert budget.delay(0.0) < 0.0001

    [page] = download.pump(1.0)
    download.arrived(page, MADE.digests, 1.0)
    [fetch] = download.pump(10.0)
    download.refused(fetch, Refusal.BUSY, 10.0)

    assert budget.delay(10.0) == 0

    [fetch] = download.pump(20.0)
    download.refused(fetch, Refusal.LOST, 20.0)

    assert budget.delay(20.0) == pytest.approx(0.75)


def test_endgame_keeps_to_the_budget() -> None:
    """What is asked twice is spent twice."""
    made = MadeContent.of(100)
    budget = Budget(10, 0.0)
    download = downloading(ANN, made=made, budgets=(budget,))
    download.pump(0.0)
    joined(download, BOB, made)

    assert download.pump(9.0) == []
    assert [fetch.peer for fetch in download.pump(10.1)] == [BOB]
    assert budget.delay(10.1) > 9


def test_slow_source_is_not_silent() -> None:
    """Bytes of unfinished pieces count: a source that needs minutes for a piece is kept, and used again at once."""
    download = proven(ANN)
    download.pump(0.0)
    download.tick(STALL_SECONDS)

    assert download.sources[ANN].is_stalled

    download.heard(ANN, 14.0)

    assert not download.sources[ANN].is_stalled

    for second in range(20, 200, 10):
        download.heard(ANN, second - 1.0)
        download.heard(ANN, 1.0)

        assert download.tick(float(second)) == []
        assert not download.sources[ANN].is_stalled

    download.heard(BOB, 200.0)

    assert BOB not in download.sources


def test_source_whose_lanes_only_break_is_silent() -> None:
    """A frozen peer accepts lanes that lead nowhere: 45 s after its last byte it is given up all the same."""
    download = proven(ANN)
    now = 0.0
    events: list[Event] = []
    while not events:
        for fetch in download.pump(now):
            download.refused(fetch, Refusal.LOST, now + 3.0)
        deadline = download.deadline()

        assert deadline is not None
        assert deadline > now

        now = deadline
        events = download.tick(now)

    assert events == [SourceDropped(ANN, 0, "silent")]
    assert now == SILENCE_SECONDS


def test_lost_lane_is_forgiven_with_the_next_byte() -> None:
    """A source whose lane broke is asked again, and its answer starts the silence anew."""
    download = proven(ANN)
    for fetch in download.pump(0.0):
        download.refused(fetch, Refusal.LOST, 10.0)
    download.tick(11.0)
    first, second = download.pump(11.0)
    download.tick(STALL_SECONDS)
    download.arrived(first, None, 16.0)
    download.arrived(second, None, 17.0)

    assert download.tick(SILENCE_SECONDS) == []
    assert len(download.pump(SILENCE_SECONDS)) == 2
    assert download.deadline() == SILENCE_SECONDS + STALL_SECONDS


def test_recalled_chunks_count_once_the_head_proves_the_size() -> None:
    """A single file is taken up by its journal: the head comes first, then only what is missing."""
    held = Bitfield.from_bytes(8, b"\xfe")
    download = Download(Random(1))

    assert download.add_content(MADE.root, MADE.size, held, is_recalled=True) == []
    assert download.held(MADE.root) is None

    joined(download, ANN)
    [head] = download.pump(0.0)

    assert head.piece == MADE.piece(HEAD)
    assert download.arrived(head, MADE.head.encode(), 1.0) == [HeadKnown(MADE.root, MADE.size)]
    assert download.held(MADE.root) is held
    assert finish(download, MADE, 2.0) == [ChunkHeld(MADE.root, 7, ANN, CHUNK_BYTES), ContentDone(MADE.root)]


def test_recalled_chunks_of_another_size_are_dropped() -> None:
    """If the head contradicts the journal, the content is fetched whole."""
    download = Download(Random(1))
    download.add_content(MADE.root, 3 * CHUNK_BYTES, Bitfield.from_bytes(3, b"\x80"), is_recalled=True)
    joined(download, ANN)
    events = finish(download, MADE)

    assert events[0] == HeadKnown(MADE.root, MADE.size)
    assert sum(isinstance(event, ChunkHeld) for event in events) == 8
    assert events[-1] == ContentDone(MADE.root)


def test_recalled_content_that_lacks_nothing_is_done_at_once() -> None:
    """No source is needed to land what was verified in an earlier run."""
    held = Bitfield.from_bytes(8, b"\xff")

    assert Download(Random(1)).add_content(MADE.root, MADE.size, held, is_recalled=True) == [ContentDone(MADE.root)]


def seeking(made: MadeContent = MADE) -> tuple[Download, LookFor]:
    """Return a machine that waits for a look at what is on this machine, and the call for it."""
    download = Download(Random(1))
    assert download.add_content(made.root, made.size, is_sought=True) == []
    joined(download, ANN, made)
    [call] = [event for event in finish(download, made) if isinstance(event, LookFor)]
    return download, call


def test_sought_chunk_is_not_asked_for_before_it_was_looked_for() -> None:
    """What is found costs nothing, the rest is fetched as soon as that is known."""
    download, call = seeking()

    assert (call.root, call.chunks) == (MADE.root, tuple(range(8)))
    assert download.pump(1.0) == []
    assert download.looked(MADE.root, [0, 1, 2], [1], 1.0) == [ChunkHeld(MADE.root, 1, None, CHUNK_BYTES)]
    assert sorted(chunks(download.pump(1.0), ANN)) == [0, 2]


def test_content_that_is_all_here_is_done_without_a_chunk_fetched() -> None:
    """The last chunk found ends it, and only once."""
    download, _ = seeking()
    events = download.looked(MADE.root, range(8), range(8), 1.0)

    assert [event.index for event in events if isinstance(event, ChunkHeld)] == list(range(8))
    assert events[8:] == [ContentDone(MADE.root)]
    assert download.looked(MADE.root, range(8), range(8), 1.0) == []
    assert download.pump(1.0) == []
    assert download.sources[ANN].verified_bytes == 0


def test_chunks_held_before_are_not_looked_for() -> None:
    """What an earlier run noted needs no look."""
    download = Download(Random(1))
    held = Bitfield.from_bytes(8, b"\xf0")
    download.add_content(MADE.root, MADE.size, held, is_recalled=True, is_sought=True)
    joined(download, ANN)
    [call] = [event for event in finish(download, MADE) if isinstance(event, LookFor)]

    assert call.chunks == (4, 5, 6, 7)


def test_one_chunk_of_claimed_size_is_looked_for_at_once() -> None:
    """Its root tells it, so that no page is needed."""
    [made] = small(1)
    download = Download(Random(1))
    [call] = download.add_content(made.root, made.size, is_sought=True)
    joined(download, ANN, made)

    assert isinstance(call, LookFor)
    assert call.accepts(0, memoryview(made.read(made.piece(CHUNK))))
    assert download.pump(0.0) == []
    assert download.looked(made.root, [0], [0], 0.0) == [
        ChunkHeld(made.root, 0, None, 100),
        ContentDone(made.root),
    ]


def test_one_chunk_of_unknown_size_is_looked_for_with_its_head() -> None:
    """The head tells the size, and the root then tells the chunk."""
    [made] = small(1)
    download = Download(Random(1))

    assert download.add_content(made.root, is_sought=True) == []

    joined(download, ANN, made)
    [head] = download.pump(0.0)
    known, call = download.arrived(head, made.proof(head.piece), 0.0)

    assert known == HeadKnown(made.root, 100)
    assert isinstance(call, LookFor)
    assert download.pump(0.0) == []
    assert download.looked(made.root, [0], [], 0.0) == []
    assert chunks(download.pump(0.0), ANN) == [0]


def test_look_that_ends_after_its_content_changes_nothing() -> None:
    """A content may land or be given up while something is looked for."""
    download, _ = seeking()
    download.remove_content(MADE.root)

    assert download.looked(MADE.root, range(8), range(8), 1.0) == []
