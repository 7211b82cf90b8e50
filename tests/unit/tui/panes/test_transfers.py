"""The pane of transfers: what its list shows of each, and what that costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from peerterm.api.events import TransferChanged
from peerterm.errors import DiskFull, StorageError
from peerterm.tui.terminal import Terminal
from tests.fakes.byte_terminal import ByteTerminal, terminal_of
from tests.fakes.fake_engine import FakeEngine
from tests.fakes.programs import Program, text_of, until, until_shown
from tests.unit.tui.panes.transfer_screens import LARGE, SMALL, film, line_of, names, shown, source, wishes


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
