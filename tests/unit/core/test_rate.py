"""The rate meter follows what came in the last seconds and forgets what came before."""

from __future__ import annotations

import pytest

from peerterm.core.rate import STEP_SECONDS, WINDOW_SECONDS, RateMeter


def test_steady_stream_shows_its_rate() -> None:
    """A thousand bytes every tenth of a second are ten thousand a second."""
    meter = RateMeter(0.0)
    for step in range(1, 101):
        meter.add(1000, step / 10)

    assert meter.rate(10.0) == pytest.approx(10_000, rel=0.05)


def test_silence_brings_the_rate_to_zero() -> None:
    """What came longer ago than the window does not count."""
    meter = RateMeter(0.0)
    meter.add(5000, 1.0)

    assert meter.rate(1.0 + WINDOW_SECONDS + STEP_SECONDS) == 0


def test_first_bytes_are_not_divided_by_nothing() -> None:
    """A burst at the very start gives a finite rate."""
    meter = RateMeter(3.0)
    meter.add(100, 3.0)

    assert meter.rate(3.0) == 100 / STEP_SECONDS


def test_samples_stay_bounded() -> None:
    """Many small additions are kept as few samples."""
    meter = RateMeter(0.0)
    for step in range(100_000):
        meter.add(1, step / 1000)

    assert len(meter._samples) <= WINDOW_SECONDS / STEP_SECONDS + 2
