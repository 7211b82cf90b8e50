"""What keys, mouse and panes want of a table: cursor, marks, order and filter."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import pytest

from peerterm.tui.widgets.virtual_table import VirtualTable
from tests.fakes.shown_table import File, Shown, files, line, screen

if TYPE_CHECKING:
    from collections.abc import Sequence


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
