"""Dialogs: what their keys do, and that they fit on every screen."""

from __future__ import annotations

import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from textual.app import App
from textual.widgets import Input

from peerterm.tui.modals.dialogs import Choice, Confirm, Dialog, Facts, PlainText, Prompt
from tests.fakes.programs import Hand, text_of, until, until_shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from textual.pilot import Pilot

OPTIONS = [("n", "name  bob", "bob"), ("p", "path  /tmp", "/tmp"), ("t", "as text", "\0")]
NEVER = object()


class Asked:
    """A dialog on the screen, and its answer."""

    def __init__(self, program: App[None], pilot: Pilot[None]) -> None:
        self.program = program
        self.pilot = pilot
        self.answer: Any = NEVER

    @property
    def text(self) -> str:
        """The screen."""
        return text_of(self.program)

    async def press(self, *keys: str) -> None:
        """Press keys and let them take effect."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def answered(self) -> Any:
        """Wait for the answer; the dialog is gone then."""
        await until(self.pilot, lambda: self.answer is not NEVER)
        assert len(self.program.screen_stack) == 1
        return self.answer


@asynccontextmanager
async def asked(dialog: Dialog[Any], size: tuple[int, int] = (80, 24)) -> AsyncIterator[Asked]:
    """Show a dialog on a running program."""
    program: App[None] = App()
    async with program.run_test(size=size):
        found = Asked(program, Hand(program))
        program.push_screen(dialog, lambda answer: setattr(found, "answer", answer))
        await until(found.pilot, lambda: dialog.KEYS.split()[0] in found.text)
        yield found


def confirm() -> Confirm:
    """Return a question."""
    return Confirm("Cancel and delete film.mkv?", "4 MB have come and will be deleted.")


@pytest.mark.parametrize(("key", "answer"), [("y", True), ("n", None), ("escape", None), ("q", None)])
async def test_only_yes_confirms(key: str, answer: bool | None) -> None:
    """Everything else that ends the question turns away."""
    async with asked(confirm()) as dialog:
        assert "Cancel and delete film.mkv?" in dialog.text
        assert "y yes   n or Esc no" in dialog.text
        await dialog.press(key)

        assert await dialog.answered() is answer


async def test_stray_keys_confirm_nothing() -> None:
    """Neither Enter nor Space, nor the keys that open questions."""
    async with asked(confirm()) as dialog:
        await dialog.press("enter", "space", "x", "X", "d", "c", "Y", "1", "tab", "enter")

        assert dialog.answer is NEVER
        assert isinstance(dialog.program.screen, Confirm)


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (("n",), "bob"), (("t",), "\0"), (("enter",), "/tmp"), (("j", "enter"), "\0"), (("k", "enter"), "bob"),
        (("down", "down", "enter"), "bob"), (("up", "up", "enter"), "\0"), (("escape",), None), (("q",), None),
        (("z", "4", "enter"), "/tmp"),
    ],
)  # fmt: skip
async def test_choice_is_made_by_its_key_or_by_moving_there(keys: tuple[str, ...], answer: str | None) -> None:
    """It starts on what holds now, which is marked; a key of no option does nothing."""
    async with asked(Choice("Copy", OPTIONS, "/tmp")) as dialog:
        assert " * p  path  /tmp" in dialog.text
        await dialog.press(*keys)

        assert await dialog.answered() == answer


async def test_long_choice_keeps_the_marked_one_in_sight() -> None:
    """On the smallest screen it scrolls, and the line of keys stays."""
    options = [(chr(65 + number), f"option {number}", str(number)) for number in range(20)]
    async with asked(Choice("Which?", options), (40, 12)) as dialog:
        for number in range(20):
            assert f"option {number}" in dialog.text
            assert "Esc close" in dialog.text
            await dialog.press("j")
        await dialog.press("k")

        assert "option 19" in dialog.text


async def test_choice_without_a_present_value_starts_at_the_first() -> None:
    """And marks none, though an empty value may be among them."""
    async with asked(Choice("Order", [("1", "name", "name"), ("0", "none", "")])) as dialog:
        assert "*" not in dialog.text
        await dialog.press("0")

        assert await dialog.answered() == ""


def prompt(value: str = "", **options: Any) -> Prompt:
    """Return a question that does not take ``bad``."""
    return Prompt("Where to?", value, check=lambda text: "that is bad" if text == "bad" else "", **options)


async def test_prompt_takes_what_passes_its_check() -> None:
    """What does not is told, until something else is typed."""
    async with asked(prompt("ba", note="A folder.")) as dialog:
        assert "A folder." in dialog.text
        await dialog.press("d", "enter")
        assert "that is bad" in dialog.text
        await dialog.press("q")
        assert "that is bad" not in dialog.text
        await dialog.press("enter")

        assert await dialog.answered() == "badq"


async def test_prompt_is_turned_away_by_escape_alone() -> None:
    """Letters are text, and digits go nowhere."""
    async with asked(prompt()) as dialog:
        await dialog.press("q", "n", "1", "question_mark")
        assert dialog.program.screen.query_one(Input).value == "qn1?"
        await dialog.press("escape")

        assert await dialog.answered() is None


def ways(*found: str) -> Callable[[str], list[str]]:
    """Return a completion that knows these texts."""
    return lambda text: [each for each in found if each.startswith(text)]


@pytest.mark.parametrize(
    ("typed", "value", "told"),
    [
        ("~/M", "~/Music/", ""),
        ("~/P", "~/Pi", "Pictures  Pi.txt"),
        ("~/Pi", "~/Pi", "Pictures  Pi.txt"),
        ("~/x", "~/x", "nothing begins like that"),
        ("", "~/", "and 2 more"),
    ],
)
async def test_tab_goes_on_as_far_as_all_ways_agree(typed: str, value: str, told: str) -> None:
    """And shows the ways, as many as fit, where they part."""
    known = ways("~/Music/", "~/Pictures/", "~/Pi.txt", *(f"~/a{number}" for number in range(5)))
    async with asked(prompt(typed, complete=known)) as dialog:
        assert "Tab complete" in dialog.text
        await dialog.press("tab")
        await until(dialog.pilot, lambda: dialog.program.screen.query_one(Input).value == value)
        await until_shown(dialog.pilot, told)

        assert isinstance(dialog.program.focused, Input)


async def test_tab_without_a_completion_is_not_offered() -> None:
    """Nor does it do anything."""
    async with asked(prompt("a")) as dialog:
        assert "Tab" not in dialog.text
        await dialog.press("tab", "b")

        assert dialog.program.screen.query_one(Input).value == "ab"


async def test_facts_are_listed_and_closed() -> None:
    """Labels stand below each other; any key that asks for them or ends a dialog closes."""
    for key in ("i", "q", "enter", "n", "escape"):
        async with asked(Facts("bob", [("id", "f" * 8), ("last seen", "now")])) as dialog:
            assert "id         ffffffff" in dialog.text
            assert "last seen  now" in dialog.text
            await dialog.press(key)

            assert await dialog.answered() is None


async def test_many_facts_scroll() -> None:
    """From the first to the last, on the smallest screen, too."""
    facts = [(f"fact {number}", "x" * 100) for number in range(40)]
    async with asked(Facts("many", facts), (40, 12)) as dialog:
        assert "fact 0" in dialog.text
        await dialog.press("k", *["j"] * 5)
        assert "fact 0" not in dialog.text
        await dialog.press("pagedown", "space", "pageup", "G")
        assert "fact 39" in dialog.text
        await dialog.press("g")
        assert "fact 0" in dialog.text
        assert "Esc close" in dialog.text


async def test_long_fact_goes_on_below_its_start() -> None:
    """Nothing but labels stands below labels, and a hash fits a line of 80 columns."""
    facts = [("visible to", "e" * 64), ("path", "/a " + "word " * 30)]
    async with asked(Facts("Music", facts)) as dialog:
        lines = [line.strip("│ ") for line in dialog.text.split("\n") if "word" in line or "eee" in line]

        assert lines[:2] == [f"visible to  {'e' * 64}", f"path        /a {' '.join(['word'] * 12)}"]
        await dialog.pilot.resize_terminal(40, 12)
        await dialog.pilot.pause()
        below = [line.strip("│") for line in dialog.text.split("\n") if "word word" in line and "/a" not in line]

        assert below
        assert all(line.startswith(f" {'':12}word") for line in below)


async def test_ways_to_go_on_are_no_fault() -> None:
    """They do not look like one; what is one does."""
    async with asked(prompt("~/P", complete=ways("~/Pictures/", "~/Pi.txt"))) as dialog:
        said = dialog.program.screen.query_one("#said")
        await dialog.press("tab")
        await until_shown(dialog.pilot, "Pictures  Pi.txt")
        assert not said.has_class("fault")
        await dialog.press("x", "tab")

        await until_shown(dialog.pilot, "nothing begins like that")
        assert said.has_class("fault")


async def test_no_facts_are_no_trouble() -> None:
    """A title alone."""
    async with asked(Facts("nothing", [])) as dialog:
        assert "nothing" in dialog.text


async def test_plain_text_is_shown_whole() -> None:
    """Line by line, so that the terminal's own selection can take it."""
    async with asked(PlainText("Select", "first\n" + "s" * 100)) as dialog:
        await until_shown(dialog.pilot, "first")
        assert dialog.text.count("s" * 28) >= 2
        await dialog.press("q")

        assert await dialog.answered() is None


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (200, 60)])
async def test_long_title_leaves_body_and_keys(size: tuple[int, int]) -> None:
    """A name of thousands of letters must not hide what a key does."""
    async with asked(Confirm("Delete " + "name " * 3000 + "?", "It is gone then."), size) as dialog:
        assert "It is gone then." in dialog.text
        assert "y yes" in dialog.text


async def test_long_body_leaves_the_keys() -> None:
    """Whatever is said before."""
    async with asked(Confirm("Delete?", "name " * 3000), (80, 24)) as dialog:
        assert "y yes" in dialog.text


async def test_box_follows_the_screen() -> None:
    """A dialog that is open while the terminal changes keeps its keys in sight."""
    async with asked(Facts("bob", [(f"fact {number}", "x") for number in range(40)])) as dialog:
        for size in ((40, 12), (120, 36), (60, 16)):
            await dialog.pilot.resize_terminal(*size)
            await dialog.pilot.pause()

            assert "Esc close" in dialog.text, size


async def test_slow_disk_keeps_nobody_waiting() -> None:
    """A completion that hangs lets keys through, and Esc out."""
    gate = threading.Event()

    def slow(_text: str) -> list[str]:
        gate.wait(10)
        return ["~/late"]

    try:
        async with asked(prompt("~/", complete=slow)) as dialog:
            await dialog.press("tab", "x")
            assert dialog.program.screen.query_one(Input).value == "~/x"
            await dialog.press("escape")

            assert await dialog.answered() is None
    finally:
        gate.set()
