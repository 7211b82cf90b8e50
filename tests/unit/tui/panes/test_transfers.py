"""The pane of transfers: what it shows of each, and what its keys do."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from peerterm.api.events import TransferChanged
from peerterm.api.views import ChunkMapView, SourceView
from peerterm.errors import DiskFull, NotFound, StorageError
from peerterm.tui.app import PeertermApp
from peerterm.tui.panes import transfer_details
from peerterm.tui.panes import transfers as module
from peerterm.tui.terminal import Terminal
from tests.fakes.byte_terminal import ByteTerminal, terminal_of
from tests.fakes.fake_engine import FakeEngine, make_transfer
from tests.fakes.programs import Program, text_of, until, until_shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from textual.pilot import Pilot

    from peerterm.api.views import TransferView

SMALL, LARGE = (80, 24), (120, 36)


def source(name: str, **fields: Any) -> SourceView:
    """Return a source that gives."""
    known: dict[str, Any] = {"peer_id": name, "name": name, "bytes": 1000, "rate": 500.0}
    return SourceView(**known | fields)


def film(name: str = "film.mkv", **fields: Any) -> TransferView:
    """Return a download that runs."""
    known: dict[str, Any] = {
        "transfer_id": name[0] * 8,
        "bytes": 4_200_000,
        "total": 6_000_000,
        "rate": 41_200_000.0,
        "eta": 43.0,
        "sources": [source("bob")],
    }
    return make_transfer(name, **known | fields)


@asynccontextmanager
async def shown(
    *transfers: TransferView, size: tuple[int, int] = SMALL, ascii_only: bool = False
) -> AsyncIterator[tuple[Pilot[None], Program, FakeEngine]]:
    """Run the program with its pane of transfers in front."""
    fake = FakeEngine()
    fake.known_transfers = list(transfers)
    program = Program(fake, terminal=Terminal(is_ascii=ascii_only))
    async with program.run_test(size=size) as pilot:
        await until(pilot, lambda: program.model.status)
        await pilot.press("4")
        await until_shown(pilot, transfers[0].name[:8] if transfers else "Nothing yet")
        yield pilot, program, fake


def line_of(program: PeertermApp, text: str) -> str:
    """Return the first line of the screen that has a text."""
    return next(line for line in text_of(program).splitlines() if text in line)


def names(program: PeertermApp, *known: str) -> list[str]:
    """Return which of the names are shown, from above."""
    lines = text_of(program).splitlines()[3:-2]
    return [name for line in lines for name in known if name in line]


def wishes(fake: FakeEngine) -> list[tuple[Any, ...]]:
    """Return what was asked of the engine, but for chunk maps."""
    return [asked for asked in fake.asked if asked[0] != "chunk_map"]


async def asked(pilot: Pilot[None], fake: FakeEngine, *expected: tuple[Any, ...]) -> None:
    """Wait until the engine was asked for exactly this."""
    await until(pilot, lambda: len(wishes(fake)) >= len(expected))

    assert wishes(fake) == list(expected)


# What is shown


@pytest.mark.parametrize("size", [SMALL, LARGE, (60, 16), (40, 12)])
async def test_every_row_fits(size: tuple[int, int]) -> None:
    """Whatever the width, no row is longer than the screen and each has its glyph and name."""
    async with shown(film(), film("a" * 300), size=size) as (_, program, _fake):
        rows = [line_of(program, "film.mkv"), line_of(program, "aaaaaa")]

        assert all(len(row) <= size[0] for row in rows)
        assert all("↓" in row for row in rows)


async def test_row_says_peers_progress_size_rate_and_time() -> None:
    """All of it is text."""
    album = film("holiday", kind="folder", files=214, sources=[source("carol"), source("dave", rate=9e9)])
    async with shown(film(), album) as (_, program, _fake):
        assert line_of(program, "film.mkv").split() == [
            *(">", "↓", "film.mkv", "[█████░░░]", "70%", "6.0M", "bob", "41M/s", "43s"),
        ]
        assert "holiday/ (214 files)" in text_of(program)
        assert "dave +1" in line_of(program, "holiday")


async def test_ascii_terminal_gets_ascii() -> None:
    """Glyphs, bars and details have a plain form."""
    upload = film("up", direction="up", transfer_id="up-1")
    async with shown(film(), upload, film("z", state="done"), ascii_only=True, size=LARGE) as (
        pilot,
        program,
        _fake,
    ):
        await until_shown(pilot, "root")

        assert text_of(program).isascii()
        assert line_of(program, "film.mkv").split()[1:5] == ["v", "film.mkv", "[#####---]", "70%"]
        assert line_of(program, " up ").split()[0] == "^"
        assert line_of(program, " z ").split()[0] == "+"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"state": "waiting", "error": "no peer that has it is online (bob had it)"},
            "peer gone, resumes by itself",
        ),
        ({"state": "waiting", "sources": []}, "nobody has it, it waits"),
        ({"state": "waiting", "sources": [source("a"), source("b")]}, "peers gone, resumes by itse"),
        ({"state": "paused", "error": "no room", "error_code": DiskFull.code}, "disk full, resumes by itself"),
        ({"state": "paused", "error": "gone", "error_code": StorageError.code}, "disk out of use, resumes b"),
        ({"state": "failed", "error": "it is damaged"}, "it is damaged"),
        ({"state": "failed"}, "failed"),
    ],
)
async def test_what_stops_a_transfer_stands_in_its_row(fields: dict[str, Any], said: str) -> None:
    """In place of peer, rate and time."""
    async with shown(film(**fields)) as (_, program, _fake):
        row = line_of(program, "film.mkv")

        assert said in row
        assert "bob" not in row


@pytest.mark.parametrize(
    ("state", "glyph"), [("queued", "·"), ("paused", "="), ("done", "✓"), ("cancelled", "✕"), ("verifying", "~")]
)
async def test_state_is_a_glyph_and_a_word(state: Any, glyph: str) -> None:
    """Never a colour alone."""
    async with shown(film(state=state)) as (_, program, _fake):
        row = line_of(program, "film.mkv")

        assert glyph in row
        assert state in row
        assert "43s" not in row


async def test_queue_comes_first_then_uploads_then_what_ended_last() -> None:
    """As the engine's order has it."""
    upload = film("upload", direction="up", transfer_id="up-1")
    known = ("old", "new", "first", "second", "upload")
    async with shown(
        film("old", state="done"), film("new", state="failed"), film("first"), film("second"), upload
    ) as (pilot, program, fake):
        at_first = names(program, *known)
        fake._put_transfer(film("first", state="done"))
        fake._put_transfer(film("old", state="queued"))
        fake._put_transfer(film("second", transfer_id="s" * 8, priority=-5))
        await until_shown(pilot, "1 queued")

        assert at_first == ["first", "second", "upload", "new", "old"]
        assert names(program, *known) == ["old", "second", "upload", "first", "new"]


async def test_other_orders_lead_back_to_the_queue() -> None:
    """Each column sorts; as it comes is the queue."""
    async with shown(film("one", total=5), film("two", total=9), size=LARGE) as (pilot, program, _fake):

        async def choose(key: str) -> None:
            await pilot.press("s")
            await until_shown(pilot, "Order")
            await pilot.press(key)
            await until(pilot, lambda: len(program.screen_stack) == 1)

        for key in "124563":
            await choose(key)
        await until(pilot, lambda: names(program, "one", "two")[:2] == ["two", "one"])
        sorted_by_size = text_of(program)
        await choose("0")
        await until(pilot, lambda: names(program, "one", "two")[:2] == ["one", "two"])

        assert "▲" in sorted_by_size
        assert "▲" not in text_of(program)


async def test_title_counts_states_as_far_as_there_is_room() -> None:
    """What does not fit is left out whole."""
    transfers = [
        film(f"{state}.bin", state=state) for state in ("running", "done", "failed", "cancelled", "paused")
    ]
    async with shown(*transfers, size=(60, 16)) as (pilot, program, _fake):
        short = line_of(program, "5 transfers")
        await pilot.resize_terminal(*LARGE)
        await until_shown(pilot, "1 cancelled")

        assert short == " 5 transfers: 1 running, 1 failed, 1 paused, 1 done"


async def test_empty_pane_says_what_helps() -> None:
    """And its keys say that there is nothing."""
    async with shown() as (pilot, program, fake):
        for key in "pxrJKXc":
            await pilot.press(key)
        await until_shown(pilot, "nothing is here yet")

        assert wishes(fake) == []
        assert program.pane.transfer_at_cursor() is None


# Keys


async def test_p_pauses_and_lets_go_on() -> None:
    """What is paused already is left alone while something else is not."""
    async with shown(film("one"), film("two", state="paused")) as (pilot, _program, fake):
        await pilot.press("A", "p")
        await asked(pilot, fake, ("pause", "o" * 8))
        await until_shown(pilot, "one: paused")
        await until(pilot, lambda: all(view.state == "paused" for view in fake.known_transfers))
        await pilot.pause(0.3)
        await pilot.press("p")
        await asked(pilot, fake, ("pause", "o" * 8), ("resume", "o" * 8), ("resume", "t" * 8))


async def test_x_cancels_without_a_question_and_r_tries_again() -> None:
    """What has come stays."""
    async with shown(film()) as (pilot, _program, fake):
        await pilot.press("x")
        await until_shown(pilot, "cancelled")
        await pilot.pause(0.3)
        await pilot.press("r")
        await asked(pilot, fake, ("cancel", "f" * 8, False), ("retry", "f" * 8))


async def test_deleting_names_what_goes_and_needs_a_yes() -> None:
    """Neither the key itself nor Enter confirms it."""
    async with shown(film()) as (pilot, program, fake):
        await pilot.press("X")
        await until_shown(pilot, "Cancel and delete film.mkv?")
        question = text_of(program)
        await pilot.press("X", "enter")
        await pilot.press("n")
        await pilot.press("X")
        await until_shown(pilot, "Cancel and delete film.mkv?")
        await pilot.press("y")
        await asked(pilot, fake, ("cancel", "f" * 8, True))

        assert "4.2 MB of 6.0 MB have come and will be deleted." in question


async def test_several_are_named_by_their_number() -> None:
    """A question about marked ones says how many they are; one that is done is left out."""
    async with shown(film("one"), film("two"), film("done", state="done")) as (pilot, program, fake):
        await pilot.press("A", "X")
        await until_shown(pilot, "Cancel and delete 2 transfers?")
        await pilot.press("y")
        await asked(pilot, fake, ("cancel", "o" * 8, True), ("cancel", "t" * 8, True))

        assert program.screen is program.screen_stack[0]


@pytest.mark.parametrize(
    ("key", "fields", "said"),
    [
        ("p", {"state": "done"}, "it has ended"),
        ("x", {"state": "failed"}, "it has ended already"),
        ("X", {"state": "done"}, "it is complete"),
        ("r", {"state": "running"}, "it did not fail"),
        ("J", {"state": "done"}, "has no turn"),
        ("K", {"state": "done"}, "has no turn"),
        ("c", {"state": "running"}, "nothing of it has ended yet"),
        ("p", {"direction": "up", "transfer_id": "up-1"}, "its peer asks for it"),
    ],
)
async def test_verb_without_a_meaning_says_so(key: str, fields: dict[str, Any], said: str) -> None:
    """And asks nothing of the engine."""
    async with shown(film(**fields)) as (pilot, _program, fake):
        await pilot.press(key)
        await until_shown(pilot, said)

        assert wishes(fake) == []


async def test_order_is_changed_and_shown() -> None:
    """The list follows the engine; what is marked keeps its own order."""
    async with shown(film("one"), film("two"), film("tri", transfer_id="3" * 8)) as (pilot, program, fake):
        await pilot.press("space", "space")
        fake.known_transfers = [fake.known_transfers[2], *fake.known_transfers[:2]]  # as it will be
        await pilot.press("J")
        await asked(pilot, fake, ("move", "t" * 8, "down"), ("move", "o" * 8, "down"))
        await until(pilot, lambda: names(program, "one", "two", "tri")[:3] == ["tri", "one", "two"])
        await pilot.press("K")
        await asked(pilot, fake, *wishes(fake)[:2], ("move", "o" * 8, "up"), ("move", "t" * 8, "up"))


async def test_refusal_is_told_after_all_were_asked() -> None:
    """One that is gone does not keep the others."""
    async with shown(film("one"), film("two")) as (pilot, _program, fake):
        fake.known_transfers = fake.known_transfers[1:]
        await pilot.press("A", "x")
        await until_shown(pilot, "there is none")
        await asked(pilot, fake, ("cancel", "o" * 8, False), ("cancel", "t" * 8, False))


async def test_engine_that_is_gone_is_told() -> None:
    """No key crashes the program."""
    async with shown(film()) as (pilot, program, fake):
        await fake.stop()
        await until(pilot, lambda: not program.attachment.is_attached)
        for key in ("p", "x", "J", "v"):
            await pilot.press(key)
            await until_shown(pilot, "the engine is gone")


async def test_what_ended_is_cleared() -> None:
    """All of it, without a question if nothing is lost by that; uploads are only taken off the list."""
    upload = film("upload", direction="up", transfer_id="up-1", state="done")
    async with shown(film("one"), film("two", state="done"), upload) as (pilot, program, fake):
        await pilot.press("c")
        await asked(pilot, fake, ("clear", "t" * 8))
        await until_shown(pilot, "2 transfers: off the list")

        assert names(program, "one", "two", "upload") == ["one"]
        assert list(program.model.transfers) == ["o" * 8]


async def test_clearing_what_is_not_complete_is_asked_first() -> None:
    """Only marked ones, if there are marks."""
    one, two = film("one", state="failed"), film("two", state="done")
    async with shown(one, two) as (pilot, program, fake):
        await pilot.press("c")
        await until_shown(pilot, "Clear 2 transfers?")
        question = text_of(program)
        await pilot.press("escape")
        await until(pilot, lambda: len(program.screen_stack) == 1)
        await pilot.press("G", "k", "space", "c")
        await until_shown(pilot, "two: off the list")
        await pilot.press("c", "y")
        await asked(pilot, fake, ("clear", "t" * 8), ("clear", "o" * 8))

        assert "one: the 4.2 MB that have come stay on disk" in question


async def test_link_root_path_and_name_can_be_copied() -> None:
    """What is not known is not offered."""
    async with shown(film(path="/d/film.mkv", root="ab" * 32)) as (pilot, program, _fake):
        for key in "lrpn":
            await pilot.press("y")
            await until_shown(pilot, "Copy")
            await pilot.press(key)
            await pilot.pause()

        link = f"peerterm:{'ab' * 32}?name=film.mkv&size=6000000"
        assert program.copied == [link, "ab" * 32, "/d/film.mkv", "film.mkv"]


@pytest.mark.parametrize("key", ["i", "enter"])
async def test_info_says_all(key: str) -> None:
    """With every source."""
    view = film("album", kind="folder", files=9, done_files=3, error="trouble", local_bytes=7, limit=1000)
    view = replace(view, sources=[source("bob", strikes=2), source("\x1b[31mevil", state="gone", rate=0.0)])
    async with shown(view, size=LARGE) as (pilot, program, _fake):
        await pilot.press(key)
        await until_shown(pilot, "Esc close")
        screen = text_of(program)

        for said in (
            "4.2 MB of 6.0 MB (70%)",
            "3 of 9",
            "1.0 kB/s",
            "7 bytes copied",
            "2 strikes",
            "[31mevil: gone",
        ):
            assert said in screen
        assert "\x1b" not in screen


async def test_upload_has_its_own_facts() -> None:
    """What it sent, to whom; no limit can be set for it alone."""
    async with shown(film("up", direction="up", transfer_id="up-1"), size=LARGE) as (pilot, program, _fake):
        await until_shown(pilot, "to peer")
        at_cursor = program.pane.transfer_at_cursor()
        await pilot.press("i")
        await until_shown(pilot, "sent")

        assert at_cursor is None
        assert "priority" not in text_of(program)


async def test_limit_is_set_for_the_transfer_under_the_cursor() -> None:
    """The dialog is the program's; the pane says what it is about."""
    async with shown(film()) as (pilot, program, _fake):
        view = program.pane.transfer_at_cursor()
        await pilot.press("b")
        await until_shown(pilot, "only film.mkv")

        assert view == film()


async def test_filter_looks_at_names_peers_and_states() -> None:
    """Words in any order."""
    async with shown(film("one"), film("two", state="paused", sources=[source("carol")])) as (
        pilot,
        program,
        _fake,
    ):
        await pilot.press("slash", *"carol paus")
        await until(pilot, lambda: names(program, "one", "two")[:2] == ["two"])


# Details


async def test_details_show_themselves_only_where_there_is_room() -> None:
    """A key opens and closes them at any size; crossing the size starts anew."""
    async with shown(film()) as (pilot, program, _fake):
        small = text_of(program)
        await pilot.press("v")
        await until_shown(pilot, "v hides")
        opened = text_of(program)
        await pilot.resize_terminal(*LARGE)
        await until_shown(pilot, "v hides")
        await pilot.press("v")
        await until(pilot, lambda: "v hides" not in text_of(program))
        await pilot.resize_terminal(*SMALL)
        await pilot.pause()

        assert "v hides" not in small
        assert "root" in opened
        assert "v hides" not in text_of(program)


async def test_details_follow_the_cursor() -> None:
    """They are about its row, also when that row changes."""
    async with shown(film("one"), film("two", limit=5_000_000), size=LARGE) as (pilot, program, fake):
        await until_shown(pilot, "─ one ──")
        await pilot.press("j")
        await until_shown(pilot, "─ two ──")
        limited = text_of(program)
        fake._put_transfer(film("two", error="disk is on fire", state="failed", wasted_bytes=9000, priority=7))
        await until_shown(pilot, "trouble disk is on fire")

        assert "limit 5.0M/s" in limited
        assert "9.0K wasted" in text_of(program)
        assert "priority 7" in text_of(program)


async def test_details_of_nothing_are_empty() -> None:
    """Until there is a transfer."""
    async with shown(size=LARGE) as (pilot, program, fake):
        await until_shown(pilot, "─ Details ──")
        fake.known_transfers.append(film())
        fake.announce(TransferChanged(transfer=film()))
        await until_shown(pilot, "─ film.mkv ──")
        program.model.forget_transfer("f" * 8)
        program.pane.show(program.model.take_changes())
        await until_shown(pilot, "─ Details ──")


async def test_sources_that_do_not_fit_are_named_or_counted() -> None:
    """Those that give most come first."""
    sources = [source(f"peer{number}", rate=float(number)) for number in range(1, 21)]
    async with shown(film(sources=sources), size=LARGE) as (pilot, program, _fake):
        await until_shown(pilot, "i lists all")

        assert "peer20" in line_of(program, " from  ")
        assert "and peer16, peer15, peer14 and 13 more; i lists all" in text_of(program)


async def test_chunk_map_is_looked_at_once_a_second_and_only_if_something_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However often the transfer changes."""
    now = 1000.0
    monkeypatch.setattr(transfer_details, "monotonic", lambda: now)
    monkeypatch.setattr(transfer_details, "MAP_SECONDS", 0.5)
    async with shown(film(), size=LARGE) as (pilot, program, fake):
        await until_shown(pilot, "██")
        for number in range(1, 9):
            fake._put_transfer(film(bytes=4_200_000 + number))
            await pilot.pause()
        in_between = [each for each in fake.asked if each[0] == "chunk_map"]
        now += 1.0
        await until(pilot, lambda: [each for each in fake.asked if each[0] == "chunk_map"] != in_between)
        fake._put_transfer(film(bytes=4_200_008, rate=1.0))
        now += 1.0
        await until_shown(pilot, "1B/s")
        at_last = [each for each in fake.asked if each[0] == "chunk_map"]

        assert len(in_between) == 1
        assert len(at_last) == 2
        assert "█" in line_of(program, "chunks")


async def test_known_chunk_map_stays_while_none_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause changes nothing about what is held; another transfer has none of its own then."""
    monkeypatch.setattr(transfer_details, "MAP_SECONDS", 0.0)
    async with shown(film("one"), film("two", state="queued"), size=LARGE) as (pilot, program, fake):
        await until_shown(pilot, "██")

        async def unknown(transfer: str, cells: int) -> ChunkMapView:
            fake.asked.append(("unknown", transfer))
            return ChunkMapView(transfer_id=transfer, chunks=9, held=3, cells=[])

        fake.chunk_map = unknown  # type: ignore[method-assign]
        fake._put_transfer(film("one", state="paused", bytes=5_000_000))
        await until(pilot, lambda: ("unknown", "o" * 8) in fake.asked)
        paused = line_of(program, "chunks")
        await pilot.press("j")
        await until_shown(pilot, "known while it runs")

        assert "██" in paused


async def test_transfer_that_is_gone_has_no_chunk_map(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list will say so; the details wait for that."""
    async with shown(film("one"), film("two"), size=LARGE) as (pilot, program, fake):
        await until_shown(pilot, "██")
        monkeypatch.setattr(transfer_details, "MAP_SECONDS", 0.0)

        async def gone(transfer: str, cells: int) -> ChunkMapView:
            fake.asked.append(("gone", transfer, cells))
            raise NotFound("no such transfer")

        fake.chunk_map = gone  # type: ignore[method-assign]
        await pilot.press("j")
        await until(pilot, lambda: any(each[0] == "gone" for each in fake.asked))
        await pilot.pause()

        assert "██" not in line_of(program, "chunks")


async def test_rate_of_the_last_minute_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its least, mean and greatest; it is forgotten when the transfer ends."""
    now = 1000.0
    monkeypatch.setattr(module, "monotonic", lambda: now)
    async with shown(film(), size=LARGE) as (pilot, program, _fake):
        for rate in (10e6, 30e6, 20e6):
            program.model.apply(TransferChanged(transfer=film(rate=rate)))
            program.pane.show(program.model.take_changes())
            now += 1.0
        await until_shown(pilot, "min 10M  avg 20M  max 30M/s")
        drawn = line_of(program, "min 10M")
        program.model.apply(TransferChanged(transfer=film(state="done")))
        program.pane.show(program.model.take_changes())
        await until(pilot, lambda: "min 10M" not in text_of(program))

        assert "█" in drawn


# What it costs


async def test_twelve_live_transfers_are_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """At four looks a second they cost at most 12 kB, with the details open; standing still costs nothing."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    views = [
        film(f"{number:02} of twelve.mkv", transfer_id=f"{number:08}", bytes=6 * 10**9, total=10**10)
        for number in range(12)
    ]
    fake = FakeEngine()
    fake.known_transfers = list(views)
    program = Program(fake, terminal=Terminal(driver_class=ByteTerminal))
    async with program.run_test(headless=False, size=LARGE) as pilot:
        await until(pilot, lambda: program.model.status)
        await pilot.press("4")
        await until_shown(pilot, "██")

        async def look(number: int) -> int:
            for view in views:
                moved = replace(
                    view,
                    bytes=view.bytes + number * 100_000,
                    rate=10e6 + number * 1.7e6,
                    eta=40.0 - number,
                    sources=[source("bob", rate=number * 1e6), source("carol", rate=number * 2e6)],
                )
                program.model.apply(TransferChanged(transfer=moved))
            program._show_changes()
            await pilot.pause()
            return len(terminal_of(program).taken().encode())

        await look(1)
        await pilot.pause(0.3)
        await look(2)
        moving = sum([await look(number) for number in range(3, 7)])
        await pilot.pause(0.5)
        terminal_of(program).taken()
        await pilot.pause(0.5)

        assert 0 < moving <= 12_000
        assert terminal_of(program).taken() == ""
