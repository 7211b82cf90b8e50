"""How fast bytes come: a mean over the last seconds."""

from __future__ import annotations

from collections import deque

WINDOW_SECONDS = 5.0
STEP_SECONDS = 0.25


class RateMeter:
    """Bytes per second over the last ``WINDOW_SECONDS``.

    Invariant: keeps at most one sample for each ``STEP_SECONDS`` of the window.
    """

    def __init__(self, now: float) -> None:
        self._samples: deque[tuple[float, int]] = deque()
        self._sum = 0
        self._since = now

    def add(self, size: int, now: float) -> None:
        """Count bytes that came."""
        self._sum += size
        if self._samples and now - self._samples[-1][0] < STEP_SECONDS:
            at, counted = self._samples.pop()
            self._samples.append((at, counted + size))
        else:
            self._samples.append((now, size))
        self._expire(now)

    def rate(self, now: float) -> float:
        """Return the mean in bytes per second; 0 before anything came."""
        self._expire(now)
        seconds = min(now - self._since, WINDOW_SECONDS)
        return self._sum / max(seconds, STEP_SECONDS)

    def _expire(self, now: float) -> None:
        while self._samples and now - self._samples[0][0] > WINDOW_SECONDS:
            self._sum -= self._samples.popleft()[1]
