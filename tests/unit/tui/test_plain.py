"""Text that stands still, whatever it says."""

from __future__ import annotations

from textual.app import App, ComposeResult

from peerterm.tui.widgets.plain import Plain, safe
from tests.fakes.byte_terminal import ByteTerminal, terminal_of
from tests.fakes.programs import text_of


class One(App[None]):
    """A screen with one text."""

    def __init__(self, *lines: str) -> None:
        super().__init__(driver_class=ByteTerminal)
        self._lines = lines

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Plain(*self._lines)


def test_text_of_peers_is_no_markup() -> None:
    """Brackets are brackets, styles are ours alone, and a line stays one line."""
    line = safe("name ", ("[bold]eve[/]\n", "$error"), "\x1b[31mred")

    assert line.plain == "name [bold]eve[/] [31mred"
    assert [(span.start, span.end, span.style) for span in line.spans] == [(5, 18, "$error")]


def test_mark_without_a_letter_is_left_out() -> None:
    """It would be drawn on what stands before."""
    assert safe("name ", "\u0301\u0301eve").plain == "name eve"


async def test_lines_are_shown_and_replaced() -> None:
    """One below the other; a single text may be many words."""
    async with One("first", "second [x]").run_test(size=(20, 4), headless=False) as pilot:
        assert text_of(pilot.app).split("\n")[:2] == ["first", "second [x]"]
        pilot.app.query_one(Plain).say("third", layout=True)
        await pilot.pause()

        assert text_of(pilot.app).split() == ["third"]


async def test_same_text_paints_nothing() -> None:
    """Another style of the same text does."""
    app = One("same")
    async with app.run_test(size=(20, 4), headless=False) as pilot:
        plain = app.query_one(Plain)
        await pilot.pause()
        terminal_of(app).taken()
        plain.say("same")
        plain.say(safe("same"))
        await pilot.pause(0.1)
        assert terminal_of(app).taken() == ""
        plain.say(safe(("same", "bold")))
        await pilot.pause(0.1)

        assert "same" in terminal_of(app).taken()
