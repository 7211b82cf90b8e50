"""The log on a screen: it wraps, sticks to its end, and stays where the user reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult

from peerterm.tui.widgets.wrapped_log import Cell, LogLine, WrappedLog
from tests.fakes.byte_terminal import ByteTerminal, terminal_of

if TYPE_CHECKING:
    from textual.message import Message


class Shown(App[None]):
    """One log, and what it said."""

    def __init__(self, *, is_real: bool = False, **options: Any) -> None:
        super().__init__(driver_class=ByteTerminal if is_real else None)
        self.options = {"prefix_widths": (5, 8), **options}
        self.said: list[Message] = []

    def compose(self) -> ComposeResult:
        self.chat = WrappedLog(**self.options)
        yield self.chat

    def on_wrapped_log_top_reached(self, message: WrappedLog.TopReached) -> None:
        self.said.append(message)

    def on_wrapped_log_end_reached(self, message: WrappedLog.EndReached) -> None:
        self.said.append(message)


def said(text: str, name: str = "bob", line_id: str = "") -> LogLine:
    return LogLine(text, (Cell("14:01", "dim"), Cell(name, "accent")), line_id=line_id)


def screen(app: Shown) -> list[str]:
    return [app.chat.render_line(y).text.rstrip() for y in range(app.chat.size.height)]


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (60, 16), (40, 12)])
async def test_lines_fit_at_every_size(size: tuple[int, int]) -> None:
    """Prefix and text stand in columns, continued lines under the text."""
    app = Shown()
    async with app.run_test(size=size):
        app.chat.append(said("word " * 40, name="a very long name"))

        assert screen(app)[0].startswith("14:01 a very …" if size[0] > 59 else "14:01 a very … word")
        assert screen(app)[1].startswith(" " * 15 + "word")
        assert all(
            app.chat.render_line(y).cell_length == cell_len(app.chat.render_line(y).text) == app.chat.text_width
            for y in range(app.chat.size.height)
        )


async def test_it_stays_at_the_end_until_the_user_scrolls_up() -> None:
    """New lines are followed at the end; a reader further up is not moved, even when old lines go."""
    app = Shown(max_lines=100)
    async with app.run_test(size=(80, 10)) as pilot:
        app.chat.extend([said(f"line {number}") for number in range(100)])
        assert screen(app)[-1].endswith("line 99")

        await pilot.press("k", "k")
        read = screen(app)
        assert not app.chat.is_at_end
        app.chat.append(said("newer"))
        app.chat.extend([said("newest")] * 3)
        assert screen(app) == read

        await pilot.press("G")
        assert app.chat.is_at_end
        app.chat.append(said("followed"))
        assert screen(app)[-1].endswith("followed")
        assert app.chat.line_count == 100
        await pilot.pause()
        assert [type(message) for message in app.said] == [WrappedLog.EndReached]


async def test_older_lines_come_above_what_is_read() -> None:
    """At the oldest line the pane is told; what it prepends does not move the reader."""
    app = Shown()
    async with app.run_test(size=(80, 10)) as pilot:
        app.chat.extend([said(f"line {number}") for number in range(50)])
        await pilot.press("g")
        await pilot.pause()
        assert [type(message) for message in app.said] == [WrappedLog.TopReached]
        assert app.said[0].control is app.chat

        read = screen(app)
        assert app.chat.prepend([said(f"older {number}") for number in range(30)]) == 30
        assert screen(app) == read
        await pilot.press("pageup", "ctrl+u", "ctrl+d", "pagedown", "k", "up", "j", "down")
        assert app.chat.lines[0].text == "older 0"


async def test_a_resize_keeps_the_line_that_is_read() -> None:
    """Wrapped anew, the line at the top is still at the top, and the end still the end."""
    app = Shown()
    async with app.run_test(size=(80, 10)) as pilot:
        app.chat.extend([said(f"{number} " + "word " * 30, line_id=str(number)) for number in range(50)])
        assert app.chat.scroll_to_line("20")
        assert not app.chat.scroll_to_line("nobody")
        await pilot.resize_terminal(44, 10)
        await pilot.pause()
        assert screen(app)[0].split()[2] == "20"

        await pilot.press("end")
        await pilot.resize_terminal(100, 8)
        await pilot.pause()
        assert app.chat.is_at_end
        assert app.chat.scroll_offset.y == app.chat.max_scroll_y


async def test_lines_change_by_id_and_a_rule_marks_the_unread() -> None:
    """A receipt changes its line; the rule before what is unread comes and goes."""
    app = Shown()
    async with app.run_test(size=(60, 6)) as pilot:
        app.chat.extend(
            [said("sent", line_id="m1"), LogLine("2 new", line_id="unread", is_rule=True), said("hello")]
        )
        rule = screen(app)[1]
        assert " 2 new " in rule
        assert rule.strip("─ ") == "2 new"

        assert app.chat.replace(said("sent, read", line_id="m1"))
        assert app.chat.discard("unread")
        assert [text.split()[-1] for text in screen(app)[:2]] == ["read", "hello"]
        assert not app.chat.replace(said("x", line_id="m9"))
        assert not app.chat.discard("unread")

        app.chat.extend([said(str(number)) for number in range(20)])
        await pilot.press("k")
        read = screen(app)
        app.chat.replace(said("word " * 30, line_id="m1"))
        assert screen(app) == read
        app.chat.discard("m1")
        assert screen(app) == read


async def test_an_empty_log_says_so() -> None:
    """There is a reason in the middle until the first line comes, and again when all are gone."""
    app = Shown(empty="No conversation yet", ascii_only=True)
    async with app.run_test(size=(60, 5)):
        assert screen(app)[2].strip() == "No conversation yet"
        app.chat.append(LogLine("é", is_rule=True))
        assert "conversation" not in "".join(screen(app))
        assert screen(app)[0].strip("-") == " ? "
        app.chat.clear()
        assert screen(app)[2].strip() == "No conversation yet"


async def test_the_wheel_scrolls() -> None:
    """The wheel counts as the user: at the top the pane is told."""
    app = Shown()
    async with app.run_test(size=(80, 10)) as pilot:
        app.chat.extend([said(str(number)) for number in range(12)])
        app.chat._wheel_to(-1)
        await pilot.pause()
        assert len(app.said) == 1
        app.chat.scroll_to_end()
        assert app.chat.is_at_end


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[2J\x1b]52;c;aGk=\x07", "\x9b2J\x85", "\u202egpj.exe", "[red]x[/]", "a" + "\u0301" * 10_000,
        "日本語" * 40, "👩\u200d👩\u200d👧❤\ufe0f🇩🇪" * 9, "\t\v\f", "bad\udcff",
    ],
)  # fmt: skip
async def test_a_hostile_message_stays_in_its_rows(text: str) -> None:
    """Neither the name nor the text reaches the terminal as anything but text of its own cells."""
    app = Shown(is_real=True)
    async with app.run_test(headless=False, size=(60, 12)) as pilot:
        app.chat.append(said("before"))
        await pilot.pause()
        before = screen(app)[0]
        terminal_of(app).taken()
        app.chat.append(said(text, name=text))
        app.chat.append(said("after"))
        await pilot.pause()
        sent = terminal_of(app).taken()

        last = len(app.chat._model.rows) - 1
        assert screen(app)[0] == before
        assert screen(app)[last] == "14:01 bob      after"
        assert all(cell_len(app.chat.render_line(y).text) == app.chat.text_width for y in range(12))
        assert "after" in sent
        assert not {"\x07", "\x9b", "\x85", "\x9d", "\u202e", "\u200d"} & set(sent)
        assert "\x1b[2J" not in sent
        assert "\x1b]52" not in sent


async def test_a_line_costs_few_bytes_and_nothing_costs_none() -> None:
    """A line that comes below others is sent alone; a reader further up gets nothing."""
    app = Shown(is_real=True)
    async with app.run_test(headless=False, size=(80, 24)) as pilot:
        app.chat.extend([said(str(number)) for number in range(5)])
        await pilot.pause()
        terminal_of(app).taken()
        app.chat.append(said("hello", line_id="m"))
        await pilot.pause()
        assert 0 < len(terminal_of(app).taken().encode()) <= 400

        app.chat.replace(said("hallo", line_id="m"))
        await pilot.pause()
        assert 0 < len(terminal_of(app).taken().encode()) <= 400
        app.chat.extend([])
        await pilot.pause(0.3)
        assert terminal_of(app).taken() == ""


async def test_what_came_before_the_first_frame_is_sent_and_wrapped() -> None:
    """Lines of a log that was not on the screen yet are painted with it, and again after a resize."""

    class Early(Shown):
        def compose(self) -> ComposeResult:
            yield from super().compose()
            self.chat.extend([said("word " * 12 + "\x1b[2Jhostile"), said("second")])

    app = Early(is_real=True)
    async with app.run_test(headless=False, size=(80, 6)) as pilot:
        await pilot.pause()
        sent = terminal_of(app).taken()
        assert "second" in sent
        assert "[2Jhostile" in sent
        assert "\x1b[2J" not in sent

        await pilot.resize_terminal(50, 6)
        await pilot.pause()
        assert "second" in terminal_of(app).taken()
        assert screen(app)[1].endswith("word [2Jhostile")
        assert screen(app)[2].endswith("second")

        await pilot.resize_terminal(50, 3)
        await pilot.pause()
        assert screen(app)[-1].endswith("second")
