"""What all panes with a table share."""

from __future__ import annotations

import pytest
from textual.widgets import Input

from peerterm.tui.widgets.virtual_table import VirtualTable
from tests.fakes.fake_engine import FakeEngine, make_peer
from tests.fakes.programs import Program, populated, running, text_of, until, until_shown

PANES = {"1": "peers", "2": "files", "3": "search", "4": "transfers", "6": "shares"}


def filter_of(program: Program) -> Input:
    """Return the line to type a filter in."""
    return program.pane.query_one(".filter", Input)


async def test_filter_is_there_only_while_it_holds() -> None:
    """An empty one goes away; one with words stays while the list has the keys; Esc clears it."""
    program = Program(populated())
    async with running(program) as pilot:
        await pilot.press("slash", "enter")
        await until(pilot, lambda: not filter_of(program).display)
        await pilot.press("slash", *"bob", "enter")
        await until(pilot, lambda: isinstance(program.focused, VirtualTable))
        assert filter_of(program).display
        assert text_of(program).split("\n")[-3] == "bob"
        await pilot.press("escape")
        await until(pilot, lambda: not filter_of(program).display)

        assert "carol" in text_of(program)


async def test_filter_that_fits_nothing_says_so() -> None:
    """The list is not empty."""
    program = Program(populated())
    async with running(program) as pilot:
        await pilot.press("slash", *"xyz")

        await until_shown(pilot, "Nothing matches the filter.")


async def test_escape_takes_marks_away() -> None:
    """What a verb would act on is the cursor's row again."""
    program = Program(populated())
    async with running(program) as pilot:
        await pilot.press("A")
        await until_shown(pilot, ">*bob")
        await pilot.press("escape")

        await until(pilot, lambda: program.pane.query_one(VirtualTable).marked_count == 0)


@pytest.mark.parametrize("digit", PANES)
async def test_every_column_that_is_offered_sorts(digit: str) -> None:
    """By its number, and turned round by the same again."""
    program = Program(populated())
    async with running(program) as pilot:
        await pilot.press(digit)
        await until(pilot, lambda: PANES[digit] == program.pane.SCOPE and program.focused)
        table = program.pane.query_one(VirtualTable)
        keys = [column.key for column in table.columns if column.sortable]
        seen = []
        for number in range(1, len(keys) + 1):
            for _ in range(2):
                before = table.sorting
                await pilot.press("s", str(number))
                await until(pilot, lambda before=before: table.sorting != before)  # type: ignore[misc] # mypy#12557
                seen.append(table.sorting)

        assert {key for key, _ in seen} == set(keys)
        assert seen[-2:] == [(keys[-1], False), (keys[-1], True)]


async def test_row_is_pointed_at_once_it_is_there() -> None:
    """Also in a pane that was never visited, and far down a long list."""
    engine = FakeEngine()
    engine.known_peers = [make_peer(f"peer {number:03}", peer_id=f"{number:064}") for number in range(300)]
    program = Program(engine)
    async with running(program) as pilot:
        program.pane.point_at(f"{250:064}")
        await until_shown(pilot, "> peer 250")
        await pilot.press("4")
        program.show_pane("peers").point_at(f"{10:064}")

        await until_shown(pilot, "> peer 010")


async def test_long_title_is_cut_visibly() -> None:
    """It never takes a second row."""
    program = Program(populated())
    async with running(program) as pilot:
        program.pane.title(" " + "word " * 50)  # type: ignore[attr-defined] # it is a TablePane
        await pilot.pause()

        assert text_of(program).split("\n")[1].endswith("…")
        assert text_of(program).split("\n")[2].startswith("  Name")


async def test_escape_shows_what_a_filter_hid_before_it_takes_marks_away() -> None:
    """So what several filters find can be marked."""
    program = Program(populated())
    async with running(program) as pilot:
        for name in ("bob", "carol"):
            await pilot.press("slash", *name, "enter", "space", "escape")
            await until(pilot, lambda: not filter_of(program).display)
        assert program.pane.query_one(VirtualTable).marked_count == 2
        await pilot.press("escape")

        assert program.pane.query_one(VirtualTable).marked_count == 0


async def test_row_that_a_filter_hides_is_shown_to_point_at_it() -> None:
    """Whoever is led somewhere gets there."""
    program = Program(populated())
    async with running(program) as pilot:
        await pilot.press("4", "slash", *"film", "enter")
        await until(pilot, lambda: "thesis" not in text_of(program))
        await pilot.press("ctrl+g")

        await until(pilot, lambda: any("> " in line and "thesis" in line for line in text_of(program).splitlines()))
