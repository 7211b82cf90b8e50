"""What the table and the log have in common: lines drawn one by one, tones, and scrolling that stands still.

A line view never repaints more than the lines it is told of, never animates, and asks for no new layout when its
number of lines changes. ``VirtualTable`` and ``WrappedLog`` derive from it; panes do not use it.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from peerterm.tui.widgets.cells import fit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.style import Style
    from textual import events

    from peerterm.tui.widgets.cells import Tone

NARROW = 60
"""Below so many cells the scrollbar would cost a column that a text needs."""

WHEEL_LINES = 3


class LineView(ScrollView, can_focus=True, inherit_bindings=False):
    """A widget of lines that are drawn one by one."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "line--dim", "line--good", "line--warn", "line--bad", "line--accent", "line--bold",
    }  # fmt: skip
    DEFAULT_CSS = """
    LineView {
        overflow: hidden auto;
        scrollbar-gutter: stable;
        scrollbar-size-vertical: 1;
        &.-no-bar { scrollbar-size-vertical: 0; }
        & > .line--dim { text-style: dim; }
        & > .line--good { color: $text-success; }
        & > .line--warn { color: $text-warning; }
        & > .line--bad { color: $text-error; text-style: bold; }
        & > .line--accent { color: $text-accent; }
        & > .line--bold { text-style: bold; }
    }
    """

    virtual_size = Reactive(Size(0, 0), layout=False, repaint=False)

    def __init__(
        self,
        *,
        empty: str | Sequence[str],
        ascii_only: bool,
        name: str | None,
        id: str | None,  # noqa: A002 - Textual's name for it
        classes: str | None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.ascii_only = ascii_only
        self._empty: Sequence[str] = (empty,) if isinstance(empty, str) else tuple(empty)
        self._styles_of: dict[str, Style] = {}
        self._thumb = (0, 0)

    @property
    def empty(self) -> Sequence[str]:
        """Lines said in the middle when there is nothing to show; set it whenever the reason changes."""
        return self._empty

    @empty.setter
    def empty(self, lines: str | Sequence[str]) -> None:
        lines = (lines,) if isinstance(lines, str) else tuple(lines)
        if lines != self._empty:
            self._empty = lines
            if not self._has_lines():
                self.refresh()

    @abstractmethod
    def _has_lines(self) -> bool:
        """Whether there is anything to show."""

    @abstractmethod
    def _forget_strips(self) -> None:
        """Drop what was drawn, as styles are others now."""

    @property
    def text_width(self) -> int:
        """Cells of a line; the scrollbar has its column beside them whether it is needed or not."""
        return max(self.size.width - (self.outer_size.width >= NARROW), 0)

    # Styles and strips

    def notify_style_update(self) -> None:
        """Draw everything anew in the new styles."""
        super().notify_style_update()
        self._styles_of.clear()
        self._forget_strips()

    def _style(self, *names: str) -> Style:
        """Return the base style with component styles over it."""
        key = " ".join(names)
        style = self._styles_of.get(key)
        if style is None:
            style = self.rich_style
            for name in names:
                style += self.get_component_rich_style(name, partial=True)
            self._styles_of[key] = style
        return style

    def _tone(self, tone: Tone) -> Style:
        return self._style() if tone == "normal" else self._style(f"line--{tone}")

    def _strip(self, pieces: Iterable[tuple[str, Style]], width: int) -> Strip:
        """Join texts of one style each, cut or padded to a width.

        A blank takes the style before it where only the background shows: each change of style costs 40 bytes.
        """
        merged: list[list[Any]] = []
        used = 0
        for text, style in pieces:
            before: Style | None = merged[-1][1] if merged else None
            is_same = (
                before is not None and text.isspace() and before.bgcolor == style.bgcolor and not before.reverse
            )
            if before == style or is_same:
                merged[-1][0] += text
            elif text:
                merged.append([text, style])
            used += cell_len(text)
        strip = Strip([Segment(text, style) for text, style in merged], used)
        last = merged[-1][1] if merged else self._style()
        return strip.adjust_cell_length(width, last)

    def _empty_strip(self, y: int, height: int, width: int, lines: Sequence[str]) -> Strip:
        index = y - max((height - len(lines)) // 2, 0)
        if not 0 <= index < len(lines):
            return Strip.blank(width, self._style())
        text = fit(lines[index], width, ascii_only=self.ascii_only).rstrip()
        blank = " " * ((width - cell_len(text)) // 2)
        return self._strip([(blank, self._style()), (text, self._tone("dim"))], width)

    # Scrolling

    def _set_line_count(self, count: int) -> None:
        """Say how many lines there are; only a scrollbar that comes, goes or moves is drawn."""
        overflowed = self.show_vertical_scrollbar
        self.virtual_size = Size(0, count)
        if not self.size:
            return
        if overflowed != (count > self.size.height):
            self._scroll_update(self.virtual_size)
        self._update_thumb()

    def _update_thumb(self) -> None:
        count, height = self.virtual_size.height, self.size.height
        thumb = (8 * height * height // max(count, 1), 8 * height * self.scroll_offset.y // max(count, 1))
        if thumb != self._thumb and self.show_vertical_scrollbar and self.scrollbar_size_vertical:
            self.vertical_scrollbar.window_virtual_size = count
            self._thumb = thumb

    def _jump(self, y: float) -> None:
        """Scroll at once, as far as there are lines."""
        self.scroll_to(y=min(max(y, 0), self.max_scroll_y), animate=False, force=True)

    def scroll_to(self, x: float | None = None, y: float | None = None, **options: Any) -> None:
        """Scroll without animation, whoever asks."""
        super().scroll_to(x, y, **{**options, "animate": False})

    def _refresh_lines(self, first: int, last: int) -> None:
        """Draw screen lines anew, ``last`` included, as far as they are on the screen."""
        first, last = max(first, 0), min(last, self.size.height - 1)
        if first <= last:
            self.refresh(Region(0, first, self.text_width, last - first + 1))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll down without moving anything else."""
        self._wheel(event, WHEEL_LINES)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll up without moving anything else."""
        self._wheel(event, -WHEEL_LINES)

    def _wheel(self, event: events.MouseEvent, lines: int) -> None:
        event.stop()
        event.prevent_default()
        self._wheel_to(self.scroll_offset.y + lines)

    def _wheel_to(self, y: int) -> None:
        self._jump(y)

    def on_resize(self, _event: events.Resize) -> None:
        """Fit the new size."""
        self.set_class(self.outer_size.width < NARROW, "-no-bar")
        self._resized()

    @abstractmethod
    def _resized(self) -> None:
        """Fit what is shown to another width."""
