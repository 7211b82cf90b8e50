"""What a terminal shows that is too small for more; ``PeertermApp`` lets no key work there but to leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.screen import Screen

from peerterm.tui.terminal import MIN_COLUMNS, MIN_ROWS
from peerterm.tui.widgets.plain import Plain

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.geometry import Size


def is_too_small(size: Size) -> bool:
    """Whether a screen of this size shows nothing but that."""
    return size.width < MIN_COLUMNS or size.height < MIN_ROWS


class TooSmall(Screen[None]):
    """Says the size and the size needed; goes away with the reason for it."""

    def compose(self) -> ComposeResult:
        """Lay out the one text."""
        yield Plain()

    def on_mount(self) -> None:
        """Say it."""
        self.fit(self.app.size)

    def fit(self, size: Size) -> None:
        """Say the size, or go."""
        if is_too_small(size):
            text = f"too small: {size.width}x{size.height}, need {MIN_COLUMNS}x{MIN_ROWS}"
            self.query_one(Plain).say(text, layout=True)
        elif self.is_current:
            self.dismiss()

    def on_screen_resume(self) -> None:
        """Look again: a dialog may have been above while the size changed."""
        self.fit(self.app.size)
