"""A screen too small for anything."""

from __future__ import annotations

from functools import partial

from peerterm.tui.modals.too_small import TooSmall
from tests.fakes.fake_engine import FakeEngine, make_peer
from tests.fakes.programs import Program, text_of, until, until_shown


def engine() -> FakeEngine:
    """Return an engine with a peer."""
    engine = FakeEngine()
    engine.known_peers = [make_peer("anna")]
    return engine


async def test_program_starts_on_a_tiny_screen_and_grows() -> None:
    """It says its size alone, then shows all."""
    program = Program(engine())
    async with program.run_test(size=(39, 30)) as pilot:
        await until_shown(pilot, "too small: 39x30, need 40x12")
        shown = text_of(program).strip()
        await pilot.resize_terminal(40, 12)
        await until_shown(pilot, "anna")

    assert shown == "too small: 39x30, need 40x12"


async def test_dialog_is_there_again_afterwards() -> None:
    """What was open stays open, out of sight; its keys do nothing meanwhile."""
    program = Program(engine())
    async with program.run_test(size=(80, 24)) as pilot:
        await until_shown(pilot, "anna")
        await pilot.press("question_mark")
        await until_shown(pilot, "Keys in Peers")
        await pilot.resize_terminal(80, 5)
        await until_shown(pilot, "too small: 80x5")
        await pilot.press("escape", "6", "ctrl+p", "f2", "ctrl+o", "colon")
        assert text_of(program).strip() == "too small: 80x5, need 40x12"
        await pilot.resize_terminal(80, 24)
        await until_shown(pilot, "Keys in Peers")
        await pilot.press("escape")
        await until(pilot, lambda: len(program.screen_stack) == 1)

        assert "1*Peers" in text_of(program)


async def test_new_size_is_said() -> None:
    """Each time that it changes, with one such screen only."""
    program = Program(engine())
    async with program.run_test(size=(80, 24)) as pilot:
        for columns, rows in ((30, 8), (20, 4), (100, 11)):
            await pilot.resize_terminal(columns, rows)
            await until_shown(pilot, f"too small: {columns}x{rows}"[:columns])

        assert [type(screen) for screen in program.screen_stack].count(TooSmall) == 1


async def test_tiny_screen_can_be_left() -> None:
    """With the keys that leave elsewhere, and no question that could not be read."""
    for keys in (("q",), ("ctrl+q",), ("ctrl+c", "ctrl+c")):
        program = Program(engine())
        async with program.run_test(size=(20, 5)) as pilot:
            await until_shown(pilot, "too small")
            await pilot.press(*keys)
            has_ended = partial(getattr, program, "_exit")
            await until(pilot, has_ended)

        assert program.return_code == 0
