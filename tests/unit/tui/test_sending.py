"""Sending files from the screen: what, to whom, how far it is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from peerterm.api.events import OfferIndexing
from tests.fakes.browsable import BrowsableEngine, file, folder
from tests.fakes.fake_engine import OWN_ID, FakeEngine, make_peer, make_transfer
from tests.fakes.programs import HOLIDAY, Program, make_share, offering, running, text_of, until, until_shown

if TYPE_CHECKING:
    from pathlib import Path

    from peerterm.api.views import OfferView

BOB, CAROL = make_peer("bob"), make_peer("carol", state="offline")


class Slow(BrowsableEngine):
    """An engine that reads what is sent until it is let go on."""

    def __init__(self) -> None:
        super().__init__()
        self.known_peers = [BOB, CAROL]
        self.may_go_on = asyncio.Event()
        self.was_cancelled = False

    async def send(self, peers: list[str], paths: list[str]) -> list[OfferView]:
        """See ``EngineApi``."""
        self.announce(OfferIndexing(path=paths[0], files=1, bytes=1000, done_bytes=620, eta=75.0))
        self.announce(OfferIndexing(path="/other", files=1, bytes=1000, done_bytes=0, eta=None))
        try:
            await self.may_go_on.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        return await super().send(peers, paths)


def sent(engine: FakeEngine) -> list[tuple[Any, ...]]:
    """Return what was sent."""
    return [each[1:] for each in engine.asked if each[0] == "send"]


def engine_at_once() -> Slow:
    """Return an engine that reads at once."""
    engine = Slow()
    engine.may_go_on.set()
    return engine


async def test_file_is_sent_to_the_peer_at_the_cursor(tmp_path: Path) -> None:
    """Tab completes its path; a wrong one is said before anything is asked."""
    (tmp_path / "report.pdf").touch()
    engine = engine_at_once()
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press("S")
        await until_shown(pilot, "Send a file or folder to bob")
        await pilot.press("ctrl+u", *f"{tmp_path}/nothing", "enter")
        await until_shown(pilot, "does not exist")
        await pilot.press("ctrl+u", *f"{tmp_path}/rep", "tab")
        await until_shown(pilot, "report.pdf")
        await pilot.press("enter")
        await until_shown(pilot, "report.pdf is offered to bob; I shows what becomes of it")

        assert sent(engine) == [([BOB.peer_id], [f"{tmp_path}/report.pdf"])]


async def test_marked_peers_all_get_it(tmp_path: Path) -> None:
    """Each by an offer of its own; who is away hears of it later. Then no mark is left."""
    (tmp_path / "a").touch()
    engine = engine_at_once()
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press("A", "S")
        await until_shown(pilot, "Send a file or folder to bob, carol")
        await pilot.press("escape", "S", "ctrl+u", *f"{tmp_path}/a", "enter")
        await until_shown(pilot, "a is offered to bob, carol; I shows what becomes of it (1 peer not here yet)")

        assert sent(engine) == [([BOB.peer_id, CAROL.peer_id], [f"{tmp_path}/a"])]
        assert "2 marked" not in text_of(program)


async def test_share_is_sent_to_who_is_typed(tmp_path: Path) -> None:
    """Names are completed; one that nobody has is said."""
    (tmp_path / "Music").mkdir()
    engine = engine_at_once()
    engine.known_shares = [make_share("Music", path=f"{tmp_path}/Music")]
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press("6", "S")
        await until_shown(pilot, "Send Music to")
        assert "Known: bob, carol." in text_of(program)
        await pilot.press(*"zoe", "enter")
        await until_shown(pilot, "nobody is called zoe; Tab completes a name")
        await pilot.press("ctrl+u", *"b", "tab", *", ", "tab")
        await until_shown(pilot, "bob, carol")
        await pilot.press("ctrl+u", *"CAROL", "enter")
        await until_shown(pilot, "Music is offered to carol; I shows what becomes of it, once carol is here")

        assert sent(engine) == [([CAROL.peer_id], [f"{tmp_path}/Music"])]


async def test_what_lies_in_an_own_share_is_sent(tmp_path: Path) -> None:
    """By its path on the disk; what others share is not here."""
    (tmp_path / "cat.png").touch()
    engine = engine_at_once()
    engine.known_peers = [replace(BOB, shares=1)]
    engine.known_shares = [make_share("Pictures", path=str(tmp_path))]
    engine.folders = {(OWN_ID, "Pictures"): [file("cat.png", 1)], (BOB.peer_id, ""): [folder("x", 1)]}
    program = Program(engine)
    async with running(program) as pilot:
        program.browse(OWN_ID, "Pictures")
        await until_shown(pilot, "cat.png")
        await pilot.press("S")
        await until_shown(pilot, "Send cat.png to")
        await pilot.press(*"bob", "enter")
        await until(pilot, lambda: sent(engine))
        program.browse(BOB.peer_id, "")
        await until_shown(pilot, "x/")
        await pilot.press("S")
        await until_shown(pilot, "S sends what is on this machine")

        assert sent(engine) == [([BOB.peer_id], [f"{tmp_path}/cat.png"])]


async def test_download_that_is_here_is_sent_on(tmp_path: Path) -> None:
    """One that still comes is not."""
    (tmp_path / "film.mkv").touch()
    engine = engine_at_once()
    engine.known_transfers = [
        make_transfer("film.mkv", transfer_id="1", state="done", path=f"{tmp_path}/film.mkv"),
        make_transfer("coming.mkv", transfer_id="2", path=f"{tmp_path}/coming.mkv"),
    ]
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press("4", "A", "S")
        await until_shown(pilot, "Send film.mkv to")
        await pilot.press(*"bob", "enter")
        await until(pilot, lambda: sent(engine))

        assert sent(engine) == [([BOB.peer_id], [f"{tmp_path}/film.mkv"])]


async def test_reading_is_followed_and_given_up_by_esc(tmp_path: Path) -> None:
    """The row says how far it is; what another program sends is not counted."""
    (tmp_path / "big").touch()
    engine = Slow()
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press("S", "ctrl+u", *f"{tmp_path}/big", "enter")
        await until_shown(pilot, "send 62% 1:15")
        await pilot.press("escape")
        await until_shown(pilot, "given up; nothing was sent")
        await until(pilot, lambda: engine.was_cancelled)

        assert not sent(engine)
        assert not program.model.offers.progress


async def test_reading_goes_on_while_the_user_writes(tmp_path: Path) -> None:
    """Esc leaves the field of a conversation, and only that."""
    (tmp_path / "big").touch()
    engine = Slow()
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press("m")
        await until_shown(pilot, "Nothing was said to bob yet.")
        await pilot.press(*f"/send {tmp_path}/big", "enter")
        await until_shown(pilot, "send 62% 1:15")
        await pilot.press(*"hi", "escape")
        assert not engine.was_cancelled
        engine.may_go_on.set()
        await until_shown(pilot, "big is offered to bob")

        assert sent(engine) == [([BOB.peer_id], [f"{tmp_path}/big"])]


async def test_who_writes_to_somebody_sends_by_a_key(tmp_path: Path) -> None:
    """A room is nobody to send to."""
    (tmp_path / "a").touch()
    engine = engine_at_once()
    engine.hear("#lan", BOB, "hello")
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press("5")
        await until_shown(pilot, "hello")
        await pilot.press("a")
        await until_shown(pilot, "not to a room: S on a peer, in Peers")
        await pilot.press("1", "m")
        await until_shown(pilot, "Nothing was said to bob yet.")
        await pilot.press("escape", "S")
        await until_shown(pilot, "Send a file or folder to bob")
        await pilot.press("ctrl+u", *f"{tmp_path}/a", "enter")
        await until_shown(pilot, "a is offered to bob")


async def test_without_anybody_there_is_nobody_to_send_to(tmp_path: Path) -> None:
    """That is said where it would be asked."""
    engine = FakeEngine()
    engine.known_shares = [make_share("Music", path=str(tmp_path))]
    async with running(Program(engine)) as pilot:
        await pilot.press("S")
        await until_shown(pilot, "nobody is here yet")
        await pilot.press("6", "S")
        await until_shown(pilot, "nobody is known to whom it could be sent")


async def test_offers_of_a_conversation_are_opened_from_it() -> None:
    """By the keys that the row above names; elsewhere the same key enters a room."""
    program = Program(offering())
    async with running(program) as pilot:
        await pilot.press("m")
        await until_shown(pilot, "offers holiday and 1 more")
        await pilot.press("escape")
        await until_shown(pilot, "o opens holiday and 1 more, 9.1G: waits for your answer")
        for key in ("o", "d"):
            await pilot.press(key)
            await until_shown(pilot, "map.pdf")
            assert program.screen._offer_id == HOLIDAY  # type: ignore[attr-defined] # it is one
            await pilot.press("escape", "escape")
        await pilot.press("g", "o")
        await until_shown(pilot, "Enter which room?")
