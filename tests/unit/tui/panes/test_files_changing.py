"""The pane of files while peers come, go, fail and change what they offer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from peerterm.api.events import PeerChanged, PeerLeft
from peerterm.api.views import PeerView
from peerterm.errors import PeerRefused, PeerUnavailable
from tests.fakes.browsable import file, program
from tests.fakes.browsed import BOB, PAGES, enter
from tests.fakes.fake_engine import make_peer

if TYPE_CHECKING:
    from tests.fakes.browsable import BrowsableEngine


async def test_peer_that_begins_to_share_appears(engine: BrowsableEngine) -> None:
    """The list of peers follows them while it is looked at."""
    async with program(engine) as screen:
        await enter(screen)
        engine.announce(PeerChanged(peer=make_peer("carol", shares=1)))
        await screen.sees("carol")
        engine.announce(PeerLeft(peer=replace(BOB, state="offline"), reason="bye"))

        await screen.until(lambda: "2 shares" not in screen.text)


async def test_fault_is_told_and_cured_when_the_peer_is_back(engine: BrowsableEngine) -> None:
    """The list says what is wrong; it is asked for again by itself."""
    engine.faults[BOB.peer_id] = PeerUnavailable("bob is not online", "it may come back")
    async with program(engine) as screen:
        await enter(screen, "bob")
        await screen.sees("bob is not online", "it may come back")
        engine.announce(PeerLeft(peer=replace(BOB, state="offline"), reason="lost"))
        await screen.sees("not online")
        engine.faults.clear()
        engine.announce(PeerChanged(peer=BOB))

        await screen.sees("Photos/", "2 entries")


async def test_list_stays_while_its_peer_is_gone(engine: BrowsableEngine) -> None:
    """What was listed can still be read; the heading says that nobody is there."""
    async with program(engine) as screen:
        await enter(screen, "bob", "Photos")
        await screen.sees("a.jpg")
        engine.announce(PeerLeft(peer=replace(BOB, state="offline"), reason="lost"))

        await screen.sees("not online", "a.jpg")


async def test_fault_in_a_later_page_keeps_what_came(engine: BrowsableEngine) -> None:
    """The heading admits that it is not everything."""
    engine.gate.clear()
    async with program(engine) as screen:
        await enter(screen, "bob", "Photos", "2025")
        await screen.sees("so far")
        engine.faults[BOB.peer_id] = PeerUnavailable("bob is not online")
        engine.gate.set()

        await screen.sees("000000.jpg", "not everything", "bob is not online")


async def test_folder_follows_what_its_peer_offers(engine: BrowsableEngine) -> None:
    """A new entry appears, one that is gone vanishes, the cursor stays."""
    async with program(engine) as screen:
        await enter(screen, "bob", "Photos")
        await screen.sees("a.jpg")
        await screen.press("G")
        engine.folders[BOB.peer_id, "Photos"] = [file("B.jpg"), file("new.jpg")]
        engine.announce(PeerChanged(peer=replace(BOB, bytes=5)))
        await screen.sees("new.jpg", "2 entries")

        assert "a.jpg" not in screen.text
        assert "B.jpg" in screen.cursor_line


async def test_folder_that_vanishes_is_told(engine: BrowsableEngine) -> None:
    """Its rows go, and the reason stands there instead."""
    async with program(engine) as screen:
        await enter(screen, "bob", "Photos")
        await screen.sees("a.jpg")
        del engine.folders[BOB.peer_id, "Photos"]
        engine.announce(PeerChanged(peer=replace(BOB, bytes=5)))

        await screen.sees("there is no such folder")
        assert "a.jpg" not in screen.text


async def test_refused_refresh_keeps_the_list(engine: BrowsableEngine) -> None:
    """What was there is better than nothing."""
    async with program(engine) as screen:
        await enter(screen, "bob", "Photos")
        await screen.sees("a.jpg")
        engine.faults[BOB.peer_id] = PeerRefused("bob does not say")
        engine.announce(PeerChanged(peer=replace(BOB, bytes=5)))

        await screen.sees("bob does not say", "a.jpg")


async def test_long_folder_says_that_it_changed(engine: BrowsableEngine) -> None:
    """It is not listed by itself again; going out and in does."""
    async with program(engine) as screen:
        await enter(screen, "bob", "Photos", "2025")
        await screen.sees("1,200 entries")
        engine.announce(PeerChanged(peer=replace(BOB, bytes=5)))
        await screen.sees("1,200 entries before a change; h l lists them anew")
        engine.folders[BOB.peer_id, "Photos/2025"] = PAGES[:-1]
        await screen.press("h", "l")

        await screen.sees("1,199 entries")


async def test_peer_nobody_knows_is_named_by_its_id(engine: BrowsableEngine) -> None:
    """A link into a peer that is not here tells what it waits for."""
    stranger = PeerView(**{field: getattr(BOB, field) for field in BOB.__slots__} | {"peer_id": "d" * 64})
    async with program(engine) as screen:
        screen.app.browse(stranger.peer_id, "Photos")

        await screen.sees("dddddddd:/Photos/", "not online", "there is no such folder")
