"""A link as a QR code, for the camera of another device, and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from peerterm.tui.modals.dialogs import Dialog
from peerterm.tui.widgets.plain import Plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.binding import BindingType
    from textual.widget import Widget


QUIET_MODULES = 2
"""Width of the light frame; half of what the standard asks for, which cameras of today do without."""

MAX_LINK_CHARACTERS = 1000
"""Longest link that is drawn; a code of more fits no screen."""


class LinkScreen(Dialog[None]):
    """Shows a link; the code as large as it must be, or what the terminal lacks for it.

    Args:
        title: What the link leads to.
        link: The link.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "Copy", show=False),
        Binding("q,enter,n", "turn_away", "Close", show=False),
    ]
    KEYS = "y copy   Esc close"
    DEFAULT_CSS = """
    LinkScreen > Vertical { width: auto; min-width: 40; border: none; padding: 0; align-horizontal: center; }
    LinkScreen #code { width: auto; height: auto; }
    LinkScreen #link { width: auto; max-width: 100%; height: auto; }
    LinkScreen .keys { margin-top: 0; }
    """

    def __init__(self, title: str, link: str) -> None:
        super().__init__(title)
        self._link = link

    def body(self) -> Iterable[Widget]:
        """Lay out code and text."""
        yield Plain(id="code")
        yield Plain(self._link, id="link")

    def on_resize(self) -> None:
        """Draw the code as it fits."""
        program = self.program
        lines = code_lines(self._link, ascii_only=program.terminal.is_ascii, is_dark=self.app.current_theme.dark)
        width, height = len(lines[0]) if lines else 0, len(lines)
        if not lines:
            lines = ["It is too long for a code."]
        elif width > self.app.size.width or height > self.app.size.height - 2:
            lines = [f"A code needs a terminal of {width} columns and {height + 2} rows."]
        else:
            self.query_one("#link").display = height + 2 + -(-len(self._link) // width) <= self.app.size.height
        self.query_one("#code", Plain).say(*lines, layout=True)

    def action_copy(self) -> None:
        """Copy the link."""
        self.program.copy(self._link)


def code_lines(link: str, *, ascii_only: bool = False, is_dark: bool = True) -> list[str]:
    """Draw a link as a QR code, all lines equally long; nothing if it is too long for one.

    Args:
        link: What to write.
        ascii_only: Two cells of a line a module, else two modules in one cell.
        is_dark: Text is light on dark, so that light modules are drawn, and not the dark ones.
    """
    if len(link) > MAX_LINK_CHARACTERS:
        return []
    import segno  # noqa: PLC0415 - few sessions show a code

    code = segno.make(link, error="l", boost_error=False, micro=False)
    drawn = [[bool(dark) is not is_dark for dark in row] for row in code.matrix_iter(border=QUIET_MODULES)]
    if ascii_only:
        return ["".join("##" if is_set else "  " for is_set in row) for row in drawn]
    if len(drawn) % 2:
        drawn.append([False] * len(drawn[0]))
    return [
        "".join(" ▄▀█"[2 * upper + lower] for upper, lower in zip(above, below, strict=True))
        for above, below in zip(drawn[::2], drawn[1::2], strict=True)
    ]
