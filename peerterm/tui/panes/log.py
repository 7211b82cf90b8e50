"""What the engine wrote into its log, and what the program told its user meanwhile."""

from __future__ import annotations

import asyncio
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import work

from peerterm.api.views import LogLine
from peerterm.display import clean, counted
from peerterm.errors import PeertermError
from peerterm.tui.format import clock
from peerterm.tui.modals.dialogs import Choice, PlainText
from peerterm.tui.panes.base import pane_bindings
from peerterm.tui.panes.filtered import FilteredPane
from peerterm.tui.widgets import wrapped_log as rows
from peerterm.tui.widgets.plain import Plain, safe
from peerterm.tui.widgets.wrapped_log import Cell, WrappedLog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from peerterm.tui.model import Changes
    from peerterm.tui.widgets.cells import Tone

MAX_ASKED = 1000
"""Most lines the engine gives at once."""

MAX_KEPT = 3000
"""Most lines the pane shows; older ones are in the file."""

MAX_COPIED = 500
"""Most lines copied at once, the newest; a terminal's clipboard takes no more."""

LOOK_SECONDS = 1.0
"""Time between two looks at the log while it is on the screen."""

USUAL_LOOK = 100
NEWS = "peerterm"

_WORDS = {"debug": "DEBUG", "info": "INFO", "warning": "WARN", "error": "ERROR", "critical": "ERROR"}
_TONES: dict[str, Tone] = {"debug": "dim", "warning": "warn", "error": "bad", "critical": "bad"}
_QUIET = frozenset({"debug", "info"})


class LogPane(FilteredPane):
    """The log; follows its end until the user scrolls up."""

    SCOPE = "log"
    BINDINGS: ClassVar[list[BindingType]] = pane_bindings("log")
    DEFAULT_CSS = """
    LogPane .title { height: 1; color: $text-muted; }
    LogPane WrappedLog { height: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._known: deque[LogLine] = deque(maxlen=MAX_ASKED)
        self._kept: deque[LogLine] = deque(maxlen=MAX_KEPT)
        self._wanted: list[str] = []
        self._only_alarms = False
        self._trouble = ""
        self._told = 0
        self._title = Plain(classes="title")

    def compose(self) -> ComposeResult:
        """Lay out the title, the lines and the filter."""
        self._view = WrappedLog((8, 5), max_lines=MAX_KEPT, ascii_only=self.program.terminal.is_ascii)
        yield self._title
        yield self._view
        yield self.make_filter()

    def on_mount(self) -> None:
        """Notice when the user scrolls away from the end."""
        self.watch(self._view, "scroll_y", self._tell, init=False)

    # What comes

    def on_show(self) -> None:
        """Look at the log while it can be seen."""
        self._follow_engine()

    def on_hide(self) -> None:
        """Stop looking."""
        self.workers.cancel_group(self, "log")

    @work(exclusive=True, group="log")
    async def _follow_engine(self) -> None:
        while True:
            await self._look()
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        try:
            new = await self._new_lines()
        except PeertermError as error:
            self._trouble = error.message
        else:
            self._trouble = ""
            self._known.extend(new)
            self._add(new)
        self._tell()

    async def _new_lines(self) -> list[LogLine]:
        """Return what was logged since the last look, and not more than the engine remembers."""
        known = list(self._known)
        if known:
            found = await self.engine.log(USUAL_LOOK)
            new = unknown(known, found)
            if len(new) < len(found):
                return new
        return unknown(known, await self.engine.log(MAX_ASKED))

    def show(self, changes: Changes) -> None:
        """Add what the user was told, also while the pane was not to be seen."""
        count, self._told = self.program.told - self._told, self.program.told
        new = list(self.program.news)[-count:] if count else []
        self._add([LogLine(at=at, level=level, source=NEWS, text=text) for at, level, text in new])
        self._tell()

    def _add(self, lines: Sequence[LogLine]) -> None:
        is_late = bool(lines and self._kept and lines[0].at < self._kept[-1].at)
        self._kept.extend(lines)
        if is_late:  # what the program told and what the engine logged are seen at different times
            self._kept = deque(sorted(self._kept, key=lambda line: line.at), MAX_KEPT)
            self._show_anew()
        else:
            self._view.extend([_row(line) for line in lines if self._is_wanted(line)])

    # What is shown

    def _is_wanted(self, line: LogLine) -> bool:
        if self._only_alarms and line.level in _QUIET:
            return False
        text = f"{_WORDS.get(line.level, '')} {line.source} {line.text}".casefold()
        return all(word in text for word in self._wanted)

    def _show_anew(self) -> None:
        wanted = [_row(line) for line in self._kept if self._is_wanted(line)]
        self._view.clear()
        self._view.extend(wanted)
        self._tell()

    def _tell(self) -> None:
        """Say above the lines what they are, and why there are none."""
        view = self._view
        shown, parts = view.line_count, []
        parts.append(counted(shown, "line") if shown == len(self._kept) else f"{shown} of {len(self._kept)} lines")
        parts.append("warnings and errors only" if self._only_alarms else "all levels")
        parts.append(f"follow: {'on' if view.is_at_end else 'off'}")
        trouble = (f"   {self._trouble}", "$text-warning") if self._trouble else ""
        self._title.say(safe(" " + "   ".join(parts), trouble))
        view.empty = "No line is like that; Esc shows all." if self._kept else "Nothing was logged yet."

    def focus_list(self) -> None:
        """Let the keys reach the lines."""
        self._view.focus()

    def filter_lines(self, words: str) -> None:
        """Show only lines that have all these words."""
        self._wanted = words.casefold().split()
        self._show_anew()

    def back(self) -> None:
        """Show every line."""
        self._only_alarms = False
        super().back()

    # Actions

    def action_follow(self) -> None:
        """Stay at the newest line, or stop to."""
        view = self._view
        if not view.is_at_end:
            view.scroll_to_end()
        elif view.max_scroll_y:
            view.action_scroll_by(-1)
        else:
            self.program.say("every line is on the screen")
        self._tell()

    def action_level(self) -> None:
        """Show only warnings and errors, or everything."""
        self._only_alarms = not self._only_alarms
        self._show_anew()

    @work(exclusive=True, group="dialogs")
    async def action_copy(self) -> None:
        """Copy the log's path or the lines shown."""
        shown = [line for line in self._kept if self._is_wanted(line)][-MAX_COPIED:]
        lines = "\n".join(_plain(line) for line in shown)
        options = [("l", f"the {counted(len(shown), 'line')} shown", lines)] if shown else []
        if status := self.model.status:
            path = str(Path(status.profile) / "peerterm.log")
            options.append(("p", f"path  {path}", path))
        chosen = await self.app.push_screen_wait(Choice("Copy", [*options, ("t", "show as plain text", "\0")]))
        if chosen == "\0":
            self.app.push_screen(PlainText("Select with the terminal's own means", lines))
        elif chosen:
            self.program.copy(chosen)


def unknown(known: Sequence[LogLine], found: Sequence[LogLine]) -> list[LogLine]:
    """Return the newest of ``found``, which come after ``known``; both are the newest lines of one log."""
    for count in range(min(len(known), len(found)), 0, -1):
        if known[-count] == found[0] and list(known[-count:]) == list(found[:count]):
            return list(found[count:])
    return list(found)


def _row(line: LogLine) -> rows.LogLine:
    tone = _TONES.get(line.level, "normal")
    prefix = (Cell(clock(line.at), "dim"), Cell(_WORDS.get(line.level, line.level), tone))
    return rows.LogLine(f"{line.source}: {line.text}", prefix, "dim" if line.level == "debug" else "normal")


def _plain(line: LogLine) -> str:
    return clean(f"{clock(line.at)} {_WORDS.get(line.level, line.level)} {line.source}: {line.text}")
