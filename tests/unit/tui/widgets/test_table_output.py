"""What a table sends to the terminal: no byte of a peer's, none too many, and none for nothing."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from tests.fakes.byte_terminal import terminal_of
from tests.fakes.shown_table import File, Shown, files

if TYPE_CHECKING:
    from textual.pilot import Pilot

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


def obeyed(data: str) -> set[str]:
    """Return what of the bytes is neither a character on the screen nor a colour or cursor move of ours."""
    rest = re.sub(r"\x1b\[[0-9;]*[mH]|\x1b\[\?2026[hl]|\x1b\[\?[0-9;]+[hl$p]+", "", data)
    return {character for character in rest if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}


async def settled(pilot: Pilot[None], app: Shown) -> str:
    """Return what was sent until the app had nothing more to do."""
    await pilot.pause()
    return terminal_of(app).taken()


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
