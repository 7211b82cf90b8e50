"""The program as a whole: how it is left, what keys mean while typing and under dialogs, and what it tells."""

from __future__ import annotations

import pytest
from textual.events import Paste
from textual.widgets import Input
from textual.worker import WorkerFailed

from peerterm.api.events import Notice
from peerterm.tui.app import MAX_COPIED_BYTES, PeertermApp
from tests.fakes.fake_engine import FakeEngine
from tests.fakes.programs import Program, populated, running, text_of, until, until_shown
from tests.unit.tui.driving import press, program_of, row

# Leaving


async def test_ctrl_c_twice_leaves_whatever_has_the_focus(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a list, in an input and in a dialog; once only says so."""
    monkeypatch.setattr("peerterm.tui.app.INTERRUPT_SECONDS", 60.0)
    for keys in ((), ("slash",), ("question_mark",)):
        async with program_of() as (program, pilot):
            await press(pilot, *keys, "ctrl+c")
            assert program.is_running
            assert "Ctrl+c again to leave" in row(program, -2)
            await pilot.press("ctrl+c")

            await until(pilot, lambda: program._exit)


async def test_slow_second_ctrl_c_does_not_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks again."""
    monkeypatch.setattr("peerterm.tui.app.INTERRUPT_SECONDS", 0.0)
    async with program_of() as (program, pilot):
        await press(pilot, "ctrl+c", "ctrl+c", "ctrl+c")

        assert not program._exit


async def test_q_leaves_unless_typed() -> None:
    """In an input it is a letter."""
    async with program_of(FakeEngine()) as (program, pilot):
        await press(pilot, "slash", "q")
        assert program.query_one("#peers .filter", Input).value == "q"
        assert not program._exit
        await press(pilot, "escape", "q")

        await until(pilot, lambda: program._exit)


async def test_digits_and_letters_are_text_while_typing() -> None:
    """Every key of every pane that is a character."""
    async with program_of() as (program, pilot):
        await press(pilot, "slash", *"1dRPz?:")

        assert program.query_one("#peers .filter", Input).value == "1dRPz?:"
        assert program.pane.SCOPE == "peers"


async def test_digits_do_nothing_under_a_dialog() -> None:
    """What cannot be seen does not change."""
    async with program_of() as (program, pilot):
        await press(pilot, "question_mark", "4", "P", "z", "escape")

        assert program.pane.SCOPE == "peers"
        assert row(program, 0).startswith(" 1*Peers")


@pytest.mark.parametrize("opener", ["f1", "f2", "ctrl+p", "ctrl+o", "ctrl+g"])
async def test_no_dialog_opens_over_another(opener: str) -> None:
    """Keys that work anywhere wait until what was asked is answered."""
    async with program_of() as (program, pilot):
        await press(pilot, "b", opener)

        assert [type(screen).__name__ for screen in program.screen_stack[1:]] == ["Bandwidth"]


async def test_key_that_opened_a_dialog_pressed_twice_leaves_one_at_most() -> None:
    """A key that bounces opens nothing twice, and one Esc is enough."""
    for key in ("ctrl+o", "s", "y", "ctrl+p", "comma"):
        async with program_of() as (program, pilot):
            await press(pilot, key, key)
            assert len(program.screen_stack) <= 2
            await press(pilot, "escape", "escape")

            assert len(program.screen_stack) == 1
            assert program.focused


# What is asked and told


async def test_rescan_is_asked_for_every_share() -> None:
    """And said."""
    engine = populated()
    engine.indexing = []
    async with program_of(engine) as (_program, pilot):
        await press(pilot, "R")

        await until_shown(pilot, "looking for changes in every share")


async def test_errors_of_the_engine_are_told() -> None:
    """In the status row, with what helps; the program goes on."""
    async with program_of() as (program, pilot):
        program.download(["film.mkv"])
        await until_shown(pilot, "nobody who is online has it (try again later)")

        assert program.is_running


async def test_bug_is_not_caught() -> None:
    """What is no error of ours ends the program, loudly."""

    async def broken() -> None:
        raise ZeroDivisionError

    async def ask() -> None:
        async with program_of() as (program, pilot):
            program.ask(broken())
            await pilot.pause(0.1)

    with pytest.raises(WorkerFailed, match="ZeroDivisionError"):
        await ask()


async def test_long_news_are_cut_and_alarms_stay() -> None:
    """Nothing that is said takes more than its row."""
    async with program_of() as (program, pilot):
        before = text_of(program).split("\n")
        program.say("long " * 1000, "error")
        await pilot.pause()
        after = text_of(program).split("\n")

        assert after[-2].endswith("!1 failed msg 2 (bob)")
        assert "…" in after[-2]
        assert after[:-2] + after[-1:] == before[:-2] + before[-1:]


async def test_burst_of_news_tells_the_gravest() -> None:
    """An error is not wiped away by who comes and goes."""
    engine = populated()
    async with program_of(engine) as (program, pilot):
        for text in ("first", "second"):
            engine.announce(Notice(level="error", text=text))
        for number in range(50):
            engine.announce(Notice(level="info", text=f"peer {number} is online"))
        await until_shown(pilot, "second")
        engine.announce(Notice(level="info", text="later"))
        await until(pilot, lambda: not program._is_dirty)
        assert "second" in row(program, -2)
        program.say("what the user did")
        await pilot.pause()

        assert "what the user did" in row(program, -2)


async def test_news_give_way_to_the_usual_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a few seconds."""
    monkeypatch.setattr("peerterm.tui.widgets.status_bar.NEWS_SECONDS", 0.1)
    async with program_of() as (program, pilot):
        program.say("copied")
        await until_shown(pilot, "copied")
        await until(pilot, lambda: "copied" not in text_of(program))

        assert row(program, -2).startswith(" fake  2 peers")


async def test_pasted_text_is_only_text() -> None:
    """An input would send on what it holds to the terminal."""
    async with program_of() as (program, pilot):
        await press(pilot, "slash")
        program.post_message(Paste("a\x1b]52;c;aGk=\x07\x9b31m\u202eb\nc"))
        await until(pilot, lambda: program.query_one("#peers .filter", Input).value)

        assert program.query_one("#peers .filter", Input).value == "a]52;c;aGk=31mb"


async def test_suspending_without_a_shell_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody could bring the program back."""
    monkeypatch.setattr("os.getsid", lambda pid: pid)
    async with program_of() as (program, pilot):
        await press(pilot, "ctrl+z")

        assert "there is no shell to suspend to" in row(program, -2)


async def test_selection_is_copied_instead_of_leaving(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl+c does with a selection what people expect."""
    async with program_of() as (program, _pilot):
        monkeypatch.setattr(program.screen, "get_selected_text", lambda: "chosen")
        program.action_interrupt()
        program.action_interrupt()

        assert program.copied == ["chosen", "chosen"]
        assert not program._exit


async def test_copied_text_is_pasted_without_what_harms_the_screen() -> None:
    """The terminal gets a name as it is; an input, which draws it, only text."""
    program = Program(FakeEngine())
    async with running(program) as pilot:
        PeertermApp.copy(program, "gpj.\u202eexe")
        await until_shown(pilot, "sent to the terminal's clipboard")
        await pilot.press("slash", "ctrl+v")
        await until_shown(pilot, "gpj.")

        assert "\u202e" not in text_of(program)


async def test_path_that_is_no_text_can_be_copied() -> None:
    """As far as a terminal takes it."""
    program = Program(FakeEngine())
    async with running(program) as pilot:
        PeertermApp.copy(program, "/downloads/\udcff.txt")

        await until_shown(pilot, "sent to the terminal's clipboard")
        assert program.clipboard == "/downloads/?.txt"


async def test_too_much_is_not_copied() -> None:
    """A terminal would drop it, and nothing would be in the clipboard."""
    program = Program(FakeEngine())
    async with running(program) as pilot:
        PeertermApp.copy(program, "x" * (MAX_COPIED_BYTES + 1))

        await until_shown(pilot, "too long for a terminal's clipboard; y t shows it")
        assert program.clipboard == ""
