"""Tests of the line that shows which parts are held."""

from __future__ import annotations

import pytest

from peerterm.tui.widgets.chunk_map import chunk_line


def test_each_share_has_its_shade() -> None:
    """Nothing, three steps, everything."""
    assert chunk_line([0, 1, 50, 99, 100], 5) == "·░▒▓█"
    assert chunk_line([0, 1, 50, 99, 100], 5, ascii_only=True) == ".-=+#"


@pytest.mark.parametrize("width", [1, 3, 7, 100])
def test_any_width_is_filled(width: int) -> None:
    """Few parts are stretched, many are averaged."""
    assert len(chunk_line([100] * 10, width)) == width
    assert set(chunk_line([100] * 10, width)) == {"█"}


def test_averaging_never_hides_a_gap() -> None:
    """A cell is full only where all of its parts are."""
    assert chunk_line([100, 100, 100, 99], 1) == "▓"


def test_few_parts_are_stretched() -> None:
    """One of two parts fills half of the line."""
    assert chunk_line([100, 0], 6) == "███···"


def test_nothing_known_is_no_line() -> None:
    """Without parts or without room there is nothing to draw."""
    assert chunk_line([], 5) == ""
    assert chunk_line([1], 0) == ""
