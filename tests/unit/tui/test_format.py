"""Amounts in a row: short, bounded, comparable."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerterm.tui import format as f

AMOUNTS = st.floats(0, 2.0**70)
ANY = st.floats(allow_nan=False) | st.integers()


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0B"), (-5, "0B"), (999, "999B"), (999.6, "1.0K"), (1000, "1.0K"), (9949, "9.9K"), (9951, "10K"),
        (4_100_000, "4.1M"), (999_499, "999K"), (999_501, "1.0M"), (412e9, "412G"), (2**63, "9.2E"),
    ],
)  # fmt: skip
def test_size_has_two_or_three_digits(count: float, text: str) -> None:
    """Units of 1000; never a fourth digit."""
    assert f.size(count) == text


@given(AMOUNTS)
def test_size_and_rate_keep_their_columns(count: float) -> None:
    """5 and 7 cells hold every amount up to the largest that a file has."""
    assert len(f.size(min(count, 2.0**63))) <= 5
    assert len(f.rate(min(count, 2.0**63))) <= 7


def test_rate_of_nothing_is_a_dash() -> None:
    """Less than a byte a second is nothing."""
    assert f.rate(0.9) == "-"
    assert f.rate(1) == "1B/s"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (43.4, "43s"), (59.6, "1:00"), (910, "15:10"), (3599.7, "1h 00"), (12_000, "3h 20"),
        (86_399.9, "1d"), (12 * 86_400, "12d"), (None, "-"), (-1, "-"), (float("inf"), "-"), (float("nan"), "-"),
    ],
)  # fmt: skip
def test_duration_shows_two_units(seconds: float | None, text: str) -> None:
    """What nobody can wait for is unknown."""
    assert f.duration(seconds) == text


@given(ANY)
def test_duration_keeps_its_column(seconds: float) -> None:
    """6 cells hold every time."""
    assert 1 <= len(f.duration(seconds)) <= 6


@given(st.floats(allow_nan=False), st.integers(-5, 60))
def test_bar_is_as_wide_as_asked_and_full_only_at_the_end(fraction: float, width: int) -> None:
    """A bar that looks full promises that everything is there."""
    drawn = f.bar(fraction, width)

    assert len(drawn) == (width if width >= 3 else 0)
    assert ("░" not in drawn) == (fraction >= 1 or width < 3)


def test_bar_in_ascii() -> None:
    """The same amount in plain characters."""
    assert f.bar(0.71, 12, ascii_only=True) == "[#######---]"
    assert f.bar(0.71, 12) == "[███████░░░]"


@pytest.mark.parametrize(
    ("done", "total", "text"),
    [(0, 10, "0%"), (999, 1000, "99%"), (1000, 1000, "100%"), (0, 0, "100%"), (-1, 0, "0%"), (5, 3, "100%")],
)
def test_percent_is_100_only_when_all_is_there(done: int, total: int, text: str) -> None:
    """It is rounded down; nothing of nothing is all."""
    assert f.percent(done, total) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3600, "<1min"), (0, "<1min"), (59, "<1min"), (60, "1min"), (3599, "59min"), (3600, "1h"),
        (47 * 3600, "47h"), (48 * 3600, "2d"), (400 * 86_400, "400d"),
    ],
)  # fmt: skip
def test_age_has_one_unit(seconds: float, text: str) -> None:
    """A clock that runs ahead says the shortest."""
    now = 10.0**9

    assert f.age(now - seconds, now) == text


def test_age_of_never_is_a_dash() -> None:
    """0 stands for no time at all; without a clock the real one is read."""
    assert f.age(0) == "-"
    assert f.age(time.time() - 7200) == "2h"


@pytest.mark.parametrize("at", [1e300, 2.0**62, float("inf"), -(2.0**62)])
def test_times_of_no_calendar_are_dashes(at: float) -> None:
    """A peer may send any number as a time."""
    assert f.date(at) == "-"
    assert f.clock(at) == "--:--:--"


def test_nan_is_no_time() -> None:
    """Nor is what is not a number."""
    assert f.date(float("nan")) == "-"
    assert f.clock(float("nan")) == "--:--:--"


def test_dates_and_times_are_local() -> None:
    """As the user's own clock has them."""
    at = time.mktime((2025, 8, 14, 15, 16, 17, 0, 0, -1))

    assert f.date(at) == "2025-08-14"
    assert f.clock(at) == "15:16:17"
    assert f.date(0) == "-"
