"""Upload slots for lane threads: ``core.slots`` behind a lock, with the clock.

Called by ``net.lane_server`` around each answer; ``engine`` sets the limit.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from peerterm.core.slots import DEFAULT_SLOTS, Slots

if TYPE_CHECKING:
    from peerterm.core.ids import PeerId


class UploadSlots:
    """Who is served. Every method may be called from any thread.

    Args:
        limit: Most peers served at once, at least 1.
    """

    def __init__(self, limit: int = DEFAULT_SLOTS) -> None:
        self._slots = Slots(limit)
        self._lock = threading.Lock()

    @property
    def holders(self) -> frozenset[PeerId]:
        """The peers that have a slot."""
        with self._lock:
            return self._slots.holders

    def set_limit(self, limit: int) -> None:
        """Serve more peers at once from now on, or fewer as their turns end."""
        with self._lock:
            self._slots.limit = limit

    def take(self, peer: PeerId) -> bool:
        """Begin an answer, to be ended by ``done``; ``False`` if the peer is to ask again later."""
        with self._lock:
            return self._slots.take(peer, time.monotonic())

    def done(self, peer: PeerId) -> None:
        """End an answer that ``take`` allowed."""
        with self._lock:
            self._slots.done(peer, time.monotonic())
