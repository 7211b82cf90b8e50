"""The first row of the screen."""

from __future__ import annotations

import re

import pytest

from peerterm.tui.keys import PANES, TITLES
from peerterm.tui.widgets.tab_bar import TabBar
from tests.fakes.fake_engine import FakeEngine, make_peer, make_transfer
from tests.fakes.fake_offers import make_offer
from tests.fakes.programs import Program, make_share, populated, running, text_of, until


def tabs(program: Program) -> str:
    """Return the row."""
    return text_of(program).split("\n")[0]


async def test_present_pane_stands_out_and_others_count() -> None:
    """Peers that are online, transfers that move, shares; nothing that is zero."""
    program = Program(populated())
    async with running(program, (120, 36)) as pilot:
        row = "1*Peers 2   2 Files   3 Search   4 Transfers 2   5 Chat (2)   6 Shares 3   7 Stream   8 Log"
        assert tabs(program) == f" {row}"
        await pilot.press("4")

        await until(pilot, lambda: "4*Transfers 2" in tabs(program))
        assert "1 Peers 2" in tabs(program)


async def test_chat_counts_what_is_unread_and_what_is_offered() -> None:
    """Until it is answered."""
    engine = FakeEngine()
    offer = engine.offered(make_offer("film.mkv"))
    program = Program(engine)
    async with running(program, (120, 36)) as pilot:
        await until(pilot, lambda: "5 Chat +1   6" in tabs(program))
        assert "1 offer (ben)" in text_of(program)
        engine.hear("#lan", make_peer("bob"), "hello")
        await until(pilot, lambda: "5 Chat (1)+1   6" in tabs(program))
        await engine.decline(offer.offer_id)

        await until(pilot, lambda: "5 Chat (1)   6" in tabs(program))


async def test_empty_engine_counts_nothing() -> None:
    """And on 80 columns titles are short."""
    program = Program(FakeEngine())
    async with running(program):
        assert tabs(program) == " 1*Peers  2 Files  3 Search  4 Xfers  5 Chat  6 Shares  7 Stream  8 Log"


async def test_every_pane_has_its_digit_at_every_width() -> None:
    """Of a narrow screen only the present one has a name; nothing is cut off."""
    engine = FakeEngine()
    engine.known_peers = [make_peer(f"peer {number}", peer_id=f"{number:064}") for number in range(1234)]
    engine.known_transfers = [make_transfer(f"{number}", transfer_id=f"{number:08}") for number in range(100)]
    engine.known_shares = [make_share(f"{number}", share_id=f"{number:08}") for number in range(50)]
    program = Program(engine)
    async with running(program, (200, 24)) as pilot:
        for width in (200, 120, 100, 90, 80, 70, 60, 50, 40):
            await pilot.resize_terminal(width, 24)
            await until(pilot, lambda width=width: program.query_one(TabBar).size.width == width)  # type: ignore[misc] # mypy#12557
            await pilot.pause()
            for digit, pane in enumerate(PANES, 1):
                program.query_one(TabBar).show(pane, program.model)
                await pilot.pause()
                row = tabs(program)

                assert len(row) <= width
                assert [int(each.strip("*")[0]) for each in row.split() if each[0].isdigit()][-1] in {8, 50}
                assert f" {digit}*{TITLES[pane]}" in row or f" {digit}*Xfers" in row
                assert all(f" {other}" in row for other in range(1, 9))


@pytest.mark.parametrize("width", [40, 80, 120])
async def test_click_goes_to_the_pane(width: int) -> None:
    """On its digit and on the last letter of its title; beside all tabs nothing happens."""
    program = Program(populated())
    async with running(program, (width, 24)) as pilot:
        for digit, pane in enumerate(PANES, 1):
            found = re.search(rf" {digit}[ *][A-Z]", tabs(program)) or re.search(rf" {digit}", tabs(program))
            assert found
            await pilot.click(TabBar, offset=(found.start() + 1, 0))
            await until(pilot, lambda pane=pane: pane == program.pane.SCOPE)  # type: ignore[misc] # mypy#12557
        await until(pilot, lambda: "8*Log" in tabs(program))
        if len(tabs(program)) < width - 2:
            await pilot.click(TabBar, offset=(width - 1, 0))
        await pilot.click(TabBar, offset=(tabs(program).index("8*Log") + 4, 0))
        await pilot.pause()

        assert program.pane.SCOPE == "log"
