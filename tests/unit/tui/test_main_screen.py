"""What is on the screen and who has the focus, whatever was there before."""

from __future__ import annotations

import pytest
from textual.widgets import Input

from peerterm.api.events import Notice, Snapshot, TransferChanged
from peerterm.tui.keys import PANES
from peerterm.tui.widgets.line_view import LineView
from tests.fakes.fake_engine import FakeEngine, make_peer
from tests.fakes.programs import Program, populated, text_of, until, until_shown
from tests.unit.tui.driving import press, program_of, row

# Focus


async def test_focus_returns_to_the_list() -> None:
    """After a dialog, after a filter, and in a pane that is visited again."""
    async with program_of() as (program, pilot):
        table = program.pane.query_one(LineView)  # type: ignore[type-abstract] # a query, no instance
        for keys in (("s", "escape"), ("i", "escape"), ("slash", "b", "enter"), ("escape",), ("ctrl+p", "escape")):
            await press(pilot, *keys)
            assert program.focused is table, keys
        await press(pilot, "4", "1")

        assert program.focused is table


@pytest.mark.parametrize("pane", PANES)
async def test_no_pane_begins_in_an_input(pane: str) -> None:
    """Keys that are advertised must work."""
    async with program_of() as (program, pilot):
        program.show_pane(pane)
        await until(pilot, lambda: program.focused)

        assert program.focused is not None
        assert not isinstance(program.focused, Input)
        assert program.focused in program.pane.walk_children(with_self=True)


async def test_tab_goes_round_what_is_on_the_screen() -> None:
    """Nothing hidden takes the focus, in no pane visited before either."""
    async with program_of() as (program, pilot):
        await press(pilot, "4", "2", "3")
        seen = []
        for key in ("tab", "tab", "shift+tab"):
            await press(pilot, key)
            assert program.focused is not None
            assert program.focused in program.pane.walk_children()
            assert program.focused.region.area
            seen.append(type(program.focused).__name__)

        assert seen == ["QueryInput", "VirtualTable", "QueryInput"]


async def test_escape_leaves_the_filter_and_shows_all() -> None:
    """First what was typed; a second time nothing more happens, and the program stays."""
    async with program_of() as (program, pilot):
        await press(pilot, "slash", *"bob")
        assert "carol" not in text_of(program)
        await press(pilot, "escape", "escape", "escape")

        assert "carol" in text_of(program)
        assert not program._exit


# What is shown


async def test_pane_first_visited_is_whole_at_once() -> None:
    """However fast keys follow each other, and whatever happens meanwhile."""
    engine = populated()
    async with program_of(engine) as (program, pilot):
        for keys in ("2345678", "12345678", "4646"):
            for key in keys:
                engine.announce(TransferChanged(transfer=engine.known_transfers[2]))
                program.show_pane(PANES[int(key) - 1])
            await pilot.pause()
        await until_shown(pilot, "3 shares")

        assert "Pictures" in text_of(program)


async def test_pane_visited_before_the_engine_is_there_fills_up() -> None:
    """It says that nothing is known yet, then what is."""
    program = Program()
    async with program.run_test(size=(80, 24)) as pilot:
        await until_shown(pilot, "E starts the engine")
        await press(pilot, "6")
        await until_shown(pilot, "no engine has answered")
        program.engines.append(populated())
        await press(pilot, "E")
        await until_shown(pilot, "Pictures")

        assert "E starts" not in text_of(program)


async def test_new_snapshot_replaces_what_was_shown() -> None:
    """A client that fell behind gets one; the cursor stays where its row still is."""
    engine = populated()
    async with program_of(engine) as (program, pilot):
        await press(pilot, "j")
        engine.known_peers = [make_peer("zoe"), engine.known_peers[1]]
        snapshot = Snapshot(status=await engine.status(), peers=engine.known_peers, shares=[], transfers=[])
        engine.announce(snapshot)
        await until_shown(pilot, "zoe")

        assert "bob" not in text_of(program)
        assert any(line.startswith("> carol") for line in text_of(program).split("\n"))
        assert "Shares 3" not in row(program, 0)


async def test_changes_under_a_dialog_are_there_when_it_closes() -> None:
    """Nothing is lost while something else is asked."""
    engine = populated()
    async with program_of(engine) as (program, pilot):
        await press(pilot, "question_mark")
        engine.peer_joined(make_peer("zoe"))
        await until(pilot, lambda: program.model.peers and not program._is_dirty)
        await press(pilot, "escape")

        await until_shown(pilot, "zoe")


async def test_jumper_marks_the_pane_and_goes_by_digit() -> None:
    """From anywhere, also while typing."""
    async with program_of() as (_program, pilot):
        await press(pilot, "slash", "ctrl+o")
        await until_shown(pilot, "* 1  Peers")
        await press(pilot, "6")

        await until_shown(pilot, "6*Shares")


async def test_attention_goes_to_failures_to_what_was_said_and_to_a_broken_share() -> None:
    """The alarm goes out as they are seen; a pane never visited before is found, too."""
    engine = populated()
    async with program_of(engine) as (program, pilot):
        assert row(program, -2).endswith("!1 failed msg 2 (bob)")
        await press(pilot, "ctrl+g")
        await until(pilot, lambda: any("> ! thesis.pdf" in line for line in text_of(program).split("\n")))
        assert "failed" not in row(program, -2)
        await press(pilot, "ctrl+g")
        await until_shown(pilot, "tell me when it has")
        await until(pilot, lambda: "msg" not in row(program, -2))
        await press(pilot, "ctrl+g")
        await until(pilot, lambda: any("> Old disk" in line for line in text_of(program).split("\n")))


async def test_attention_says_when_nothing_needs_it() -> None:
    """A key that does nothing says so."""
    async with program_of(FakeEngine()) as (program, pilot):
        await press(pilot, "ctrl+g")

        assert "nothing needs attention" in row(program, -2)


async def test_zoom_gives_the_pane_two_rows_and_keeps_the_status() -> None:
    """Failures and news stay on the screen."""
    async with program_of() as (program, pilot):
        await press(pilot, "z")
        await until(pilot, lambda: "online" in row(program, 0))
        assert "z shows tabs and keys again" in row(program, -1)
        assert "!1 failed" in row(program, -1)
        await press(pilot, "z")

        await until(pilot, lambda: row(program, 0).startswith(" 1*Peers"))
        assert row(program, -1).endswith("? help")


async def test_what_was_wrong_at_the_start_is_told_without_an_engine() -> None:
    """Such as a fault of the settings."""
    program = Program()
    program.model.apply(Notice(level="warning", text="config.toml is broken"))
    async with program.run_test() as pilot:
        await until_shown(pilot, "config.toml is broken")
