"""The field of a conversation by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import App

from peerterm.tui.widgets.write_field import MAX_FIELD_ROWS, WriteField
from tests.fakes.programs import text_of

if TYPE_CHECKING:
    from textual.app import ComposeResult


class Field(App[None]):
    """An app with nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []
        self.paged: list[int] = []

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield WriteField()

    def on_write_field_sent(self, event: WriteField.Sent) -> None:
        """Keep what is to be sent."""
        self.sent.append(event.text)

    def on_write_field_paged(self, event: WriteField.Paged) -> None:
        """Keep where to."""
        self.paged.append(event.direction)


async def test_field_is_as_high_as_its_text() -> None:
    """Up to a bound, also where one line takes several rows."""
    app = Field()
    async with app.run_test(size=(30, 20)) as pilot:
        field = app.query_one(WriteField)
        field.focus()
        heights = [field.outer_size.height]
        for keys in ("ctrl+j", *["x"] * 40, *["ctrl+j"] * 9):
            await pilot.press(keys)
        await pilot.pause()
        heights.append(field.outer_size.height)
        field.begin("", "write")
        await pilot.pause()

        assert heights == [1, MAX_FIELD_ROWS]
        assert field.outer_size.height == 1
        assert "| write" in text_of(app)


async def test_blank_text_is_not_sent() -> None:
    """Else Enter on an empty field would say nothing to everybody."""
    app = Field()
    async with app.run_test() as pilot:
        app.query_one(WriteField).focus()
        await pilot.press("enter", "space", "ctrl+j", "enter", "a", "enter")
        await pilot.press("pageup", "pagedown")

        assert app.sent == [" \na"]
        assert app.paged == [-1, 1]


async def test_draft_is_gone_on_with_at_its_end() -> None:
    """And what stands behind the cursor stays when a name is completed."""
    app = Field()
    async with app.run_test() as pilot:
        field = app.query_one(WriteField)
        field.focus()
        field.names = ["bob", "bobby", "carol"]
        field.begin("hello", "write")
        await pilot.press(*" c", "left", "tab", "right", "tab")
        assert field.text == "hello carol "
        await pilot.press(*"b", "tab", "tab")
        assert field.text == "hello carol bob"
        await pilot.press("home", *"c", "tab")

        assert field.text == "carol: hello carol bob"
