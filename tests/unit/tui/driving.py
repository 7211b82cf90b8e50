"""How the tests of the whole program drive it: on an engine, by keys, read row by row."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from peerterm.tui.keys import Action, actions_in
from peerterm.tui.typed_keys import takes_letters
from tests.fakes.fake_engine import FakeEngine
from tests.fakes.programs import Program, populated, running, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from textual.pilot import Pilot


@asynccontextmanager
async def program_of(
    engine: FakeEngine | None = None, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[Program, Pilot[None]]]:
    """Run a program on an engine, by default a populated one."""
    program = Program(engine or populated())
    async with running(program, size) as pilot:
        yield program, pilot


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press keys and let them take effect."""
    await pilot.press(*keys)
    await pilot.pause()


def row(program: Program, number: int) -> str:
    """Return a row of the screen; -1 is the last."""
    return text_of(program).split("\n")[number]


def own_actions(pane: str) -> list[Action]:
    """Return what works in a pane; what works everywhere only with the first one."""
    return [action for action in actions_in(pane) if pane == "peers" or action.scope in {pane, "list"}]


async def open_pane(program: Program, pane: str) -> None:
    """Show a pane and nothing above it, with the focus on what the keys are for."""
    while len(program.screen_stack) > 1:
        program.pop_screen()
    if pane != program.pane.SCOPE or program.focused is None or takes_letters(program.focused):
        await program.action_show_pane(pane)
