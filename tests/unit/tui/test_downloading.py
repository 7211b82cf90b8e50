"""Asking for very many downloads: the program says how far it is, and Esc stops it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from peerterm.api.events import Notice
from peerterm.tui import app
from tests.fakes.fake_engine import FakeEngine, make_transfer
from tests.fakes.programs import Program, running, text_of, until_shown

if TYPE_CHECKING:
    from peerterm.api.views import TransferView

ROOTS = [f"{number:064x}" for number in range(1000)]


class Reluctant(FakeEngine):
    """An engine that takes a wish only when it is allowed to."""

    def __init__(self) -> None:
        super().__init__()
        self.allowed = asyncio.Semaphore(0)

    async def get(self, reference: str, directory: str = "", only: list[str] | None = None) -> TransferView:
        """Wait, and take it."""
        await self.allowed.acquire()
        self.asked.append(("get", reference, directory, only))
        return make_transfer(reference[-4:])


async def test_many_downloads_say_how_far_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else happens meanwhile, unless it is trouble, does not hide that; at the end all are counted."""
    monkeypatch.setattr(app, "PROGRESS_SECONDS", 0.0)
    engine = Reluctant()
    program = Program(engine)
    async with running(program) as pilot:
        program.download(ROOTS)
        for _ in ROOTS[:10]:
            engine.allowed.release()
        await until_shown(pilot, "asked for 10 of 1,000; Esc stops")
        engine.announce(Notice(level="info", text="hello"))
        await pilot.pause(0.5)
        assert "asked for 10 of 1,000; Esc stops" in text_of(program)

        for _ in ROOTS[10:]:
            engine.allowed.release()
        await until_shown(pilot, "1000 downloads queued; 4 shows them")

    assert [each[1] for each in engine.asked if each[0] == "get"] == ROOTS


async def test_esc_stops_asking_for_downloads() -> None:
    """What was asked for stays; without any Esc does what it always does."""
    engine = Reluctant()
    program = Program(engine)
    async with running(program) as pilot:
        program.download(ROOTS)
        engine.allowed.release()
        await pilot.press("escape")
        await until_shown(pilot, "stopped; what was asked for goes on")
        for _ in ROOTS:
            engine.allowed.release()
        await pilot.pause()

    assert len([each for each in engine.asked if each[0] == "get"]) <= 1
