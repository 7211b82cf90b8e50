"""What stands still on the screen of a table while its rows come, change and go."""

from __future__ import annotations

from textual.events import MouseScrollDown, MouseScrollUp

from tests.fakes.shown_table import File, Shown, files, line, screen


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
