"""The QR code of a link: what it holds, how it is drawn, and what happens where it does not fit."""

from __future__ import annotations

import pytest
import segno

from peerterm.tui.modals.link import MAX_LINK_CHARACTERS, QUIET_MODULES, LinkScreen, code_lines
from peerterm.tui.terminal import Terminal
from tests.fakes.fake_engine import FakeEngine
from tests.fakes.programs import Program, text_of, until, until_shown

LINK = "peerterm:peer/" + "a1" * 32 + "?at=192.168.1.5:47470"


def modules(link: str) -> list[list[bool]]:
    """Return the dark modules of a link's code, frame included."""
    code = segno.make(link, error="l", boost_error=False, micro=False)
    return [[bool(dark) for dark in row] for row in code.matrix_iter(border=QUIET_MODULES)]


@pytest.mark.parametrize("is_dark", [True, False])
def test_half_blocks_draw_every_module(is_dark: bool) -> None:
    """Two modules a cell; on a dark terminal the light ones are drawn, on a light one the dark ones."""
    lines = code_lines(LINK, is_dark=is_dark)
    drawn = [
        [cell in cells for cell in line]
        for line in lines
        for cells in ("▀█", "▄█")  # upper and lower half
    ]
    wanted = modules(LINK)

    assert [[cell is not is_dark for cell in row] for row in drawn[: len(wanted)]] == wanted
    assert {len(line) for line in lines} == {len(wanted)}
    assert len(lines) <= 22


def test_ascii_draws_every_module() -> None:
    """Two cells a module, of ASCII only."""
    lines = code_lines(LINK, ascii_only=True)

    assert [[cell == " " for cell in line[::2]] for line in lines] == modules(LINK)
    assert all(line.isascii() and line[::2] == line[1::2] for line in lines)


def test_too_long_a_link_has_no_code() -> None:
    """A text without end is not drawn."""
    assert code_lines("x" * MAX_LINK_CHARACTERS)
    assert code_lines("x" * (MAX_LINK_CHARACTERS + 1)) == []


async def test_code_stands_on_the_screen_whole() -> None:
    """It fits 80x24; with more room the link stands below it."""
    shown = []
    for size in ((80, 24), (120, 36)):
        async with Program(FakeEngine()).run_test(size=size) as pilot:
            pilot.app.push_screen(LinkScreen("alice", LINK))
            await until_shown(pilot, "y copy")
            await until_shown(pilot, "▀▄")
            shown.append(text_of(pilot.app))

    assert all(line in text for text in shown for line in code_lines(LINK))
    assert LINK not in shown[0]
    assert LINK in shown[1]


async def test_link_can_be_copied_and_closed() -> None:
    """Key y copies the link itself."""
    program = Program(FakeEngine())
    async with program.run_test(size=(80, 24)) as pilot:
        program.push_screen(LinkScreen("alice", LINK))
        await until_shown(pilot, "y copy")
        await pilot.press("y", "q")
        await until(pilot, lambda: not isinstance(program.screen, LinkScreen))

    assert program.copied == [LINK]


@pytest.mark.parametrize(
    ("link", "is_ascii", "told"),
    [(LINK, True, "needs a terminal of 82 columns and 43 rows"), ("x" * 2000, False, "too long for a code")],
)
async def test_what_does_not_fit_is_told(link: str, is_ascii: bool, told: str) -> None:
    """Instead of half a code, the screen says what it would take."""
    async with Program(FakeEngine(), terminal=Terminal(is_ascii=is_ascii)).run_test(size=(80, 24)) as pilot:
        pilot.app.push_screen(LinkScreen("alice", link))
        await until_shown(pilot, told)
