"""Progress on stderr: bars on a terminal, else a line now and then."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Self

from peerterm.display import clean

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

STEP_PERCENT = 10
"""Without a terminal, a line is printed each time this much more is done."""

LABEL_CELLS = 32


class Bars:
    """Shows how far several things are, while its ``with`` block runs."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._steps: dict[str, int] = {}

    def __enter__(self) -> Self:
        """Draw bars if somebody can see them."""
        if not self._quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            from rich.progress import BarColumn, Progress, TextColumn

            from peerterm.cli.common import console

            self._bars = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=None),
                TextColumn("{task.percentage:>3.0f}%", markup=False),
                TextColumn("{task.fields[detail]}", markup=False),
                console=console(stderr=True),
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
            detail: What else there is to say.
        """
        if self._quiet:
            return
        label, detail = clean(label, width=LABEL_CELLS), clean(detail)
        if self._bars is None:
            step = done * 100 // total // STEP_PERCENT if total else 0
            if step > self._steps.get(key, -1):
                self._steps[key] = step
                sys.stderr.write(f"{label}: {step * STEP_PERCENT}% {detail}\n")
                sys.stderr.flush()
            return
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task(label, total=None, detail=detail)
        self._bars.update(self._tasks[key], completed=done, total=total or None, detail=detail)
