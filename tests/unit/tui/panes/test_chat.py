"""The Chat pane: what is said, written, read and done with links, by its keys."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from textual.events import AppBlur, AppFocus, Paste

from peerterm.api.events import PeerJoined, PeerLeft
from peerterm.errors import UsageError
from peerterm.tui.panes.chat import ChatPane
from peerterm.tui.panes.chat_log import MAX_NEW_LINES, PAGE_LINES
from tests.fakes.fake_engine import FakeEngine, make_peer
from tests.fakes.fake_offers import make_offer
from tests.fakes.programs import Program, populated, running, text_of, until, until_shown

if TYPE_CHECKING:
    from pathlib import Path

    from textual.pilot import Pilot

    from peerterm.api.views import MessageView

BOB = make_peer("bob")
ROOT = "ab" * 32


def engine_with(*lines: str, room: str = "#lan") -> FakeEngine:
    """Return an engine to which bob said some lines."""
    engine = FakeEngine()
    engine.known_peers = [BOB]
    for line in lines:
        engine.hear(room, BOB, line)
    return engine


async def opened(program: Program, pilot: Pilot[None]) -> ChatPane:
    """Show the pane, with the lines of a conversation."""
    await pilot.press("5")
    await until(pilot, lambda: isinstance(program.pane, ChatPane) and program.pane._history.is_loaded)
    assert isinstance(program.pane, ChatPane)
    return program.pane


def asked(engine: FakeEngine, what: str) -> list[tuple[Any, ...]]:
    """Return what the engine was asked of a kind."""
    return [each[1:] for each in engine.asked if each[0] == what]


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_line_is_written_sent_and_seen_to_get_there(size: tuple[int, int]) -> None:
    """Enter begins, Ctrl+j makes a new line, Enter sends; its state follows."""
    engine = engine_with("hello")
    program = Program(engine)
    async with running(program, size) as pilot:
        await opened(program, pilot)
        await pilot.press("enter", *"hi", "ctrl+j", *"bob", "enter")
        await until_shown(pilot, "your last line: delivered to somebody")
        await pilot.press("escape")

        assert asked(engine, "say") == [("#lan", "hi\nbob", "text")]
        assert "✓  hi" in text_of(program)


async def test_draft_stays_with_its_conversation() -> None:
    """Esc leaves the field; Tab goes on, and back to where the draft stands."""
    engine = engine_with("hello")
    engine.hear("", BOB, "hello you")
    await engine.read(BOB.peer_id)
    await engine.read("#lan")
    program = Program(engine)
    async with running(program) as pilot:
        await opened(program, pilot)
        await pilot.press("enter", *"a draft", "escape", "tab")
        await until_shown(pilot, "hello you")
        assert "a draft" not in text_of(program)
        await pilot.press("shift+tab")
        await until_shown(pilot, "a draft")

        assert not asked(engine, "say")


async def test_what_cannot_be_said_stands_in_the_field_again() -> None:
    """With the reason; nothing that was typed is lost."""
    engine = engine_with("hello")

    async def refuse(*_: object) -> MessageView:
        raise UsageError("the disk is full")

    engine.say = refuse  # type: ignore[assignment, method-assign]
    program = Program(engine)
    async with running(program) as pilot:
        await opened(program, pilot)
        await pilot.press("enter", *"dear bob", "enter")
        await until_shown(pilot, "the disk is full")

        assert "dear bob" in text_of(program)


async def test_what_is_in_front_is_read() -> None:
    """Not under a dialog, not in another pane, not while the terminal is in the back: then it is marked as new."""
    engine = engine_with("first")
    program = Program(engine)
    async with running(program) as pilot:
        await opened(program, pilot)
        await until(pilot, lambda: not program.model.talk.unread)
        await until_shown(pilot, "1 new")
        program.app.post_message(AppBlur())
        await pilot.pause()
        engine.hear("#lan", BOB, "second")
        engine.hear("#lan", BOB, "third")
        await until_shown(pilot, "2 new")
        assert "1 new" not in text_of(program)
        assert program.model.talk.unread == 2
        program.app.post_message(AppFocus())
        await until(pilot, lambda: not program.model.talk.unread)
        await pilot.press("question_mark")
        engine.hear("#lan", BOB, "fourth")
        await until(pilot, lambda: program.model.talk.unread == 1)
        await pilot.press("escape")
        await until(pilot, lambda: not program.model.talk.unread)
        await pilot.press("1")
        engine.hear("#lan", BOB, "fake: fifth")
        await until_shown(pilot, "5 Chat (1)")
        await until_shown(pilot, "msg 1 @1 (#lan)")
        await pilot.press("ctrl+g")
        await until_shown(pilot, "fake: fifth")
        await until_shown(pilot, "1 new")
        await until(pilot, lambda: not program.model.talk.unread)

        assert program.model.talk.mentions == {}


async def test_history_comes_page_by_page() -> None:
    """PgUp at the top asks for what was said before, and stays where it is."""
    engine = engine_with(*(f"line {number:04}" for number in range(500)))
    program = Program(engine)
    async with running(program) as pilot:
        pane = await opened(program, pilot)
        await until_shown(pilot, "line 0499")
        assert len(pane._history.shown) == PAGE_LINES
        await pilot.press("g")
        await until(pilot, lambda: len(pane._history.shown) == 2 * PAGE_LINES)
        await until_shown(pilot, "> ")
        await pilot.press("pageup", "g")
        await until(pilot, lambda: len(pane._history.shown) == 500)
        await pilot.press("g")
        await until_shown(pilot, "line 0000")
        await pilot.press("G")
        await until_shown(pilot, "line 0499")

        assert text_of(program).count("2020-09-13") == 0
        assert sum(row.is_rule for row in pane._view.lines) == 2


async def test_search_looks_through_everything_and_keeps_what_it_found() -> None:
    """Also what was not shown yet; Esc shows what stood around the line that was found."""
    engine = engine_with("the needle", *(f"hay {number}" for number in range(400)))
    program = Program(engine)
    async with running(program) as pilot:
        await opened(program, pilot)
        await pilot.press("slash", *"needle")
        await until_shown(pilot, "1 of 401 lines")
        assert "hay" not in text_of(program)
        await pilot.press("enter", "escape")
        await until_shown(pilot, "hay 3")

        assert any(row.startswith("> ") and "the needle" in row for row in text_of(program).split("\n"))


async def test_search_that_finds_nothing_says_so() -> None:
    """And how to go back."""
    program = Program(engine_with("hello"))
    async with running(program) as pilot:
        await opened(program, pilot)
        await pilot.press("slash", *"zzz")

        await until_shown(pilot, "No line has these words; Esc shows all.")


async def test_masses_of_lines_are_drawn_in_part() -> None:
    """The newest; who goes up sees the others. Who reads is not disturbed."""
    engine = engine_with(*(f"line {number:05}" for number in range(60)))
    program = Program(engine)
    async with running(program) as pilot:
        pane = await opened(program, pilot)
        for number in range(60, 60 + 3 * MAX_NEW_LINES):
            engine.hear("#lan", BOB, f"line {number:05}")
        await until_shown(pilot, f"line {59 + 3 * MAX_NEW_LINES:05}")
        assert len(pane._history.shown) <= PAGE_LINES + MAX_NEW_LINES
        await pilot.press("g")
        await until(pilot, lambda: len(pane._history.shown) >= 2 * PAGE_LINES)
        await pilot.press("pageup", "g")
        await until(pilot, lambda: not pane._history._is_asking)
        before = text_of(program).split("\n")[3:8]
        for number in range(3 * MAX_NEW_LINES):
            engine.hear("#lan", BOB, f"more {number:05}")
        await until_shown(pilot, "newer lines below; G goes there")

        assert text_of(program).split("\n")[3:8] == before
        await pilot.press("G")
        await until_shown(pilot, f"more {3 * MAX_NEW_LINES - 1:05}")


async def test_link_in_a_line_is_downloaded_and_played() -> None:
    """That of the line at the cursor; of several the one that is chosen."""
    link = f"peerterm:{ROOT}?name=film.mkv&size=886000000"
    engine = engine_with(f"here: {link}", f"two: {link} {'cd' * 32}", "none")
    program = Program(engine)
    async with running(program) as pilot:
        await opened(program, pilot)
        await pilot.press("d")
        await until_shown(pilot, "no link is in this line")
        await pilot.press("k", "k")
        await until_shown(pilot, "d downloads film.mkv, 886M; w plays it")
        await pilot.press("d")
        await until(pilot, lambda: asked(engine, "get"))
        await pilot.press("w")
        await until(pilot, lambda: asked(engine, "stream"))
        await pilot.press("j", "d")
        await until_shown(pilot, "Download which?")
        await pilot.press("2")
        await until(pilot, lambda: len(asked(engine, "get")) == 2)

        assert [each[0] for each in asked(engine, "get")] == [ROOT, "cd" * 32]
        assert asked(engine, "stream") == [(ROOT,)]


async def test_lines_and_links_are_copied_as_they_were_sent() -> None:
    """Key y offers the line, the link and all lines; i says who and when."""
    link = f"peerterm:{ROOT}?name=film.mkv&size=5"
    program = Program(engine_with("hello", f"here: {link}"))
    async with running(program) as pilot:
        await opened(program, pilot)
        await pilot.press("y")
        await until_shown(pilot, "all 2 lines shown")
        await pilot.press("k")
        await until(pilot, lambda: program.copied)
        await pilot.press("y", "a")
        await until(pilot, lambda: len(program.copied) == 2)
        await pilot.press("y", "t")
        await until_shown(pilot, "Select with")
        await pilot.press("escape", "i")
        await until_shown(pilot, "you and 1 other")

        assert "by the sender's clock" in text_of(program)
        assert program.copied[0] == link
        assert program.copied[1].endswith(f"bob: here: {link}")


async def test_peer_is_written_to_from_the_list_of_peers() -> None:
    """Key m begins to write in the conversation, which begins with the first line; offline it waits."""
    engine = FakeEngine()
    engine.known_peers = [make_peer("eve", state="offline")]
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press("m")
        await until_shown(pilot, "eve is not here.")
        await pilot.press(*"hello", "enter")
        await until_shown(pilot, "it goes by itself when eve is here")
        await pilot.press("escape", "x")
        await until_shown(pilot, "only rooms can be left")

        assert asked(engine, "say") == [(engine.known_peers[0].peer_id, "hello", "text")]


async def test_rooms_are_entered_muted_and_left() -> None:
    """By keys; who left the last one is told how to begin."""
    engine = FakeEngine()
    program = Program(engine)
    async with running(program) as pilot:
        await opened(program, pilot)
        await pilot.press("o", *"Ops", "enter")
        await until_shown(pilot, ">#ops")
        await pilot.press("u")
        await until_shown(pilot, "(muted)")
        await pilot.press("u")
        await until(pilot, lambda: "(muted)" not in text_of(program))
        await pilot.press("x", "y")
        await until_shown(pilot, ">#lan")
        await pilot.press("x", "y")
        await until_shown(pilot, "No conversations.")
        for key in ("enter", "slash", "i", "x", "tab", "u", "d", "y"):
            await pilot.press(key)
        await pilot.press("o", *"lan", "enter")
        await until_shown(pilot, ">#lan")

        assert asked(engine, "leave") == [("#ops",), ("#lan",)]


async def test_long_paste_is_asked_about() -> None:
    """Five lines go in as they are, six only after a yes; nothing is sent by it."""
    engine = engine_with("hello")
    program = Program(engine)
    async with running(program) as pilot:
        pane = await opened(program, pilot)
        await pilot.press("enter")
        for count, answer in ((6, "n"), (5, ""), (6, "y")):
            assert program._driver
            program._driver.send_message(Paste("\n".join("abcdef"[:count])))
            if answer:
                await until_shown(pilot, "Paste 6 lines?")
                await pilot.press(answer)
            await pilot.pause(0.05)

        assert pane._field.text == "a\nb\nc\nd\nea\nb\nc\nd\ne\nf"
        assert not asked(engine, "say")


async def test_names_and_commands_are_completed() -> None:
    """By Tab, as far as there is one way; a conversation is never changed by it."""
    program = Program(engine_with("hello"))
    async with running(program) as pilot:
        pane = await opened(program, pilot)
        await pilot.press("enter", "b", "tab")
        assert pane._field.text == "bob: "
        await pilot.press(*"ask b", "tab")
        assert pane._field.text == "bob: ask bob "
        await pilot.press("tab")

        assert pane._present == "#lan"


async def test_new_engine_is_asked_for_what_was_said() -> None:
    """Another engine after the first one: the lines are its own."""
    first, second = engine_with("old"), engine_with("old", "new")
    program = Program(first)
    async with running(program) as pilot:
        await opened(program, pilot)
        await until_shown(pilot, "old")
        await first.stop()
        await until_shown(pilot, "the engine has ended")
        program.engines.append(second)
        program.attachment.start_engine()
        await until_shown(pilot, "new")


async def test_bell_rings_only_if_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what was said to us while we look elsewhere."""
    rung: list[int] = []
    monkeypatch.setattr(Program, "bell", lambda _: rung.append(1))
    engine = engine_with()
    program = Program(engine)
    async with running(program) as pilot:
        engine.hear("", BOB, "one")
        await until_shown(pilot, "bob: one")
        assert not rung
        program.rings = True
        engine.hear("#lan", BOB, "to nobody")
        engine.hear("", BOB, "two")
        await until_shown(pilot, "bob: two")

        assert rung == [1]


async def test_conversation_is_chosen_by_a_click() -> None:
    """In the row and in the column."""
    for size, offset in (((80, 24), (10, 1)), ((120, 36), (4, 3))):
        program = Program(populated())
        async with running(program, size) as pilot:
            pane = await opened(program, pilot)
            await pilot.click("ConversationBar", offset=(offset[0], offset[1] - 1))
            await pilot.pause()

            assert pane._order.index(pane._present) == (1 if size[0] == 80 else 2)


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("/foo bar", "there is no /foo; // sends it as text"),
        ("/me", "what do you do? /me waves"),
        ("/join a b", "room"),
        ("/send /nowhere/at/all", "not to a room"),
        ("/help", "send a line that begins with a slash"),
        ("/leave #never", "not a member"),
        ("/nick ", "be called what?"),
    ],
)
async def test_commands_that_cannot_be_done_say_why(typed: str, shown: str) -> None:
    """And nothing is sent."""
    engine = engine_with("hello")
    program = Program(engine)
    async with running(program) as pilot:
        await opened(program, pilot)
        await pilot.press("enter", *typed, "enter")
        await until_shown(pilot, shown)

        assert not asked(engine, "say")


async def test_commands_do_what_they_say() -> None:
    """Deeds, text that begins with a slash, rooms."""
    engine = engine_with("hello")
    program = Program(engine)
    async with running(program) as pilot:
        await opened(program, pilot)
        await pilot.press("enter", *"/me waves", "enter")
        await until_shown(pilot, "fake waves")
        await pilot.press(*"//x", "enter")
        await until_shown(pilot, "/x")
        await pilot.press(*"/join ops", "enter")
        await until_shown(pilot, ">#ops")
        await pilot.press(*"/leave", "enter")
        await until_shown(pilot, ">#lan")

        assert asked(engine, "say") == [("#lan", "waves", "me"), ("#lan", "/x", "text")]
        assert asked(engine, "join") == [("#ops",)]


async def test_file_is_offered_to_whom_one_writes(tmp_path: Path) -> None:
    """Only in a direct conversation; who gets an offer is told where to accept it."""
    (tmp_path / "note.txt").write_text("hi")
    engine = engine_with("hello", room="")
    program = Program(engine)
    async with running(program) as pilot:
        await pilot.press("m")
        await until_shown(pilot, "hello")
        await pilot.press(*f"/send {tmp_path}/note.txt", "enter")
        await until_shown(pilot, "note.txt is offered to bob")
        await pilot.press(*"/send /nowhere", "enter")
        await until_shown(pilot, "/nowhere does not exist")
        await pilot.press("escape")
        offer = engine.offered(make_offer("film.mkv", peer_id=BOB.peer_id))
        engine.hear("", BOB, "offers film.mkv", kind="offer", offer_id=offer.offer_id)
        await until_shown(pilot, "o opens film.mkv")

        assert asked(engine, "send") == [([BOB.peer_id], [str(tmp_path / "note.txt")])]


async def test_name_is_changed_in_the_settings(tmp_path: Path) -> None:
    """And it is said when it holds."""
    engine = engine_with("hello")
    program = Program(engine)
    program._config = tmp_path / "config.toml"
    program._is_welcome = False
    async with running(program) as pilot:
        await opened(program, pilot)
        await pilot.press("enter", *"/nick zoe", "enter")
        await until_shown(pilot, "you are called zoe once the engine has started again")

        assert 'name = "zoe"' in program._config.read_text()


def rows(program: Program, *texts: str) -> list[str]:
    """Return in their order those of some texts that stand in the lines."""
    shown = text_of(program)
    return sorted((each for each in texts if each in shown), key=shown.index)


async def test_who_comes_and_goes_stands_between_the_lines() -> None:
    """Also what came while the pane was not there, or another conversation; it is never unread."""
    engine = engine_with("hello")
    [hello] = await engine.messages("#lan")
    came = replace(BOB, last_seen=hello.kept_at + 0.1)
    expected = ["hello", "bob joined", "later", "bob left"]
    program = Program(engine)
    async with running(program) as pilot:
        engine.announce(PeerJoined(peer=came))
        await until(pilot, lambda: program.model.talk.noticed == 1)
        await opened(program, pilot)
        await until_shown(pilot, "bob joined")
        await until(pilot, lambda: not program.model.talk.unread)
        engine.hear("#lan", BOB, "later")
        await until_shown(pilot, "later")
        engine.announce(PeerLeft(peer=replace(came, last_seen=came.last_seen + 10**6), reason="bye"))
        await until_shown(pilot, "bob left")
        assert rows(program, *expected) == expected
        engine.hear("", BOB, "between us")
        await until_shown(pilot, "msg 1 (bob)")
        await pilot.press("tab")
        await until(pilot, lambda: not rows(program, "bob joined", "bob left"))
        await pilot.press("shift+tab")
        await until_shown(pilot, "bob left")

        assert rows(program, *expected) == expected
        assert program.model.talk.unread == 0


async def test_notices_among_history_come_with_it() -> None:
    """What happened before the oldest line that is shown waits for the lines around it; a filter finds it."""
    engine = engine_with(*(f"line {number:04}" for number in range(PAGE_LINES + 50)))
    lines = await engine.messages("#lan", 1000)
    program = Program(engine)
    async with running(program) as pilot:
        engine.announce(
            PeerJoined(peer=replace(BOB, name="zoe", last_seen=(lines[9].kept_at + lines[10].kept_at) / 2))
        )
        pane = await opened(program, pilot)
        await until_shown(pilot, "line 0249")
        await pilot.press("g")
        await until(pilot, lambda: len(pane._history.shown) == PAGE_LINES + 50)
        await pilot.press("g")
        await until_shown(pilot, "zoe joined")
        assert rows(program, "line 0009", "zoe joined", "line 0010") == ["line 0009", "zoe joined", "line 0010"]
        await pilot.press("slash", *"zoe")
        await until_shown(pilot, "0 of 250 lines")

        assert "zoe joined" in text_of(program)
