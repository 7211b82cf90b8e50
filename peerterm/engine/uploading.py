"""Uploads: gives lanes the pieces they ask for, and tells interested peers what we have.

What is offered is what the catalog lists, what is being fetched right now, and to single peers what they have a
grant for. The reading itself, in lane threads, is ``engine.reading``.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from peerterm.api.views import SourceView, TransferView
from peerterm.core.ids import Root
from peerterm.core.pieces import Piece, PieceRefused, Refusal
from peerterm.core.rate import RateMeter
from peerterm.engine.reading import HeldContent, LaneReader, Offers, SharedContent
from peerterm.errors import StorageError
from peerterm.store.reading import SharedFile
from peerterm.wire.messages import Have, HaveUpdate

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from peerterm.core.bitfield import Bitfield
    from peerterm.core.ids import PeerId
    from peerterm.engine.granted import Granted
    from peerterm.net.link import Link
    from peerterm.store.catalog import CatalogReader, StoredFile

log = logging.getLogger("peerterm.uploading")

LOOKUP_SECONDS = 10.0
MAX_CACHED = 1024
MAX_CACHED_BYTES = 128 * 1024 * 1024
"""Contents whose place on disk is remembered between requests."""
MAX_INTERESTS = 65_536
"""Contents one link may ask to be told about."""
MAX_UPDATE_CHUNKS = 2048
MAX_SENT = 256
"""Peers whose uploads are counted; the one served longest ago makes room."""
ACTIVE_SECONDS = 5.0


_Key: TypeAlias = "tuple[Root, PeerId | None]"
"""A content, and whose alone it is; ``None`` if it is everyone's."""


@dataclass(slots=True)
class Sent:
    """What one peer has been given since it last was idle."""

    started_at: float
    meter: RateMeter
    last_at: float = 0.0
    bytes: int = 0
    root: Root | None = None


class Uploads:
    """The source of every lane we serve, and the record of what went out."""

    def __init__(self, catalog: CatalogReader, granted: Granted) -> None:
        self._catalog = catalog
        self._granted = granted
        self._loop = asyncio.get_running_loop()
        self._cache: OrderedDict[_Key, SharedContent] = OrderedDict()
        self._lock = threading.Lock()
        self._cached_bytes = 0
        self._generation = 0
        self._held: dict[Root, tuple[HeldContent, ...]] = {}  # several if several transfers fetch it
        self._interests: dict[Link, dict[Root, None]] = {}
        self._sent: dict[PeerId, Sent] = {}

    # On lane threads.

    def open_reader(self, peer: PeerId) -> LaneReader:
        """See ``core.pieces.PieceSource``."""
        return LaneReader(self.offers_to(peer))

    def offers_to(self, peer: PeerId) -> Offers:
        """Return what a lane of a peer may read."""
        return _OffersTo(self, peer)

    def sent(self, peer: PeerId, piece: Piece, size: int) -> None:
        """Count what a lane has sent."""
        with self._lock:
            now = time.monotonic()
            record = self._sent.get(peer)
            if record is None or now - record.last_at > ACTIVE_SECONDS:
                record = self._sent[peer] = Sent(now, RateMeter(now))
            record.bytes += size
            record.meter.add(size, now)
            record.last_at = now
            record.root = piece.root
            if len(self._sent) > MAX_SENT:
                del self._sent[min(self._sent, key=lambda each: self._sent[each].last_at)]

    def held(self, root: Root) -> HeldContent | None:
        """Return a content that is being fetched here; if several transfers do so, the one that has most of it."""
        holdings = self._held.get(root, ())
        return holdings[0] if len(holdings) == 1 else max(reversed(holdings), key=_count, default=None)

    def shared(self, root: Root, peer: PeerId) -> SharedContent:
        """Return a content that a peer may have, waiting for the event loop to look it up.

        What it may not have is looked for in the same places as what is not there at all.

        Raises:
            PieceRefused: It is not offered, or could not be looked up.
        """
        with self._lock:
            for key in ((root, None), (root, peer)):
                if content := self._cache.get(key):
                    self._cache.move_to_end(key)
                    return content
            generation = self._generation
        lookup = asyncio.run_coroutine_threadsafe(self._look_up(root, peer), self._loop)
        try:
            found = lookup.result(LOOKUP_SECONDS)
        except (TimeoutError, concurrent.futures.CancelledError, StorageError) as error:
            lookup.cancel()
            raise PieceRefused(Refusal.FAILED) from error
        if found is None:
            raise PieceRefused(Refusal.NOT_FOUND)
        self._remember(*found, generation)
        return found[1]

    def _remember(self, key: _Key, content: SharedContent, generation: int) -> None:
        """Keep what was looked up, up to ``MAX_CACHED`` contents and ``MAX_CACHED_BYTES``; safe in any thread.

        What was looked up before the last ``forget`` is not kept.
        """
        with self._lock:
            if generation != self._generation:
                return
            if old := self._cache.pop(key, None):
                self._cached_bytes -= old.held_bytes
            self._cache[key] = content
            self._cached_bytes += content.held_bytes
            while len(self._cache) > MAX_CACHED or (self._cached_bytes > MAX_CACHED_BYTES and len(self._cache) > 1):
                self._cached_bytes -= self._cache.popitem(last=False)[1].held_bytes

    # On the event loop.

    async def _look_up(self, root: Root, peer: PeerId) -> tuple[_Key, SharedContent] | None:
        if (found := await self._find(root, peer)) is None:
            await self._catalog.settled()
            found = await self._find(root, peer)
        return found

    async def _find(self, root: Root, peer: PeerId) -> tuple[_Key, SharedContent] | None:
        if content := await self._find_listed(root):
            return (root, None), content
        content = await self._granted.content(peer, root)
        return ((root, peer), content) if content else None

    async def _find_listed(self, root: Root) -> SharedContent | None:
        digests = await self._catalog.digests(root)
        if (listing := await self._catalog.listing(root)) is not None:
            return SharedContent(len(listing), digests or b"", listing=listing)
        files = await self._catalog.file_of(root)
        if not files or digests is None:
            return None
        return SharedContent(files[0].size, digests, _shared_files(files))

    def forget(self) -> None:
        """Look every content up anew the next time: the catalog changed, or what a peer may have."""
        with self._lock:
            self._generation += 1
            self._cache.clear()
            self._cached_bytes = 0

    def hold(self, root: Root, content: HeldContent) -> None:
        """Offer a content that is being fetched here."""
        self._held[root] = (*self._held.get(root, ()), content)

    def release(self, root: Root, content: HeldContent) -> None:
        """Stop to offer a content that was being fetched, and say so, unless another transfer fetches it too."""
        holdings = self._held.get(root, ())
        if left := tuple(each for each in holdings if each is not content):
            self._held[root] = left
        elif holdings:
            del self._held[root]
            self._tell(HaveUpdate(root=root, gone=True))

    async def interested(self, link: Link, roots: list[bytes]) -> list[Have]:
        """Answer who has what, and remember to tell this link of more."""
        interests = self._interests.setdefault(link, {})
        generation = self._generation
        small = await self._catalog.small_files([Root(root) for root in roots])
        for root, file in small.items():
            content = SharedContent(file.files[0].size, file.digest, _shared_files(file.files))
            self._remember((root, None), content, generation)
        granted = await self._granted.present(link.peer_id, [Root(root) for root in roots if root not in small])
        haves: list[Have] = []
        for raw in roots:
            root = Root(raw)
            interests[root] = None
            if root in small or await self._catalog.size_of(root) is not None or root in granted:
                haves.append(Have(root=root, complete=True))
            elif (held := self.held(root)) and (bits := held.held) is not None:
                haves.extend(_haves(root, bits))
        while len(interests) > MAX_INTERESTS:
            interests.pop(next(iter(interests)))
        return haves

    def link_closed(self, link: Link) -> None:
        """Forget what a link was interested in."""
        self._interests.pop(link, None)

    def grew(self, root: Root, chunks: list[int]) -> None:
        """Tell those who asked that more of a content is held here now."""
        for first in range(0, len(chunks), MAX_UPDATE_CHUNKS):
            self._tell(HaveUpdate(root=root, chunks=chunks[first : first + MAX_UPDATE_CHUNKS]))

    def offer_again(self, peers: Collection[PeerId], roots: Collection[Root]) -> None:
        """Tell those of these peers who asked for contents that they may have them."""
        for link, interests in self._interests.items():
            if link.peer_id in peers:
                for root in interests.keys() & roots:
                    link.send(HaveUpdate(root=root, complete=True))

    def _tell(self, update: HaveUpdate) -> None:
        for link, interests in self._interests.items():
            if update.root in interests:
                link.send(update)

    def views(self, name_of: Callable[[PeerId], str]) -> list[TransferView]:
        """Return what goes out at present, one row a peer."""
        now = time.monotonic()
        with self._lock:
            active = {peer: each for peer, each in self._sent.items() if now - each.last_at < ACTIVE_SECONDS}
            return [_upload_view(peer, name_of(peer), record, now) for peer, record in active.items()]


class _OffersTo:
    """What one peer is offered; see ``reading.Offers``."""

    def __init__(self, uploads: Uploads, peer: PeerId) -> None:
        self.held = uploads.held
        self.shared = partial(uploads.shared, peer=peer)


def _shared_files(files: list[StoredFile]) -> tuple[SharedFile, ...]:
    return tuple(SharedFile(file.path, file.size, file.mtime_ns, file.inode, file.device) for file in files)


def _count(holding: HeldContent) -> int:
    return holding.held.count if holding.held else 0


def _haves(root: Root, bits: Bitfield) -> list[Have]:
    if bits.is_complete:
        return [Have(root=root, complete=True)]
    return [Have(root=root, first=first, bits=part) for first, part in bits.slices()]


def _upload_view(peer: PeerId, name: str, record: Sent, now: float) -> TransferView:
    rate = record.meter.rate(now)
    return TransferView(
        transfer_id=f"up-{peer[:8]}",
        direction="up",
        name=f"to {name}",
        kind="file",
        root=record.root.hex() if record.root else "",
        state="running",
        bytes=record.bytes,
        total=record.bytes,
        rate=rate,
        eta=None,
        seconds=now - record.started_at,
        files=0,
        done_files=0,
        path="",
        sources=[SourceView(peer_id=peer, name=name, bytes=record.bytes, rate=rate)],
    )
