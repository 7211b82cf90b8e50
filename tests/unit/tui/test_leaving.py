"""Leaving while transfers are under way."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from peerterm.errors import ControlError
from tests.fakes.fake_engine import FakeEngine, make_transfer
from tests.fakes.programs import Program, running, text_of, until, until_shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from textual.pilot import Pilot

    from peerterm.api.views import TransferView

RESTING = tuple(make_transfer(state, state=state) for state in ("done", "failed", "paused"))
BUSY = [
    make_transfer("a"),
    make_transfer("b", state="queued"),
    make_transfer("c", direction="up"),
    make_transfer("d", state="done"),
]


@asynccontextmanager
async def asked(
    *transfers: TransferView, key: str = "q", engine: FakeEngine | None = None
) -> AsyncIterator[tuple[Program, Pilot[None], FakeEngine]]:
    """Run a program with transfers, and press the key that leaves."""
    engine = engine or FakeEngine()
    engine.known_transfers = list(transfers)
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press(key)
        await pilot.pause()
        yield program, pilot, engine


@pytest.mark.parametrize("transfers", [(), RESTING])
async def test_nothing_under_way_is_left_at_once(transfers: tuple[TransferView, ...]) -> None:
    """What ended, and what rests until it is told to go on, is no reason to ask."""
    async with asked(*transfers) as (program, pilot, _):
        await until(pilot, lambda: program._exit)


@pytest.mark.parametrize("key", ["q", "ctrl+q"])
async def test_leaving_asks_what_becomes_of_transfers(key: str) -> None:
    """It says how many there are; the safe answer comes first."""
    async with asked(*BUSY, key=key) as (program, _, _):
        assert not program._exit
        text = text_of(program)

        assert "Transfers are under way: 2 down, 1 up" in text
        assert text.index(" y  leave") < text.index(" s  leave and stop") < text.index(" n  stay")


async def test_transfers_go_on_without_the_program() -> None:
    """The engine is not told anything."""
    async with asked(*BUSY) as (program, pilot, engine):
        await pilot.press("y")
        await until(pilot, lambda: program._exit)

        assert (await engine.status()).state == "ready"


async def test_engine_can_be_stopped_with_the_program() -> None:
    """If the user says so."""
    async with asked(*BUSY) as (program, pilot, engine):
        await pilot.press("s")
        await until(pilot, lambda: program._exit)

        assert (await engine.status()).state == "stopping"


@pytest.mark.parametrize("key", ["n", "escape", "q"])
async def test_user_may_stay(key: str) -> None:
    """A second ``q`` does not leave; nothing has changed."""
    async with asked(*BUSY) as (program, pilot, _):
        await pilot.press(key)
        await pilot.pause()

        assert not program._exit
        assert len(program.screen_stack) == 1


async def test_asking_twice_asks_once() -> None:
    """However often the key is pressed."""
    async with asked(*BUSY) as (program, pilot, _):
        await pilot.press("ctrl+q", "ctrl+q", "ctrl+q")
        await pilot.pause()

        assert len(program.screen_stack) == 2


async def test_leaving_from_a_dialog_returns_to_it() -> None:
    """Ctrl+q works there, too; who stays is where they were."""
    async with asked(*BUSY, key="ctrl+o") as (program, pilot, _):
        await pilot.press("ctrl+q")
        await until_shown(pilot, "Transfers are under way")
        await pilot.press("n")
        await until_shown(pilot, "Go to")
        await pilot.press("6")

        await until(pilot, lambda: program.pane.SCOPE == "shares")


async def test_engine_that_cannot_be_stopped_keeps_the_program() -> None:
    """The user is told instead."""

    class Stubborn(FakeEngine):
        async def stop(self) -> None:
            raise ControlError("it does not answer", "kill it")

    async with asked(*BUSY, engine=Stubborn()) as (program, pilot, _):
        await pilot.press("s")
        await until_shown(pilot, "it does not answer (kill it)")

        assert not program._exit


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_engine_that_ends_with_the_program_is_not_said_to_go_on(key: str) -> None:
    """As in the demo: there is nothing to choose, and nothing else is promised."""
    engine = FakeEngine()
    engine.known_transfers = BUSY
    program = Program(engine)
    program.engine_stays = False
    async with running(program) as pilot:
        await pilot.press(key)
        await until(pilot, lambda: program._exit or "Ctrl+c again to leave" in text_of(program))

        assert program._exit == (key == "q")
        assert "go on" not in text_of(program)


async def test_without_an_engine_there_is_nothing_to_ask() -> None:
    """What was under way is not any more."""
    engine = FakeEngine()
    engine.known_transfers = BUSY
    program = Program(engine)
    async with running(program) as pilot:
        await engine.stop()
        await until_shown(pilot, "the engine has ended")
        await pilot.press("q")

        await until(pilot, lambda: program._exit)


@pytest.mark.parametrize(("key", "state"), [("p", "paused"), ("x", "cancelled")])
async def test_downloads_can_be_paused_or_cancelled_with_the_program(key: str, state: str) -> None:
    """Those that are under way; uploads are their peers' own business, and the engine goes on."""
    async with asked(*BUSY) as (program, pilot, engine):
        await pilot.press(key)
        await until(pilot, lambda: program._exit)

        assert [view.state for view in engine.known_transfers] == [state, state, "running", "done"]
        assert (await engine.status()).state == "ready"
