"""What a table draws at every size: columns, rows, trees, tones, and why there is nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from peerterm.tui.widgets.virtual_table import Branch, Cell
from tests.fakes.shown_table import File, Shown, cells, files, line, screen

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZES = [(80, 24), (120, 36), (60, 16), (40, 12)]


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
