"""The program as a whole: its keys, where the focus is, what it paints, and what it does when the engine goes."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from textual.events import Paste
from textual.widgets import Input
from textual.worker import WorkerFailed

from peerterm.api.events import Notice, Snapshot, TransferChanged
from peerterm.errors import UsageError
from peerterm.tui import attachment
from peerterm.tui.keys import PANES, Action, actions_in
from peerterm.tui.modals.help import Help
from peerterm.tui.terminal import Terminal
from peerterm.tui.widgets.line_view import LineView
from peerterm.tui.widgets.status_bar import StatusBar
from tests.fakes.byte_terminal import ByteTerminal, terminal_of
from tests.fakes.fake_engine import FakeEngine, make_peer, make_transfer
from tests.fakes.programs import Program, populated, running, text_of, until, until_shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from textual.dom import DOMNode
    from textual.pilot import Pilot

    from peerterm.api.views import TransferView


@asynccontextmanager
async def program_of(
    engine: FakeEngine | None = None, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[Program, Pilot[None]]]:
    """Run a program on an engine, by default a populated one."""
    program = Program(engine or populated())
    async with running(program, size) as pilot:
        yield program, pilot


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press keys and let them take effect."""
    await pilot.press(*keys)
    await pilot.pause()


def row(program: Program, number: int) -> str:
    """Return a row of the screen; -1 is the last."""
    return text_of(program).split("\n")[number]


# Every action


def own_actions(pane: str) -> list[Action]:
    """Return what works in a pane; what works everywhere only with the first one."""
    return [action for action in actions_in(pane) if pane == "peers" or action.scope in {pane, "list"}]


def owner_of(program: Program, action: Action) -> DOMNode:
    """Return whose method an action is."""
    if action.scope == "list":
        return program.pane.query_one(LineView)  # type: ignore[type-abstract] # a query, no instance
    return program.pane if action.scope == program.pane.SCOPE else program


async def open_pane(program: Program, pane: str) -> None:
    """Show a pane and nothing above it, with the focus on what the keys are for."""
    while len(program.screen_stack) > 1:
        program.pop_screen()
    if pane != program.pane.SCOPE or isinstance(program.focused, Input | None):
        await program.action_show_pane(pane)


class Called:
    """Notes that a method was called, and calls it, unless the program would end."""

    def __init__(self, program: Program, method: Any) -> None:
        self._program = program
        self._method = method
        self.count = 0

    def __call__(self, *values: Any) -> Any:
        """Count and pass on."""
        self.count += 1
        if self._method.__name__ == "action_leave" and not self._program.model.transfers:
            return None
        return self._method(*values)


@asynccontextmanager
async def watched(program: Program, pilot: Pilot[None], action: Action) -> AsyncIterator[None]:
    """Demand that an action's method runs, once."""
    owner = owner_of(program, action)
    name = f"action_{action.method.partition('(')[0]}"
    called = Called(program, getattr(owner, name))
    setattr(owner, name, called)
    yield
    await pilot.pause()
    if not called.count:
        await until(pilot, lambda: called.count)
    delattr(owner, name)

    assert called.count == 1


@pytest.mark.parametrize("pane", PANES)
async def test_every_key_in_help_works(pane: str) -> None:
    """In the pane that lists it each key does what is said, on a screen that is full, and nothing breaks."""
    async with program_of() as (program, pilot):
        await open_pane(program, pane)
        if pane == "search":
            await press(pilot, "slash", *"live", "enter")
            await until_shown(pilot, "live-1.flac")
        for action in actions_in(pane):
            for key in action.keys:
                await open_pane(program, pane)
                async with watched(program, pilot, action):
                    await pilot.press(key)


@pytest.mark.parametrize("pane", PANES)
async def test_keys_break_nothing_on_an_empty_screen(pane: str) -> None:
    """With nothing to act on each is heard all the same."""
    async with program_of(FakeEngine()) as (program, pilot):
        for action in own_actions(pane):
            await open_pane(program, pane)
            async with watched(program, pilot, action):
                await pilot.press(action.keys[0])


@pytest.mark.parametrize("pane", PANES)
async def test_every_action_can_be_performed_by_name(pane: str) -> None:
    """The palette finds whose it is, whatever has the focus."""
    async with program_of() as (program, pilot):
        for action in own_actions(pane):
            await open_pane(program, pane)
            program.screen.set_focus(None)
            async with watched(program, pilot, action):
                program.perform(action)


async def test_action_that_is_no_longer_possible_is_not_performed() -> None:
    """A dialog may have come between."""
    async with program_of() as (program, pilot):
        program.push_screen(Help("peers"))
        await pilot.pause()
        program.perform(next(action for action in actions_in("peers") if action.method == "jump"))
        await pilot.pause()

        assert [type(screen).__name__ for screen in program.screen_stack[1:]] == ["Help"]


# Leaving


async def test_ctrl_c_twice_leaves_whatever_has_the_focus() -> None:
    """In a list, in an input and in a dialog; once only says so."""
    for keys in ((), ("slash",), ("question_mark",)):
        async with program_of() as (program, pilot):
            await press(pilot, *keys, "ctrl+c")
            assert program.is_running
            assert "Ctrl+c again to leave" in row(program, -2)
            await pilot.press("ctrl+c")

            assert program._exit


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

        assert program._exit


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


# Focus


async def test_focus_returns_to_the_list() -> None:
    """After a dialog, after a filter, and in a pane that is visited again."""
    async with program_of() as (program, pilot):
        table = program.pane.query_one(LineView)  # type: ignore[type-abstract] # a query, no instance
        for keys in (("s", "escape"), ("i", "escape"), ("slash", "b", "enter"), ("escape",), ("ctrl+p", "escape")):
            await press(pilot, *keys)
            assert program.focused is table, keys
        await press(pilot, "4", "1")

        assert program.focused is table


@pytest.mark.parametrize("pane", PANES)
async def test_no_pane_begins_in_an_input(pane: str) -> None:
    """Keys that are advertised must work."""
    async with program_of() as (program, pilot):
        program.show_pane(pane)
        await until(pilot, lambda: program.focused)

        assert program.focused is not None
        assert not isinstance(program.focused, Input)
        assert program.focused in program.pane.walk_children(with_self=True)


async def test_tab_goes_round_what_is_on_the_screen() -> None:
    """Nothing hidden takes the focus, in no pane visited before either."""
    async with program_of() as (program, pilot):
        await press(pilot, "4", "2", "3")
        seen = []
        for key in ("tab", "tab", "shift+tab"):
            await press(pilot, key)
            assert program.focused is not None
            assert program.focused in program.pane.walk_children()
            assert program.focused.region.area
            seen.append(type(program.focused).__name__)

        assert seen == ["QueryInput", "VirtualTable", "QueryInput"]


async def test_escape_leaves_the_filter_and_shows_all() -> None:
    """First what was typed; a second time nothing more happens, and the program stays."""
    async with program_of() as (program, pilot):
        await press(pilot, "slash", *"bob")
        assert "carol" not in text_of(program)
        await press(pilot, "escape", "escape", "escape")

        assert "carol" in text_of(program)
        assert not program._exit


# What is on the screen


async def test_pane_first_visited_is_whole_at_once() -> None:
    """However fast keys follow each other, and whatever happens meanwhile."""
    engine = populated()
    async with program_of(engine) as (program, pilot):
        for keys in ("2345678", "12345678", "4646"):
            for key in keys:
                engine.announce(TransferChanged(transfer=engine.known_transfers[2]))
                program.show_pane(PANES[int(key) - 1])
            await pilot.pause()
        await until_shown(pilot, "3 shares")

        assert "Pictures" in text_of(program)


async def test_pane_visited_before_the_engine_is_there_fills_up() -> None:
    """It says that nothing is known yet, then what is."""
    program = Program()
    async with program.run_test(size=(80, 24)) as pilot:
        await until_shown(pilot, "E starts the engine")
        await press(pilot, "6")
        await until_shown(pilot, "the engine does not run")
        program.engines.append(populated())
        await press(pilot, "E")
        await until_shown(pilot, "Pictures")

        assert "E starts" not in text_of(program)


async def test_new_snapshot_replaces_what_was_shown() -> None:
    """A client that fell behind gets one; the cursor stays where its row still is."""
    engine = populated()
    async with program_of(engine) as (program, pilot):
        await press(pilot, "j")
        engine.known_peers = [make_peer("zoe"), engine.known_peers[1]]
        snapshot = Snapshot(status=await engine.status(), peers=engine.known_peers, shares=[], transfers=[])
        engine.announce(snapshot)
        await until_shown(pilot, "zoe")

        assert "bob" not in text_of(program)
        assert any(line.startswith("> carol") for line in text_of(program).split("\n"))
        assert "Shares 3" not in row(program, 0)


async def test_changes_under_a_dialog_are_there_when_it_closes() -> None:
    """Nothing is lost while something else is asked."""
    engine = populated()
    async with program_of(engine) as (program, pilot):
        await press(pilot, "question_mark")
        engine.join(make_peer("zoe"))
        await until(pilot, lambda: program.model.peers and not program._is_dirty)
        await press(pilot, "escape")

        await until_shown(pilot, "zoe")


async def test_jumper_marks_the_pane_and_goes_by_digit() -> None:
    """From anywhere, also while typing."""
    async with program_of() as (_program, pilot):
        await press(pilot, "slash", "ctrl+o")
        await until_shown(pilot, "* 1  Peers")
        await press(pilot, "6")

        await until_shown(pilot, "6*Shares")


async def test_attention_goes_to_each_failure_then_to_a_broken_share() -> None:
    """The alarm goes out as they are seen; a pane never visited before is found, too."""
    engine = populated()
    async with program_of(engine) as (program, pilot):
        assert row(program, -2).endswith("!1 failed")
        await press(pilot, "ctrl+g")
        await until(pilot, lambda: any("> ! thesis.pdf" in line for line in text_of(program).split("\n")))
        assert "failed" not in row(program, -2)
        await press(pilot, "ctrl+g")
        await until(pilot, lambda: any("> Old disk" in line for line in text_of(program).split("\n")))


async def test_attention_says_when_nothing_needs_it() -> None:
    """A key that does nothing says so."""
    async with program_of(FakeEngine()) as (program, pilot):
        await press(pilot, "ctrl+g")

        assert "nothing needs attention" in row(program, -2)


async def test_zoom_gives_the_pane_two_rows_and_keeps_the_status() -> None:
    """Failures and news stay on the screen."""
    async with program_of() as (program, pilot):
        await press(pilot, "z")
        await until(pilot, lambda: "online" in row(program, 0))
        assert "z shows tabs and keys again" in row(program, -1)
        assert "!1 failed" in row(program, -1)
        await press(pilot, "z")

        await until(pilot, lambda: row(program, 0).startswith(" 1*Peers"))
        assert row(program, -1).endswith("? help")


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


async def test_download_that_is_refused_does_not_stop_the_others() -> None:
    """Each is asked for; what was wrong is said last."""
    engine = populated()
    engine.progress = {root: [make_transfer(root, transfer_id=root)] for root in ("a", "c")}
    async with program_of(engine) as (program, pilot):
        program.download(["a", "b", "c"], "/tmp")
        await until_shown(pilot, "b: nobody")

        assert [asked[1:3] for asked in engine.asked] == [("a", "/tmp"), ("b", "/tmp"), ("c", "/tmp")]
        program.download(["a"])
        await until_shown(pilot, "a queued; 4 shows it")
        program.download(["a", "c"])
        await until_shown(pilot, "2 downloads queued; 4 shows them")


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

        assert after[-2].endswith("!1 failed")
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


# The engine goes and comes


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


# Bytes


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


async def test_status_row_holds_back_what_nobody_sees() -> None:
    """Telling the same again repaints nothing."""
    program = Program(populated(), terminal=Terminal(driver_class=ByteTerminal))
    async with running(program, headless=False) as pilot:
        terminal_of(program).taken()
        for _ in range(20):
            program.refresh_frame()
            program.query_one(StatusBar).tell([])
        await pilot.pause(0.1)

        assert terminal_of(program).taken() == ""


async def test_terminal_that_does_not_read_is_not_painted_for() -> None:
    """Changes wait until it does."""
    engine = populated()
    async with program_of(engine) as (program, pilot):
        driver: Any = program._driver
        driver.is_stalled = True
        engine.join(make_peer("zoe"))
        await until(pilot, lambda: len(program.model.peers) == 4)
        await pilot.pause(0.6)
        assert "zoe" not in text_of(program)
        driver.is_stalled = False

        await until_shown(pilot, "zoe")
