"""What a player reads, turned into what is to be fetched: chunks and the times at which it needs them.

Knows neither sources nor what is held; chunks that are held may be named, for they cost nothing. Reads no clock.
``engine.streaming`` tells it what the readers do and hands ``wants`` to ``Download.set_window`` and
``Download.set_deadlines``.
"""

from __future__ import annotations

from dataclasses import dataclass

from peerterm.core.manifest import CHUNK_BYTES, chunk_count

MAX_READERS = 16
"""Readers at once; one more takes the place of the one that has been still for longest."""

EDGE_CHUNKS = 2
"""Chunks at either end that are fetched early: players look there for the index."""

EDGE_SECONDS = 0.25
"""When the ends, and chunks of readers that may be gone, are needed: after what is read, before what will be."""

MIN_AHEAD_BYTES = 4 * CHUNK_BYTES
MAX_AHEAD_BYTES = 64 * CHUNK_BYTES
"""Of all readers together, unless they are so many that each has the least."""

MIN_AHEAD_SECONDS = 30.0
MAX_AHEAD_SECONDS = 60.0

AMPLE = 2.0
"""Sources that bring so many times what is read need not be asked for ``MAX_AHEAD_SECONDS``."""

ASSUMED_RATE = 1024 * 1024.0
"""Bytes per second that are read before that was measured: 8 Mbit/s."""

MIN_RATE = 16_000
MAX_RATE = 100_000_000
"""Bytes per second; what is measured beyond is taken for these."""

SAMPLE_SECONDS = 1.0
"""Shortest reading over which a rate is measured."""

PAUSE_SECONDS = 10.0
"""What a rest counts at most, so that a paused player is not taken for a slow one."""

SMOOTHING = 0.3
"""Weight of the newest sample."""

REFRESH_SECONDS = 1.0
"""How long wants stay right if no reader moves."""


@dataclass(slots=True)
class _Reader:
    """One HTTP answer on its way to the player.

    Attributes:
        position: Offset of the next byte it takes.
        taken: Bytes it took so far; the more, the likelier it goes on.
        moved_at: When it last took some.
        is_doubted: Another opened since, so the player may have left this one.
    """

    position: int
    moved_at: float
    taken: int = 0
    is_doubted: bool = False


class Playhead:
    """The readers of one content.

    A reader that opens puts all others in doubt: until they take bytes again, only as much as one read takes is
    wanted for them. So a seek is followed at once, even by a player that keeps its old connection open.

    Args:
        size: Bytes of the content.

    Invariant: ``wants`` names no more than ``MAX_AHEAD_BYTES`` for all readers together, ``MIN_AHEAD_BYTES`` and a
    chunk for each, and both ends.

    Attributes:
        rate: Bytes per second that readers take, measured; between ``MIN_RATE`` and ``MAX_RATE``.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.rate = ASSUMED_RATE
        self._readers: dict[int, _Reader] = {}
        self._opened = 0
        self._sampled = 0
        self._sampled_seconds = 0.0
        self._moved_at = 0.0
        self._wanted_at = 0.0

    def open(self, offset: int, now: float) -> int:
        """Begin to read at an offset; return the reader's number."""
        if len(self._readers) >= MAX_READERS:
            del self._readers[min(self._readers, key=lambda number: self._readers[number].moved_at)]
        if not self._readers:
            self._moved_at = now
        for reader in self._readers.values():
            reader.is_doubted = True
        self._opened += 1
        self._readers[self._opened] = _Reader(offset, now)
        return self._opened

    def advance(self, number: int, offset: int, now: float) -> None:
        """Note that a reader took all up to an offset; one that is closed, or was ousted, does not matter."""
        reader = self._readers.get(number)
        if reader is None or offset <= reader.position:
            return
        self._measure(offset - reader.position, now)
        reader.taken += offset - reader.position
        reader.position, reader.moved_at, reader.is_doubted = offset, now, False

    def close(self, number: int) -> None:
        """End a reader, if it is there."""
        self._readers.pop(number, None)

    def reader_at(self, offset: int) -> int | None:
        """Return the newest reader whose next byte is at an offset, for callers that see reads only."""
        return max((n for n, reader in self._readers.items() if reader.position == offset), default=None)

    def wants(self, now: float, brought: float = 0.0) -> dict[int, float]:
        """Return when each chunk is needed that is to be fetched now; empty while there is no reader.

        Args:
            now: The present.
            brought: Bytes per second that the sources bring together; 0 if unknown.
        """
        self._wanted_at = now
        if not self._readers:
            return {}
        chunks, wants = chunk_count(self.size), dict[int, float]()
        for chunk in {*range(min(EDGE_CHUNKS, chunks)), *range(max(chunks - EDGE_CHUNKS, 0), chunks)}:
            wants[chunk] = now + EDGE_SECONDS
        for reader in self._readers.values():
            for chunk, when in self._wants_of(reader, now, brought).items():
                wants[chunk] = min(when, wants.get(chunk, when))
        return wants

    def deadline(self) -> float | None:
        """Return when ``wants`` is to be asked anew if no reader moves before; ``None``: never."""
        return self._wanted_at + REFRESH_SECONDS if self._readers else None

    def _wants_of(self, reader: _Reader, now: float, brought: float) -> dict[int, float]:
        if reader.position >= self.size:
            return {}
        first = reader.position // CHUNK_BYTES
        if reader.is_doubted:
            end = min(reader.position + CHUNK_BYTES, self.size)
            return dict.fromkeys(range(first, chunk_count(end)), now + EDGE_SECONDS)
        end = min(reader.position + self._ahead(reader, brought), self.size)
        return {
            chunk: now + max(chunk * CHUNK_BYTES - reader.position, 0) / self.rate
            for chunk in range(first, chunk_count(end))
        }

    def _ahead(self, reader: _Reader, brought: float) -> int:
        """Return how many bytes to fetch ahead of a reader: more the further it came and the faster it reads."""
        seconds = MAX_AHEAD_SECONDS
        if brought > AMPLE * self.rate:
            seconds = max(MAX_AHEAD_SECONDS * AMPLE * self.rate / brought, MIN_AHEAD_SECONDS)
        share = MAX_AHEAD_BYTES // sum(not other.is_doubted for other in self._readers.values())
        grown = MIN_AHEAD_BYTES + 2 * reader.taken
        return max(min(int(self.rate * seconds), grown, share), MIN_AHEAD_BYTES)

    def _measure(self, taken: int, now: float) -> None:
        self._sampled += taken
        self._sampled_seconds += min(max(now - self._moved_at, 0.0), PAUSE_SECONDS)
        self._moved_at = now
        if self._sampled_seconds < SAMPLE_SECONDS:
            return
        sample = self._sampled / self._sampled_seconds
        self.rate = min(max(self.rate + SMOOTHING * (sample - self.rate), MIN_RATE), MAX_RATE)
        self._sampled, self._sampled_seconds = 0, 0.0
