"""Restarting the engine: in order, and never for ever. The rest is tested through the settings screen."""

from __future__ import annotations

import pytest

from peerterm.errors import ControlError
from peerterm.tui import changing
from peerterm.tui.changing import restart_engine
from tests.fakes.fake_engine import FakeEngine
from tests.fakes.programs import Program, until


class Deaf(FakeEngine):
    """An engine that does not end."""

    async def stop(self) -> None:
        """Do nothing."""


async def test_engine_that_does_not_end_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while it is an error."""
    monkeypatch.setattr(changing, "LOOK_SECONDS", 0.001)
    program = Program(Deaf())
    async with program.run_test() as pilot:
        await until(pilot, lambda: program.attachment.is_attached)
        with pytest.raises(ControlError, match="does not end"):
            await restart_engine(program.attachment)

        assert program.attachment.is_attached


async def test_engine_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The old one is gone then; the banner says why there is none."""
    monkeypatch.setattr(changing, "LOOK_SECONDS", 0.001)
    program = Program(FakeEngine())
    async with program.run_test() as pilot:
        await until(pilot, lambda: program.attachment.is_attached)
        with pytest.raises(ControlError, match="does not start"):
            await restart_engine(program.attachment)

        assert program.attachment.lost


async def test_without_an_engine_one_is_started() -> None:
    """There is nothing to end."""
    program = Program()
    async with program.run_test() as pilot:
        await until(pilot, lambda: program.attachment.lost)
        program.engines.append(FakeEngine())
        await restart_engine(program.attachment)

        assert program.attachment.is_attached


async def test_engine_that_could_not_be_started_again_is_not_stopped() -> None:
    """As that of the demo, or of ``--no-start``."""
    engine = FakeEngine()
    program = Program(engine)
    async with program.run_test() as pilot:
        await until(pilot, lambda: program.attachment.is_attached)
        program.attachment.may_start = False
        with pytest.raises(ControlError, match="may not start"):
            await restart_engine(program.attachment)

        assert (await engine.status()).state == "ready"
