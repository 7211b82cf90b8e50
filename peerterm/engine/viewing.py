"""One content that is fetched for players: only what they read next, into the cache of streams.

Made and aimed by ``engine.playable``. What is fetched is offered to other peers for as long as it is cached.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from peerterm.core import download as machine
from peerterm.core.pieces import Piece, PieceKind
from peerterm.engine.exchange import Exchange
from peerterm.engine.tasks import Tasks
from peerterm.errors import IntegrityError, PeertermError, PeerUnavailable

if TYPE_CHECKING:
    from peerterm.core.bitfield import Bitfield
    from peerterm.core.content import Content
    from peerterm.core.ids import Root
    from peerterm.engine.order import Surroundings
    from peerterm.store.stream_cache import StreamCache

log = logging.getLogger("peerterm.viewing")

OPEN_SECONDS = 15.0
"""How long a player waits for the size of what it wants to read."""


class CachedHolding:
    """A content in the cache of streams: where its chunks go, and from where others get them."""

    def __init__(self, content: Content, cache: StreamCache) -> None:
        self._content = content
        self._cache = cache

    @property
    def held(self) -> Bitfield | None:
        """See ``HeldContent``."""
        return self._content.held

    def write_chunk(self, index: int, data: memoryview) -> bytes:
        """See ``core.pieces.PieceSink``."""
        self._cache.write(self._content.root, index, data)
        return b""

    def read_piece(self, piece: Piece) -> bytes | None:
        """See ``HeldContent``."""
        match piece.kind:
            case PieceKind.HEAD:
                return self._content.head.encode() if self._content.head else None
            case PieceKind.PAGE:
                return self._content.pages.get(piece.index)
            case PieceKind.CHUNK:
                return self._cache.read(piece.root, piece.index)


class Viewing:
    """The fetching of one content for players; implements ``exchange.Keeper``.

    Attributes:
        exchange: Fetches it.
        error: Why it never can be read; ``None`` while it may be.
    """

    def __init__(self, root: Root, name: str, around: Surroundings) -> None:
        self.error: PeertermError | None = None
        self._root = root
        self._name = name
        self._around = around
        self._tasks = Tasks()
        self._ended = asyncio.Event()
        self._opened = asyncio.Event()
        self.exchange = Exchange(root, (root,), around, budgets=(around.budget,), tasks=self._tasks, keeper=self)
        self.exchange.machine.add_content(root)
        content = self.exchange.machine.content(root)
        assert content, "an empty content is not fetched"
        self._content = content
        self._holding = CachedHolding(content, around.cache)

    async def run(self) -> None:
        """Fetch what is wanted until ``end``. Cancel: as ``end``."""
        around = self._around
        try:
            async with self._tasks:
                if around.uploads.held(self._root) is None:
                    around.uploads.hold(self._root, self._holding)
                self.exchange.start()
                await self._ended.wait()
                self._tasks.cancel()
        finally:
            self.exchange.stop()
            self._opened.set()
            around.uploads.release(self._root, self._holding)

    def end(self) -> None:
        """Fetch nothing any more, and offer nothing of it."""
        self._ended.set()

    async def size(self) -> int:
        """Return the proven size, once it is known.

        Raises:
            PeertermError: Nobody can be asked for it, or it contradicts itself.

        Cancel: safe.
        """
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await self._opened.wait()
        except TimeoutError as error:
            raise PeerUnavailable(
                f"{self._name}: no peer that has it answers", "try again when one of them is online"
            ) from error
        if self.error:
            raise self.error
        if self._content.size is None:
            raise PeerUnavailable(f"{self._name}: the stream was closed")
        return self._content.size

    def holds(self, index: int) -> bool:
        """Whether a chunk is here."""
        return self._content.held is not None and self._content.held.has(index)

    def aim(self, wants: dict[int, float]) -> None:
        """Fetch these chunks and no others, each before the time at which a player needs it."""
        self.exchange.machine.set_window(self._root, wants)
        self.exchange.machine.set_deadlines(self._root, wants)
        self.exchange.pump()

    def evicted(self, index: int) -> None:
        """Note that a chunk had to make room in the cache; it may be wanted again."""
        if self.holds(index):
            self.exchange.machine.lost(self._root, index)
            self.exchange.pump()

    # See ``exchange.Keeper``

    def sink_of(self, root: Root) -> CachedHolding:
        """See ``exchange.Keeper``."""
        del root  # there is but one
        return self._holding

    def chunk_written(self, root: Root, index: int, chunk_sum: bytes) -> None:
        """Note nothing: the cache does not outlive the engine."""

    def changed(self) -> None:
        """Tell nobody: ``engine.streaming`` looks often enough."""

    def take(self, events: list[machine.Event]) -> None:
        """See ``exchange.Keeper``."""
        for event in events:
            match event:
                case machine.HeadKnown():
                    self._recall()
                    self._opened.set()
                case machine.ContentImpossible(reason=reason):
                    self.fail(IntegrityError(f"{self._name}: the offer contradicts itself: {reason}"))
                case machine.SourceDropped(peer=peer, reason=reason):
                    self.exchange.drop(event)
                    log.warning("source dropped root=%s peer=%s reason=%r", self._root.hex()[:8], peer[:8], reason)
                case _:
                    pass

    def _recall(self) -> None:
        """Take what an earlier stream of the same content left in the cache."""
        cached = self._around.cache.numbers(self._root)
        self.exchange.take(self.exchange.machine.looked(self._root, cached, cached, time.monotonic()))

    def fail(self, error: PeertermError) -> None:
        """See ``exchange.Keeper``."""
        self.error = error
        self._opened.set()
        self.end()
