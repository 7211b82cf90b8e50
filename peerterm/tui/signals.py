"""Ends the program when a signal asks for it: in order, or after a deadline without.

A signal's handler may run in the middle of anything, so it only writes to a pipe; a thread does the rest. Neither
needs the event loop, because they are there for the case that it is stuck.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

LEAVE_SECONDS = 3.0
"""How long the program may take to end in order after a signal."""

ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
"""Signals that end the program; keys send none, as the terminal is in raw mode."""


class Ending:
    """Waits for the first signal that ends the program; at the second, or late, ends the process at once.

    A hang-up counts once: the kernel, the shell and the terminal's own program may each send one for the same end.

    Args:
        leave: Begins to end in order; called in a thread with the exit code.
        abandon: Does what cannot wait for that; called in a thread.

    Attributes:
        is_begun: Whether there was a signal.
    """

    def __init__(self, leave: Callable[[int], None], abandon: Callable[[], None]) -> None:
        self._leave = leave
        self._abandon = abandon
        self._reader, self._writer = os.pipe()
        self.is_begun = False

    def watch(self) -> None:
        """Take the signals from now on, until the process ends."""
        for number in ENDING:
            signal.signal(number, self._on_signal)
        threading.Thread(target=self._wait, name="peerterm-ending", daemon=True).start()

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self.is_begun = True
        os.write(self._writer, bytes([number]))

    def _wait(self) -> None:
        code = 128 + self._next()
        self._leave(code)
        deadline = time.monotonic() + LEAVE_SECONDS
        while select.select([self._reader], [], [], max(deadline - time.monotonic(), 0))[0]:
            if self._next() != signal.SIGHUP:
                break
        self._abandon()
        os._exit(code)

    def _next(self) -> int:
        return os.read(self._reader, 1)[0]
