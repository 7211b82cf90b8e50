"""The conversations to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from textual.app import App

from peerterm.tui.widgets.conversation_bar import ConversationBar, Label
from tests.fakes.programs import text_of

if TYPE_CHECKING:
    from textual.app import ComposeResult

LABELS = [
    Label("#lan", "#lan", unread=12, mentions=2),
    Label("b", "bob", unread=1, is_online=True),
    Label("c", "carol", is_online=False),
    Label("#m", "#quiet", is_muted=True),
]


class Bar(App[None]):
    """An app with nothing else."""

    chosen = ""

    def __init__(self, height: int, *, ascii_only: bool = False) -> None:
        super().__init__()
        self._height = height
        self._is_ascii = ascii_only

    def compose(self) -> ComposeResult:
        """Lay it out."""
        bar = ConversationBar(ascii_only=self._is_ascii)
        bar.styles.height = self._height
        yield bar

    def on_conversation_bar_chosen(self, event: ConversationBar.Chosen) -> None:
        """Keep what was clicked."""
        self.chosen = event.conversation


async def test_row_has_unread_presence_and_the_present_one() -> None:
    """None of it by colour alone."""
    app = Bar(1)
    async with app.run_test(size=(80, 5)) as pilot:
        app.query_one(ConversationBar).show(LABELS, "b")
        await pilot.pause()
        assert text_of(app).split("\n")[0] == "  #lan (12 @2) >● bob (1)  ○ carol  #quiet (muted)"
        await pilot.click(ConversationBar, offset=(30, 0))
        await pilot.pause()

        assert app.chosen == "c"


@pytest.mark.parametrize("present", range(0, 40, 13))
async def test_present_one_is_in_the_row_however_many_there_are(present: int) -> None:
    """With how many follow."""
    labels = [Label(str(number), f"peer {number}", is_online=True) for number in range(40)]
    app = Bar(1, ascii_only=True)
    async with app.run_test(size=(60, 5)) as pilot:
        app.query_one(ConversationBar).show(labels, str(present))
        await pilot.pause()
        row = text_of(app).split("\n")[0]

        assert f">@ peer {present} " in row + " "
        assert len(row) <= 60
        assert row.startswith("<") is (present > 4)


async def test_column_has_one_a_line() -> None:
    """As many as there is room for, the present one among them; names are cut, counts are not."""
    labels = [Label(str(number), f"peer {number} " + "long" * 9, unread=number) for number in range(9)]
    app = Bar(4)
    async with app.run_test(size=(24, 4)) as pilot:
        bar = app.query_one(ConversationBar)
        bar.show(labels, "7")
        await pilot.pause()
        rows = text_of(app).split("\n")
        assert [row[1:7] for row in rows] == ["peer 4", "peer 5", "peer 6", "peer 7"]
        assert [row[0] for row in rows] == [" ", " ", " ", ">"]
        assert all(f"({number}) │" in row for number, row in zip((4, 5, 6, 7), rows, strict=True))
        assert {len(row) for row in rows} == {24}
        await pilot.click(ConversationBar, offset=(3, 1))
        await pilot.pause()
        assert app.chosen == "5"
        await pilot.click(ConversationBar, offset=(3, 3))
        bar.show([], "")
        await pilot.pause()

        assert not text_of(app).replace("│", "").strip()
