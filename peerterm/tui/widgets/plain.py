"""Text that stands still: one line or more of it, never markup, safe whatever it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from peerterm.tui.widgets.cells import steady, wrap

if TYPE_CHECKING:
    from collections.abc import Iterable

Part = str | tuple[str, str]
"""Text, or text and its style: theme variables as in ``$error``, attributes as in ``bold``."""


def safe(*parts: Part) -> Content:
    """Put a line together from text of anybody; what it says can change neither style nor line."""
    return Content.assemble(
        *(steady(part) if isinstance(part, str) else (steady(part[0]), part[1]) for part in parts)
    )


def hanging(head: Part, text: str, indent: int, width: int) -> list[Content]:
    """Write a text behind a head; what does not fit goes on below the text's start.

    Args:
        head: What stands before the first line; shorter than ``indent``.
        text: The text.
        indent: Cells from the left edge to the text.
        width: Cells of a line.
    """
    said, style = (head, "") if isinstance(head, str) else head
    lines = wrap(text, width - indent)
    return [safe((f"{'' if place else said:<{indent}}", style), line) for place, line in enumerate(lines)]


class Plain(Static):
    """Lines of text, set by ``say``."""

    def __init__(self, *lines: str, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(_joined(map(safe, lines)), id=id, classes=classes, markup=False)
        self._shown: Content = _joined(map(safe, lines))

    def say(self, *lines: Content | str, layout: bool = False) -> None:
        """Show these lines instead; paints nothing if they are the same."""
        content = _joined(line if isinstance(line, Content) else safe(line) for line in lines)
        if content != self._shown or content.spans != self._shown.spans:
            self._shown = content
            self.update(content, layout=layout)


def _joined(lines: Iterable[Content]) -> Content:
    return Content("\n").join(list(lines))
