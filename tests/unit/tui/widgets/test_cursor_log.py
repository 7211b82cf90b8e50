"""The cursor of a log: where it goes, and where it stays when lines come."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from textual.app import App

from peerterm.tui.widgets.cursor_log import CursorLog
from peerterm.tui.widgets.log_lines import LogLine
from tests.fakes.programs import text_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from textual.app import ComposeResult
    from textual.pilot import Pilot


class Lines(App[None]):
    """An app with a log of ten rows at most fifty lines."""

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield CursorLog(max_lines=50)

    @property
    def log_view(self) -> CursorLog:
        """The log."""
        return self.query_one(CursorLog)


def line(number: int, text: str = "", *, is_rule: bool = False) -> LogLine:
    """Return a line."""
    return LogLine(text or f"line {number}", line_id=str(number), is_rule=is_rule)


@asynccontextmanager
async def showing(count: int) -> AsyncIterator[tuple[CursorLog, Pilot[None]]]:
    """Show so many lines."""
    app = Lines()
    async with app.run_test(size=(40, 10)) as pilot:
        view = app.log_view
        view.focus()
        view.extend([line(number) for number in range(count)])
        await pilot.pause()
        yield view, pilot


def at(view: CursorLog) -> str:
    """Return the id of the line at the cursor, as the screen shows it."""
    marked = [row for row in text_of(view.app).split("\n") if row.startswith("> ")]
    assert len(marked) <= 1
    line = view.cursor_line
    assert line
    assert not marked or line.text.split("\n")[0][:20] in marked[0]
    return line.line_id


async def test_cursor_is_on_the_newest_line_and_stays_there() -> None:
    """As long as nobody moves it."""
    async with showing(3) as (view, pilot):
        assert at(view) == "2"
        for number in range(3, 30):
            view.append(line(number))
        await pilot.pause()

        assert at(view) == "29"
        assert view.is_at_end


async def test_cursor_moved_elsewhere_stays_with_its_line() -> None:
    """Whatever comes, goes or is put above it; its line is not pushed off the screen."""
    async with showing(40) as (view, pilot):
        await pilot.press("k", "k", "k")
        assert at(view) == "36"
        view.extend([line(number) for number in range(40, 60)])
        await pilot.pause()
        assert at(view) == "36"
        assert any("> line 36" in row for row in text_of(view.app).split("\n"))
        assert not view.is_at_end
        view.discard("20")
        view.discard("36")
        await pilot.pause()
        assert view.cursor_line
        assert view.cursor_line.line_id == "35"
        await pilot.press("G")

        assert at(view) == "59"
        assert view.is_at_end


async def test_older_lines_move_no_cursor() -> None:
    """It is the same line."""
    async with showing(5) as (view, pilot):
        await pilot.press("g")
        view.prepend([line(number) for number in range(100, 120)])
        await pilot.pause()

        assert at(view) == "0"


async def test_rules_are_passed_over() -> None:
    """Up and down, at the ends, too."""
    async with showing(0) as (view, pilot):
        rules = {0, 2, 5}
        view.extend([line(number, is_rule=number in rules) for number in range(6)])
        await pilot.pause()
        visited = [at(view)]
        for key in ("k", "k", "k", "j", "j", "j", "j", "g", "G"):
            await pilot.press(key)
            visited.append(at(view))

        assert visited == ["4", "3", "1", "1", "3", "4", "4", "4", "1", "4"]


async def test_long_line_is_scrolled_through() -> None:
    """Row by row, before the cursor leaves it."""
    async with showing(1) as (view, pilot):
        view.extend([line(1, "\n".join(f"row {number}" for number in range(30))), line(2)])
        await pilot.pause()
        await pilot.press("g", "j")
        assert at(view) == "1"
        await pilot.press(*["j"] * 5)
        assert view.cursor_line
        assert view.cursor_line.line_id == "1"
        await pilot.press(*["j"] * 30)
        assert at(view) == "2"
        await pilot.press("k", "k", "k")

        assert view.cursor_line.line_id == "1"


async def test_pages_take_the_cursor_with_them() -> None:
    """And at an end it is on the last line there."""
    async with showing(40) as (view, pilot):
        await pilot.press("pageup")
        assert at(view) == "30"
        await pilot.press("ctrl+u")
        assert at(view) == "25"
        await pilot.press("pageup", "pageup", "pageup")
        assert at(view) == "0"
        await pilot.press("pagedown", "ctrl+d")
        assert at(view) == "14"
        await pilot.press("pagedown", "pagedown", "pagedown")

        assert at(view) == "39"


async def test_click_and_name_choose_a_line() -> None:
    """One that is not there chooses none."""
    async with showing(40) as (view, pilot):
        await pilot.click(CursorLog, offset=(5, 2))
        assert at(view) == "32"
        assert view.move_to("3")
        await pilot.pause()
        assert at(view) == "3"
        assert not view.move_to("99")


async def test_cursor_is_shown_only_where_keys_go() -> None:
    """And an empty log has none."""
    async with showing(3) as (view, pilot):
        view.screen.set_focus(None)
        await pilot.pause()
        assert "> " not in text_of(view.app)
        view.clear()
        view.focus()
        await pilot.press("j", "k", "g", "G", "pageup", "ctrl+d")

        assert view.cursor_line is None
