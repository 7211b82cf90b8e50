"""Whatever readers do, what is wanted stays bounded and follows them."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from peerterm.core.manifest import CHUNK_BYTES, chunk_count
from peerterm.core.playhead import (
    EDGE_CHUNKS,
    MAX_AHEAD_BYTES,
    MAX_RATE,
    MAX_READERS,
    MIN_AHEAD_BYTES,
    MIN_RATE,
    Playhead,
)

SIZE = 300 * CHUNK_BYTES + 17
MOST = (MAX_AHEAD_BYTES + MAX_READERS * (MIN_AHEAD_BYTES + CHUNK_BYTES)) // CHUNK_BYTES + 2 * EDGE_CHUNKS


class PlayheadMachine(RuleBasedStateMachine):
    """Any order of opening, reading, waiting and closing."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.brought = 0.0
        self.playhead = Playhead(SIZE)
        self.positions: dict[int, int] = {}
        self.newest: int | None = None

    @precondition(lambda self: len(self.positions) < MAX_READERS)
    @rule(offset=st.integers(0, SIZE))
    def open(self, offset: int) -> None:
        self.newest = self.playhead.open(offset, self.now)
        self.positions[self.newest] = offset

    @precondition(lambda self: self.positions)
    @rule(data=st.data(), length=st.integers(0, 40 * CHUNK_BYTES))
    def advance(self, data: st.DataObject, length: int) -> None:
        reader = data.draw(st.sampled_from(sorted(self.positions)))
        self.positions[reader] = min(self.positions[reader] + length, SIZE)
        self.playhead.advance(reader, self.positions[reader], self.now)

    @precondition(lambda self: self.positions)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        reader = data.draw(st.sampled_from(sorted(self.positions)))
        del self.positions[reader]
        self.playhead.close(reader)

    @rule(seconds=st.sampled_from([0.01, 0.5, 7.0, 1000.0]), brought=st.sampled_from([0.0, 1e5, 1e7, 1e9]))
    def wait(self, seconds: float, brought: float) -> None:
        self.now += seconds
        self.brought = brought

    @invariant()
    def wants_are_few_and_there(self) -> None:
        wants = self.playhead.wants(self.now, self.brought)

        assert bool(wants) == bool(self.positions)
        assert len(wants) <= MOST
        assert all(0 <= chunk < chunk_count(SIZE) for chunk in wants)
        assert all(when >= self.now for when in wants.values())
        assert MIN_RATE <= self.playhead.rate <= MAX_RATE

    @invariant()
    def every_reader_gets_its_next_read(self) -> None:
        wants = self.playhead.wants(self.now, self.brought)
        for reader, position in self.positions.items():
            for offset in (position, position + CHUNK_BYTES - 1):
                assert offset >= SIZE or offset // CHUNK_BYTES in wants
            if reader == self.newest and position < SIZE:
                assert wants[position // CHUNK_BYTES] == self.now


TestPlayhead = PlayheadMachine.TestCase
