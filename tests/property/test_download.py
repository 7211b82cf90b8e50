"""The download machine against a model that knows nothing but the rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from peerterm.core.budget import BURST_SECONDS, Budget
from peerterm.core.content import MAX_ASKED
from peerterm.core.download import (
    ChunkHeld,
    ContentDone,
    Download,
    Event,
    LookFor,
    SourceDropped,
    SourceStruck,
)
from peerterm.core.ids import PeerId, Root
from peerterm.core.pieces import Fetch, PieceKind, Refusal
from peerterm.core.window import MAX_REQUESTS, MAX_WINDOW_BYTES, SILENCE_SECONDS
from tests.fakes.contents import MadeContent

MADE = [MadeContent.of(10), MadeContent.unreadable(3), MadeContent.unreadable(40)]
SOUGHT = [MadeContent.of(11), MadeContent.unreadable(12, seed=1)]
MADE += SOUGHT
CONTENTS = {made.root: made for made in MADE}
PEERS = [PeerId(letter * 64) for letter in "abcd"]

a_peer = st.sampled_from(PEERS)
a_content = st.sampled_from(MADE)


@dataclass
class Known:
    """What the model knows of one source while it is there."""

    announced: dict[Root, set[int]] = field(default_factory=dict)
    open: list[Fetch] = field(default_factory=list)


class DownloadMachine(RuleBasedStateMachine):
    """Any order of events keeps the machine's promises; one honest seed then ends the transfer, read or not."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.budget = Budget(0, 0.0)
        self.download = Download(Random(1), (self.budget,))
        self.sources: dict[PeerId, Known] = {}
        self.strikes = dict.fromkeys(PEERS, 0)
        self.on_the_way: list[Fetch] = []
        self.asked_at: dict[int, float] = {}
        self.held: dict[Root, set[int]] = {root: set() for root in CONTENTS}
        self.done: set[Root] = set()
        self.sought = {made.root: set(range(made.chunks)) for made in SOUGHT}
        self.window: dict[Root, set[int] | None] = dict.fromkeys(CONTENTS)
        self.to_look_for: dict[Root, set[int]] = {made.root: set() for made in SOUGHT}
        for made in MADE:
            self.see(self.download.add_content(made.root, made.size, is_sought=made in SOUGHT))

    @rule(peer=a_peer)
    def join(self, peer: PeerId) -> None:
        self.download.source_joined(peer, self.now)
        if self.strikes[peer] < 3:
            self.sources.setdefault(peer, Known())

    @rule(peer=a_peer)
    def leave(self, peer: PeerId) -> None:
        self.download.source_left(peer, self.now)
        self.sources.pop(peer, None)

    @rule(peer=a_peer, made=a_content)
    def announce_all(self, peer: PeerId, made: MadeContent) -> None:
        self.download.has(peer, made.root, complete=True)
        self.learn(peer, made, set(range(made.chunks)))

    @rule(peer=a_peer, made=a_content, chunks=st.sets(st.integers(0, 39), max_size=8))
    def announce_some(self, peer: PeerId, made: MadeContent, chunks: set[int]) -> None:
        self.download.has_more(peer, made.root, chunks)
        self.learn(peer, made, chunks)

    def learn(self, peer: PeerId, made: MadeContent, chunks: set[int]) -> None:
        if peer in self.sources:
            self.sources[peer].announced.setdefault(made.root, set()).update(chunks & set(range(made.chunks)))

    @rule(made=a_content, chunks=st.one_of(st.none(), st.sets(st.integers(0, 45), max_size=8)))
    def look_at(self, made: MadeContent, chunks: set[int] | None) -> None:
        self.window[made.root] = chunks
        self.download.set_window(made.root, chunks)

    @rule(made=a_content, deadlines=st.dictionaries(st.integers(0, 45), st.floats(-5.0, 60.0), max_size=8))
    def play(self, made: MadeContent, deadlines: dict[int, float]) -> None:
        self.download.set_deadlines(made.root, {chunk: self.now + due for chunk, due in deadlines.items()})

    @rule(rate=st.sampled_from([0, 0, 100_000, 3_000_000]))
    def limit(self, rate: int) -> None:
        self.budget.set_rate(rate, self.now)

    @rule(peer=a_peer, ago=st.sampled_from([0.0, 5.0]))
    def hear(self, peer: PeerId, ago: float) -> None:
        self.download.heard(peer, self.now - ago)

    @rule()
    def pump(self) -> None:
        is_short = self.budget.delay(self.now) > 0
        fetches = self.download.pump(self.now)
        deadline = self.download.deadline()

        assert not (is_short and fetches)
        assert not fetches or deadline is not None
        assert (
            len(fetches) <= 1
            or self.budget.delay(self.now) == 0
            or sum(fetch.max_bytes for fetch in fetches[:-1]) <= self.budget.rate * BURST_SECONDS
        )

        for fetch in fetches:
            source = self.sources[fetch.peer]
            announced = source.announced.get(fetch.piece.root)

            assert announced
            assert fetch.piece.kind != PieceKind.CHUNK or fetch.piece.index in announced
            assert fetch.piece.kind != PieceKind.CHUNK or fetch.piece.index not in self.sought.get(
                fetch.piece.root, ()
            )
            assert self.is_in_window(fetch)
            assert fetch.piece not in [other.piece for other in source.open]

            source.open.append(fetch)
            self.asked_at[id(fetch)] = self.now
            self.on_the_way.append(fetch)

    def is_in_window(self, fetch: Fetch) -> bool:
        """Whether a chunk, or one that a page proves, is wanted; every content here has one page."""
        window = self.window[fetch.piece.root]
        if window is None or fetch.piece.kind == PieceKind.HEAD:
            return True
        return bool(window) if fetch.piece.kind == PieceKind.PAGE else fetch.piece.index in window

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data(), result=st.sampled_from(["good", "good", "good", "bad", "ours", *Refusal]))
    def answer(self, data: st.DataObject, result: str | Refusal) -> None:
        fetch = self.on_the_way.pop(data.draw(st.integers(0, len(self.on_the_way) - 1)))
        source = self.sources.get(fetch.peer)
        is_open = source is not None and any(other is fetch for other in source.open)
        if source and is_open:
            source.open = [other for other in source.open if other is not fetch]
        if isinstance(result, Refusal):
            if source and is_open:
                self.correct(source, fetch, result)
            self.download.refused(fetch, result, self.now)
        elif result == "good":
            self.arrive(fetch)
        elif result == "bad":
            self.see(self.download.rejected(fetch, self.now))
        else:
            self.download.returned(fetch, self.now)

    def correct(self, source: Known, fetch: Fetch, refusal: Refusal) -> None:
        """After such a no, the source announces the content, or the chunk, no longer."""
        if refusal in {Refusal.NOT_FOUND, Refusal.CHANGED}:
            source.announced.pop(fetch.piece.root, None)
        elif refusal == Refusal.NOT_HELD and fetch.piece.kind == PieceKind.CHUNK:
            source.announced.get(fetch.piece.root, set()).discard(fetch.piece.index)

    def arrive(self, fetch: Fetch) -> None:
        proof = CONTENTS[fetch.piece.root].proof(fetch.piece)
        events = self.download.arrived(fetch, proof, self.now)
        new = [event for event in events if isinstance(event, ChunkHeld)]

        assert all((event.root, event.index) == (fetch.piece.root, fetch.piece.index) for event in new)

        if fetch.piece.kind == PieceKind.CHUNK:
            assert bool(new) == (fetch.piece.index not in self.held[fetch.piece.root])
            self.held[fetch.piece.root].add(fetch.piece.index)
        self.see(events)

    @precondition(lambda self: any(self.to_look_for.values()))
    @rule(data=st.data())
    def look(self, data: st.DataObject) -> None:
        root = data.draw(st.sampled_from([root for root, chunks in self.to_look_for.items() if chunks]))
        chunks = data.draw(st.sets(st.sampled_from(sorted(self.to_look_for[root])), min_size=1))
        self.find(root, chunks, data.draw(st.sets(st.sampled_from(sorted(chunks)))))

    def find(self, root: Root, chunks: set[int], found: set[int]) -> None:
        self.to_look_for[root] -= chunks
        self.sought[root] -= chunks
        events = self.download.looked(root, chunks, found, self.now)

        assert {event.index for event in events if isinstance(event, ChunkHeld)} == found

        self.held[root] |= found
        self.see(events)

    def see(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, SourceStruck):
                self.strikes[event.peer] += 1

                assert event.strikes == self.strikes[event.peer] <= 3
            elif isinstance(event, SourceDropped):
                del self.sources[event.peer]
            elif isinstance(event, LookFor):
                chunks = set(event.chunks)

                assert chunks <= self.sought[event.root] - self.to_look_for[event.root]

                self.to_look_for[event.root] |= chunks
            elif isinstance(event, ContentDone):
                assert event.root not in self.done
                self.done.add(event.root)

    @rule(seconds=st.sampled_from([0.01, 1.0, 14.0, 31.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.see(self.download.tick(self.now))

    @invariant()
    def only_accepted_chunks_are_held(self) -> None:
        for root, made in CONTENTS.items():
            field = self.download.held(root)

            assert field is not None
            assert {chunk for chunk in range(made.chunks) if field.has(chunk)} == self.held[root]
            assert (root in self.done) == field.is_complete

    @invariant()
    def no_piece_is_asked_of_many(self) -> None:
        fetches = [fetch for source in self.sources.values() for fetch in source.open]
        pieces = [fetch.piece for fetch in fetches if self.now < self.asked_at[id(fetch)] + SILENCE_SECONDS]

        assert all(pieces.count(piece) <= MAX_ASKED for piece in pieces)

    @invariant()
    def credit_is_kept_and_counted(self) -> None:
        for peer, stats in self.download.sources.items():
            fetches = self.sources[peer].open if peer in self.sources else []

            assert stats.in_flight_bytes == sum(fetch.max_bytes for fetch in fetches) <= MAX_WINDOW_BYTES
            assert len(fetches) <= MAX_REQUESTS
            assert stats.is_present == (peer in self.sources)

    def teardown(self) -> None:
        """Whatever happened before, an honest seed that stays ends the transfer."""
        seed = PeerId("e" * 64)
        for peer in PEERS:
            self.leave(peer)
        self.budget.set_rate(0, self.now)
        self.download.source_joined(seed, self.now)
        for made in MADE:
            self.look_at(made, None)
            self.download.has(seed, made.root, complete=True)
        while (fetches := self.download.pump(self.now)) or any(self.to_look_for.values()):
            for fetch in fetches:
                self.arrive(fetch)
            for root, chunks in self.to_look_for.items():
                self.find(root, set(chunks), set())

        assert self.done == set(CONTENTS)


TestDownload = DownloadMachine.TestCase
