"""One offer: what it is called, whether anything may become of it."""

from __future__ import annotations

import pytest

from peerterm.core.offer import Fetch, title
from tests.fakes.logs import made_item
from tests.fakes.offering import made_offer


def test_offer_is_called_by_its_first_item() -> None:
    """And by how many more there are."""
    assert title([made_item("a.txt")]) == "a.txt"
    assert title([made_item("a.txt"), made_item("b"), made_item("c")]) == "a.txt and 2 more"
    assert made_offer(items=(made_item("x"),)).name == "x"


def test_offer_is_named_by_the_start_of_its_hash() -> None:
    """Enough to tell it from others, short enough to type some of it."""
    assert made_offer(hash=bytes(range(32))).id == "0001020304050607"


@pytest.mark.parametrize(
    ("state", "is_open"),
    [
        ("queued", True),
        ("offered", True),
        ("accepted", True),
        ("withdrawn", False),
        ("declined", False),
        ("landed", False),
    ],
)
def test_open_offers_are_those_not_over(state: str, is_open: bool) -> None:
    """What was withdrawn, declined or has landed stays so."""
    assert made_offer(state=state).is_open is is_open


def test_news_of_an_item_leave_the_others() -> None:
    """An item is settled once it has an outcome."""
    offer = made_offer(fetches=(Fetch(1, "t1"), Fetch(3, "t3")))
    changed = offer.with_fetch(Fetch(3, "t3", "landed"))

    assert changed.fetches == (Fetch(1, "t1"), Fetch(3, "t3", "landed"))
    assert changed.unsettled == [Fetch(1, "t1")]
