"""The pane of streams on an engine in memory; what a real player does is ``test_watching``'s."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from peerterm.api.events import StreamChanged, StreamRemoved
from peerterm.api.views import HolderView
from peerterm.tui.terminal import Terminal
from tests.fakes.browsable import BrowsableEngine, file, folder
from tests.fakes.fake_engine import OWN_ID, FakeEngine, make_hit, make_peer, make_transfer
from tests.fakes.programs import Program, make_share, running, text_of, until, until_shown
from tests.fakes.streamed import ANNA, make_item, make_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from peerterm.api.views import StreamView
    from tests.fakes.programs import Hand

FILM = make_stream("film.mkv", make_item("film.mkv", root="a" * 64), sources=[ANNA], rate=2e6)
ALBUM = make_stream("album", *(make_item(f"{number}.flac", root=f"{number}" * 64) for number in (1, 2, 3)), item=1)


@asynccontextmanager
async def shown(
    *streams: StreamView, size: tuple[int, int] = (80, 24), ascii_only: bool = False
) -> AsyncIterator[tuple[Program, Hand, FakeEngine]]:
    """Run a program with the pane in front."""
    engine = FakeEngine()
    engine.known_streams = list(streams)
    program = Program(engine, terminal=Terminal(is_ascii=ascii_only))
    async with running(program, size) as pilot:
        await pilot.press("7")
        await pilot.pause()
        yield program, pilot, engine


def wishes(engine: FakeEngine) -> list[tuple[object, ...]]:
    """Return what was asked of the engine."""
    return list(engine.asked)


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (60, 16), (40, 12)])
@pytest.mark.parametrize("ascii_only", [True, False])
async def test_streams_are_shown_at_every_size(size: tuple[int, int], ascii_only: bool) -> None:
    """The name and the state are always there; in ASCII nothing else is sent."""
    async with shown(FILM, ALBUM, size=size, ascii_only=ascii_only) as (program, _, _):
        text = text_of(program)

        assert "film.mkv" in text
        assert ("v film.mkv" if ascii_only else "↓ film.mkv") in text
        assert text.isascii() or not ascii_only


async def test_empty_pane_says_what_fills_it() -> None:
    """The key, and where it works."""
    async with shown() as (program, pilot, _):
        text = text_of(program)
        await pilot.press("enter")
        await until_shown(pilot, "nothing is open; w on a film")

        assert "w on a film, a song or a folder of them plays it:" in text
        assert "in Files, Search, Transfers and Shares." in text


async def test_news_are_shown() -> None:
    """A stream comes, moves on and goes; the cursor stays."""
    async with shown(FILM) as (program, pilot, engine):
        engine.announce(StreamChanged(stream=ALBUM))
        await until_shown(pilot, "2 streams")
        engine.announce(StreamChanged(stream=replace(FILM, rate=7e6)))
        await until_shown(pilot, "7.0M/s")
        engine.announce(StreamRemoved(stream_id=ALBUM.stream_id))
        await until_shown(pilot, "1 stream")
        engine.announce(StreamRemoved(stream_id=ALBUM.stream_id))
        await pilot.pause(0.3)

        assert "album" not in text_of(program)


async def test_d_keeps_a_film() -> None:
    """The engine's own wish for it; its progress is shown."""
    async with shown(FILM, ALBUM) as (_, pilot, engine):
        await pilot.press("d")
        await until_shown(pilot, "film.mkv will stay; 4 shows it")
        await until_shown(pilot, "kept    running, 0%")

        assert wishes(engine) == [("keep", FILM.stream_id, "")]


async def test_d_on_a_folder_keeps_all_of_it() -> None:
    """Each item once, what is read through its stream; a refusal is told when all were asked for."""
    async with shown(ALBUM) as (_, pilot, engine):
        for number in (1, 3):
            engine.progress[f"{number}" * 64] = [make_transfer(f"{number}.flac", transfer_id=f"{number}")]
        await pilot.press("space", "space", "d")
        await until_shown(pilot, "3 items will stay; 4 shows them")
        del engine.progress["3" * 64]
        await pilot.press("G", "d")
        await until_shown(pilot, "nobody who is online has it")

        assert [wish[:2] for wish in wishes(engine)] == [
            ("get", "1" * 64), ("keep", ALBUM.stream_id), ("get", "3" * 64), ("get", "3" * 64),
        ]  # fmt: skip


async def test_many_items_are_kept_only_if_the_user_says_so() -> None:
    """As downloads of many files are everywhere."""
    long = make_stream("long", *(make_item(f"{number}.mp3", root=f"{number:064x}") for number in range(60)), item=0)
    async with shown(long) as (_, pilot, engine):
        await pilot.press("d")
        await until_shown(pilot, "Download 60 items?")
        await pilot.press("n")
        assert wishes(engine) == []
        await pilot.press("d")
        await until_shown(pilot, "Download 60 items?")
        await pilot.press("y")
        await until(pilot, lambda: len(wishes(engine)) == 60)

        assert wishes(engine)[0] == ("keep", long.stream_id, "")


async def test_x_closes_what_does_not_play_without_a_question() -> None:
    """One, or all that are marked."""
    async with shown(FILM, ALBUM, replace(FILM, stream_id="third")) as (_, pilot, engine):
        await pilot.press("x")
        await until_shown(pilot, "film.mkv closed")
        await until_shown(pilot, "2 streams")
        await pilot.press("A", "x")
        await until_shown(pilot, "plays it:")
        await pilot.press("x", "d")

        assert engine.known_streams == []


async def test_details_can_be_hidden() -> None:
    """They are there at first; the list takes their place."""
    async with shown(FILM) as (program, pilot, _):
        await until_shown(pilot, "from    anna")
        await pilot.press("v")
        await until(pilot, lambda: "from    anna" not in text_of(program))
        await pilot.press("v")
        await until_shown(pilot, "from    anna")


async def test_rows_can_be_filtered() -> None:
    """An item by its own name, or by that of its folder."""
    async with shown(FILM, ALBUM) as (program, pilot, engine):
        await pilot.press("slash", *"album 3", "enter")
        await until(pilot, lambda: "film.mkv " not in text_of(program))
        assert "3.flac" in text_of(program)
        engine.announce(StreamChanged(stream=replace(ALBUM, rate=3e6)))
        await pilot.pause(0.4)

        assert "1.flac" not in text_of(program)


async def test_info_says_all_of_it() -> None:
    """The address among it."""
    async with shown(FILM) as (_, pilot, _):
        await pilot.press("i")
        await until_shown(pilot, "address  ")
        await until_shown(pilot, "http://127.0.0.1:9/secret/film.mkv")
        await until_shown(pilot, "no; d keeps it")


async def test_w_opens_what_the_cursor_is_on() -> None:
    """In every list of films: of a peer, of a search, of our own, of what came."""
    engine = BrowsableEngine()
    bob = make_peer("bob")
    engine.known_peers = [bob]
    engine.known_shares = [make_share("Films", root="5" * 64)]
    engine.known_transfers = [make_transfer("came.mkv", root="4" * 64)]
    engine.folders = {
        (bob.peer_id, ""): [folder("Videos", 2)],
        (bob.peer_id, "Videos"): [replace(file("theirs.mkv"), root="2" * 64)],
        (OWN_ID, ""): [],
    }
    engine.hits = [make_hit("found.mkv", root="3" * 64, peers=[HolderView(peer_id=bob.peer_id, name="bob")])]
    for number, name in enumerate(("theirs.mkv", "found.mkv", "came.mkv", "Films"), 2):
        engine.playable[f"{number}" * 64] = make_stream(name, stream_id=f"{number}")
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press("2")
        await until_shown(pilot, "bob")
        await pilot.press("w")
        await until_shown(pilot, "w plays files and folders")
        program.browse(bob.peer_id, "Videos")
        await until_shown(pilot, "theirs.mkv")
        await pilot.press("w")
        await until_shown(pilot, "7*Stream")
        await pilot.press("3", "slash", *"found", "enter")
        await until_shown(pilot, "found.mkv")
        await pilot.press("w")
        await until_shown(pilot, "2 streams")
        for pane, count in (("4", 3), ("6", 4)):
            await pilot.press(pane, "w")
            await until_shown(pilot, f"{count} streams")

        assert [wish[1][0] for wish in engine.asked if wish[0] == "stream"] == ["2", "3", "4", "5"]


@pytest.mark.parametrize("pane", ["2", "3", "4", "6"])
async def test_w_on_nothing_says_so(pane: str) -> None:
    """Nothing is asked of the engine."""
    engine = FakeEngine()
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press(pane, "w")
        await pilot.pause()

        assert not [wish for wish in engine.asked if wish[0] == "stream"]
        assert program.pane.SCOPE != "stream"
