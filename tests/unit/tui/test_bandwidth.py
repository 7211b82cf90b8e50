"""The limits of everything, and of the transfer under the cursor."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from textual.widgets import Input

from peerterm.api.views import LimitsView
from peerterm.config_values import rate
from peerterm.errors import ControlError
from peerterm.tui.modals.bandwidth import Bandwidth, limit_text
from tests.fakes.fake_engine import FakeEngine, make_transfer
from tests.fakes.programs import Program, running, text_of, until, until_shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from textual.pilot import Pilot


@asynccontextmanager
async def asked(engine: FakeEngine, *keys: str) -> AsyncIterator[tuple[Program, Pilot[None]]]:
    """Run a program, and press keys that end with the one for limits."""
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press(*keys)
        await until(pilot, lambda: isinstance(program.screen, Bandwidth))
        await pilot.pause()
        yield program, pilot


def present(program: Program, field: str) -> str:
    """Return which limit an empty field shows."""
    return program.screen.query_one(f"#{field}", Input).placeholder


async def test_limits_of_now_are_shown() -> None:
    """Both ways, in a unit that people type."""
    engine = FakeEngine()
    engine.limits = LimitsView(down=10_000_000, up=0)
    async with asked(engine, "b") as (program, pilot):
        await until(pilot, lambda: present(program, "down"))

        assert (present(program, "down"), present(program, "up")) == ("10M", "none")
        assert "10M" in text_of(program)
        assert not program.screen.query("#one")


async def test_limit_of_all_downloads_is_set() -> None:
    """Typing is all there is to do; the dialog ends and the user is told."""
    engine = FakeEngine()
    async with asked(engine, "b") as (program, pilot):
        await until(pilot, lambda: present(program, "down"))
        await pilot.press(*"2.5M", "enter")
        await until_shown(pilot, "limit set")

        assert engine.asked[-1] == ("limit", "", 2_500_000, None)


async def test_limit_of_all_uploads_is_lifted() -> None:
    """By a word; Tab and arrows go from line to line."""
    engine = FakeEngine()
    engine.limits = LimitsView(down=0, up=5000)
    async with asked(engine, "b") as (program, pilot):
        await until(pilot, lambda: present(program, "up") == "5K")
        await pilot.press("down", "up", "tab", *"none", "enter")
        await until_shown(pilot, "limit lifted")

        assert engine.asked[-1] == ("limit", "", None, 0)


async def test_limit_of_one_transfer_is_set() -> None:
    """The one under the cursor, whose line comes first to hand; the list is shown again."""
    engine = FakeEngine()
    engine.known_transfers = [make_transfer("film.mkv", transfer_id="abc", limit=3000)]
    async with asked(engine, "4", "b") as (program, pilot):
        assert "only film.mkv" in text_of(program)
        assert present(program, "one") == "3K"
        await pilot.press(*"800K", "enter")
        await until_shown(pilot, "limit set")

        assert engine.asked[-1] == ("limit", "abc", 800_000, None)
        assert len(program.screen_stack) == 1


async def test_nonsense_is_refused_and_explained() -> None:
    """The dialog stays, and the engine is not asked."""
    engine = FakeEngine()
    async with asked(engine, "b") as (program, pilot):
        await pilot.press(*"fast", "enter")
        await until_shown(pilot, "fast ")

        assert engine.asked == [("limit", "", None, None)]
        assert isinstance(program.screen, Bandwidth)


async def test_engine_that_refuses_is_heard() -> None:
    """When it is asked what holds, and when it is told."""

    class Broken(FakeEngine):
        async def limit(self, transfer: str = "", *, down: int | None = None, up: int | None = None) -> LimitsView:
            raise ControlError("it does not answer")

    async with asked(Broken(), "b") as (_, pilot):
        await until_shown(pilot, "it does not answer")
        await pilot.press("1", "enter")

        await until_shown(pilot, "it does not answer")


async def test_engine_that_is_slow_blocks_nothing() -> None:
    """The user types meanwhile, what is typed stays, and Esc closes."""

    class Slow(FakeEngine):
        gate = asyncio.Event()

        async def limit(self, transfer: str = "", *, down: int | None = None, up: int | None = None) -> LimitsView:
            await self.gate.wait()
            return LimitsView(down=7000, up=7000)

    engine = Slow()
    async with asked(engine, "b") as (program, pilot):
        await pilot.press("5", "M")
        engine.gate.set()
        await until(pilot, lambda: present(program, "up") == "7K")
        assert "5M" in text_of(program)
        engine.gate.clear()
        await pilot.press("enter", "escape")
        await pilot.pause()

        assert len(program.screen_stack) == 1


@pytest.mark.parametrize("limit", [1, 999, 1000, 1500, 2_500_000, 10_000_000, 12_345_678, 10**9, 10**12])
def test_text_of_a_limit_is_read_as_the_same_limit(limit: int) -> None:
    """Entering what is shown changes nothing."""
    assert rate(limit_text(limit)) == limit


def test_no_limit_is_none() -> None:
    """A word, not a number that looks like one."""
    assert limit_text(0) == "none"
    assert limit_text(2_500_000) == "2.5M"


async def test_every_limit_typed_is_set_by_one_enter() -> None:
    """Those of everything together; the one of a transfer, too."""
    engine = FakeEngine()
    engine.known_transfers = [make_transfer("film.mkv", transfer_id="abc")]
    async with asked(engine, "4", "b") as (_, pilot):
        await pilot.press(*"1M", "tab", *"5M", "tab", *"3M", "enter")
        await until_shown(pilot, "limits set")

        assert engine.asked[-2:] == [("limit", "", 5_000_000, 3_000_000), ("limit", "abc", 1_000_000, None)]


async def test_smallest_screen_shows_faults_and_keys() -> None:
    """The lines scroll between them, and the one that has the focus is in sight."""
    engine = FakeEngine()
    engine.known_transfers = [make_transfer("film.mkv", transfer_id="abc")]
    program = Program(engine)
    async with running(program, (40, 12)) as pilot:
        await pilot.press("4", "b")
        await until(pilot, lambda: isinstance(program.screen, Bandwidth))
        await pilot.press(*"fast", "enter")
        await until_shown(pilot, "fast must be")

        assert "Enter set" in text_of(program)
        await pilot.press("tab", *"12345")
        await until_shown(pilot, "12345")


@pytest.mark.parametrize("is_known", [True, False])
async def test_enter_on_empty_lines_changes_nothing(is_known: bool) -> None:
    """Whether the engine said its limits already or not; the dialog closes."""

    class Slow(FakeEngine):
        gate = asyncio.Event()

        async def limit(self, transfer: str = "", *, down: int | None = None, up: int | None = None) -> LimitsView:
            if not is_known:
                await self.gate.wait()
            return await super().limit(transfer, down=down, up=up)

    engine = Slow()
    engine.limits = LimitsView(down=7000, up=0)
    async with asked(engine, "b") as (program, pilot):
        await until(pilot, lambda: present(program, "down") == "7K" * is_known)
        await pilot.press("enter")
        await until(pilot, lambda: len(program.screen_stack) == 1)

        assert engine.limits == LimitsView(down=7000, up=0)
        assert {asked[2:] for asked in engine.asked} <= {(None, None)}
