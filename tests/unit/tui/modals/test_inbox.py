"""The Inbox and the items of an offer, by their keys."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from peerterm.api.events import OfferChanged
from peerterm.api.views import OfferItemView
from peerterm.errors import UsageError
from peerterm.tui.modals.inbox import Inbox
from peerterm.tui.modals.offer import OfferScreen
from peerterm.tui.model import Changes
from tests.fakes.fake_engine import FakeEngine, make_peer, make_transfer
from tests.fakes.fake_offers import make_offer
from tests.fakes.programs import Hand, Program, running, text_of, until, until_shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from peerterm.api.views import OfferView

FILM = make_offer("film.mkv", offer_id="f" * 16)
TRIP = make_offer("a.jpg", "b.jpg", "c.jpg", offer_id="e" * 16, peer_name="carol", sent_at=1.7e9)
OURS = make_offer("ours.zip", offer_id="d" * 16, direction="out")


@asynccontextmanager
async def inbox(*offers: OfferView, size: tuple[int, int] = (80, 24)) -> AsyncIterator[tuple[FakeEngine, Hand]]:
    """Show the Inbox of an engine that has these offers."""
    engine = FakeEngine()
    engine.known_offers = list(offers)
    async with running(Program(engine), size) as pilot:
        await pilot.press("I")
        await until_shown(pilot, "Inbox")
        yield engine, pilot


def asked(engine: FakeEngine, *what: str) -> list[tuple[Any, ...]]:
    """Return what the engine was asked of some kinds."""
    return [each for each in engine.asked if each[0] in what]


def row_of(pilot: Hand, name: str) -> str:
    """Return the row in which something stands."""
    return next((row for row in text_of(pilot.app).splitlines() if name in row), "")


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (60, 16), (40, 12)])
async def test_offer_is_accepted_into_the_download_folder(size: tuple[int, int]) -> None:
    """With one key; then its row says that it comes, and where that is seen."""
    async with inbox(FILM, OURS, size=size) as (engine, pilot):
        assert "> ↓ film.mkv" in text_of(pilot.app)
        await pilot.press("a")
        await until_shown(pilot, "coming")

        assert asked(engine, "accept") == [("accept", FILM.offer_id, "", None)]
        assert "Inbox: nothing to answer" in text_of(pilot.app)
        assert "x give up" in text_of(pilot.app)
        await until(pilot, lambda: "film.mkv accepted" in str(pilot.app.query_one("StatusBar").render()))


@pytest.mark.parametrize("key", ["D", "o"])
async def test_offer_is_accepted_into_a_folder_of_choice(key: str, tmp_path: Path) -> None:
    """The configured one stands there; Esc accepts nothing."""
    async with inbox(FILM) as (engine, pilot):
        await pilot.press(key)
        await until_shown(pilot, "Accept film.mkv into")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, Inbox))
        assert not asked(engine, "accept")
        await pilot.press(key)
        await until_shown(pilot, "Accept film.mkv into")
        await pilot.press("ctrl+u", *f"{tmp_path}/new", "enter")
        await until_shown(pilot, "coming")

        assert asked(engine, "accept") == [("accept", FILM.offer_id, f"{tmp_path}/new", None)]


async def test_some_items_are_chosen() -> None:
    """Space marks; what is not marked is not fetched. The list is back after that."""
    async with inbox(TRIP) as (engine, pilot):
        await pilot.press("enter")
        await until_shown(pilot, "waits for your answer")
        assert "a accept all" in text_of(pilot.app)
        await pilot.press("space", "j", "space")
        await until_shown(pilot, "a accept 2 ")
        await pilot.press("a")
        await until(pilot, lambda: isinstance(pilot.app.screen, Inbox))
        await until_shown(pilot, "2 of 3 items accepted; 4 shows how it comes")

        assert asked(engine, "accept") == [("accept", TRIP.offer_id, "", [1, 3])]


async def test_one_item_goes_into_a_folder_and_is_named() -> None:
    """So that nobody takes it for all."""
    async with inbox(TRIP) as (engine, pilot):
        await pilot.press("enter", "j", "space", "D")
        await until_shown(pilot, "Accept b.jpg into")
        await pilot.press("enter")
        await until(pilot, lambda: asked(engine, "accept"))

        assert asked(engine, "accept")[0][3] == [2]


async def test_declining_asks_first() -> None:
    """It cannot be taken back; the question says what then."""
    async with inbox(FILM, TRIP) as (_, pilot):
        await pilot.press("j", "x")
        await until_shown(pilot, "Decline film.mkv?")
        assert "ask for it to be sent again" in text_of(pilot.app)
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, Inbox))
        assert "answer it" in row_of(pilot, "film.mkv")
        await pilot.press("x")
        await until_shown(pilot, "Decline film.mkv?")
        await pilot.press("y")
        await until(pilot, lambda: "declined" in row_of(pilot, "↓ film.mkv"))

        assert "answer it" in row_of(pilot, "a.jpg")


async def test_own_offer_is_taken_back() -> None:
    """It is not for us to accept."""
    async with inbox(OURS) as (engine, pilot):
        await pilot.press("a")
        await until_shown(pilot, "there is nothing to accept: you offer it")
        await pilot.press("enter", "x")
        await until_shown(pilot, "Take back ours.zip?")
        await pilot.press("y")
        await until_shown(pilot, "withdrawn")

        assert engine.known_offers[0].state == "withdrawn"


async def test_what_was_accepted_is_given_up() -> None:
    """What has come of it goes, and that is said."""
    async with inbox(replace(FILM, state="accepted")) as (engine, pilot):
        await pilot.press("a")
        await until_shown(pilot, "it is answered already")
        await pilot.press("x")
        await until_shown(pilot, "Give up film.mkv?")
        await pilot.press("y")
        await until(pilot, lambda: engine.known_offers[0].state == "declined")


async def test_several_marked_offers_are_answered_at_once() -> None:
    """What needs no answer is passed over."""
    async with inbox(FILM, TRIP, OURS) as (engine, pilot):
        await pilot.press("A", "a")
        await until_shown(pilot, "2 offers accepted")
        assert {each[1] for each in asked(engine, "accept")} == {FILM.offer_id, TRIP.offer_id}
        await pilot.press("A", "x")
        await until_shown(pilot, "Decline, give up or take back 3 offers?")
        await pilot.press("y")
        await until(pilot, lambda: {view.state for view in engine.known_offers} == {"declined", "withdrawn"})


async def test_what_is_answered_leads_to_what_waits() -> None:
    """One key after the other answers all; a cursor on something else stays there."""
    film, trip = replace(FILM, sent_at=1.8e9), replace(TRIP, sent_at=1.7e9)
    async with inbox(film, trip, OURS) as (engine, pilot):
        await pilot.press("a")
        await until(pilot, lambda: row_of(pilot, "a.jpg and 2 more").startswith("  │ >"))
        await pilot.press("a")
        await until_shown(pilot, "nothing to answer")
        engine.offered(make_offer("late", offer_id="9" * 16))
        await until_shown(pilot, "1 offer to answer")

        assert [each[1] for each in asked(engine, "accept")] == [film.offer_id, trip.offer_id]
        assert not row_of(pilot, "late").startswith("  │ >")


async def test_offers_come_and_go_while_it_is_open() -> None:
    """New ones stand first; the cursor stays with its row."""
    async with inbox(FILM) as (engine, pilot):
        engine.offered(TRIP)
        await until_shown(pilot, "a.jpg")
        await until_shown(pilot, "Inbox: 2 offers to answer")
        rows = text_of(pilot.app).splitlines()

        assert next(row for row in rows if "film.mkv" in row).lstrip("│ ").startswith("> ")
        assert pilot.app.model.next_alarm() is not None  # type: ignore[attr-defined] # a program
        assert pilot.app.model.offers.seen == {FILM.offer_id, TRIP.offer_id}  # type: ignore[attr-defined] # the same


async def test_offer_that_is_withdrawn_while_it_is_read_says_so() -> None:
    """And its items cannot be accepted any more; the engine's own refusal is told, too."""
    async with inbox(FILM) as (engine, pilot):
        await pilot.press("enter")
        await until_shown(pilot, "waits for your answer")
        engine.offered(replace(FILM, state="withdrawn", error="ben withdrew it; ask for it to be sent again"))
        await until_shown(pilot, "ask for it to be sent again")
        await pilot.press("a")
        await until_shown(pilot, "it is answered already")
        await pilot.press("x")
        await until_shown(pilot, "it is over")


async def test_refusal_of_the_engine_is_said_in_the_dialog(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was chosen stays as it is."""
    async with inbox(FILM) as (engine, pilot):

        async def accept(*_: object) -> None:
            raise UsageError("film.mkv: it is withdrawn already")

        monkeypatch.setattr(engine, "accept", accept)
        await pilot.press("a")
        await until_shown(pilot, "film.mkv: it is withdrawn already")

        assert "answer it" in row_of(pilot, "↓ film.mkv")


async def test_progress_is_seen_and_leads_to_the_transfers() -> None:
    """``4`` goes to what the offer became."""
    view = replace(FILM, state="accepted", transfer_ids=["2"])
    engine = FakeEngine()
    engine.known_offers = [view, OURS]
    engine.known_transfers = [
        make_transfer(name, transfer_id=key, bytes=40, total=100)
        for key, name in (("1", "other"), ("2", "film.mkv"))
    ]
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press("I")
        await until_shown(pilot, "coming 40%")
        await pilot.press("j", "4")
        await until_shown(pilot, "nothing of it is being fetched")
        await pilot.press("k", "4")
        await until(pilot, lambda: program.pane.SCOPE == "transfers" and len(program.screen_stack) == 1)
        await pilot.pause()

        assert program.pane.transfer_at_cursor().transfer_id == "2"  # type: ignore[union-attr] # there is one


async def test_item_tells_all_of_itself() -> None:
    """And Esc leads back, level by level."""
    item = OfferItemView(name="trip", kind="folder", root="9" * 64, size=5, files=12)
    async with inbox(replace(FILM, items=[item])) as (_, pilot):
        await pilot.press("enter", "enter")
        await until_shown(pilot, "9" * 64)
        for _ in range(3):
            await pilot.press("escape")

        assert len(pilot.app.screen_stack) == 1


async def test_empty_inbox_says_how_to_send() -> None:
    """Its keys do nothing, and say so."""
    async with inbox() as (_, pilot):
        assert "S on a peer, in Peers, sends a file or folder." in text_of(pilot.app)
        await pilot.press("enter", "a", "x", "D", "4")

        assert isinstance(pilot.app.screen, Inbox)
        assert "nothing of it is being fetched" in text_of(pilot.app)


async def test_offer_that_is_forgotten_while_it_is_open() -> None:
    """A new engine may not know it any more."""
    async with inbox(FILM) as (_, pilot):
        await pilot.press("enter")
        program: Any = pilot.app
        program.model.offers.reset([])
        program.screen.show(Changes(everything=True))
        await until_shown(pilot, "This offer is not kept any more")
        await pilot.press("a")

        assert isinstance(program.screen, OfferScreen)
        assert "nothing is here" in text_of(program)


async def test_attention_leads_to_what_waits_and_only_then_to_the_rest() -> None:
    """First to the offer, once; it is at the cursor."""
    engine = FakeEngine()
    engine.known_peers = [bob := make_peer("bob")]
    engine.known_offers = [FILM, TRIP]
    engine.hear("", bob, "hello")
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press("ctrl+g")
        await until_shown(pilot, "Inbox: 2 offers to answer")
        await until(pilot, lambda: "> ↓ film.mkv" in text_of(program))
        await pilot.press("escape", "ctrl+g")
        await until(pilot, lambda: program.pane.SCOPE == "chat")


async def test_palette_finds_it_by_name() -> None:
    """As any action."""
    engine = FakeEngine()
    engine.known_offers = [FILM]
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press("colon", *"inbox")
        await until_shown(pilot, "inbox: Answer what peers offer you")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(program.screen, Inbox))


async def test_news_of_offers_are_told() -> None:
    """A new one names the key that answers it; the line in the conversation is not told besides."""
    engine = FakeEngine()
    engine.known_peers = [bob := make_peer("bob")]
    program = Program(engine)
    async with running(program) as pilot:
        engine.hear("", bob, "offers film.mkv", kind="offer", offer_id=FILM.offer_id)
        engine.offered(replace(FILM, peer_name="bob"))
        await until_shown(pilot, "press I: bob offers film.mkv (1.0K)")
        engine.offered(OURS)
        engine.announce(OfferChanged(offer=replace(OURS, state="accepted")))
        await until_shown(pilot, "ben accepts ours.zip")

        assert [text for _, _, text in program.news] == [
            "press I: bob offers film.mkv (1.0K)",
            "ben accepts ours.zip",
        ]
