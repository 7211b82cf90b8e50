"""Offers as the screen needs them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from peerterm.api.events import OfferIndexing
from peerterm.tui.offers import Offers, needs_answer, order_of
from tests.fakes.fake_offers import make_offer

FILM = make_offer("film.mkv", bytes=6_000_000_000)
OURS = make_offer("ours.zip", direction="out", state="queued")


def reading(path: str, done: int, total: int, eta: float | None = None) -> OfferIndexing:
    """Return how far a path is read."""
    return OfferIndexing(path=path, files=1, bytes=total, done_bytes=done, eta=eta)


def test_offer_to_us_is_told_once_and_waits() -> None:
    """The same again is no news."""
    offers = Offers()

    assert offers.changed(FILM) == ("info", "press I: ben offers film.mkv (6.0G)")
    assert offers.changed(FILM) is None
    assert offers.waiting == [FILM]


@pytest.mark.parametrize(
    ("state", "news"),
    [
        ("accepted", None),
        ("declined", None),
        ("landed", None),
        ("withdrawn", ("warning", "ben withdrew film.mkv")),
    ],
)
def test_what_we_did_ourselves_is_no_news(state: str, news: tuple[str, str] | None) -> None:
    """What the other did is; neither waits any more."""
    offers = Offers()
    offers.changed(FILM)

    assert offers.next_unseen() == FILM.offer_id
    assert offers.changed(replace(FILM, state=state)) == news  # type: ignore[arg-type] # a state
    assert (offers.waiting, offers.seen) == ([], set())


@pytest.mark.parametrize(
    ("state", "news"),
    [
        ("offered", None),
        ("accepted", ("info", "ben accepts ours.zip")),
        ("declined", ("warning", "ben declined ours.zip")),
        ("landed", ("info", "ben has ours.zip now")),
        ("withdrawn", None),
    ],
)
def test_answer_to_ours_is_told(state: str, news: tuple[str, str] | None) -> None:
    """Whatever it is."""
    offers = Offers()
    offers.reset([OURS])

    assert offers.changed(replace(OURS, state=state)) == news  # type: ignore[arg-type] # a state
    assert not offers.waiting


def test_offer_is_unseen_until_the_user_went_to_it() -> None:
    """One after the other; one that is forgotten is not remembered as seen."""
    offers, other = Offers(), make_offer("other")
    offers.reset([FILM, other])

    assert [offers.next_unseen() for _ in range(3)] == [FILM.offer_id, other.offer_id, ""]
    offers.reset([FILM])
    assert offers.seen == {FILM.offer_id}


def test_what_waits_stands_first_and_what_is_over_last() -> None:
    """In each part the newest first."""
    views = [
        make_offer(name, offer_id=name, state=state, direction=way, sent_at=at)
        for name, state, way, at in [
            ("over", "landed", "in", 9),
            ("ours", "offered", "out", 3),
            ("coming", "accepted", "in", 4),
            ("older", "offered", "in", 1),
            ("newer", "offered", "in", 2),
        ]
    ]

    assert [view.offer_id for view in sorted(views, key=order_of)] == ["newer", "older", "coming", "ours", "over"]
    assert [view.offer_id for view in views if needs_answer(view)] == ["older", "newer"]


def test_only_what_is_sent_from_here_is_followed() -> None:
    """All of it together, with the longest time that is left."""
    offers = Offers()

    assert not offers.read_on(reading("/a", 1, 2))
    assert offers.progress == ""
    offers.reading = {"/a": None, "/b": None}
    assert offers.progress == "send counting"
    assert offers.read_on(reading("/a", 50, 100, 3.0))
    assert offers.read_on(reading("/b", 0, 100, 75.0))
    assert offers.progress == "send 25% 1:15"
    offers.read_on(reading("/a", 0, 0))
    offers.read_on(reading("/b", 0, 0))
    assert offers.progress == "send counting"
