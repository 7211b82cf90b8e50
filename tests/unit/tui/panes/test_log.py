"""The log pane: what it fetches, what it shows of it, and what it lets copy."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from peerterm.api.events import Notice
from peerterm.api.views import LogLine
from peerterm.tui.panes import log
from peerterm.tui.panes.log import LogPane, unknown
from peerterm.tui.widgets.wrapped_log import WrappedLog
from tests.fakes.fake_engine import FakeEngine
from tests.fakes.programs import Program, text_of, until, until_shown

if TYPE_CHECKING:
    from textual.pilot import Pilot


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, so that a test need not wait."""
    monkeypatch.setattr(log, "LOOK_SECONDS", 0.01)


def line(number: int, level: str = "info", text: str = "") -> LogLine:
    """Return a line."""
    return LogLine(at=float(number), level=level, source="engine.x", text=text or f"fact {number}")


async def visited(pilot: Pilot[None]) -> LogPane:
    """Show the log, once there is an engine."""
    program = pilot.app
    assert isinstance(program, Program)
    await until(pilot, lambda: program.attachment.is_attached)
    await pilot.press("8")
    await until(pilot, lambda: isinstance(program.pane, LogPane))
    assert isinstance(program.pane, LogPane)
    return program.pane


@pytest.mark.parametrize(
    ("known", "found", "new"),
    [
        ([], [1, 2], [1, 2]),
        ([1, 2], [1, 2], []),
        ([1, 2, 3], [2, 3, 4], [4]),
        ([1, 1], [1, 1, 1], [1]),
        ([1, 2], [5, 6], [5, 6]),
        ([1, 2], [], []),
    ],
)
def test_only_what_comes_after_is_new(known: list[int], found: list[int], new: list[int]) -> None:
    """The end of what is known is the start of what is found, or all of it is new."""
    assert unknown([line(n) for n in known], [line(n) for n in found]) == [line(n) for n in new]


async def test_log_is_shown_and_followed() -> None:
    """What was logged before is there, and what comes appears at the end, each once."""
    engine = FakeEngine()
    engine.lines = [line(n) for n in range(3)]
    async with Program(engine).run_test(size=(80, 24)) as pilot:
        pane = await visited(pilot)
        await until_shown(pilot, "engine.x: fact 2")
        engine.lines += [line(n) for n in range(3, 203)]
        await until_shown(pilot, "fact 202")
        await until_shown(pilot, "203 lines")
        seen = [each.text for each in pane.query_one(WrappedLog).lines]

    assert seen == [f"engine.x: fact {n}" for n in range(203)]


async def test_hidden_log_is_not_asked_for() -> None:
    """The engine is asked only while the pane is on the screen."""
    engine = FakeEngine()
    asked: list[int] = []
    usual = engine.log

    async def counted(lines: int = 100) -> list[LogLine]:
        asked.append(lines)
        return await usual(lines)

    engine.log = counted  # type: ignore[method-assign]
    async with Program(engine).run_test(size=(80, 24)) as pilot:
        await visited(pilot)
        await until(pilot, lambda: len(asked) > 2)
        await pilot.press("1")
        await pilot.pause(0.05)
        before = len(asked)
        await pilot.pause(0.1)
        after = len(asked)
        await pilot.press("8")
        await until(pilot, lambda: len(asked) > after)

    assert before == after


async def test_levels_are_words_and_can_be_narrowed() -> None:
    """Each level is a word; e leaves warnings and errors, e again shows everything."""
    engine = FakeEngine()
    engine.lines = [line(1, "debug"), line(2), line(3, "warning"), line(4, "error")]
    async with Program(engine).run_test(size=(80, 24)) as pilot:
        await visited(pilot)
        await until_shown(pilot, "fact 4")
        everything = text_of(pilot.app)
        await pilot.press("e")
        await until_shown(pilot, "2 of 4 lines   warnings and errors only")
        alarms = text_of(pilot.app)
        await pilot.press("e")
        await until_shown(pilot, "4 lines   all levels")

    assert all(f"{word} " in everything for word in ("DEBUG", "INFO", "WARN", "ERROR"))
    assert "fact 2" not in alarms
    assert "WARN  engine.x: fact 3" in alarms


async def test_filter_narrows_to_lines_with_every_word() -> None:
    """Words may be of text, source or level; Esc shows all again."""
    engine = FakeEngine()
    engine.lines = [line(1, text="Anna came"), line(2, text="anna left"), line(3, text="bob came")]
    async with Program(engine).run_test(size=(80, 24)) as pilot:
        await visited(pilot)
        await until_shown(pilot, "3 lines")
        await pilot.press("slash", *"anna cam")
        await until_shown(pilot, "1 of 3 lines")
        narrowed = text_of(pilot.app)
        await pilot.press("enter", "slash", "q")
        await until_shown(pilot, "No line is like that")
        await pilot.press("escape")
        await until_shown(pilot, "3 lines")
        await pilot.press("slash", "enter", "e", "e")
        await until_shown(pilot, "all levels")

    assert "Anna came" in narrowed
    assert "bob" not in narrowed


async def test_follow_stops_and_goes_on() -> None:
    """Scrolled up, the screen stands still and says so; f goes back to the end, and again stops."""
    engine = FakeEngine()
    engine.lines = [line(n) for n in range(50)]
    async with Program(engine).run_test(size=(80, 24)) as pilot:
        await visited(pilot)
        await until_shown(pilot, "fact 49")
        await pilot.press("k")
        await until_shown(pilot, "follow: off")
        engine.lines += [line(50)]
        await until_shown(pilot, "51 lines")
        still = text_of(pilot.app)
        await pilot.press("f")
        await until_shown(pilot, "fact 50")
        await until_shown(pilot, "follow: on")
        await pilot.press("f")
        await until_shown(pilot, "follow: off")

    assert "fact 50" not in still


async def test_news_stand_among_the_lines() -> None:
    """What the user is told in the status row stays here to be read again."""
    engine = FakeEngine()
    engine.lines = [line(1)]
    async with Program(engine).run_test(size=(80, 24)) as pilot:
        await visited(pilot)
        await until_shown(pilot, "fact 1")
        await pilot.press("f")
        await until_shown(pilot, "every line is on the screen")
        engine.announce(Notice(level="warning", text="the disk is \x1b[2Jnearly full"))
        await until_shown(pilot, "WARN  peerterm: the disk is [2Jnearly full")


async def test_lines_and_path_can_be_copied() -> None:
    """Key y offers the lines shown, the path of the file, and plain text to select from."""
    engine = FakeEngine()
    engine.lines = [line(1), line(2, "error")]
    program = Program(engine)
    async with program.run_test(size=(80, 24)) as pilot:
        await visited(pilot)
        await until_shown(pilot, "fact 2")
        await pilot.press("e", "y")
        await until_shown(pilot, "the 1 line shown")
        await pilot.press("l")
        await until(pilot, lambda: program.copied)
        await pilot.press("y")
        await until_shown(pilot, "/profile/peerterm.log")
        await pilot.press("p")
        await until(pilot, lambda: len(program.copied) == 2)
        await pilot.press("y")
        await until_shown(pilot, "plain text")
        await pilot.press("t")
        await until_shown(pilot, "Select with")
        await pilot.press("escape")

    assert program.copied[0].endswith("ERROR engine.x: fact 2")
    assert program.copied[1] == "/profile/peerterm.log"


async def test_lost_engine_is_told_and_lines_stay() -> None:
    """Without an engine the title says why nothing comes; the next engine's lines follow."""
    first, second = FakeEngine(), FakeEngine()
    first.lines, second.lines = [line(1, text="old")], [line(9, text="fresh")]
    program = Program(first)
    async with program.run_test(size=(80, 24)) as pilot:
        await visited(pilot)
        await until_shown(pilot, "old")
        await first.stop()
        await until_shown(pilot, "the engine is gone")
        program.engines.append(second)
        program.attachment.start_engine()
        await until_shown(pilot, "fresh")
        shown = text_of(program)

    assert "old" in shown
    assert "the engine is gone" not in shown


async def test_empty_log_says_so() -> None:
    """No blank screen."""
    async with Program(FakeEngine()).run_test(size=(80, 24)) as pilot:
        await visited(pilot)
        await until_shown(pilot, "Nothing was logged yet.")
        await pilot.press("y")
        await until_shown(pilot, "path")
        await pilot.press("escape")


async def test_news_come_though_the_clock_was_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are counted, not timed."""
    engine = FakeEngine()
    program = Program(engine)
    async with program.run_test() as pilot:
        await visited(pilot)
        program.say("first thing", "error")
        engine.announce(Notice(level="info", text="x"))
        await until_shown(pilot, "peerterm: first thing")
        monkeypatch.setattr(time, "time", lambda: 5.0)
        engine.announce(Notice(level="warning", text="second thing"))

        await until_shown(pilot, "peerterm: second thing")
