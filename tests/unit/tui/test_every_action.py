"""Every action does what is said of it, by its key and by its name, on a full screen and on an empty one."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from peerterm.tui.keys import PANES, Action, actions_in
from peerterm.tui.modals.help import Help
from peerterm.tui.widgets.line_view import LineView
from tests.fakes.fake_engine import FakeEngine
from tests.fakes.programs import Program, until, until_shown
from tests.unit.tui.driving import open_pane, own_actions, press, program_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from textual.dom import DOMNode
    from textual.pilot import Pilot


def owner_of(program: Program, action: Action) -> DOMNode:
    """Return whose method an action is."""
    if action.scope == "list":
        return program.pane.query_one(LineView)  # type: ignore[type-abstract] # a query, no instance
    return program.pane if action.scope == program.pane.SCOPE else program


class Called:
    """Notes that a method was called, and calls it, unless the program would end."""

    def __init__(self, program: Program, method: Any) -> None:
        self._program = program
        self._method = method
        self.count = 0

    def __call__(self, *values: Any) -> Any:
        """Count and pass on."""
        self.count += 1
        if self._method.__name__ == "action_leave" and not self._program.model.transfers:
            return None
        return self._method(*values)


@asynccontextmanager
async def watched(program: Program, pilot: Pilot[None], action: Action) -> AsyncIterator[None]:
    """Demand that an action's method runs, once."""
    owner = owner_of(program, action)
    name = f"action_{action.method.partition('(')[0]}"
    called = Called(program, getattr(owner, name))
    setattr(owner, name, called)
    yield
    await pilot.pause()
    if not called.count:
        await until(pilot, lambda: called.count)
    delattr(owner, name)

    assert called.count == 1


@pytest.mark.parametrize("pane", PANES)
async def test_every_key_in_help_works(pane: str) -> None:
    """In the pane that lists it each key does what is said, on a screen that is full, and nothing breaks."""
    async with program_of() as (program, pilot):
        await open_pane(program, pane)
        if pane == "search":
            await press(pilot, "slash", *"live", "enter")
            await until_shown(pilot, "live-1.flac")
        for action in actions_in(pane):
            for key in action.keys:
                await open_pane(program, pane)
                async with watched(program, pilot, action):
                    await pilot.press(key)


@pytest.mark.parametrize("pane", PANES)
async def test_keys_break_nothing_on_an_empty_screen(pane: str) -> None:
    """With nothing to act on each is heard all the same."""
    async with program_of(FakeEngine()) as (program, pilot):
        for action in own_actions(pane):
            await open_pane(program, pane)
            async with watched(program, pilot, action):
                await pilot.press(action.keys[0])


@pytest.mark.parametrize("pane", PANES)
async def test_every_action_can_be_performed_by_name(pane: str) -> None:
    """The palette finds whose it is, whatever has the focus."""
    async with program_of() as (program, pilot):
        for action in own_actions(pane):
            await open_pane(program, pane)
            program.screen.set_focus(None)
            async with watched(program, pilot, action):
                program.perform(action)


async def test_action_that_is_no_longer_possible_is_not_performed() -> None:
    """A dialog may have come between."""
    async with program_of() as (program, pilot):
        program.push_screen(Help("peers"))
        await pilot.pause()
        program.perform(next(action for action in actions_in("peers") if action.method == "jump"))
        await pilot.pause()

        assert [type(screen).__name__ for screen in program.screen_stack[1:]] == ["Help"]
