"""How offers read."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from peerterm.api.views import OfferItemView, OfferState
from peerterm.tui import offer_text as text
from peerterm.tui.widgets.cells import Cell
from tests.fakes.fake_engine import make_transfer
from tests.fakes.fake_offers import make_offer

FILM = make_offer("film.mkv")


def words(cells: object) -> list[str]:
    """Return what stands in the cells of a row."""
    return [cell.text if isinstance(cell, Cell) else cell for cell in cells]  # type: ignore[attr-defined] # a tuple


def test_row_says_way_what_who_how_much_and_how_far() -> None:
    """A single folder is seen to be one."""
    item = OfferItemView(name="trip", kind="folder", root="1" * 64, size=5, files=1200)
    trip = replace(FILM, name="trip", items=[item], files=1200, bytes=5, direction="out", state="declined")

    assert words(text.cells_of(FILM, {}, ascii_only=False)) == [
        *("↓", "film.mkv", "from ben", "1", "1.0K", "answer it")
    ]
    assert words(text.cells_of(trip, {}, ascii_only=True)) == ["^", "trip/", "to ben", "1,200", "5B", "declined"]


def test_row_of_what_comes_says_how_much_is_here() -> None:
    """As far as its downloads are known."""
    view = replace(FILM, state="accepted", transfer_ids=["1", "2", "3"])
    known = {key: make_transfer("x", transfer_id=key, bytes=has, total=100) for key, has in (("1", 100), ("2", 20))}

    assert words(text.cells_of(view, known, ascii_only=True))[-1] == "coming 60%"
    assert words(text.cells_of(view, {}, ascii_only=True))[-1] == "coming"


@pytest.mark.parametrize("state", get_args(OfferState))
@pytest.mark.parametrize("direction", ["in", "out"])
def test_every_state_has_words(state: OfferState, direction: str) -> None:
    """A row has room for the word of each; what cannot be is still said."""
    view = replace(FILM, state=state, direction=direction)  # type: ignore[arg-type] # a way

    assert 0 < len(words(text.cells_of(view, {}, ascii_only=True))[-1]) <= 13
    assert "{" not in text.state_of(view)


def test_lines_say_where_it_goes_and_what_went_wrong() -> None:
    """The time is that of the other's clock, and said to be."""
    view = replace(FILM, state="failed", directory="/home/a", error="film.mkv: the disk is full")

    assert text.lines_of(view)[0].startswith("from ben, by its clock 2020-09-1")
    assert text.lines_of(view)[0].endswith("1 file, 1.0K")
    assert text.lines_of(view)[1:] == [
        "its downloads failed; r in Transfers tries again; into /home/a",
        "film.mkv: the disk is full",
    ]
    assert text.lines_of(replace(FILM, direction="out"))[1:] == ["ben has not answered"]


@pytest.mark.parametrize(
    ("fields", "keys"),
    [
        ({}, "a accept  D to folder  x decline  "),
        ({"state": "accepted", "transfer_ids": ["1"]}, "x give up  4 transfers  "),
        ({"direction": "out"}, "x take back  "),
        ({"state": "landed"}, ""),
        ({"state": "landed", "transfer_ids": ["1"]}, "4 transfers  "),
    ],
)
def test_only_keys_that_do_something_are_named(fields: dict[str, object], keys: str) -> None:
    """Nothing answers what is over."""
    assert text.keys_of(replace(FILM, **fields)) == keys  # type: ignore[arg-type] # fields of a view
    assert text.keys_of(None) == ""


def test_headline_counts_what_waits() -> None:
    """What is over or ours does not."""
    assert text.headline([]) == "Inbox"
    assert text.headline([FILM, replace(FILM, state="landed")]) == "Inbox: 1 offer to answer"
    assert text.headline([replace(FILM, direction="out")]) == "Inbox: nothing to answer"


def test_item_is_told_whole() -> None:
    """Also its root, by which it is fetched."""
    item = OfferItemView(name="a", kind="file", root="1" * 64, size=1000, files=1)

    assert words(text.item_cells(3, item)) == ["3", "a", "file", "1", "1.0K"]
    assert text.item_facts(item)[-1] == ("root", "1" * 64)
