"""A terminal that keeps every byte an app sends it: what Textual's own headless driver never renders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.drivers.headless_driver import HeadlessDriver

if TYPE_CHECKING:
    from textual.app import App


class ByteTerminal(HeadlessDriver):
    """Give it as ``driver_class`` and run the app with ``run_test(headless=False)``."""

    sent: list[str]

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self.sent = []

    @property
    def is_headless(self) -> bool:
        """Whether Textual may leave out the rendering: no."""
        return False

    def write(self, data: str) -> None:
        """Keep what would go to the terminal."""
        self.sent.append(data)

    def taken(self) -> str:
        """Return what came since the last call."""
        text = "".join(self.sent)
        self.sent.clear()
        return text


def terminal_of(app: App[Any]) -> ByteTerminal:
    """Return the terminal of a running app."""
    assert isinstance(app._driver, ByteTerminal)
    return app._driver
