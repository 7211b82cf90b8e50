"""Many downloads: asking for them says how far it is and Esc stops it; all are paused, and go on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from peerterm.api.events import Notice, TransferChanged
from peerterm.errors import UsageError
from peerterm.tui import downloading
from tests.fakes.fake_engine import FakeEngine, make_transfer
from tests.fakes.programs import Program, populated, running, text_of, until, until_shown
from tests.unit.tui.driving import press, program_of, row

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
    monkeypatch.setattr(downloading, "PROGRESS_SECONDS", 0.0)
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


async def test_pause_all_pauses_then_resumes() -> None:
    """What ended, and what peers fetch, is left alone; one that ended meanwhile stops nobody."""

    class Hasty(FakeEngine):
        async def pause(self, transfer: str) -> TransferView:
            if transfer == "gone":
                raise UsageError("it has ended")
            return await super().pause(transfer)

    engine = Hasty()
    engine.known_transfers = [
        make_transfer("film", transfer_id="1", rate=5.0),
        make_transfer("gone", transfer_id="gone"),
        make_transfer("done", transfer_id="3", state="done"),
        make_transfer("up", transfer_id="4", direction="up"),
        make_transfer("music", transfer_id="5", state="queued"),
    ]
    async with program_of(engine) as (program, pilot):
        await press(pilot, "P")
        await until_shown(pilot, "paused 2 downloads")
        assert engine.asked == [("pause", "1"), ("pause", "5")]
        engine.announce(TransferChanged(transfer=make_transfer("gone", transfer_id="gone", state="failed")))
        await until(pilot, lambda: program.model.transfers["gone"].state == "failed")
        await press(pilot, "P")

        await until_shown(pilot, "resumed 2 downloads")
        assert engine.asked[2:] == [("resume", "1"), ("resume", "5")]


async def test_nothing_to_pause_is_said() -> None:
    """A key that does nothing says so."""
    async with program_of(FakeEngine()) as (program, pilot):
        await press(pilot, "P")

        assert "nothing to pause" in row(program, -2)


async def test_download_that_is_refused_does_not_stop_the_others() -> None:
    """Each is asked for; what was wrong is said last."""
    engine = populated()
    engine.progress = {root: [make_transfer(root, transfer_id=root)] for root in ("a", "c")}
    async with program_of(engine) as (program, pilot):
        program.download(["a", "b", "c"], "/tmp")
        await until_shown(pilot, "2 downloads queued; 1 refused: b: nobody")

        assert [asked[1:3] for asked in engine.asked] == [("a", "/tmp"), ("b", "/tmp"), ("c", "/tmp")]
        program.download(["a"])
        await until_shown(pilot, "a queued; 4 shows it")
        program.download(["a", "c"])
        await until_shown(pilot, "2 downloads queued; 4 shows them")


async def test_what_is_here_already_is_not_said_to_be_queued() -> None:
    """Alone or among others; a single refusal is told as it is."""
    engine = populated()
    engine.progress = {"a": [make_transfer("a", transfer_id="a", state="done")], "b": [make_transfer("b")]}
    async with program_of(engine) as (program, pilot):
        program.download(["a"])
        await until_shown(pilot, "a is here already; 4 shows it")
        program.download(["a", "b"])
        await until_shown(pilot, "1 download queued, 1 here already")
        program.download(["c"])
        await until_shown(pilot, "c: nobody")

        assert "refused" not in text_of(program)
