"""How much may be asked of one source at once, and how long to wait for it.

A source is given as many bytes as it delivers in about a second, so a faster one gets more. Used by
``core.download`` only; times are passed in.
"""

from __future__ import annotations

from math import inf

from peerterm.core.manifest import CHUNK_BYTES

MIN_WINDOW_BYTES = 4 * 1024 * 1024
MAX_WINDOW_BYTES = 16 * 1024 * 1024
MAX_REQUESTS = 64
WINDOW_SECONDS = 1.0

ASSUMED_RATE = 8 * 1024 * 1024.0
"""Bytes per second of a source not measured yet."""

LEAD_SECONDS = 0.1
"""How much of a source's rate is asked for at once while a player waits, if that is more than one chunk."""

SAMPLE_SECONDS = 0.1
"""Shortest time over which a rate is measured; a shorter one would measure the scheduling of threads."""

SMOOTHING = 0.3
"""Weight of the newest sample."""

STALL_SECONDS = 15.0
"""A source silent for so long, with requests in flight, is asked for nothing more until it answers."""

SILENCE_SECONDS = 45.0
"""A source silent for so long, with requests in flight, is given up; a piece that takes so long although bytes come
is asked of others too."""

FIRST_BACKOFF_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 16.0


class Window:
    """The in-flight credit of one source.

    Invariant: a piece is opened only while ``has_room``, so ``in_flight`` never exceeds the target of that moment.

    Attributes:
        in_flight: Bytes asked for and not answered.
        requests: Pieces asked for and not answered.
        rate: Smoothed bytes per second; ``None`` before the first measurement.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self.requests = 0
        self.rate: float | None = None
        self._sampled = 0
        self._sample_start = 0.0
        self._idle_since = 0.0

    @property
    def target(self) -> int:
        """Bytes that may be in flight."""
        wanted = int((self.rate or 0.0) * WINDOW_SECONDS)
        return min(max(wanted, MIN_WINDOW_BYTES), MAX_WINDOW_BYTES)

    def has_room(self, rate: float = inf) -> bool:
        """Whether one more piece of any size may be asked for, if no more than ``rate`` is wanted a second."""
        target = max(min(self.target, rate * WINDOW_SECONDS), CHUNK_BYTES)
        return self.requests < MAX_REQUESTS and self.in_flight + CHUNK_BYTES <= target

    def has_lead(self, *, is_urgent: bool) -> bool:
        """Whether one more piece may be asked for while a player waits.

        What it wants next would queue behind all that is in flight, so that is little: of a source that is slow, or
        not measured yet, one chunk, and one more if that is urgent.
        """
        lead = max((self.rate or 0.0) * LEAD_SECONDS, CHUNK_BYTES)
        return self.in_flight + CHUNK_BYTES <= lead + (CHUNK_BYTES if is_urgent else 0)

    def due(self, size: int, now: float) -> float:
        """Return when a piece of ``size`` bytes asked for now would come."""
        return now + (self.in_flight + size) / (self.rate or ASSUMED_RATE)

    def open(self, size: int, now: float) -> None:
        """Count a request for up to ``size`` bytes."""
        if not self.requests:
            self._sample_start += now - self._idle_since  # only busy time is measured
        self.requests += 1
        self.in_flight += size

    def close(self, size: int, now: float) -> None:
        """Take back a request, answered or given up."""
        self.requests -= 1
        self.in_flight -= size
        if not self.requests:
            self._idle_since = now

    def received(self, length: int, now: float) -> None:
        """Count bytes that came in answer to a request."""
        self._sampled += length
        elapsed = now - self._sample_start
        if elapsed < SAMPLE_SECONDS:
            return
        sample = self._sampled / elapsed
        self.rate = sample if self.rate is None else self.rate + SMOOTHING * (sample - self.rate)
        self._sampled, self._sample_start = 0, now


class Patience:
    """How long to wait for one source, and when to ask it again.

    Attributes:
        heard_at: When bytes of it last came, or it was first asked after a pause.
        ready_at: Not to be asked before this time; 0 when it may be asked.
        is_stalled: It was silent for ``STALL_SECONDS``.
        is_owing: Its lane broke and nothing was heard since: asking again does not end its silence.
    """

    def __init__(self) -> None:
        self.heard_at = 0.0
        self.ready_at = 0.0
        self.is_stalled = False
        self.is_owing = False
        self._backoff = 0.0

    def back_off(self, now: float) -> None:
        """Leave the source alone for a while, longer each time; refusals that come meanwhile count as one."""
        if now >= self.ready_at:
            self._backoff = min(max(self._backoff * 2, FIRST_BACKOFF_SECONDS), MAX_BACKOFF_SECONDS)
            self.ready_at = now + self._backoff

    def resume(self, now: float) -> None:
        """End a back-off whose time is over."""
        if now >= self.ready_at:
            self.ready_at = 0.0

    def delivered(self) -> None:
        """Forget earlier refusals."""
        self._backoff = 0.0

    def heard(self, now: float) -> None:
        """End a silence."""
        self.heard_at = now
        self.is_owing = False

    def is_silent(self, now: float) -> bool:
        """Whether a source with requests in flight, or owing, is to be given up."""
        return now >= self.gives_up_at

    def has_stalled(self, now: float) -> bool:
        """Whether a source with requests in flight has just become slow to answer."""
        return not self.is_stalled and now >= self.heard_at + STALL_SECONDS

    @property
    def deadline(self) -> float:
        """When the next of the two limits is reached, if the source stays silent."""
        return self.gives_up_at if self.is_stalled else self.heard_at + STALL_SECONDS

    @property
    def gives_up_at(self) -> float:
        """When the source is given up, if it stays silent."""
        return self.heard_at + SILENCE_SECONDS
