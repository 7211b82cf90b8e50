"""The row that says that the engine is gone; hidden while it is there."""

from __future__ import annotations

from peerterm.tui.widgets.plain import Plain, safe


class Banner(Plain):
    """Why there is no engine, and what helps."""

    DEFAULT_CSS = """
    Banner {
        height: 1; display: none; background: $error; color: $background; text-style: bold;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    Banner.-lost { display: block; }
    """

    def show(self, lost: str, *, may_start: bool = True) -> None:
        """Show a reason, and the key that helps if an engine may be started; an empty reason hides the row."""
        self.set_class(bool(lost), "-lost")
        if lost:
            self.say(safe((" E starts the engine " * may_start, "reverse"), f" {lost}"))
