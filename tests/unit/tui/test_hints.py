"""The last row of the screen."""

from __future__ import annotations

import pytest

from peerterm.tui.keys import PANES, hints_of, typing_hints
from peerterm.tui.widgets.hints import hints_row
from tests.fakes.fake_engine import FakeEngine
from tests.fakes.programs import Program, running, text_of, until


@pytest.mark.parametrize("pane", PANES)
def test_row_ends_with_the_help_at_every_width(pane: str) -> None:
    """And fits, from the narrowest screen to the widest."""
    for width in range(40, 201):
        row = hints_row(hints_of(pane), width, {})

        assert row.plain.endswith(" ? help")
        assert row.cell_length <= width


def test_groups_are_shown_whole_and_in_order() -> None:
    """What does not fit is left out from the end; with room for all nothing is."""
    whole = [f"{action.keys[0]} {action.label}" for action in hints_of("log")]
    assert hints_row(hints_of("log"), 200, {}).plain == " f follow  e level  / filter  : cmds  q quit  ? help"
    assert len(whole) == 6
    assert hints_row(hints_of("log"), 40, {}).plain == " f follow  e level  / filter  ? help"


def test_while_typing_only_keys_are_told_that_are_no_text() -> None:
    """However narrow it is, how to leave the input is among them."""
    row = " Enter accept  Tab next  Esc back  F2 settings  Ctrl+p cmds  Ctrl+q quit  F1 help"

    assert hints_row(typing_hints(), 200, {}).plain == row
    assert hints_row(typing_hints(), 44, {}).plain == " Enter accept  Tab next  Esc back  F1 help"


def test_user_keys_are_told() -> None:
    """Those of the keymap, the first of several; in a terminal of ASCII without arrows."""
    keymap = {"log.follow": "up,f", "global.help": "f9"}

    assert hints_row(hints_of("log"), 30, keymap).plain == " ↑ follow  e level  F9 help"
    assert hints_row(hints_of("log"), 32, keymap, ascii_only=True).plain == " Up follow  e level  F9 help"


def test_keys_stand_out() -> None:
    """By weight as well as by colour."""
    row = hints_row(hints_of("log"), 20, {})

    assert [str(span.style) for span in row.spans] == ["bold $accent"] * 2


async def test_row_follows_pane_width_and_keymap() -> None:
    """As soon as one of them is another."""
    program = Program(FakeEngine())
    async with running(program) as pilot:
        assert text_of(program).split("\n")[-1].startswith(" Enter browse")
        await pilot.press("8")
        await until(pilot, lambda: text_of(program).split("\n")[-1].startswith(" f follow"))
        await pilot.resize_terminal(40, 24)
        await until(pilot, lambda: len(text_of(program).split("\n")[-1]) <= 40)
        assert text_of(program).endswith("? help")
        program.user_keymap = {"log.follow": "w"}
        program.main.refresh_frame()

        await until(pilot, lambda: text_of(program).split("\n")[-1].startswith(" w follow"))


async def test_row_follows_the_focus() -> None:
    """In an input letters are text, so no hint names one; in a dialog's, those below it stay as they are."""
    program = Program(FakeEngine())
    async with running(program) as pilot:
        before = text_of(program).split("\n")[-1]
        for keys in (("slash",), ("3", "slash")):
            await pilot.press(*keys)
            await until(pilot, lambda: text_of(program).split("\n")[-1].startswith(" Enter accept  Tab next"))
            await pilot.press("escape")
            await until(pilot, lambda: text_of(program).split("\n")[-1].endswith("? help"))
        await pilot.press("1")
        await until(pilot, lambda: text_of(program).split("\n")[-1] == before)
