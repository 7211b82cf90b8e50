"""One file that players read, wherever its bytes are: on this machine, in a download, in the cache, or at peers.

Implements ``net.media.Media``. Follows where the players read, and aims whoever fetches at what they read next.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerterm.core.manifest import CHUNK_BYTES, chunk_count, chunk_span
from peerterm.core.pieces import Piece, PieceKind
from peerterm.core.playhead import Playhead
from peerterm.engine.viewing import Viewing
from peerterm.errors import StorageError
from peerterm.net.media import mime_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from peerterm.core.ids import Root
    from peerterm.engine.exchange import Exchange
    from peerterm.engine.holding import FileHolding
    from peerterm.engine.order import Surroundings
    from peerterm.engine.tasks import Tasks
    from peerterm.store.reading import SharedFile

log = logging.getLogger("peerterm.playable")

LOOK_SECONDS = 1.0
"""How often whoever waits looks whether bytes come from elsewhere by now: a download, or a file that landed."""

AHEAD_CHUNKS = 256
"""How far what is here already is counted."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the bytes of a content may be.

    Attributes:
        local: Returns the files on this machine that should have it.
        download: Returns the download that fetches it now, and what that has of it.
    """

    local: Callable[[Root], Awaitable[list[SharedFile]]]
    download: Callable[[Root], tuple[Exchange, FileHolding] | None]
    around: Surroundings
    tasks: Tasks


class Playable:
    """One file of a stream; implements ``net.media.Media``.

    Attributes:
        size: Proven once ``is_open``; claimed before.
        read_at: When bytes were last read, of ``time.monotonic``; 0 if never.
        position: End of what was read last, or where somebody waits for bytes.
        is_waited_for: Whether somebody does.
    """

    def __init__(self, root: Root, name: str, size: int, sources: Sources) -> None:
        self.root = root
        self.size = size
        self.is_open = False
        self.read_at = 0.0
        self.position = 0
        self.is_waited_for = False
        self._name = name
        self._sources = sources
        self._opening = asyncio.Lock()
        self._playhead = Playhead(size)
        self._file: SharedFile | None = None
        self._viewing: Viewing | None = None
        self._is_helping = False  # a download has deadlines of ours

    @property
    def name(self) -> str:
        """See ``Media``."""
        return self._name

    @property
    def mime(self) -> str:
        """See ``Media``."""
        return mime_of(self._name)

    @property
    def etag(self) -> str:
        """See ``Media``."""
        return self.root.hex()

    async def prepare(self) -> None:
        """See ``Media``: find out where the bytes are, and how many.

        Raises:
            PeertermError: Nobody who is online has them.
        """
        async with self._opening:
            if self.is_open:
                return
            if not await self._open_local():
                download = self._sources.download(self.root)
                if download and (content := download[0].machine.content(self.root)) and content.is_proven:
                    self.size = content.size or self.size
                else:
                    self.size = await self._view().size()
            self._playhead = Playhead(self.size)
            self.is_open = True
            self.warm()

    async def _open_local(self) -> bool:
        for file in await self._sources.local(self.root):
            try:
                (await asyncio.to_thread(file.open)).close()
            except StorageError:
                continue
            self._file, self.size = file, file.size
            return True
        return False

    def _view(self) -> Viewing:
        """Return what fetches it from peers, and start it if that does not run."""
        if self._viewing is None or self._viewing.error:
            around = self._sources.around
            self._viewing = Viewing(self.root, self._name, around)
            self._sources.tasks.start(self._viewing.run(), name=f"stream {self._name}")
        return self._viewing

    def warm(self) -> None:
        """Fetch what a player asks for first, as if it did already."""
        if self._file is None and self._playhead.reader_at(0) is None and not self.read_at:
            self._playhead.open(0, time.monotonic())
            self.aim()

    def close(self) -> None:
        """Fetch nothing any more; whoever reads on waits in vain."""
        self._aim_download({})
        if self._viewing:
            self._viewing.end()
        self.is_open = False

    def evicted(self, index: int) -> None:
        """Note that the cache has a chunk no longer."""
        if self._viewing:
            self._viewing.evicted(index)

    # Reading

    async def read(self, offset: int, length: int) -> bytes | memoryview:
        """See ``Media``."""
        now = time.monotonic()
        reader = self._playhead.reader_at(offset)
        if reader is None:
            reader = self._playhead.open(offset, now)
        self.position, self.read_at = offset, now
        self.aim()
        try:
            data = await self._bytes(offset, length)
        except BaseException:
            self._playhead.close(reader)
            self.is_waited_for = False
            raise
        self.position, self.read_at, self.is_waited_for = offset + len(data), time.monotonic(), False
        self._playhead.advance(reader, self.position, self.read_at)
        return data

    async def _bytes(self, offset: int, length: int) -> bytes | memoryview:
        index, start = divmod(offset, CHUNK_BYTES)
        while True:
            if self._file and (whole := await self._read_file(self._file, index)):
                return whole[start : start + length]
            if data := await self._read_cached(index, start, length):
                return data
            download = self._sources.download(self.root)
            if download:
                exchange, holding = download
                if held := await self._read_download(holding, index):
                    return memoryview(held)[start : start + length]
            else:
                exchange = (viewing := self._view()).exchange
                if viewing.error:
                    raise viewing.error
            self.aim()
            self.is_waited_for = True
            await self._wait(exchange, index)

    async def _read_file(self, file: SharedFile, index: int) -> memoryview | None:
        try:
            return await asyncio.to_thread(_chunk_of, file, index)
        except StorageError as error:  # it was changed, or its disk is gone: peers may have it
            log.warning("no longer read from disk name=%r reason=%r", self._name, error.message)
            self._file = None
            return None

    async def _read_cached(self, index: int, start: int, length: int) -> bytes | None:
        if not self._sources.around.cache.has(self.root, index):
            return None
        return await asyncio.to_thread(self._sources.around.cache.read, self.root, index, start, length)

    async def _read_download(self, holding: FileHolding, index: int) -> bytes | None:
        if not (holding.held and holding.held.has(index)):
            return None
        try:
            return await asyncio.to_thread(holding.read_piece, Piece(self.root, PieceKind.CHUNK, index))
        except StorageError:  # it landed this moment
            await self._open_local()
            return None

    async def _wait(self, exchange: Exchange, index: int) -> None:
        """Wait until a chunk came from where it is fetched, or it may come from elsewhere."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                while not exchange.is_over:
                    held = exchange.machine.held(self.root)
                    if held and held.has(index):
                        return
                    await exchange.progress()
        except TimeoutError:
            pass
        if exchange.is_over and self._file is None:
            await self._open_local()

    # Aiming

    def aim(self) -> None:
        """Let what is read next be fetched next, by the download if one fetches it, else for the cache."""
        if self._file or not self.is_open:
            return
        download = self._sources.download(self.root)
        rate = self.exchange.rate if self.exchange else 0.0
        wants = self._playhead.wants(time.monotonic(), rate)
        if download:
            self._aim_download(wants)
            if self._viewing:
                self._viewing.aim({})
        elif wants or self._viewing:
            self._view().aim(wants)

    def _aim_download(self, wants: dict[int, float]) -> None:
        if (wants or self._is_helping) and (download := self._sources.download(self.root)):
            download[0].machine.set_deadlines(self.root, wants)
            download[0].pump()
        self._is_helping = bool(wants)

    # What is seen of it

    @property
    def is_local(self) -> bool:
        """Whether it is read from a file of this machine."""
        return self._file is not None

    @property
    def exchange(self) -> Exchange | None:
        """What fetches it now."""
        download = None if self._file else self._sources.download(self.root)
        return download[0] if download else self.viewed

    @property
    def viewed(self) -> Exchange | None:
        """What fetches it for players alone."""
        return self._viewing.exchange if self._viewing else None

    @property
    def ahead(self) -> int:
        """Bytes after ``position`` that are here without a gap."""
        if self._file:
            return self.size - self.position
        first = index = self.position // CHUNK_BYTES
        end = min(chunk_count(self.size), first + AHEAD_CHUNKS)
        while index < end and self._holds(index):
            index += 1
        return max(min(index * CHUNK_BYTES, self.size) - self.position, 0)

    def _holds(self, index: int) -> bool:
        held = self.exchange.machine.held(self.root) if self.exchange else None
        return bool(held and held.has(index)) or self._sources.around.cache.has(self.root, index)

    @property
    def is_near_end(self) -> bool:
        """Whether what comes after it will be read soon."""
        return self.position > 0 and self.position + self.ahead >= self.size


def _chunk_of(file: SharedFile, index: int) -> memoryview:
    with file.open() as opened:
        return opened.read_chunk(index, bytearray(chunk_span(file.size, index)[1]))
