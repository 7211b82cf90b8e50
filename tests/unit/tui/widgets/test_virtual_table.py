"""The table on a screen: cursor, marks, order and search by keys and mouse, and what it paints."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.events import MouseScrollDown, MouseScrollUp

from peerterm.tui.widgets.virtual_table import Branch, Cell, Column, VirtualTable
from tests.fakes.byte_terminal import ByteTerminal, terminal_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.message import Message
    from textual.pilot import Pilot

SIZES = [(80, 24), (120, 36), (60, 16), (40, 12)]
HOSTILE = {
    "escape": "\x1b[2J\x1b]52;c;aGk=\x07\x1b[10;10Hboo",
    "c1": "\x9b2J\x90q\x9cboo\x85",
    "bidi": "\u202egpj.exe\u2066\u200f",
    "markup": "[red]x[/] [@click=app.quit]go[/]",
    "marks": "a" + "\u0301\u0489" * 10_000,
    "leading marks": "\u0301\u20e3name",
    "wide": "日本語の長い名前のファイル" * 9,
    "emoji": "👩\u200d👩\u200d👧🏽❤\ufe0f🇩🇪" * 9,
    "lines": "one\ntwo\r\n\tthree\v\f",
    "surrogates": "bad\udcff\ud800",
    "tags": "x\U000e0041\U000e007f\u3164",
    "long": "n" * 1_000_000,
}


@dataclass(frozen=True)
class File:
    id: str
    name: str
    size: int = 7
    state: str = "queued"


COLUMNS = [
    Column("name", "Name", 10, flex=1),
    Column("size", "Size", 9, align="right", priority=1),
    Column("state", "State", 8, priority=2, sortable=False),
]


def cells(row: File) -> Sequence[Cell | str]:
    return [row.name, str(row.size), Cell(row.state, "good")]


class Shown(App[None]):
    """One table, and the messages it sent."""

    def __init__(self, rows: Sequence[File] = (), *, is_real: bool = False, **options: Any) -> None:
        super().__init__(driver_class=ByteTerminal if is_real else None)
        self.rows = rows
        self.options = options
        self.said: list[Message] = []

    def compose(self) -> ComposeResult:
        self.table = VirtualTable[File](
            self.options.pop("columns", COLUMNS),
            cells=self.options.pop("cells", cells),
            row_id=lambda row: row.id,
            search_text=lambda row: row.name,
            sort_keys={"name": lambda row: row.name, "size": lambda row: row.size},
            id="table",
            **self.options,
        )
        self.table.replace_rows(self.rows)
        yield self.table

    def on_virtual_table_highlighted(self, message: VirtualTable.Highlighted) -> None:
        self.said.append(message)

    on_virtual_table_activated = on_virtual_table_marks_changed = on_virtual_table_sort_changed = (
        on_virtual_table_highlighted
    )

    def heard(self, kind: type[Message]) -> list[Any]:
        return [message for message in self.said if type(message) is kind]


def files(count: int) -> list[File]:
    return [File(f"f{number}", f"file {number:06}", number) for number in range(count)]


def line(app: Shown, y: int) -> str:
    return app.table.render_line(y).text


def screen(app: Shown) -> list[str]:
    return [line(app, y).rstrip() for y in range(app.table.size.height)]


@pytest.mark.parametrize("size", SIZES)
async def test_rows_fill_the_screen_at_every_size(size: tuple[int, int]) -> None:
    """The header and as many rows as fit are shown, each exactly as wide as the table."""
    app = Shown(files(1000))
    async with app.run_test(size=size):
        table = app.table
        strips = [table.render_line(y) for y in range(table.size.height)]

        assert table.size.height == size[1]
        assert all(strip.cell_length == cell_len(strip.text) == table.text_width for strip in strips)
        assert strips[0].text.split()[0] == "Name"
        assert [strip.text.split()[-1 if size[0] < 30 else 1] for strip in strips[2:4]] == ["000001", "000002"]


@pytest.mark.parametrize(("width", "bar"), [(80, 1), (60, 1), (59, 0), (40, 0)])
async def test_the_scrollbar_costs_nothing_when_narrow(width: int, bar: int) -> None:
    """Below 60 cells every cell is for the rows, and the table still scrolls."""
    app = Shown(files(1000))
    async with app.run_test(size=(width, 12)) as pilot:
        await pilot.press("G")

        assert app.table.text_width == width - bar
        assert app.table.scroll_offset.y == 1000 - 11
        assert line(app, 11).startswith("> file 000999")


async def test_columns_go_when_it_gets_narrow_and_come_back() -> None:
    """Unimportant columns leave a small screen; a resize brings them back."""
    app = Shown(files(3))
    async with app.run_test(size=(80, 12)) as pilot:
        assert line(app, 0).split() == ["Name", "Size", "State"]
        await pilot.resize_terminal(29, 12)
        await pilot.pause()
        assert line(app, 0).split() == ["Name", "Size"]
        await pilot.resize_terminal(20, 12)
        await pilot.pause()
        assert line(app, 0).split() == ["Name"]
        await pilot.resize_terminal(1, 1)
        await pilot.pause()
        await pilot.resize_terminal(80, 12)
        await pilot.pause()

        assert line(app, 0).split() == ["Name", "Size", "State"]
        assert line(app, 1).split() == [">", "file", "000000", "0", "queued"]


async def test_keys_move_the_cursor() -> None:
    """Each key of every list goes where it says, and no further than there are rows."""
    app = Shown(files(100))
    async with app.run_test(size=(80, 21)) as pilot:
        for keys, row_id in [
            (["j", "down", "j"], "f3"), (["k", "up"], "f1"), (["G"], "f99"), (["down"], "f99"), (["g"], "f0"),
            (["k"], "f0"), (["end"], "f99"), (["home"], "f0"), (["ctrl+d"], "f10"), (["ctrl+u"], "f0"),
            (["pagedown"], "f19"), (["pageup"], "f0"), (["left", "right"], "f0"),
        ]:  # fmt: skip
            await pilot.press(*keys)
            assert app.table.cursor_id == row_id
            assert any(text.startswith(">") for text in screen(app))

        assert app.heard(VirtualTable.Highlighted)[-1].row_id == "f0"
        assert all(binding.id for _, binding in app.table._bindings)


async def test_double_click_activates() -> None:
    """A click only moves the cursor; Enter or a second click opens the row."""
    app = Shown(files(5))
    async with app.run_test(size=(80, 12)) as pilot:
        await pilot.click("#table", offset=(5, 3))
        assert app.table.cursor_id == "f2"
        assert not app.heard(VirtualTable.Activated)

        await pilot.click("#table", offset=(5, 4), times=2)
        await pilot.press("j", "enter")
        await pilot.click("#table", offset=(5, 9))

        opened = app.heard(VirtualTable.Activated)
        assert [message.row_id for message in opened] == ["f3"]
        assert opened[0].control is opened[0].table is app.table


async def test_marks_are_what_verbs_act_on() -> None:
    """Space marks and steps on; without a mark a verb acts on the row of the cursor."""
    app = Shown(files(5))
    async with app.run_test(size=(80, 12)) as pilot:
        table = app.table
        assert [row.id for row in table.chosen] == ["f0"]

        await pilot.press("j", "space", "space", "k", "k", "k")
        assert [row.id for row in table.chosen] == ["f1", "f2"]
        assert line(app, 2).startswith("* file 000001")
        assert table.is_marked("f1")

        table.filter("0002")
        assert [row.id for row in table.chosen] == ["f2"]
        table.filter("")
        await pilot.press("A")
        assert table.marked_count == 5
        await pilot.press("A")
        assert table.marked_count == 0
        table.toggle_mark("f4")
        table.toggle_mark("nobody")
        table.clear_marks()
        await pilot.pause()

        counts = [message.count for message in app.heard(VirtualTable.MarksChanged)]
        assert counts == [1, 2, 1, 2, 5, 0, 1, 0]


async def test_the_cursor_keeps_its_screen_line() -> None:
    """When rows come and go above it, the row of the cursor stays where the user looks."""
    app = Shown(files(200))
    async with app.run_test(size=(80, 21)) as pilot:
        table = app.table
        table.sort_by("name")
        table.move_to("f50")
        await pilot.pause()

        def place() -> int:
            return next(y for y, text in enumerate(screen(app)) if text.startswith(">"))

        before = place()
        for number in range(30):
            table.put(File(f"new{number}", f"file 00000{number % 10}x"))
        for number in range(10):
            table.discard(f"f{number}")
        table.put(File("f20", "file 000999"))
        table.put_many([File(f"early{number}", "early") for number in range(300)])
        table.replace_rows([*table.rows, File("first", "a")])
        await pilot.pause()

        assert table.cursor_id == "f50"
        assert place() == before
        assert table.cursor_row == File("f50", "file 000050", 50)


async def test_the_top_is_seen_until_the_user_moves() -> None:
    """Better rows that arrive first on the list are seen, as long as nobody chose a row."""
    app = Shown([File("z", "z")])
    async with app.run_test(size=(80, 11)) as pilot:
        app.table.sort_by("name")
        for number in range(8):
            app.table.put_many([File(f"{number}-{each}", f"a{number}{each}") for each in range(3)])
        await pilot.pause()
        assert app.table.cursor_id == "z"
        assert any(text.startswith("> z") for text in screen(app))

        app.table.sort_by("size", reverse=True)
        app.table.sort_by("name")
        assert app.table.cursor_id == "0-0"
        assert app.table.scroll_offset.y == 0


async def test_the_view_stays_when_the_cursor_is_off_it() -> None:
    """The wheel moves the view, not the cursor; what is read then stays in its place too."""
    app = Shown(files(200))
    async with app.run_test(size=(80, 11)) as pilot:
        table = app.table
        for _ in range(10):
            await pilot._post_mouse_events([MouseScrollDown], "#table", button=0)
        await pilot._post_mouse_events([MouseScrollUp, MouseScrollDown], "#table", button=0)
        await pilot.pause()
        assert table.cursor_id == "f0"
        assert line(app, 1).startswith("  file 000030")

        table.discard("f3")
        assert line(app, 1).startswith("  file 000030")
        table.discard("f100")
        table.put(File("f30", "changed"))
        assert line(app, 1).startswith("  changed")

        await pilot.press("j")
        assert line(app, 1).startswith("> file 000001")


async def test_rows_that_go_leave_no_gap() -> None:
    """A list that shrinks under a view at its end moves with its end."""
    app = Shown(files(100))
    async with app.run_test(size=(80, 11)) as pilot:
        await pilot.press("G")
        for number in range(60, 100):
            app.table.discard(f"f{number}")
        await pilot.pause()
        assert line(app, 10).startswith("> file 000059")

        app.table.replace_rows(files(4))
        await pilot.pause()
        assert app.table.scroll_offset.y == 0
        assert line(app, 4).startswith("> file 000003")


async def test_sorting_by_key_and_by_the_header() -> None:
    """A click on the header sorts up, down, then as it came; an arrow says so."""
    app = Shown([File("a", "b", 1), File("b", "c", 2), File("c", "a", 3)], ascii_only=True)
    async with app.run_test(size=(80, 12)) as pilot:
        orders = []
        for _ in range(3):
            await pilot.click("#table", offset=(4, 0))
            orders.append(("".join(row.id for row in app.table.rows), line(app, 0).split()[0], app.table.sorting))
        await pilot.click("#table", offset=(73, 0))
        await pilot.click("#table", offset=(0, 0))
        with pytest.raises(KeyError):
            app.table.sort_by("state")

        assert orders == [
            ("cab", "Name^", ("name", False)),
            ("bac", "Namev", ("name", True)),
            ("abc", "Name", (None, False)),
        ]
        assert [(said.key, said.reverse) for said in app.heard(VirtualTable.SortChanged)] == [
            ("name", False), ("name", True), (None, False),
        ]  # fmt: skip


async def test_filter_takes_words() -> None:
    """Whatever their case and accents; what is hidden is neither at the cursor nor chosen."""
    app = Shown([File("a", "Äpfel"), File("b", "birnen"), File("c", "apfelmus"), File("d", "pflaumen")])
    async with app.run_test(size=(80, 12)) as pilot:
        table = app.table
        assert not table.move_to("nobody")

        table.filter("pfel")
        assert (table.shown_count, table.total_count, table.filter_text) == (2, 4, "pfel")
        table.filter("zebra")
        assert "Nothing matches the filter." in "".join(screen(app))
        assert table.cursor_row is None
        assert table.chosen == []
        await pilot.press("j", "space", "enter", "G")
        table.filter("")
        assert table.row("b") == File("b", "birnen")


async def test_an_empty_table_says_why() -> None:
    """One or two lines stand in the middle, and may change with the reason."""
    app = Shown(empty=["Nothing yet", "press \x1b[31md"])
    async with app.run_test(size=(40, 12)) as pilot:
        shown = screen(app)
        assert [text.strip() for text in shown if text][1:] == ["Nothing yet", "press [31md"]
        assert shown[5].index("Nothing yet") == 14

        app.table.empty = "Listening"
        app.table.put(File("a", "first"))
        await pilot.pause()
        assert "Listening" not in "".join(screen(app))
        app.table.discard("a")
        app.table.empty = ["Listening", "still"]
        await pilot.pause()
        assert [text.strip() for text in screen(app) if text][1:] == ["Listening", "still"]
        assert list(app.table.empty) == ["Listening", "still"]


async def test_a_tree_stands_in_the_first_column() -> None:
    """Depth and an open or closed mark come before the name, and cost no other column."""
    depths = {"a": Branch(0, is_open=True), "b": Branch(1, is_open=False), "c": Branch(1)}
    rows = [File("a", "Music"), File("b", "live"), File("c", "x.flac"), File("d", "top")]
    for ascii_only, marks in ((False, ("▾", "▸")), (True, ("-", "+"))):
        app = Shown(rows, branch=lambda row: depths.get(row.id), ascii_only=ascii_only, header=False)
        async with app.run_test(size=(60, 12)):
            assert [line(app, y)[2:14].rstrip() for y in range(4)] == [
                f"{marks[0]} Music", f"  {marks[1]} live", "    x.flac", "top",
            ]  # fmt: skip
            assert line(app, 1).split()[-1] == "queued"


async def test_cells_are_made_for_what_is_seen_only() -> None:
    """Of many rows those on the screen are asked for their cells, once until they change."""
    asked: list[str] = []

    def make(row: File) -> Sequence[Cell | str]:
        asked.append(row.id)
        return cells(row)

    app = Shown(files(10_000), cells=make)
    async with app.run_test(size=(80, 12)) as pilot:
        await pilot.press("j", "j", "k")
        assert len(asked) == len(set(asked)) == 11

        asked.clear()
        app.table.put(File("f5000", "unseen"))
        app.table.put(File("f3", "seen"))
        await pilot.pause()
        assert asked == ["f3"]


# What reaches the terminal


def obeyed(data: str) -> set[str]:
    """Return what of the bytes is neither a character on the screen nor a colour or cursor move of ours."""
    rest = re.sub(r"\x1b\[[0-9;]*[mH]|\x1b\[\?2026[hl]|\x1b\[\?[0-9;]+[hl$p]+", "", data)
    return {character for character in rest if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("size", [(80, 12), (40, 12)])
async def test_a_hostile_name_stays_in_its_cell(name: str, size: tuple[int, int]) -> None:
    """Other cells, other rows and the terminal do not notice what a peer calls its file."""
    plain = [File(str(number), f"plain {number}", number) for number in range(4)]
    app = Shown(plain, is_real=True)
    async with app.run_test(headless=False, size=size) as pilot:
        await pilot.pause()
        terminal, table = terminal_of(app), app.table
        before = [table.render_line(y) for y in range(size[1])]
        terminal.taken()

        table.put(replace(plain[2], name=HOSTILE[name], state=HOSTILE[name]))
        await pilot.pause()
        sent = terminal.taken()
        after = [table.render_line(y) for y in range(size[1])]

        slot = {slot.column.key: (slot.start + 2, slot.end + 2) for slot in table._slots}
        assert [strip.text for y, strip in enumerate(after) if y != 3] == [
            strip.text for y, strip in enumerate(before) if y != 3
        ]
        assert after[3].cell_length == cell_len(after[3].text) == table.text_width
        assert after[3].crop(*slot["size"]).text == before[3].crop(*slot["size"]).text
        assert after[3].crop(0, 2).text == before[3].crop(0, 2).text
        assert sent
        assert not obeyed(sent)


async def settled(pilot: Pilot[None], app: Shown) -> str:
    """Return what was sent until the app had nothing more to do."""
    await pilot.pause()
    return terminal_of(app).taken()


async def test_one_row_costs_few_bytes_and_nothing_costs_none() -> None:
    """A row on the screen is sent alone; one off the screen, or none, sends nothing."""
    app = Shown(files(100_000), is_real=True)
    async with app.run_test(headless=False, size=(120, 36)) as pilot:
        assert len((await settled(pilot, app)).encode()) > 0
        await pilot.pause(0.3)
        assert await settled(pilot, app) == ""

        app.table.put(File("f5", "changed", 99, "running"))
        one = await settled(pilot, app)
        assert "changed" in one
        assert len(one.encode()) <= 400

        app.table.put_many([File("f50000", "unseen"), File("f60000", "unseen")])
        app.table.discard("f70000")
        app.table.put(File("new", "unseen"))
        assert await settled(pilot, app) == ""

        await pilot.press("j")
        assert len((await settled(pilot, app)).encode()) <= 800
        await pilot.pause(0.3)
        assert await settled(pilot, app) == ""


async def test_a_row_that_looks_as_before_is_not_sent() -> None:
    """Putting a row again costs nothing; several changes before a frame end in the last."""
    app = Shown(files(5), is_real=True)
    async with app.run_test(headless=False, size=(80, 12)) as pilot:
        await settled(pilot, app)
        app.table.put(File("f2", "between"))
        app.table.put(File("f2", "then", 12, "running"))
        sent = await settled(pilot, app)

        assert "then" in sent
        assert "between" not in sent

        app.table.put(File("f2", "then", 12, "running"))
        assert await settled(pilot, app) == ""


async def test_a_resize_paints_the_columns_that_fit() -> None:
    """What is sent after a resize is laid out for the new width."""
    app = Shown(files(3), is_real=True)
    async with app.run_test(headless=False, size=(80, 12)) as pilot:
        assert "queued" in await settled(pilot, app)
        await pilot.resize_terminal(29, 12)
        sent = await settled(pilot, app)

        assert "file 000002" in sent
        assert "queued" not in sent


async def test_a_batch_sends_only_the_rows_on_the_screen() -> None:
    """Twelve rows that change cost twelve lines."""
    app = Shown(files(1000), is_real=True)
    async with app.run_test(headless=False, size=(80, 24)) as pilot:
        await settled(pilot, app)
        app.table.put_many([File(f"f{number}", "busy", number) for number in range(0, 240, 20)])

        sent = await settled(pilot, app)
        assert sent.count("busy") == 2
        assert len(sent.encode()) <= 800


async def test_the_time_of_a_row_does_not_grow_with_the_table() -> None:
    """Among 100,000 rows a change takes about as long as among 100; taking them all takes well under a second."""
    app = Shown()
    async with app.run_test(size=(80, 24)):
        table = app.table
        many = files(100_000)

        def time_of(rows: Sequence[File]) -> tuple[float, float]:
            started = perf_counter()
            table.replace_rows(rows)
            replaced = perf_counter()
            for number in range(300):
                table.put(File(f"f{number % 50}", "x", number))
            return replaced - started, (perf_counter() - replaced) / 300

        _, few_put = min(time_of(many[:100]) for _ in range(3))
        taken, many_put = min(time_of(many) for _ in range(3))

        assert taken < 1
        assert many_put < 20 * few_put + 0.002


async def test_colours_differ_by_tone_and_cursor() -> None:
    """A tone has its own style, and the row of the cursor one for all its cells."""
    app = Shown(files(2))
    async with app.run_test(size=(80, 12)) as pilot:
        table = app.table
        table.toggle_mark("f1")
        assert len({segment.style for segment in table.render_line(1)}) == 1
        assert len({segment.style for segment in table.render_line(2)}) == 3

        app.theme = "textual-light"
        await pilot.pause()
        assert len({segment.style for segment in table.render_line(2)}) == 3
