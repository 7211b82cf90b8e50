"""The pane of files: what is listed, in which order, and how to move about in it."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from peerterm.tui.panes import contents as contents_pane
from peerterm.tui.panes import files as files_pane
from peerterm.tui.panes import long_list
from peerterm.tui.terminal import Terminal
from tests.fakes.browsable import BrowsableEngine, file, folder, program
from tests.fakes.browsed import BOB, enter
from tests.fakes.fake_engine import make_peer

if TYPE_CHECKING:
    from tests.fakes.browsable import Screen


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


async def test_first_page_is_counted_at_once(engine: BrowsableEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """However soon after another folder this one is entered."""
    monkeypatch.setattr(contents_pane, "COUNT_SECONDS", float("inf"))
    engine.gate.clear()
    async with program(engine) as screen:
        await enter(screen, "bob", "Photos", "2025")

        await screen.sees("500 entries so far ...")


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


async def test_peer_that_shares_nothing_with_us_is_said(engine: BrowsableEngine) -> None:
    """An empty list of shares is not an empty folder."""
    engine.folders[BOB.peer_id, ""] = []
    async with program(engine) as screen:
        await enter(screen, "bob")

        await screen.sees("bob shares nothing with you.", "h goes up.")


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
