"""One download as the user knows it: its life, over any number of attempts and runs of the engine."""

from __future__ import annotations

import asyncio
import errno
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from peerterm.core.budget import Budget
from peerterm.core.ids import PeerId
from peerterm.core.life import Event, Life, PauseReason, State
from peerterm.engine.attempt import Attempt
from peerterm.engine.recall import Recall
from peerterm.engine.tasks import tolerate
from peerterm.engine.transfer_view import main_sources, view_of
from peerterm.errors import DiskFull, IntegrityError, PeertermError, StorageError
from peerterm.store.completion import to_its_end

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from peerterm.api.views import TransferView
    from peerterm.engine.fetching import Fetching
    from peerterm.engine.order import Order, Surroundings
    from peerterm.store.destination import Destination

log = logging.getLogger("peerterm.transfer")

CONNECTING_SECONDS = 5.0
"""How long a transfer may be without a source before it is said to wait for one, and gives up its place."""

_OUT_OF_USE = frozenset({errno.EIO, errno.EROFS, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ENOTCONN})


@dataclass(slots=True)
class Tally:
    """What earlier attempts of a transfer amounted to."""

    seconds: float = 0.0
    wasted_bytes: int = 0
    local_bytes: int = 0
    sources: dict[PeerId, int] = field(default_factory=dict)
    strikes: dict[PeerId, int] = field(default_factory=dict)


class Transfer:
    """One download.

    Attributes:
        life: Where it is; ``engine.downloading``, ``runs``, ``disks`` and ``run`` move it.
        error: What failed, or what it waits for.
        part: Name of its part on disk, ``part_inode`` its inode number; of one that is done, empty once everything
            is noted.
        path: Where it landed.
        started_at: Unix time in seconds.
        ended_at: Likewise; ``None`` until it is over.
        turn: Held by whoever fulfils a user's wish: one after the other.
    """

    def __init__(
        self, order: Order, around: Surroundings, life: Life, *, priority: int = 0, limit: int = 0
    ) -> None:
        self.order = order
        self.life = life
        self.priority = priority
        self.limit = limit
        self.error: PeertermError | None = None
        self.part = ""
        self.part_inode = 0
        self.path = ""
        self.started_at = time.time()
        self.ended_at: float | None = None
        self.turn = asyncio.Lock()
        self.attempt: Attempt | None = None
        self.bytes = 0
        self.total = order.entry.size
        self.files = order.entry.files
        self.landed_files = 0
        self.tally = Tally()
        self._around = around.apart() if order.is_private else around
        self._budget = Budget(limit, time.monotonic())
        self._timed_at = 0.0
        self._source_at = 0.0

    @property
    def fetching(self) -> Fetching | None:
        """What is on its way, while something may be."""
        fetching = self.attempt.fetching if self.attempt else None
        return fetching if fetching and not fetching.exchange.is_over else None

    @property
    def has_remains(self) -> bool:
        """Whether it ended with some of it on disk, with which it could go on."""
        return bool(self.part and self.bytes) and self.life.is_over and self.life.state is not State.DONE

    def set_limit(self, limit: int) -> None:
        """Bound the rate to so many bytes a second from now on; 0 lifts the bound."""
        self.limit = limit
        self._budget.set_rate(limit, time.monotonic())

    async def run(self, on_part: Callable[[Transfer], Awaitable[None]]) -> None:
        """Make one attempt; what becomes of it is in ``life``, ``error`` and ``path``.

        What has not the flat SHA-256 that was asked for is removed, and what else is offered under it is tried.

        Args:
            on_part: Called when there is a part on disk, to note it.

        Cancel: whoever cancels moves ``life`` first; what was fetched stays on disk, noted.
        """
        while True:
            try:
                await self._attempt(on_part)
            except IntegrityError as error:
                if self.order.sha256 is None and self.bytes:  # these are proven; only the rest cannot be had
                    self.fail(error)
                    return
                await tolerate("remove what is wrong", self.discard)
                if (order := self.order.next()) is None:
                    self.fail(error)
                    return
                log.warning("not what was asked for transfer=%s reason=%r", order.transfer_id, error.message)
                self.order, self.total, self.files = order, order.entry.size, order.entry.files
            except PeertermError as error:
                self.fail(error)
                return
            else:
                return

    async def _attempt(self, on_part: Callable[[Transfer], Awaitable[None]]) -> None:
        self._timed_at = self._source_at = time.monotonic()
        self.error = None

        async def part_made(destination: Destination) -> None:
            self.part, self.part_inode = destination.part, destination.inode
            if not destination.resumed:
                self.bytes = self.landed_files = 0
            await on_part(self)

        self.attempt = attempt = Attempt(self.order, self._around, self._budget, part_made)
        try:
            await attempt.run(self.part, self.part_inode)
        finally:
            self._look()
            self._add_up(attempt)
            self.attempt = None
            if attempt.part:
                self.part, self.part_inode = attempt.part, attempt.inode
            if attempt.path:
                self.path = str(attempt.path)
                self.life.take(Event.LANDED)
                log.info("done transfer=%s path=%r", self.order.transfer_id, self.path)

    def fail(self, error: PeertermError) -> None:
        """Let it fail, or be paused by its disk if that may heal; one that has moved on meanwhile does neither."""
        self.life.take(Event.DISK_FULL if may_heal(error) else Event.FAILED)
        if self.life.state is State.FAILED or self.life.pause_reason is PauseReason.DISK:
            self.error = error
        log.warning("%s transfer=%s reason=%r", self.life.state, self.order.transfer_id, error.message)

    async def discard(self) -> None:
        """Remove what was fetched; only while no attempt runs.

        Raises:
            StorageError: The disk refuses.
        """
        if self.part and self.life.state is not State.DONE:
            recall = Recall(self._around.journal, self.order)
            await to_its_end(recall.discard(self.part, self.part_inode))
        self.part, self.part_inode, self.bytes, self.landed_files = "", 0, 0, 0
        self.tally.local_bytes, self.tally.sources = 0, dict.fromkeys(self.tally.sources, 0)
        await self._around.journal.forget(self.order.transfer_id)

    def look(self) -> None:
        """Let the life follow what the attempt has come to; called whenever that may have changed."""
        if attempt := self.attempt:
            self._look()
            now = time.monotonic()
            self.tally.seconds, self._timed_at = self.seconds, now
            if attempt.is_fetched:
                self.life.take(Event.FETCHED)
            elif attempt.fetching and attempt.fetching.machine.has_source:
                self._source_at = now
                self.life.take(Event.SOURCE_FOUND)
            elif now - self._source_at > CONNECTING_SECONDS:
                self.life.take(Event.SOURCES_GONE)

    def _look(self) -> None:
        if (attempt := self.attempt) and (fetching := attempt.fetching):
            is_planned = attempt.total is not None
            # Until then what an earlier attempt had is still being checked, and counts as it was noted.
            self.bytes = max(fetching.verified_bytes, 0 if is_planned else self.bytes)
            self.landed_files = max(attempt.landed_files, 0 if is_planned else self.landed_files)
            self.total = max(attempt.total or self.total, self.bytes)
            self.files = attempt.files or self.files

    def _add_up(self, attempt: Attempt) -> None:
        self.tally.seconds = self.seconds
        self.tally.local_bytes += attempt.local_bytes
        if attempt.fetching:
            self.tally.wasted_bytes += attempt.fetching.machine.wasted_bytes
            for peer, stats in attempt.fetching.machine.sources.items():
                self.tally.sources[peer] = self.tally.sources.get(peer, 0) + stats.verified_bytes
                self.tally.strikes[peer] = stats.strikes
            self.tally.sources = main_sources(self.tally.sources)
            self.tally.strikes = {peer: self.tally.strikes.get(peer, 0) for peer in self.tally.sources}

    @property
    def seconds(self) -> float:
        """How long it was under way; what it was queued, paused or without a source does not count."""
        is_under_way = self.attempt and self.life.holds_slot
        return self.tally.seconds + (time.monotonic() - self._timed_at if is_under_way else 0.0)

    def view(self) -> TransferView:
        """Return the transfer as clients see it."""
        return view_of(self, self._around.name_of)


def may_heal(error: PeertermError) -> bool:
    """Whether a fault of the disk may end by itself: it is full, or out of use for now."""
    cause = error.__cause__
    is_out_of_use = isinstance(cause, OSError) and cause.errno in _OUT_OF_USE
    return isinstance(error, DiskFull) or (isinstance(error, StorageError) and is_out_of_use)
