"""What the program does while its engine is gone, and once another comes."""

from __future__ import annotations

import pytest

from peerterm.tui import attachment
from peerterm.tui.keys import PANES
from tests.fakes.fake_engine import FakeEngine, make_peer
from tests.fakes.programs import populated, text_of, until_shown
from tests.unit.tui.driving import open_pane, own_actions, press, program_of, row


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks for the engine follow each other fast."""
    monkeypatch.setattr(attachment, "RETRY_SECONDS", 0.02)


@pytest.mark.usefixtures("quick")
async def test_engine_that_ends_is_told_and_missed_by_every_key() -> None:
    """A banner, an error for what was asked, no crash; what was known stays on the screen."""
    engine = populated()
    async with program_of(engine) as (program, pilot):
        await engine.stop()
        await until_shown(pilot, "the engine has ended")
        assert "E starts the engine" in row(program, 1)
        assert "bob" in text_of(program)
        for pane in PANES:
            for action in own_actions(pane):
                if action.scope != "list" and action.method != "leave":
                    await open_pane(program, pane)
                    program.perform(action)
                    await pilot.pause()

        assert program.is_running
        assert not engine.open_streams


@pytest.mark.usefixtures("quick")
async def test_engine_that_comes_back_takes_the_banner_away() -> None:
    """By itself, with what it knows now; what it was waiting for is asked of it."""
    first, second = populated(), FakeEngine()
    second.known_peers = [make_peer("zoe")]
    async with program_of(first) as (program, pilot):
        await first.stop()
        await until_shown(pilot, "the engine has ended")
        program.engines.append(second)
        await until_shown(pilot, "zoe")

        assert "ended" not in text_of(program)
        assert program.attachment.engine is second


async def test_start_of_a_running_engine_is_explained() -> None:
    """A key that does nothing says so."""
    async with program_of() as (program, pilot):
        await press(pilot, "E")

        assert "the engine runs" in row(program, -2)


async def test_program_leaves_no_connection_behind() -> None:
    """Its end closes the stream of events and every search."""
    engine = populated()
    async with program_of(engine) as (_program, pilot):
        await press(pilot, "3", "slash", *"live", "enter")
        assert engine.open_streams >= 1

    assert engine.open_streams == 0


@pytest.mark.usefixtures("quick")
async def test_engine_that_may_not_be_started_is_not_promised() -> None:
    """Neither the banner nor the key say that it starts."""
    engine = populated()
    async with program_of(engine) as (program, pilot):
        program.attachment.may_start = False
        await engine.stop()
        await until_shown(pilot, "the engine has ended")
        assert "E starts" not in text_of(program)
        await press(pilot, "E")

        assert "this program may not start an engine" in row(program, -2)


@pytest.mark.usefixtures("quick")
async def test_nothing_is_said_to_move_without_an_engine() -> None:
    """Rates, times left and who is online are not known any more."""
    engine = populated()
    async with program_of(engine) as (program, pilot):
        await press(pilot, "4")
        await until_shown(pilot, "41M/s")
        await engine.stop()
        await until_shown(pilot, "no engine")

        assert "M/s" not in text_of(program)
        assert "Xfers 2" not in text_of(program)
        await press(pilot, "1")
        await until_shown(pilot, "0 peers online")
