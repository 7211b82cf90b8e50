"""Tests of the line that shows a rate."""

from __future__ import annotations

from peerterm.tui.widgets.sparkline import HISTORY_SECONDS, RateHistory, sparkline


def test_the_running_second_does_not_count() -> None:
    """A second shows only when it is over, so that the line changes once a second."""
    history = RateHistory()
    history.note(10.0, 5.0)
    history.note(10.9, 7.0)

    assert history.values()[-1] is None

    history.note(11.0, 9.0)

    assert history.values()[-2:] == [None, 7.0]


def test_seconds_without_a_rate_are_gaps() -> None:
    """What was not noted is unknown, not zero."""
    history = RateHistory()
    for now in (10.0, 13.0, 14.0):
        history.note(now, now)

    assert history.values()[-4:] == [10.0, None, None, 13.0]


def test_only_the_last_minute_is_kept() -> None:
    """However long it goes on, there are as many values as seconds in a minute."""
    history = RateHistory()
    for now in range(500):
        history.note(now, now)

    assert history.values() == list(range(499 - HISTORY_SECONDS, 499))


def test_nothing_noted_has_no_values() -> None:
    """A transfer that never ran has no line."""
    assert RateHistory().values() == []


def test_a_pause_longer_than_a_minute_leaves_only_gaps() -> None:
    """Rates from before the minute do not show."""
    history = RateHistory()
    history.note(1.0, 1.0)
    history.note(100.0, 1.0)

    assert set(history.values()) == {None}


def test_the_largest_value_is_a_full_block() -> None:
    """Values are drawn by their share of the largest."""
    assert sparkline([0.0, 50.0, 100.0], 3) == "▁▅█"
    assert sparkline([0.0, 50.0, 100.0], 3, ascii_only=True) == "_+#"


def test_gaps_are_blank_and_silence_is_not() -> None:
    """Unknown is told from zero."""
    assert sparkline([None, 0.0], 2) == " ▁"


def test_more_values_than_cells_are_averaged() -> None:
    """Each cell stands for the mean of what falls into it."""
    assert sparkline([0.0, 0.0, 80.0, None], 2) == "▁█"


def test_no_values_are_blank() -> None:
    """The line has its width whatever there is."""
    assert sparkline([], 4) == "    "
