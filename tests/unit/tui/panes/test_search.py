"""The pane of searches, on the screen of a program that runs on an engine in memory."""

from __future__ import annotations

import asyncio
import gc
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from peerterm.api.events import PeerJoined, Snapshot
from peerterm.api.views import HolderView, SearchHit, SearchQuery
from peerterm.errors import ControlError
from peerterm.tui.panes import long_list
from peerterm.tui.panes import search as search_pane
from tests.fakes.browsable import BrowsableEngine, Screen, file, folder, program
from tests.fakes.fake_engine import OWN_ID, make_hit, make_peer, make_transfer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

BOB = make_peer("bob", bytes=412_000_000_000)
AT_BOB = HolderView(peer_id=BOB.peer_id, name="bob")
AT_CAROL = HolderView(peer_id="c" * 64, name="carol")


class SearchableEngine(BrowsableEngine):
    """Finds ``hits`` whose path has the words, then waits for the gate, then finds ``later`` ones.

    Attributes:
        later: Hits that come when the gate opens.
        fault: What ends a search.
    """

    def __init__(self) -> None:
        super().__init__()
        self.known_peers = [BOB]
        self.hits = [
            make_hit("live-1.flac", size=312_000_000, peers=[AT_BOB], path="music/live/live-1.flac"),
            make_hit("live-2.mkv", size=4_000_000_000, peers=[AT_BOB, AT_CAROL], path="Videos/live-2.mkv"),
            make_hit("live", kind="folder", files=12, peers=[AT_BOB], path="music/live"),
        ]
        self.later: list[SearchHit] = []
        self.fault: ControlError | None = None

    async def search(self, query: SearchQuery) -> AsyncIterator[SearchHit]:
        """Yield what has the words."""
        async with aclosing(self._found(query)) as found:
            async for hit in found:
                yield hit

    async def _found(self, query: SearchQuery) -> AsyncGenerator[SearchHit, None]:
        self.asked.append(("search", query))
        self.open_streams += 1
        try:
            for hit in self.hits:
                if query.text in hit.path:
                    yield hit
            await self.gate.wait()
            if self.fault is not None:
                raise self.fault
            for hit in self.later:
                yield hit
        finally:
            self.open_streams -= 1

    @property
    def queries(self) -> list[SearchQuery]:
        """What was searched for."""
        return [asked[1] for asked in self.asked if asked[0] == "search"]


@pytest.fixture
def engine() -> SearchableEngine:
    """An engine that finds two files and a folder."""
    return SearchableEngine()


async def search(screen: Screen, text: str, *keys: str) -> None:
    """Go to the pane, put a line in, and press more keys."""
    await screen.press("3", "slash")
    await screen.paste(text)
    await screen.press(*keys)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_list_says_what_can_be_searched(engine: SearchableEngine, size: tuple[int, int]) -> None:
    """Before anything is typed the pane says of whom, and which key begins; letters are still keys."""
    async with program(engine, size) as screen:
        await screen.press("3")
        await screen.sees("1 peer with 412G to search.", "/ begins")
        await screen.press("1")

        await screen.sees("1*Peers")


async def test_peers_that_come_are_counted(engine: SearchableEngine) -> None:
    """With nobody there the pane says what a search can find at all."""
    engine.known_peers = []
    async with program(engine) as screen:
        await screen.press("3")
        await screen.sees("Nobody is online; a search finds only what you share yourself.")
        engine.announce(PeerJoined(peer=BOB))

        await screen.sees("1 peer online", "412G")


async def test_search_begins_while_typing(engine: SearchableEngine) -> None:
    """The third letter is enough; one search is asked for, not one a letter."""
    async with program(engine) as screen:
        await search(screen, "", *"live")
        await screen.sees("live-1.flac", "312M", "live-2.mkv", "bob +1", "live/", "3 hits, 1 peer online")

        assert engine.queries == [SearchQuery(text="live")]


async def test_way_from_the_line_to_the_list_is_said(engine: SearchableEngine) -> None:
    """While letters are typed, and not a moment longer."""
    async with program(engine) as screen:
        await search(screen, "live")
        await screen.sees("3 hits, 1 peer online", "Enter goes to the list")
        await screen.press("enter")

        await screen.until(lambda: "Enter goes to the list" not in screen.text)


async def test_two_letters_wait_for_enter(engine: SearchableEngine) -> None:
    """A short word finds too much to be meant by chance."""
    async with program(engine) as screen:
        await search(screen, "li")
        await screen.sees("Enter searches for this")
        assert not engine.queries
        await screen.press("enter")

        await screen.sees("3 hits")


async def test_emptied_line_shows_the_start_again(engine: SearchableEngine) -> None:
    """Hits of a line that is gone do not stay."""
    async with program(engine) as screen:
        await search(screen, "live")
        await screen.sees("3 hits")
        await screen.press("ctrl+u")

        await screen.sees("412G to search.")
        assert "live-1" not in screen.text


async def test_hits_stream_in_while_peers_answer(engine: SearchableEngine) -> None:
    """What is known already is listed, and the heading says that more may come."""
    engine.gate.clear()
    engine.later = [make_hit("late.flac", peers=[AT_CAROL])]
    async with program(engine) as screen:
        await search(screen, "live")
        await screen.sees("live-1.flac", "searching ... (Esc stops)")
        engine.gate.set()

        await screen.sees("late.flac", "4 hits, 1 peer online")
        assert "searching" not in screen.text


async def test_further_holder_replaces_the_hit(engine: SearchableEngine) -> None:
    """One content is one row, with the number of those who have it."""
    engine.later = [make_hit("live-1.flac", peers=[AT_BOB, AT_CAROL], path="music/live/live-1.flac")]
    async with program(engine, (120, 36)) as screen:
        await search(screen, "live")
        await screen.sees("3 hits")
        row = next(line for line in screen.lines if "live-1.flac" in line)

        assert "bob +1" in row
        assert " 2 " in row


async def test_what_is_here_already_is_marked_so(engine: SearchableEngine) -> None:
    """Nobody downloads what this machine shares itself."""
    own = HolderView(peer_id=OWN_ID, name="fake")
    engine.hits = [make_hit("live.mkv", peers=[AT_BOB, own]), make_hit("live nowhere")]
    async with program(engine) as screen:
        await search(screen, "live")

        await screen.sees("here +1", "live nowhere")


async def test_escape_leaves_the_line_then_stops_the_search_then_unmarks(engine: SearchableEngine) -> None:
    """Each press ends the nearest thing; the search is closed at the engine, what was found stays."""
    engine.gate.clear()
    async with program(engine) as screen:
        await search(screen, "live")
        await screen.sees("live-1.flac", "searching")
        streams = engine.open_streams
        await screen.press("escape", "space")
        await screen.sees("1 marked", "searching")
        await screen.press("escape")
        await screen.until(lambda: engine.open_streams == streams - 1)
        await screen.sees("1 marked", "3 hits")
        await screen.press("escape")

        assert "marked" not in screen.text
        assert "searching" not in screen.text


async def test_next_search_ends_the_one_before(engine: SearchableEngine) -> None:
    """Its late hits do not come into the new list; the old list stays until there is a new one."""
    engine.gate.clear()
    engine.later = [make_hit("late")]
    async with program(engine) as screen:
        await search(screen, "live")
        await screen.sees("live-1.flac", "searching")
        await screen.press(*"-2")
        await screen.until(lambda: "live-1.flac" not in screen.text)
        await screen.sees("live-2.mkv", "1 hit, 1 peer online, searching")
        assert [query.text for query in engine.queries] == ["live", "live-2"]
        engine.later = []
        engine.gate.set()

        await screen.sees("1 hit, 1 peer online")


async def test_nothing_found_is_said(engine: SearchableEngine) -> None:
    """With how many were asked, and the way on."""
    async with program(engine) as screen:
        await search(screen, "nowhere", "enter")

        await screen.sees("Nothing found; 1 peer online.", "/ changes them.", "0 hits")
        await search(screen, "nowhere type:video", "enter")

        await screen.sees("Only type:video was searched for; e changes that.")


async def test_filters_are_typed_into_the_line(engine: SearchableEngine) -> None:
    """Type and sizes go to the engine; a fault is told, and nothing is searched for."""
    async with program(engine) as screen:
        await search(screen, "live type:vid size:>1M size:<2G", "enter")
        await screen.until(lambda: bool(engine.queries))
        await screen.press("slash", "ctrl+u")
        await screen.paste("live type:film")
        await screen.press("enter")
        await screen.sees("type:film is no type", "use one of any, file, folder")

        assert engine.queries[-1] == SearchQuery(text="live", kind="video", min_size=10**6, max_size=2 * 10**9)
        assert "live-1.flac" not in screen.text


async def test_dialog_writes_type_and_size_into_the_line(engine: SearchableEngine) -> None:
    """What limits the search is always to be seen, and can be typed away."""
    async with program(engine) as screen:
        await search(screen, "live", "enter", "e")
        await screen.sees("Search for", "videos")
        await screen.press("v")
        await screen.sees("live type:video")
        await screen.press("e", "s", *"10M", "enter")
        await screen.sees("neither least nor most")
        await screen.press("ctrl+u", *">1M <5G", "enter")
        await screen.sees("live type:video size:>1M size:<5G")
        await screen.until(lambda: engine.queries[-1].max_size == 5 * 10**9)
        await screen.press("e", "0")
        await screen.until(lambda: "type:video" not in screen.text)
        await screen.press("e", "escape", "e", "s", "escape")

        await screen.sees("live size:>1M size:<5G")


async def test_enter_does_not_ask_twice_for_the_same(engine: SearchableEngine) -> None:
    """It goes to what the typing found already; only a line entered before is searched anew."""
    async with program(engine) as screen:
        await search(screen, "live")
        await screen.sees("3 hits")
        await screen.press("enter")
        await screen.sees("3 hits")
        once = len(engine.queries)
        await screen.press("slash", "enter")
        await screen.until(lambda: len(engine.queries) == 2)

        assert once == 1


async def test_lines_before_come_back_on_up(engine: SearchableEngine) -> None:
    """Down goes forth again, and at the end to the hits."""
    async with program(engine) as screen:
        await search(screen, "live-1", "enter")
        await screen.sees("1 hit,")
        await screen.press("slash", "ctrl+u", *"live-2", "enter", "slash", "up")
        await screen.sees("/ live-1", "live-1.flac")
        await screen.press("up", "down", "down", "down")
        await screen.sees("/ live-2", "live-2.mkv")
        await screen.press("1")

        await screen.sees("1*Peers")


async def test_d_downloads_by_root_and_capital_d_into_a_folder(engine: SearchableEngine) -> None:
    """What is marked, or the row of the cursor."""
    async with program(engine) as screen:
        await search(screen, "live", "enter")
        await screen.sees("3 hits")
        await screen.press("space", "space", "d")
        await screen.until(lambda: any(asked[0] == "get" for asked in engine.asked))
        await screen.press("D", "ctrl+u", *"/tmp", "enter")
        await screen.sees("Only which files?")
        await screen.press("enter")
        await screen.until(lambda: engine.asked[-1][2:] == ("/tmp", None))

        assert ("get", engine.hits[0].root, "", None) in engine.asked


async def test_hit_opens_the_folder_it_lies_in(engine: SearchableEngine) -> None:
    """At one who has it, with the cursor on it; a hit that nobody has opens nothing."""
    engine.folders[BOB.peer_id, "music/live"] = [folder("a"), file("b"), file("live-1.flac")]
    engine.hits.append(make_hit("live nowhere"))
    async with program(engine) as screen:
        await search(screen, "live", "enter")
        await screen.sees("4 hits")
        await screen.press("G", "l")
        await screen.sees("nothing is here yet")
        await screen.press("g", "l")
        await screen.sees("bob:/music/live/")

        await screen.until(lambda: "live-1.flac" in screen.cursor_line)


async def test_info_names_everyone_who_has_it(engine: SearchableEngine) -> None:
    """With what else is known; a folder says how many files."""
    async with program(engine, (120, 36)) as screen:
        await search(screen, "live", "enter")
        await screen.sees("3 hits")
        await screen.press("j", "i")
        await screen.sees("4,000,000,000 bytes", "bob", "carol  cccccccc", "video")
        await screen.press("escape", "j", "i")

        await screen.sees("folder of 12 files")


async def test_copies_name_the_hit_for_others(engine: SearchableEngine) -> None:
    """Link, root and the path at one who has it."""
    async with program(engine, (120, 36)) as screen:
        await search(screen, "live", "enter")
        await screen.sees("3 hits")
        await screen.press("y")

        await screen.sees("l  link", "r  root", "bob/music/live/live-1.flac")
        await screen.press("t")
        await screen.sees("peerterm:", engine.hits[0].root, "?name=live-1.flac")


@pytest.mark.parametrize("number", range(1, 8))
async def test_hits_can_be_ordered_by_each_column(engine: SearchableEngine, number: int) -> None:
    """Also if nobody is named as having one."""
    engine.hits.append(make_hit("live nowhere"))
    async with program(engine, (120, 36)) as screen:
        await search(screen, "live", "enter")
        await screen.sees("4 hits")
        before = screen.text
        await screen.press("s", str(number))

        assert screen.text != before
        assert "live nowhere" in screen.text


async def test_fault_of_the_engine_is_told(engine: SearchableEngine) -> None:
    """What was found before it stays; the heading says what went wrong."""
    engine.fault = ControlError("the engine is gone", "it is looked for")
    async with program(engine) as screen:
        await search(screen, "live")

        await screen.sees("the engine is gone", "live-1.flac")


async def test_search_that_leaves_hits_out_says_so(engine: SearchableEngine) -> None:
    """The engine says it with the last hit; another search that leaves out none does not."""
    async with program(engine) as screen:
        engine.later = [replace(engine.hits[0], more=True)]
        await search(screen, "live", "enter")
        await screen.sees("first 3 hits; type more to narrow")

        engine.later = []
        await search(screen, "-2", "enter")
        await screen.sees("1 hit, ")
        assert "narrow" not in screen.text


async def test_many_hits_are_spared_by_the_collector(
    engine: SearchableEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would stop the keys to look at all of them again and again; once they are gone it looks at everything."""
    monkeypatch.setattr(long_list, "LONG_LIST", 3)
    async with program(engine) as screen:
        await search(screen, "live", "enter")
        await screen.until(lambda: gc.get_freeze_count() > 0)
        await screen.press("slash", "ctrl+u", "enter")
        await screen.sees("to search")

        assert gc.get_freeze_count() == 0


async def test_list_of_hits_is_bounded(engine: SearchableEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that finds everything ends at the bound, says so, and lets keys through meanwhile."""
    monkeypatch.setattr(search_pane, "MAX_HITS", 1000)
    engine.hits = [make_hit(f"live-{number}", root=f"{number:064x}") for number in range(5000)]
    async with program(engine) as screen:
        streams = engine.open_streams
        await search(screen, "live")

        await screen.sees("first 1,000 hits; type more to narrow")
        await asyncio.sleep(0)
        assert engine.open_streams == streams


async def test_link_finds_what_it_is_of(engine: SearchableEngine) -> None:
    """Pasted or typed: Enter goes to the content, d gets it; a link to a peer is told to be none."""
    root = "ab" * 32
    engine.hits = [make_hit("live-1.flac", root=root, path=root, peers=[AT_BOB])]
    engine.progress = {root: [make_transfer("live-1.flac")]}
    async with program(engine) as screen:
        await search(screen, f"peerterm:{root}?name=live-1.flac&size=5", "enter")
        await screen.sees("live-1.flac", "1 hit")
        await screen.press("d")
        await screen.sees("live-1.flac queued")
        assert engine.queries == [SearchQuery(text=root)]
        await screen.press("slash", "ctrl+u")
        await screen.paste(f"peerterm:peer/{root}?at=10.0.0.1")

        await screen.sees("this link is not one to a content")


async def test_search_that_failed_is_asked_again_by_enter(engine: SearchableEngine) -> None:
    """The same line, once: what was wrong may be over."""
    engine.fault = ControlError("the engine is gone")
    async with program(engine) as screen:
        await search(screen, "live")
        await screen.sees("the engine is gone")
        engine.fault = None
        await screen.press("enter")
        await screen.sees("live-1.flac", "3 hits")

        assert "the engine is gone" not in screen.text


async def test_search_that_failed_for_want_of_an_engine_goes_on_with_the_next(engine: SearchableEngine) -> None:
    """Nobody needs to press a key."""
    engine.fault = ControlError("the engine is gone")
    async with program(engine) as screen:
        await search(screen, "live", "enter")
        await screen.sees("the engine is gone")
        engine.fault = None
        engine.announce(Snapshot(status=await engine.status(), peers=[BOB], shares=[], transfers=[]))

        await screen.sees("live-1.flac", "3 hits")
