"""The help: every key that works, and none that does not."""

from __future__ import annotations

import pytest
from textual.widgets import Input

from peerterm.tui.keys import PANES, actions_in, spelled
from peerterm.tui.modals.help import Help
from peerterm.tui.widgets.plain import Plain
from tests.fakes.fake_engine import FakeEngine
from tests.fakes.programs import Program, running, text_of, until


def listed(program: Program) -> list[str]:
    """Return the lines of the help, those included that are scrolled away."""
    return str(program.screen.query_one("#keys", Plain).content).split("\n")


@pytest.mark.parametrize("pane", PANES)
async def test_every_action_of_the_pane_is_listed_once(pane: str) -> None:
    """The pane's own first, then the list's, then those of everywhere; each with all of its keys."""
    program = Program(FakeEngine())
    async with running(program) as pilot:
        await program.action_show_pane(pane)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(program.screen, Help))
        await pilot.pause()
        rows = [line.strip() for line in listed(program) if line.startswith(" ")]

    expected = [f"{' '.join(map(spelled, action.keys)):<17}{action.help}".strip() for action in actions_in(pane)]
    assert rows == expected


async def test_groups_have_titles() -> None:
    """Those that every list has, too."""
    program = Program(FakeEngine())
    async with running(program) as pilot:
        await pilot.press("f1")
        await pilot.pause()
        peers = [line for line in listed(program) if not line.startswith(" ")]
        await pilot.press("escape", "5", "f1")
        await pilot.pause()
        chat = [line for line in listed(program) if not line.startswith(" ")]

    assert peers == ["Peers", "Lists", "Everywhere", "Everywhere, also while typing"]
    assert chat == ["Chat", "Lists", "Everywhere", "Everywhere, also while typing"]


async def test_long_help_scrolls_to_its_end() -> None:
    """On the smallest screen, by line and by page."""
    program = Program(FakeEngine())
    async with running(program, (40, 12)) as pilot:
        await pilot.press("question_mark", "j", "k", "pagedown", "pageup")
        await pilot.pause()
        assert "Keys in Peers" in text_of(program)
        assert "Enter l" in text_of(program)
        for _ in range(12):
            await pilot.press("space")

        assert "Ctrl+z" in text_of(program)
        assert "Esc close" in text_of(program)


async def test_typing_narrows_it() -> None:
    """By a word of what is done or by a key; Enter gives the keys back to scrolling."""
    program = Program(FakeEngine())
    async with running(program) as pilot:
        await pilot.press("question_mark", "slash", *"DOWNLOAD")
        await pilot.pause()
        assert listed(program) == ["Peers", f" {'d':<17}Download everything that the peer shares"]
        await pilot.press("ctrl+u", *"pgdn")
        await pilot.pause()
        assert listed(program) == ["Lists", f" {'PgDn':<17}Move a page down"]
        await pilot.press("ctrl+u", *"xyz")
        await pilot.pause()
        assert listed(program) == ["no key does that"]
        await pilot.press("enter", "j")
        await pilot.pause()

        assert not isinstance(program.focused, Input)
        assert isinstance(program.screen, Help)


async def test_help_closes_by_the_keys_that_opened_it() -> None:
    """And by those that close every dialog."""
    program = Program(FakeEngine())
    async with running(program) as pilot:
        for key in ("question_mark", "f1", "escape", "q", "n"):
            await pilot.press("question_mark")
            await pilot.pause()
            assert len(program.screen_stack) == 2
            await pilot.press(key)
            await pilot.pause()

            assert len(program.screen_stack) == 1
            assert not program._exit


async def test_user_keys_and_plain_arrows_are_told() -> None:
    """As they are now."""
    program = Program(FakeEngine())
    async with running(program) as pilot:
        program.push_screen(Help("peers", {"peers.browse": "b, left"}, ascii_only=True))
        await pilot.pause()

        assert f" {'b Left':<17}Browse what the peer shares" in listed(program)
        assert all(line.isascii() for line in listed(program))
