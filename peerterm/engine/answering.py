"""Answers what peers ask over their links: search, browse, find, locate, and who has which chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from peerterm.core.catalog import parse_query
from peerterm.engine.convert import to_wire
from peerterm.errors import NotFound, NotSupported
from peerterm.wire.messages import (
    MAX_HITS,
    MAX_ROOTS,
    Answer,
    BrowseAnswer,
    BrowseRequest,
    Entry,
    FindAnswer,
    FindRequest,
    Have,
    InterestAnswer,
    InterestRequest,
    LocateAnswer,
    LocateRequest,
    Request,
    SearchAnswer,
    SearchRequest,
    TalkPullRequest,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from peerterm.core.catalog import CatalogEntry
    from peerterm.core.ids import PeerId
    from peerterm.engine.granted import Granted
    from peerterm.engine.talk_driver import TalkDriver
    from peerterm.engine.uploading import Uploads
    from peerterm.net.link import Link
    from peerterm.store.catalog import CatalogReader

T = TypeVar("T")

BATCH_BYTES = 48 * 1024
"""Estimated size at which an answer is cut into parts, so that each stays below a frame's bound."""

MAX_PART_ITEMS = MAX_ROOTS
"""Items in one part of an answer."""

ENTRY_BYTES = 160
"""What an entry takes on the wire besides its path."""


class Answering:
    """What every link answers. Holds no state of its own."""

    def __init__(self, catalog: CatalogReader, granted: Granted, uploads: Uploads, talk: TalkDriver) -> None:
        self._catalog = catalog
        self._granted = granted
        self._uploads = uploads
        self._talk = talk

    async def answer(self, link: Link, request: Request) -> AsyncGenerator[Answer, None]:
        """See ``net.link.Handler``."""
        match request:
            case SearchRequest():
                query = parse_query(request.text, request.kind, request.min_size, request.max_size)
                hits = await self._catalog.search(query, request.limit)
                for part, done in _parts([to_wire(hit) for hit in hits], _entry_bytes):
                    yield SearchAnswer(request=request.request, hits=part, done=done)
            case FindRequest():
                hits = await self._find(link.peer_id, request)
                for part, done in _parts([to_wire(hit) for hit in hits], _entry_bytes):
                    yield FindAnswer(request=request.request, hits=part, done=done)
            case BrowseRequest():
                yield await self._browse(request)
            case LocateRequest():
                yield LocateAnswer(request=request.request, entry=to_wire(await self._locate(tuple(request.path))))
            case InterestRequest():
                haves = await self._uploads.interested(link, request.roots)
                for have, done in _parts(haves, _have_bytes):
                    yield InterestAnswer(request=request.request, haves=have, done=done)
            case TalkPullRequest():
                yield await self._talk.answer(link, request)
            case _:
                raise NotSupported(f"{type(request).__name__} is not known here")

    async def _find(self, peer: PeerId, request: FindRequest) -> list[CatalogEntry]:
        """Look in the catalog, and by root in what the peer has a grant for."""
        listed = await self._catalog.find(request.by, request.prefix, MAX_HITS)
        granted = await self._granted.find(peer, request.prefix, MAX_HITS) if request.by == "root" else []
        by_root = {hit.root: hit for hit in (*granted, *listed)}
        return [by_root[root] for root in sorted(by_root)][:MAX_HITS] if granted else listed

    async def _browse(self, request: BrowseRequest) -> BrowseAnswer:
        path = tuple(request.path)
        if path:
            await self._locate(path)
        entries, more = await self._catalog.browse(path, request.after, request.limit)
        page, is_whole = next(_parts([to_wire(entry) for entry in entries], _entry_bytes))
        return BrowseAnswer(request=request.request, entries=page, more=more or not is_whole)

    async def _locate(self, path: tuple[str, ...]) -> CatalogEntry:
        if (entry := await self._catalog.locate(path)) is None:
            raise NotFound(f"nothing is shared at {'/'.join(path)}")
        return entry


def _parts(items: list[T], size_of: Callable[[T], int]) -> Iterator[tuple[list[T], bool]]:
    """Cut a list into parts that fit a frame; at least one, each with whether it is the last."""
    part: list[T] = []
    size = 0
    for item in items:
        item_size = size_of(item)
        if part and (size + item_size > BATCH_BYTES or len(part) == MAX_PART_ITEMS):
            yield part, False
            part, size = [], 0
        part.append(item)
        size += item_size
    yield part, True


def _entry_bytes(entry: Entry) -> int:
    return ENTRY_BYTES + sum(len(name.encode()) + 3 for name in entry.path)


def _have_bytes(have: Have) -> int:
    return 80 + len(have.bits)
