"""The pane of files, on the screen of a program that runs on an engine in memory."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from peerterm.api.events import PeerChanged, PeerLeft
from peerterm.api.views import PeerView, SettingView, ShareView
from peerterm.config import Settings
from peerterm.errors import PeerRefused, PeerUnavailable
from peerterm.tui.panes import files as files_pane
from peerterm.tui.panes import long_list
from peerterm.tui.terminal import Terminal
from tests.fakes.browsable import BrowsableEngine, Screen, file, folder, program
from tests.fakes.fake_engine import OWN_ID, make_peer

if TYPE_CHECKING:
    from pathlib import Path

BOB = make_peer("bob", shares=2, bytes=412_000_000_000)
OWN_SHARE = ShareView(
    share_id="00000001", name="Own", path="/own", kind="folder", root="", sha256="", files=1, bytes=10,
    visibility="everyone", state="ready",
)  # fmt: skip
PAGES = [file(f"{number:06}.jpg") for number in range(1200)]


@pytest.fixture
def engine() -> BrowsableEngine:
    """An engine that knows bob, who shares two things, and carol, who shares nothing."""
    engine = BrowsableEngine()
    engine.known_peers = [BOB, make_peer("carol", shares=0)]
    engine.folders = {
        (BOB.peer_id, ""): [folder("Photos"), file("movie.mkv", 4_100_000_000)],
        (BOB.peer_id, "Photos"): [folder("2024"), file("B.jpg", 2000), folder("2025"), file("a.jpg", 9000)],
        (BOB.peer_id, "Photos/2024"): [],
        (BOB.peer_id, "Photos/2025"): PAGES,
    }
    return engine


async def enter(screen: Screen, *rows: str) -> None:
    """Go to the pane of files and into one row after the other."""
    await screen.press("2")
    for row in rows:
        await screen.sees(row)
        screen.app.pane.point_at(row)
        await screen.press("l")


def rows_of(screen: Screen, *names: str) -> list[str]:
    """Return those names in the order in which they stand on the screen."""
    return sorted((name for name in names if name in screen.text), key=screen.text.index)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_first_visit_lists_who_shares_something(engine: BrowsableEngine, size: tuple[int, int]) -> None:
    """One key is enough to see where there is something to browse."""
    async with program(engine, size) as screen:
        await screen.press("2")
        await screen.sees("Who shares something", "bob", "412G", "2 shares")

        assert "carol" not in screen.text
        assert "bob" in screen.cursor_line


async def test_cursor_begins_on_the_first_row(engine: BrowsableEngine) -> None:
    """Peers list by code point, where B comes before a folder b; the screen begins with the folder."""
    engine.folders[BOB.peer_id, "Photos"] = [file("B.jpg"), file("C.jpg"), folder("beach")]
    async with program(engine) as screen:
        await enter(screen, "bob", "Photos")
        await screen.sees("3 entries")

        assert "beach" in screen.cursor_line


async def test_nobody_sharing_is_said(engine: BrowsableEngine) -> None:
    """An empty list says why and which key helps."""
    engine.known_peers = []
    async with program(engine) as screen:
        await screen.press("2")

        await screen.sees("Nobody who is online shares anything yet.", "1 shows who is here")


async def test_peer_that_begins_to_share_appears(engine: BrowsableEngine) -> None:
    """The list of peers follows them while it is looked at."""
    async with program(engine) as screen:
        await enter(screen)
        engine.announce(PeerChanged(peer=make_peer("carol", shares=1)))
        await screen.sees("carol")
        engine.announce(PeerLeft(peer=replace(BOB, state="offline"), reason="bye"))

        await screen.until(lambda: "2 shares" not in screen.text)


async def test_folders_come_first_by_name(engine: BrowsableEngine) -> None:
    """Case does not matter, and files stay behind folders when the order is turned round."""
    async with program(engine) as screen:
        await enter(screen, "bob", "Photos")
        await screen.sees("bob:/Photos/", "4 entries")
        names = ("2024/", "2025/", "a.jpg", "B.jpg")
        in_order = rows_of(screen, *names)
        await screen.press("s", "1")

        assert in_order == ["2024/", "2025/", "a.jpg", "B.jpg"]
        assert rows_of(screen, *names) == ["2025/", "2024/", "B.jpg", "a.jpg"]


async def test_orders_by_size_type_and_date_keep_folders_first(engine: BrowsableEngine) -> None:
    """The biggest file comes first by size, whatever it is called."""
    async with program(engine) as screen:
        await enter(screen, "bob", "Photos")
        await screen.press("s", "2")
        by_size = rows_of(screen, "2024/", "a.jpg", "B.jpg")
        await screen.press("s", "3", "s", "4")

        assert by_size == ["2024/", "a.jpg", "B.jpg"]
        assert rows_of(screen, "2024/", "B.jpg") == ["2024/", "B.jpg"]


async def test_going_up_leaves_the_cursor_on_what_was_left(engine: BrowsableEngine) -> None:
    """From a folder to the peer, to the list of peers, where it ends."""
    async with program(engine) as screen:
        await enter(screen, "bob", "Photos", "2025")
        await screen.sees("bob:/Photos/2025/", "1,200 entries")
        await screen.press("h")
        await screen.sees("bob:/Photos/", "4 entries")
        in_photos = screen.cursor_line
        await screen.press("left")
        await screen.sees("bob:/", "2 entries")
        in_bob = screen.cursor_line
        await screen.press("backspace")
        await screen.sees("Who shares something")
        await screen.press("h")

        await screen.sees("these are all who share something")
        assert "2025/" in in_photos
        assert "Photos/" in in_bob
        assert "bob" in screen.cursor_line


async def test_cursor_is_where_it_was_when_a_folder_is_entered_again(engine: BrowsableEngine) -> None:
    """Also if its row comes with a later page."""
    async with program(engine) as screen:
        await enter(screen, "bob", "Photos", "2025")
        await screen.sees("1,200 entries")
        await screen.press("G")
        assert "001199.jpg" in screen.cursor_line
        await screen.press("h")
        await screen.sees("4 entries")
        await screen.press("l")

        await screen.until(lambda: "001199.jpg" in screen.cursor_line)


async def test_first_page_can_be_used_while_others_come(engine: BrowsableEngine) -> None:
    """What is there already is listed, counted as not all, and the cursor moves."""
    engine.gate.clear()
    async with program(engine) as screen:
        await enter(screen, "bob", "Photos", "2025")
        await screen.sees("000000.jpg", "500 entries so far ...")
        await screen.press("j")
        moved = screen.cursor_line
        engine.gate.set()

        await screen.sees("1,200 entries")
        assert "so far" not in screen.text
        assert "000001.jpg" in moved
        assert "000001.jpg" in screen.cursor_line


async def test_leaving_a_folder_ends_its_listing(engine: BrowsableEngine) -> None:
    """No page of it is asked for any more, and none comes into another folder's list."""
    engine.gate.clear()
    async with program(engine) as screen:
        await enter(screen, "bob", "Photos", "2025")
        await screen.sees("so far")
        await screen.press("h")
        await screen.sees("4 entries")
        engine.gate.set()
        await screen.press("j", "k")

        assert "000000.jpg" not in screen.text
        assert (BOB.peer_id, "Photos/2025", "1000") not in engine.listed


async def test_endless_folder_is_cut_short(engine: BrowsableEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that always has more cannot fill the memory."""
    monkeypatch.setattr(files_pane, "MAX_ENTRIES", 1000)
    async with program(engine) as screen:
        await enter(screen, "bob", "Photos", "2025")

        await screen.sees("the first 1,000 entries")


async def test_long_folder_is_spared_by_the_collector(
    engine: BrowsableEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would stop the keys to look at all rows again and again; once they are left it looks at everything."""
    monkeypatch.setattr(long_list, "LONG_LIST", 1000)
    async with program(engine) as screen:
        await enter(screen, "bob", "Photos", "2025")
        await screen.until(lambda: gc.get_freeze_count() > 0)
        await screen.press("h")
        await screen.sees("4 entries")

        assert gc.get_freeze_count() == 0


async def test_file_tells_all_that_is_known(engine: BrowsableEngine) -> None:
    """Opening a file downloads nothing; it shows what it is."""
    async with program(engine) as screen:
        await enter(screen, "bob", "movie.mkv")

        await screen.sees("4,100,000,000 bytes", "video", "root")
        assert not [asked for asked in engine.asked if asked[0] == "get"]


async def test_d_downloads_what_is_marked_by_root(engine: BrowsableEngine) -> None:
    """The heading says how much is marked; the marks go once it is queued."""
    async with program(engine) as screen:
        await enter(screen, "bob", "Photos")
        await screen.sees("a.jpg")
        await screen.press("G", "space", "k", "space")
        await screen.sees("2 marked, 11K")
        await screen.press("d")
        await screen.until(lambda: any(asked[0] == "get" for asked in engine.asked))

        assert next(asked for asked in engine.asked if asked[0] == "get")[1:3] == (file("a.jpg").root, "")
        assert "marked" not in screen.text


async def test_many_downloads_are_asked_about_first(engine: BrowsableEngine) -> None:
    """Marking everything and a slip of the finger queue nothing."""
    async with program(engine) as screen:
        await enter(screen, "bob", "Photos", "2025")
        await screen.sees("1,200 entries")
        await screen.press("A", "d")
        await screen.sees("Download 1,200 entries (1.2M)?")
        await screen.press("escape")
        none_yet = list(engine.asked)
        await screen.press("d", "y")
        await screen.until(lambda: len(engine.asked) > len(none_yet))

        assert not [asked for asked in none_yet if asked[0] == "get"]
        assert engine.asked[len(none_yet)][:2] == ("get", PAGES[0].root)


async def test_capital_d_asks_for_the_folder(engine: BrowsableEngine, tmp_path: Path) -> None:
    """It offers the configured one; what is typed is checked, and offered the next time."""
    (tmp_path / "a").touch()
    async with program(engine) as screen:
        await enter(screen, "bob", "movie.mkv")
        await screen.press("escape", "D")
        await screen.sees("Download movie.mkv (4.1G) into", "Downloads")
        await screen.press("ctrl+u")
        await screen.paste(f"{tmp_path}/a")
        await screen.press("enter")
        await screen.sees("/a is not")
        await screen.press("backspace", "backspace", "enter")
        await screen.until(lambda: any(asked[0] == "get" for asked in engine.asked))
        await screen.press("D")
        await screen.sees("Download movie.mkv", str(tmp_path)[:60])

        assert ("get", file("movie.mkv").root, str(tmp_path), None) in engine.asked


async def test_peer_is_downloaded_by_its_shares(engine: BrowsableEngine) -> None:
    """At the top a row means everything that the peer shares."""
    async with program(engine) as screen:
        await enter(screen)
        await screen.press("d")
        await screen.sees("Download everything that bob shares?")
        assert engine.asked == []
        await screen.press("y")
        await screen.until(lambda: any(asked[0] == "get" for asked in engine.asked))

        assert ("get", folder("Photos").root, "", None) in engine.asked


async def test_peer_is_downloaded_beyond_its_first_page(engine: BrowsableEngine) -> None:
    """However many shares it has."""
    engine.folders[BOB.peer_id, ""] = PAGES[:501]
    async with program(engine) as screen:
        await enter(screen)
        await screen.press("d")
        await screen.sees("Download everything that bob shares?")
        await screen.press("y")
        await screen.until(lambda: sum(asked[0] == "get" for asked in engine.asked) == 501)

        assert engine.asked[500][1] == PAGES[500].root


async def test_other_keys_do_not_lose_a_download(engine: BrowsableEngine) -> None:
    """While a peer is asked what it shares, the list may be sorted."""
    engine.folders[BOB.peer_id, ""] = PAGES[:501]
    engine.gate.clear()
    async with program(engine) as screen:
        await enter(screen)
        await screen.press("d", "s")
        await screen.sees("Order")
        await screen.press("escape")
        engine.gate.set()

        await screen.sees("Download everything that bob shares?")


async def test_part_of_a_folder_is_downloaded_by_patterns(engine: BrowsableEngine, tmp_path: Path) -> None:
    """D asks for them after the folder to download into; none are all, and Esc takes it back."""
    async with program(engine) as screen:
        await enter(screen, "bob")
        await screen.sees("Photos/")
        await screen.press("D")
        await screen.sees("Download Photos")
        await screen.press("ctrl+u")
        await screen.paste(str(tmp_path))
        await screen.press("enter")
        await screen.sees("Only which files?")
        await screen.press("escape", "D", "enter")
        await screen.sees("Only which files?")
        await screen.paste("*.jpg /2024/")
        await screen.press("enter")
        await screen.until(lambda: bool(engine.asked))

        assert engine.asked == [("get", folder("Photos").root, str(tmp_path), ["*.jpg", "/2024/"])]


async def test_escape_stops_a_long_listing(engine: BrowsableEngine) -> None:
    """What came stays, and the heading admits that there may be more; marks stay until the next Esc."""
    engine.gate.clear()
    async with program(engine) as screen:
        await enter(screen, "bob", "Photos", "2025")
        await screen.sees("so far")
        await screen.press("space", "escape")
        await screen.sees("the first 500 entries", "1 marked")
        await screen.press("escape")
        engine.gate.set()
        await screen.until(lambda: "marked" not in screen.text)

        assert "the first 500 entries" in screen.text


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


async def test_what_is_not_ready_is_not_downloaded(engine: BrowsableEngine) -> None:
    """An entry without a root says so instead; so does an empty folder."""
    engine.folders[BOB.peer_id, ""] = [file("new.iso", root="")]
    async with program(engine) as screen:
        await enter(screen, "bob")
        await screen.sees("new.iso")
        await screen.press("d")
        await screen.sees("there is nothing to download yet")
        engine.folders[BOB.peer_id, "Photos"] = []
        screen.app.browse(BOB.peer_id, "Photos/")
        await screen.sees("This folder is empty.")
        await screen.press("d")

        await screen.sees("nothing is here yet")


async def test_peer_that_refuses_to_be_downloaded_is_told(engine: BrowsableEngine) -> None:
    """The refusal is said in the status row."""
    engine.faults[BOB.peer_id] = PeerRefused("bob does not say", "ask bob")
    async with program(engine) as screen:
        await enter(screen)
        await screen.press("d")

        await screen.sees("bob does not say (ask bob)")


async def test_own_shares_can_be_browsed_but_not_downloaded(engine: BrowsableEngine) -> None:
    """They are last of the list, and here already."""
    engine.known_shares = [OWN_SHARE]
    engine.folders[OWN_ID, ""] = [folder("Own")]
    async with program(engine) as screen:
        await enter(screen)
        await screen.sees("fake (this machine)")
        await screen.press("G", "d")
        await screen.sees("that is on this machine already")
        await screen.press("l")
        await screen.sees("fake:/", "Own/")
        await screen.press("d")

        assert not [asked for asked in engine.asked if asked[0] == "get"]


async def test_peer_that_shares_nothing_with_us_is_said(engine: BrowsableEngine) -> None:
    """An empty list of shares is not an empty folder."""
    engine.folders[BOB.peer_id, ""] = []
    async with program(engine) as screen:
        await enter(screen, "bob")

        await screen.sees("bob shares nothing with you.", "h goes up.")


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


async def test_filter_ends_with_the_folder(engine: BrowsableEngine) -> None:
    """Another folder is shown whole."""
    async with program(engine) as screen:
        await enter(screen, "bob", "Photos")
        await screen.sees("a.jpg")
        await screen.press("slash", *"2024", "enter")
        await screen.until(lambda: "a.jpg" not in screen.text)
        await screen.press("h")

        await screen.sees("Photos/", "movie.mkv")


async def test_copies_name_the_entry_for_others(engine: BrowsableEngine) -> None:
    """Link, root, and what the command line takes; of a peer its name and id."""
    async with program(engine, (120, 36)) as screen:
        await enter(screen)
        await screen.press("y", "t")
        await screen.sees(BOB.peer_id)
        await screen.press("escape")
        await enter(screen, "bob", "Photos", "a.jpg")
        await screen.press("escape", "y", "t")

        await screen.sees("peerterm:", file("a.jpg").root, "bob/Photos/a.jpg")


async def test_info_of_a_peer_says_what_it_offers(engine: BrowsableEngine) -> None:
    """Shares, address and id."""
    async with program(engine) as screen:
        await enter(screen)
        await screen.press("i")

        await screen.sees("2 shares, 412G", "127.0.0.1:47470")


async def test_names_cannot_leave_their_cells() -> None:
    """Escapes, markup and wide letters of a peer change nothing around them, and go back to it unchanged."""
    hostile = "\x1b[2J[red]x[/]\u202e宽\x07"
    eve = make_peer(hostile)
    engine = BrowsableEngine()
    engine.known_peers = [eve]
    engine.folders = {(eve.peer_id, ""): [folder(hostile)], (eve.peer_id, hostile): [file(hostile)]}
    async with program(engine, terminal=Terminal(is_ascii=True)) as screen:
        await screen.press("2", "l", "l")
        await screen.sees("1 entry")

        assert (eve.peer_id, hostile, "") in engine.listed
        assert screen.text.isascii()
        assert "\x1b" not in screen.text
        assert "[red]x[/]" in screen.cursor_line


async def test_other_panes_open_a_folder_here(engine: BrowsableEngine) -> None:
    """A pane never visited before shows the folder at once, one visited before leaves its own."""
    async with program(engine) as screen:
        screen.app.browse(BOB.peer_id, "Photos")
        await screen.sees("bob:/Photos/", "a.jpg")
        await screen.press("1")
        screen.app.browse(BOB.peer_id)

        await screen.sees("bob:/", "movie.mkv")


async def test_peer_nobody_knows_is_named_by_its_id(engine: BrowsableEngine) -> None:
    """A link into a peer that is not here tells what it waits for."""
    stranger = PeerView(**{field: getattr(BOB, field) for field in BOB.__slots__} | {"peer_id": "d" * 64})
    async with program(engine) as screen:
        screen.app.browse(stranger.peer_id, "Photos")

        await screen.sees("dddddddd:/Photos/", "not online", "there is no such folder")


async def test_configured_folder_is_offered_as_it_is_now(
    engine: BrowsableEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was only offered, and not typed, is asked for again the next time."""
    folders = ["/old/place", "/new/place"]

    async def settings() -> list[SettingView]:
        views = Settings().views()
        chosen = folders.pop(0)
        return [replace(view, value=chosen) if view.name == "files.download_dir" else view for view in views]

    monkeypatch.setattr(engine, "settings", settings)
    async with program(engine) as screen:
        await enter(screen, "bob")
        await screen.sees("movie.mkv")
        await screen.press("D")
        await screen.sees("/old/place")
        await screen.press("escape", "D")

        await screen.sees("/new/place")
