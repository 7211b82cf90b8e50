"""Keys that come together, as over a slow connection."""

from __future__ import annotations

import pytest
from textual.events import Key, Paste
from textual.keys import _character_to_key, key_to_character
from textual.widgets import Input

from peerterm.tui import typed_keys
from tests.fakes.programs import Program, populated, running, text_of, until, until_shown


def type_at_once(program: Program, *keys: str) -> None:
    """Let keys come in before the first of them is handled."""
    for key in keys:
        name = key if key.isalnum() or len(key) > 1 else _character_to_key(key)
        program.post_message(Key(name, key if len(key) == 1 else key_to_character(key)))


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        (("slash", *"bob"), "bob"),
        (("4", "slash", *"xXpd"), "xXpd"),
        (("6", "slash", *"xa"), "xa"),
        (("8", "slash", *"qb"), "qb"),
        (("3", "slash", *"dRP"), "/ dRP"),
    ],
)
async def test_text_after_the_key_that_begins_it_is_text(keys: tuple[str, ...], shown: str) -> None:
    """Not one letter of it reaches the list, where it would do something; in no pane, visited before or not."""
    engine = populated()
    program = Program(engine)
    async with running(program) as pilot:
        type_at_once(program, *keys)
        await until(pilot, lambda: shown in text_of(program).split("\n")[1 if keys[0] == "3" else -3])

        assert isinstance(program.focused, Input)
        assert not [asked for asked in engine.asked if asked[0] != "search"]
        assert len(program.screen_stack) == 1


async def test_answer_after_the_question_is_its_answer() -> None:
    """A dialog that was not there yet gets what was typed for it."""
    program = Program(populated())
    async with running(program) as pilot:
        type_at_once(program, "6", "a", "ctrl+u", *"/no such x", "enter")
        await until_shown(pilot, "/no such x does not exist")
        type_at_once(program, "escape", "x", "n", "s", "1", "ctrl+o", "4")

        await until_shown(pilot, "4*Xfers")
        assert len(program.screen_stack) == 1


async def test_key_that_overtakes_others_does_not_overtake_text() -> None:
    """Tab completes what was typed before it."""
    program = Program(populated())
    async with running(program) as pilot:
        type_at_once(program, "6", "a", "ctrl+u", *"/no such x", "tab", "f1")
        await until_shown(pilot, "nothing begins like that")

        assert program.screen.query_one(Input).value == "/no such x"


async def test_pasted_text_waits_for_its_turn() -> None:
    """It does not overtake the key that opens the input."""
    program = Program(populated())
    async with running(program) as pilot:
        type_at_once(program, "slash")
        program.post_message(Paste("bob"))
        type_at_once(program, "enter")

        await until(pilot, lambda: "carol" not in text_of(program))
        assert program.query_one("#peers .filter", Input).value == "bob"


async def test_leaving_at_once_leaves() -> None:
    """Whatever else was typed."""
    program = Program(populated())
    async with running(program) as pilot:
        type_at_once(program, "q", "y", "j", "k", "x")

        await until(pilot, lambda: program._exit)


async def test_keys_without_end_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes on top is let go; the program goes on."""
    monkeypatch.setattr(typed_keys, "MAX_TYPED_KEYS", 10)
    program = Program(populated())
    async with running(program) as pilot:
        type_at_once(program, "slash", *"x" * 500)
        await until(pilot, lambda: "x" in program.query_one("#peers .filter", Input).value)
        await pilot.pause(0.1)

        assert 5 <= len(program.query_one("#peers .filter", Input).value) < 500
        await pilot.press("escape")
        await until(pilot, lambda: "carol" in text_of(program))
