"""A peer that says and serves what a test wants, true or not, linked to a real engine over 127.0.0.1."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from peerterm.core.ids import Root
from peerterm.core.listing import ListingEntry, encode_listing
from peerterm.core.manifest import CHUNK_BYTES, chunk_digest, head_of
from peerterm.core.pieces import Piece, PieceKind, PieceRefused, Refusal
from peerterm.engine.reading import LaneReader, SharedContent
from peerterm.net.dialer import dial_link
from peerterm.net.lane_server import LaneServer
from peerterm.net.link import Link
from peerterm.net.listener import Listener
from peerterm.wire.messages import (
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
    Message,
    Request,
    SearchAnswer,
    SearchRequest,
)
from tests.fakes.linked import LOOPBACK, contexts_of, hello_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from pathlib import Path

    from peerterm.api.engine import EngineApi
    from peerterm.core.ids import PeerId
    from peerterm.errors import PeertermError
    from peerterm.net.link import Connected
    from peerterm.net.tls import TlsContexts
    from peerterm.wire.session import Closed


class FakePeer:
    """Answers every question with ``entries`` and serves ``contents`` over real lanes.

    Attributes:
        entries: The answer to each search and find; the first one is what lies at every path.
        contents: What it serves, by root; it says to have all of each.
        haves: What it says to have of a root instead.
        refusals: Why it refuses a root on its lanes.
        failures: What it answers to requests, one each, before it answers properly.
        mangle: Changes what it serves on the way out.
        asked: Every request it got.
        heard: Every message it got.
        served: Every piece it was asked for.
        link: Its newest link.
        links: What runs each of its links.
    """

    def __init__(self, contexts: TlsContexts, name: str) -> None:
        self.name = name
        self.entries: list[Entry] = []
        self.contents: dict[Root, bytes] = {}
        self.haves: dict[Root, list[Have]] = {}
        self.refusals: dict[Root, Refusal] = {}
        self.failures: list[PeertermError] = []
        self.mangle: Callable[[Piece, bytes], bytes] = lambda _, data: data
        self.asked: list[Request] = []
        self.heard: list[Message] = []
        self.served: list[Piece] = []
        self.link: Link
        self.links: list[asyncio.Task[Closed]] = []
        self._contexts = contexts
        self._is_welcoming = False
        self._lanes = LaneServer(contexts.server, self, allow=lambda _: True, on_sent=lambda *_: None)
        self._listener = Listener(
            contexts,
            on_link=self._accepted,
            on_lane=lambda sock, address, release: self._lanes.serve(sock, address[0], release),
        )

    async def listen(self) -> None:
        """Take lanes, on a free port."""
        await self._listener.listen([LOOPBACK], 0)

    @property
    def port(self) -> int:
        """Where it takes lanes."""
        return self._listener.port

    async def connect(self, engine: EngineApi, **hello: Any) -> None:
        """Link to an engine, with such fields in the HELLO; an older link stays as it is."""
        port = (await engine.status()).port
        await self._open(await dial_link(LOOPBACK, port, self._contexts), **hello)

    async def close(self) -> None:
        """End links, lanes and listener."""
        for running in self.links:
            running.cancel()
        if self.links:
            await asyncio.wait(self.links)
        await self._listener.close()
        await self._lanes.close()

    @asynccontextmanager
    async def welcoming(self) -> AsyncIterator[None]:
        """Open the links that others dial, while the block runs."""
        self._is_welcoming = True
        try:
            yield
        finally:
            self._is_welcoming = False

    async def _accepted(self, connected: Connected) -> None:
        if not self._is_welcoming:
            connected.writer.transport.abort()
            return
        await self._open(connected)
        await asyncio.wait(self.links[-1:])

    async def _open(self, connected: Connected, **hello: Any) -> None:
        fields: dict[str, Any] = {"name": self.name, "port": self.port}
        self.link = Link(connected, hello_of(**fields | hello))
        self.links.append(asyncio.create_task(self.link.run(self)))
        await self.link.opened()

    def file(self, data: bytes) -> Root:
        """Offer a content; return its root."""
        root = root_of(data)
        self.contents[root] = data
        return root

    def folder(self, *children: ListingEntry) -> Root:
        """Offer a listing of these children; return its root."""
        return self.file(encode_listing(children))

    def offer(self, data: bytes, name: str = "film.mkv", **said: Any) -> Root:
        """Offer a file as the only entry, with what is said of it; return its root."""
        root = self.file(data)
        self.entries = [wire_entry(root, name, **{"size": len(data)} | said)]
        return root

    def offer_folder(self, *children: ListingEntry, name: str = "album", **said: Any) -> Root:
        """Offer a folder as the only entry, with what is said of it; return its root."""
        root = self.folder(*children)
        self.entries = [wire_entry(root, name, kind="folder", **said)]
        return root

    def chunks(self, *roots: Root) -> list[int]:
        """Return the chunks it was asked for, of these contents or of all, each as often as it was."""
        return sorted(
            piece.index
            for piece in self.served
            if piece.kind is PieceKind.CHUNK and (not roots or piece.root in roots)
        )

    def give(self, count: int | None = None, *, of: Root | None = None) -> None:
        """From now on give everything, or be too busy for more than ``count`` chunks of a content."""
        self.served.clear()
        left = threading.Semaphore(count or 0)

        def mangle(piece: Piece, data: bytes) -> bytes:
            is_counted = count is not None and piece.kind is PieceKind.CHUNK and piece.root == of
            if is_counted and not left.acquire(blocking=False):
                raise PieceRefused(Refusal.BUSY)
            return data

        self.mangle = mangle

    # As the handler of its link

    async def answer(self, link: Link, request: Request) -> AsyncGenerator[Answer, None]:
        """Answer as told."""
        del link
        self.asked.append(request)
        if self.failures:
            raise self.failures.pop(0)
        match request:
            case SearchRequest():
                yield SearchAnswer(request=request.request, hits=self.entries)
            case FindRequest():
                yield FindAnswer(request=request.request, hits=self.entries)
            case LocateRequest():
                yield LocateAnswer(request=request.request, entry=self.entries[0])
            case BrowseRequest():
                yield BrowseAnswer(request=request.request, entries=self.entries)
            case InterestRequest():
                haves = [have for root in request.roots for have in self._haves(Root(root))]
                yield InterestAnswer(request=request.request, haves=haves)

    def _haves(self, root: Root) -> list[Have]:
        return self.haves.get(root, [Have(root=root, complete=True)] if root in self.contents else [])

    def received(self, link: Link, message: Message) -> None:
        """Note what was said."""
        del link
        self.heard.append(message)

    # As the source of its lanes

    def open_reader(self, peer: PeerId) -> _Reader:
        """Serve one lane."""
        del peer
        return _Reader(self)

    def held(self, root: Root) -> None:
        """Say that everything is complete."""

    def shared(self, root: Root) -> SharedContent:
        """Return what is served under a root."""
        if root in self.refusals or root not in self.contents:
            raise PieceRefused(self.refusals.get(root, Refusal.NOT_FOUND))
        data = self.contents[root]
        return SharedContent(len(data), digests_of(data), listing=data)


class _Reader(LaneReader):
    """Reads as an engine does, then changes what it read."""

    def __init__(self, peer: FakePeer) -> None:
        super().__init__(peer)
        self._peer = peer

    def read_piece(self, piece: Piece) -> bytes:
        """See ``core.pieces.PieceReader``."""
        self._peer.served.append(piece)
        return self._peer.mangle(piece, bytes(super().read_piece(piece)))


def digests_of(data: bytes) -> bytes:
    """Return the joined chunk digests of a content."""
    return b"".join(chunk_digest(data[at : at + CHUNK_BYTES]) for at in range(0, len(data), CHUNK_BYTES))


def root_of(data: bytes) -> Root:
    """Return the root of a content."""
    return head_of(len(data), digests_of(data)).root


def wire_entry(root: Root, *path: str, size: int = 0, kind: str = "file", **fields: object) -> Entry:
    """Return an entry as a peer says it."""
    return Entry(path=list(path), kind=kind, size=size, root=root, **fields)  # type: ignore[arg-type]


def child(name: str, root: Root, size: int = 0, kind: str = "file") -> ListingEntry:
    """Return one line of a listing."""
    return ListingEntry(name, kind, size, 1, root, False, 0)  # type: ignore[arg-type]


@asynccontextmanager
async def fake_peer(
    folder: Path, engine: EngineApi | None = None, name: str = "mallory"
) -> AsyncIterator[FakePeer]:
    """Run a peer, linked to the engine if one is given, and close it with the block."""
    peer = FakePeer(contexts_of(folder, f"{name}.key"), name)
    await peer.listen()
    try:
        if engine:
            await peer.connect(engine)
        yield peer
    finally:
        await peer.close()
