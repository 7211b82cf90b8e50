"""Places, the trail of cursors, and headings."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from peerterm.tui.browsing import MAX_REMEMBERED, Place, Trail, heading


def test_place_above_is_the_folder_the_shares_then_the_peers() -> None:
    """Going up ends at the list of peers, which is above itself."""
    folder = Place("bob", "Photos/2025")

    assert folder.above == Place("bob", "Photos")
    assert folder.above.above == Place("bob")
    assert folder.above.above.above == Place() == Place().above


def test_place_is_named_as_the_row_above_it() -> None:
    """The row that led to a place is a folder's name, or a peer's id."""
    assert Place("bob", "Photos/2025").name == "2025"
    assert Place("bob").name == "bob"


def test_place_below_joins_names() -> None:
    """A share's name comes first in a path, without a slash."""
    assert Place("bob").below("Photos") == Place("bob", "Photos")
    assert Place("bob", "Photos").below("2025") == Place("bob", "Photos/2025")


def test_trail_remembers_where_the_cursor_was() -> None:
    """The newest row counts; a place never left has none."""
    trail = Trail()
    trail.remember(Place("bob"), "a")
    trail.remember(Place("bob"), "b")

    assert trail.row_at(Place("bob")) == "b"
    assert trail.row_at(Place("eve")) == ""


def test_trail_forgets_the_place_left_longest_ago() -> None:
    """It does not grow without bound."""
    trail = Trail()
    trail.remember(Place("first"), "row")
    for number in range(MAX_REMEMBERED):
        trail.remember(Place(str(number)), "row")

    assert trail.row_at(Place("first")) == ""
    assert trail.row_at(Place("0")) == "row"


def test_heading_puts_facts_on_the_right() -> None:
    """The line is as wide as it may be, less a blank on each side."""
    line = heading("bob:/Photos/", ["2 marked, 5K", "10 entries"], 60)

    assert line == f" {'bob:/Photos/':<33}2 marked, 5K   10 entries"
    assert cell_len(line) == 59


@pytest.mark.parametrize(("is_ascii", "ellipsis"), [(False, "…"), (True, "...")])
def test_heading_leaves_out_the_first_folders_of_a_long_path(is_ascii: bool, ellipsis: str) -> None:
    """Where the user is matters more than how to get there; facts are whole."""
    line = heading(f"bob:/{'folder/' * 10}last/", ["1,204 entries"], 40, ascii_only=is_ascii)

    assert line.startswith(f" bob:/{ellipsis}/")
    assert "last/" in line
    assert line.endswith("1,204 entries")
    assert cell_len(line) <= 40


def test_heading_cuts_a_name_that_is_wider_than_the_screen() -> None:
    """One long name cannot push the facts away."""
    line = heading(f"bob:/{'x' * 300}/", ["1 entry"], 40)

    assert line.endswith("1 entry")
    assert cell_len(line) <= 40


def test_heading_is_clean() -> None:
    """Escapes in a folder's name do not count, and do not stay."""
    assert "\x1b" not in heading("bob:/\x1b[31mred/", [], 40)
