"""What is sent to the terminal: what changed, and nothing else."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from peerterm.api.events import Notice, PeerJoined, StreamChanged, TransferChanged
from peerterm.player.tracking import Position
from peerterm.tui.keys import PANES
from peerterm.tui.local_player import Showing
from peerterm.tui.terminal import Terminal
from peerterm.tui.widgets.status_bar import StatusBar
from tests.fakes.byte_terminal import ByteTerminal, terminal_of
from tests.fakes.fake_engine import FakeEngine, make_peer
from tests.fakes.programs import Hand, Program, populated, running, text_of, until, until_shown
from tests.unit.tui.driving import open_pane, press, program_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from peerterm.player.base import Playback


class SlowToAttach(Program):
    """A program whose engine answers when it is told to."""

    def __init__(self, engine: FakeEngine) -> None:
        super().__init__(engine)
        self.is_answered = asyncio.Event()

    @asynccontextmanager
    async def _next(self, may_start: bool) -> AsyncIterator[FakeEngine]:
        await self.is_answered.wait()
        async with super()._next(may_start) as engine:
            yield engine


@pytest.mark.parametrize("pane", PANES)
async def test_nothing_is_painted_while_nothing_changes(pane: str) -> None:
    """Not a byte, in any pane, with any dialog or input."""
    engine = populated()
    program = Program(engine, terminal=Terminal(driver_class=ByteTerminal))
    async with running(program, headless=False) as pilot:
        await open_pane(program, pane)
        for keys in ((), ("slash",), ("escape", "b")) if pane == "peers" else ((),):
            await press(pilot, *keys)
            await pilot.pause(0.3)
            terminal_of(program).taken()
            for view in engine.known_transfers:
                engine.announce(TransferChanged(transfer=view))
            await pilot.pause(0.3)

            assert terminal_of(program).taken() == "", keys


async def test_engine_is_shown_without_waiting_for_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says first; what it says later waits, so that the screen is not drawn for each word."""
    monkeypatch.setattr(Terminal, "tick_seconds", 60.0)
    engine = populated()
    program = SlowToAttach(engine)
    async with program.run_test(size=(80, 24)):
        pilot = Hand(program)
        await until(pilot, lambda: program._shown_at)
        program.is_answered.set()
        await until_shown(pilot, "carol")
        engine.announce(PeerJoined(peer=make_peer("zoe")))
        await pilot.pause(0.3)

        assert "zoe" not in text_of(program)


async def test_redraw_sends_the_whole_screen() -> None:
    """Something else wrote over it."""
    program = Program(populated(), terminal=Terminal(driver_class=ByteTerminal))
    async with running(program, headless=False) as pilot:
        terminal_of(program).taken()
        await press(pilot, "ctrl+l")
        drawn = terminal_of(program).taken()

        assert all(part in drawn for part in ("Peers", "bob", "fake", "help"))


async def test_change_of_one_row_sends_little() -> None:
    """Status, tabs and hints are not sent when they are the same."""
    engine = populated()
    program = Program(engine, terminal=Terminal(driver_class=ByteTerminal))
    async with running(program, headless=False) as pilot:
        terminal_of(program).taken()
        engine.announce(Notice(level="info", text="hello"))
        await until(pilot, lambda: "hello" in "".join(terminal_of(program).sent))
        sent = terminal_of(program).taken()

        assert len(sent) < 600
        assert "Peers" not in sent
        assert "help" not in sent


async def test_second_of_a_film_sends_little() -> None:
    """Its place, its buffer and its rate; steps within a second send nothing."""
    engine = populated()
    program = Program(engine, terminal=Terminal(driver_class=ByteTerminal))
    film = engine.known_streams[0]
    async with running(program, headless=False) as pilot:
        await open_pane(program, "stream")
        watching = program.watching.player
        watching.showing = Showing(film.stream_id, "mpv", 0, playback=cast("Playback", object()))
        watching.moved(Position(item=0, seconds=61.0, duration=6000.0, is_started=True))
        await until(pilot, lambda: "1:01 of" in "".join(terminal_of(program).sent))
        await pilot.pause(0.3)
        terminal_of(program).taken()
        watching.moved(Position(item=0, seconds=61.9, duration=6000.0, is_started=True))
        await pilot.pause(0.3)
        within = terminal_of(program).taken()
        engine.announce(StreamChanged(stream=replace(film, position=film.position + 2**20, rate=39.9e6)))
        watching.moved(Position(item=0, seconds=62.0, duration=6000.0, is_started=True))
        await until(pilot, lambda: "1:02 of" in "".join(terminal_of(program).sent))
        await pilot.pause(0.3)

        assert within == ""
        assert len(terminal_of(program).taken()) < 600


async def test_status_row_holds_back_what_nobody_sees() -> None:
    """Telling the same again repaints nothing."""
    program = Program(populated(), terminal=Terminal(driver_class=ByteTerminal))
    async with running(program, headless=False) as pilot:
        terminal_of(program).taken()
        for _ in range(20):
            program.main.refresh_frame()
            program.query_one(StatusBar).tell([])
        await pilot.pause(0.1)

        assert terminal_of(program).taken() == ""


async def test_terminal_that_does_not_read_is_not_painted_for() -> None:
    """Changes wait until it does."""
    engine = populated()
    async with program_of(engine) as (program, pilot):
        driver: Any = program._driver
        driver.is_stalled = True
        engine.peer_joined(make_peer("zoe"))
        await until(pilot, lambda: len(program.model.peers) == 4)
        await pilot.pause(0.6)
        assert "zoe" not in text_of(program)
        driver.is_stalled = False

        await until_shown(pilot, "zoe")
