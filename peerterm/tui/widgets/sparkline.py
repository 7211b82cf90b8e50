"""A rate over the last minute as one line of characters. Pure: no Textual import, and no clock of its own.

RateHistory()                  what was noted, second by second
sparkline(values, width, ...)  the line
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HISTORY_SECONDS = 60
"""Seconds that are kept and drawn."""

_BLOCKS, _ASCII_BLOCKS = "▁▂▃▄▅▆▇█", "_.-=+*%#"


class RateHistory:
    """The rates of the last minute, one a second; the second that still runs does not count yet."""

    def __init__(self) -> None:
        self._rates: deque[tuple[int, float]] = deque(maxlen=HISTORY_SECONDS + 1)

    def note(self, now: float, rate: float) -> None:
        """Note a rate in bytes a second; the last one noted in a second stands for it."""
        second = int(now)
        if self._rates and self._rates[-1][0] == second:
            self._rates.pop()
        self._rates.append((second, rate))

    def values(self) -> list[float | None]:
        """Return the rates up to the last whole second noted, oldest first; None where nothing was noted."""
        if not self._rates:
            return []
        end = self._rates[-1][0]
        values: list[float | None] = [None] * HISTORY_SECONDS
        for second, rate in self._rates:
            if end - HISTORY_SECONDS <= second < end:
                values[second - end] = rate
        return values


def sparkline(values: Sequence[float | None], width: int, *, ascii_only: bool = False) -> str:
    """Draw values in ``width`` cells, the largest as a full block; blank where nothing is known."""
    blocks = _ASCII_BLOCKS if ascii_only else _BLOCKS
    means = [_mean(values[len(values) * at // width : len(values) * (at + 1) // width]) for at in range(width)]
    top = max((mean for mean in means if mean is not None), default=0.0) or 1.0
    return "".join(" " if mean is None else blocks[round(mean / top * (len(blocks) - 1))] for mean in means)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
