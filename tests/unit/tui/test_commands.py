"""The palette: every action by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from textual.command import CommandPalette
from textual.widgets import OptionList

from peerterm.tui.commands import ActionProvider
from peerterm.tui.keys import PANES, actions_in
from tests.fakes.fake_engine import FakeEngine
from tests.fakes.programs import Program, populated, running, text_of, until, until_shown

if TYPE_CHECKING:
    from textual.command import Hit, Hits


async def names(hits: Hits) -> list[str]:
    """Return what is offered."""
    return [str(hit.match_display if hasattr(hit, "match_display") else hit.display) async for hit in hits]


@pytest.mark.parametrize("pane", PANES)
async def test_every_action_is_in_the_palette_once(pane: str) -> None:
    """Those of the pane first, with its name and a key; what has keys in two scopes comes once."""
    program = Program(FakeEngine())
    async with running(program) as pilot:
        await program.action_show_pane(pane)
        offered = await names(ActionProvider(program.screen).discover())
        await pilot.pause()

    helps = [name.rpartition("  (")[0].partition(": ")[2] for name in offered]
    wanted = [action.help for action in actions_in(pane)]
    assert helps == list(dict.fromkeys(wanted))
    assert len(set(offered)) == len(offered)


async def test_search_finds_by_part_of_the_name() -> None:
    """Best first is the palette's own business; what does not fit is left out."""
    program = Program(FakeEngine())
    async with running(program):
        found = await names(ActionProvider(program.screen).search("limit rate"))

    assert found == ["limit: Limit the rate of everything or of one transfer  (b)"]


async def test_action_is_run_by_typing_its_name() -> None:
    """Enter does it, in the pane that was there before."""
    program = Program(populated())
    async with running(program) as pilot:
        await pilot.press("6", "ctrl+p")
        await until(pilot, lambda: isinstance(program.screen, CommandPalette))
        await pilot.press(*"stop sharing")
        await until(pilot, lambda: program.screen.query_one(OptionList).option_count == 1)
        await pilot.press("enter", "enter")

        await until_shown(pilot, "Stop sharing Music?")


async def test_user_keys_are_told() -> None:
    """Those that work now."""
    program = Program(FakeEngine())
    program.user_keymap = {"global.zoom": "w"}
    async with running(program):
        found = await names(ActionProvider(program.screen).search("whole screen"))

    assert found == ["zoom: Give this pane the whole screen, or give it back  (w)"]


async def test_palette_shows_no_picture() -> None:
    """Terminals differ in how wide one is, and some have none."""
    program = Program(FakeEngine())
    async with running(program) as pilot:
        await pilot.press("colon")
        await until_shown(pilot, "Search for commands")

        assert "\N{RIGHT-POINTING MAGNIFYING GLASS}" not in text_of(program)


@pytest.mark.parametrize("pane", PANES)
async def test_name_that_the_screen_uses_finds_its_action_first(pane: str) -> None:
    """Hints and help name an action by its label; whoever types that gets it, and nothing more dangerous."""
    program = Program(FakeEngine())
    async with running(program) as pilot:
        await program.action_show_pane(pane)
        provider = ActionProvider(program.screen)
        missed = {}
        for label in {action.label for action in actions_in(pane)}:
            hits: list[Hit] = [hit async for hit in provider.search(label)]  # type: ignore[misc] # no discovery
            first = str(max(hits, key=lambda hit: hit.score).match_display) if hits else ""
            if not first.startswith(label):
                missed[label] = first
        await pilot.pause()

    assert missed == {}
