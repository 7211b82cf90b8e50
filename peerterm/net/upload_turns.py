"""Turns for lane threads: ``core.turns`` behind a lock, with the clock.

Called by ``net.lane_server`` around each answer and before each slice of it.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from peerterm.core.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peerterm.core.ids import PeerId

RECHECK_SECONDS = 0.1
"""Longest wait before a thread asks again whether it may go on."""


class UploadTurns:
    """Whose slice is next. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._turns = Turns()
        self._changed = threading.Condition()
        self._waiting = 0
        self._is_closed = False

    @contextmanager
    def answering(self, peer: PeerId) -> Iterator[None]:
        """Count a peer among those that share, while it is answered."""
        with self._changed:
            self._turns.begin(peer, time.monotonic())
        try:
            yield
        finally:
            with self._changed:
                self._turns.done(peer, time.monotonic())

    def acquire(self, peer: PeerId, size: int) -> None:
        """Wait until a peer that is being answered may be sent so many bytes."""
        if not self._turns.is_shared:
            return
        with self._changed:
            while not self._is_closed and not self._turns.take(peer, size, time.monotonic()):
                self._waiting += 1
                self._changed.wait(RECHECK_SECONDS)
                self._waiting -= 1
            if self._waiting:
                self._changed.notify_all()

    def close(self) -> None:
        """Let everybody through from now on, because nothing is to be sent any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
