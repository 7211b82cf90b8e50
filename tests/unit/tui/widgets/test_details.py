"""Tests of the panel below a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import App

from peerterm.tui.widgets.cells import Cell
from peerterm.tui.widgets.details import Details
from tests.fakes.byte_terminal import ByteTerminal, terminal_of

if TYPE_CHECKING:
    from textual.app import ComposeResult


class Panel(App[None]):
    """An app that is one panel."""

    CSS = "Details { height: 6; max-height: 6; }"

    def __init__(self, *, ascii_only: bool = False) -> None:
        super().__init__(driver_class=ByteTerminal)
        self._ascii_only = ascii_only

    def compose(self) -> ComposeResult:
        yield Details(ascii_only=self._ascii_only)

    @property
    def panel(self) -> Details:
        return self.query_one(Details)

    @property
    def lines(self) -> list[str]:
        return [self.panel.render_line(y).text for y in range(self.panel.size.height)]


async def test_lines_stand_below_a_title() -> None:
    """The title is part of a rule that names the key that hides the panel."""
    app = Panel()
    async with app.run_test(size=(40, 8)):
        app.panel.show("film.mkv", [(Cell("a "), Cell("b", "bad")), (Cell("c"),)])

        assert app.lines[0].startswith("─ film.mkv ──")
        assert app.lines[0].endswith(" v hides ")
        assert [line.strip() for line in app.lines[1:]] == ["a b", "c", "", "", ""]
        assert {len(line) for line in app.lines} == {40}


async def test_what_peers_sent_is_made_safe_and_cut() -> None:
    """Escapes go, what is too long ends in an ellipsis, and ASCII stays ASCII."""
    app = Panel(ascii_only=True)
    async with app.run_test(size=(20, 8)):
        app.panel.show("\x1b[31m[red]ü", [(Cell("x" * 10), Cell("\x1b]52;c;aaaa\x07" * 9))])

        assert app.lines[0].startswith("- [31m[re")
        assert "\x1b" not in app.lines[1]
        assert app.lines[1].endswith("~")
        assert all(line.isascii() for line in app.lines)


async def test_only_lines_that_differ_are_drawn() -> None:
    """A second look at the same draws nothing; another line costs that line."""
    app = Panel()
    async with app.run_test(headless=False, size=(40, 8)) as pilot:
        app.panel.show("film", [(Cell("first"),), (Cell("second"),)])
        await pilot.pause()
        terminal_of(app).taken()

        app.panel.show("film", [(Cell("first"),), (Cell("second"),)])
        await pilot.pause()

        assert terminal_of(app).taken() == ""

        app.panel.show("film", [(Cell("first"),), (Cell("other"),)])
        await pilot.pause()
        drawn = terminal_of(app).taken()

        assert "other" in drawn
        assert "first" not in drawn

        app.panel.show("new title", [(Cell("first"),)])
        await pilot.pause()
        drawn = terminal_of(app).taken()

        assert "new title" in drawn
        assert "first" not in drawn
        assert app.lines[2].strip() == ""


async def test_it_follows_size_and_theme() -> None:
    """Another width or theme draws the same lines anew."""
    app = Panel()
    async with app.run_test(size=(40, 8)) as pilot:
        app.panel.show("film", [(Cell("x" * 60),)])
        await pilot.resize_terminal(30, 8)
        app.theme = "textual-light"
        await pilot.pause()

        assert {len(line) for line in app.lines} == {30}
        assert app.lines[1].endswith("…")
