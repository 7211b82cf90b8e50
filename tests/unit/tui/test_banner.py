"""The row that says that the engine is gone."""

from __future__ import annotations

from peerterm.tui.terminal import Terminal
from peerterm.tui.widgets.banner import Banner
from tests.fakes.byte_terminal import ByteTerminal, terminal_of
from tests.fakes.programs import Program, populated, running, text_of, until


async def test_banner_is_there_only_while_something_is_lost() -> None:
    """The key that helps comes first, so that it is never cut off."""
    program = Program(populated())
    async with running(program, (40, 12)) as pilot:
        program.query_one(Banner).show("it could not start: " + "port 47470 is taken " * 5)
        await until(pilot, lambda: "E starts" in text_of(program))
        assert text_of(program).split("\n")[1].startswith(" E starts the engine  it could not st")
        assert "2 peers online" in text_of(program).split("\n")[2]
        program.query_one(Banner).show("")

        await until(pilot, lambda: "2 peers online" in text_of(program).split("\n")[1])


async def test_same_reason_paints_nothing() -> None:
    """It is told once a second while the engine is looked for."""
    program = Program(populated(), terminal=Terminal(driver_class=ByteTerminal))
    async with running(program, headless=False) as pilot:
        program.query_one(Banner).show("it ended")
        await until(pilot, lambda: "it ended" in text_of(program))
        await pilot.pause(0.1)
        terminal_of(program).taken()
        program.query_one(Banner).show("it ended")
        await pilot.pause(0.1)

        assert terminal_of(program).taken() == ""
