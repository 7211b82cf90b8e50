"""Progress on stderr: bars on a terminal, else a line every few seconds."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Self

from peerterm.display import clean

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress, TaskID

LINE_SECONDS = 5.0
"""Without a terminal, a line of progress is printed this often, whatever the number of things."""

LABEL_CELLS = (12, 32)
BAR_CELLS = (8, 40)
DETAIL_CELLS = 56
"""Room for a percentage and what else there is to say; label and bar share the rest of a line."""


class Bars:
    """Shows how far several things are, while its ``with`` block runs."""

    def __init__(self, *, quiet: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._quiet = quiet
        self._clock = clock
        self._bars: Progress | None = None
        self._label_cells = LABEL_CELLS[1]
        self._tasks: dict[str, TaskID] = {}
        self._due: dict[str, float] = {}
        self._said: set[str] = set()

    def __enter__(self) -> Self:
        """Draw bars if somebody can see them."""
        if not self._quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            terminal = Console(file=sys.stderr, markup=False, emoji=False, highlight=False)
            self._label_cells = _within(LABEL_CELLS, terminal.width - BAR_CELLS[0] - DETAIL_CELLS)
            self._bars = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(_within(BAR_CELLS, terminal.width - self._label_cells - DETAIL_CELLS)),
                TextColumn("{task.percentage:>3.0f}%", markup=False),
                TextColumn("{task.fields[detail]}", markup=False),
                console=terminal,
                transient=True,
            )
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bars away."""
        if self._bars is not None:
            self._bars.stop()

    def show(self, key: str, label: str, *, done: int, total: int, detail: str) -> None:
        """Say how far one thing is.

        Args:
            key: Names the thing.
            label: What people call it.
            done: At most ``total``.
            total: 0 if unknown yet.
            detail: What else there is to say, as a sentence goes on after ``40%``.
        """
        if self._quiet:
            return
        label, detail = clean(label, width=self._label_cells), clean(detail)
        if self._bars is None:
            self._print_if_due(key, f"{label}: {f'{done * 100 // total}% ' if total else ''}{detail}")
            return
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task(label, total=None, detail=detail)
        task = self._tasks[key]
        self._bars.update(task, description=label, completed=done, total=total or None, detail=detail)

    def say(self, text: str) -> None:
        """Say something at once, above the bars; the same text is said only once."""
        if self._quiet or text in self._said:
            return
        self._said.add(text)
        if self._bars is None:
            _print(clean(text))
        else:
            self._bars.console.print(clean(text))

    def _print_if_due(self, key: str, line: str) -> None:
        now = self._clock()
        due = self._due.setdefault(key, now + LINE_SECONDS * (len(self._due) + 1))
        if now >= due:
            self._due[key] = now + LINE_SECONDS * len(self._due)
            _print(line)


def _print(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _within(bounds: tuple[int, int], cells: int) -> int:
    return max(bounds[0], min(bounds[1], cells))
