"""Both ends of data lanes over real TLS on 127.0.0.1, and servers that misbehave."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self, TypeAlias

from peerterm.core.content import Content
from peerterm.core.ids import PeerId
from peerterm.core.manifest import CHUNK_BYTES
from peerterm.core.pieces import Fetch, Piece, PieceKind, PieceRefused, PieceSink, Refusal
from peerterm.errors import DiskFull
from peerterm.net.identity import Identity
from peerterm.net.lane_server import LaneServer
from peerterm.net.lanes import Outcome, PeerLanes, Result
from peerterm.net.throttle import Throttle
from peerterm.net.tls import TlsContexts
from peerterm.net.tls_stream import TlsStream
from peerterm.net.upload_slots import UploadSlots
from tests.fakes.contents import MadeContent

MADE = MadeContent.of(3 * CHUNK_BYTES + 10)
HEAD, PAGE, CHUNK = PieceKind.HEAD, PieceKind.PAGE, PieceKind.CHUNK

Contexts: TypeAlias = tuple[TlsContexts, TlsContexts]


def contexts_in(folder: Path) -> Contexts:
    """Return the contexts of a serving and an asking device."""
    server, client = (TlsContexts.for_identity(Identity.load_or_create(folder / name)) for name in ("s", "c"))
    return server, client


class Source:
    """Serves ``MADE``, or refuses. It is its own reader, and counts how many are open."""

    def __init__(self, refusal: Refusal | None = None) -> None:
        self.refusal = refusal
        self.readers: list[PeerId] = []
        self.closed_readers = 0

    def open_reader(self, peer: PeerId) -> Source:
        self.readers.append(peer)
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed_readers += 1

    def read_piece(self, piece: Piece) -> bytes:
        if self.refusal is not None:
            raise PieceRefused(self.refusal)
        return MADE.read(piece)


class Memory:
    """Keeps chunks, or is full."""

    def __init__(self, *, is_full: bool = False) -> None:
        self.chunks: dict[int, bytes] = {}
        self.is_full = is_full

    def write_chunk(self, index: int, data: memoryview) -> bytes:
        if self.is_full:
            raise DiskFull("no space")
        self.chunks[index] = bytes(data)
        return b""


class Answering:
    """A server of lanes, the port it listens on, and what it noted."""

    def __init__(
        self,
        context: ssl.SSLContext,
        source: Source,
        *,
        slots: UploadSlots | None = None,
        throttle: Throttle | None = None,
        **limits: int,
    ) -> None:
        self.sent: list[tuple[PeerId, Piece, int]] = []
        self.released = threading.Semaphore(0)
        self.allowed = True
        self.server = LaneServer(
            context,
            source,
            allow=lambda _: self.allowed,
            on_sent=lambda *what: self.sent.append(what),
            slots=slots,
            throttle=throttle,
            **limits,
        )
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, (host, _) = self._listener.accept()
                self.server.serve(sock, host, self.released.release)

    async def ended(self, count: int = 1) -> None:
        """Wait until so many lanes were released."""
        for _ in range(count):
            assert await asyncio.to_thread(self.released.acquire, timeout=10)

    async def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        await self.server.close()


@asynccontextmanager
async def answering(
    contexts: Contexts,
    source: Source | None = None,
    *,
    slots: UploadSlots | None = None,
    throttle: Throttle | None = None,
    **limits: int,
) -> AsyncIterator[Answering]:
    """Run a lane server."""
    server = Answering(contexts[0].server, source or Source(), slots=slots, throttle=throttle, **limits)
    try:
        yield server
    finally:
        await server.close()


def dial(contexts: Contexts, address: tuple[str, int]) -> TlsStream:
    """Connect by hand."""
    stream = TlsStream(socket.create_connection(address, timeout=10), contexts[1].client)
    try:
        stream.handshake()
    except OSError:
        stream.close()
        raise
    return stream


class Asking:
    """Lanes to a server, and the outcomes as they come."""

    def __init__(self, connect: Callable[[], TlsStream], lanes: int = 2) -> None:
        self.outcomes: asyncio.Queue[Outcome] = asyncio.Queue()
        self.lanes = PeerLanes(
            PeerId("a" * 64),
            lambda adopt: connect(),
            loop=asyncio.get_running_loop(),
            on_outcome=self.outcomes.put_nowait,
            lanes=lanes,
        )

    async def ask(self, *fetches: Fetch, sink: PieceSink | None = None) -> dict[Piece, Result]:
        """Submit fetches and wait for their outcomes."""
        for fetch in fetches:
            self.lanes.submit(fetch, sink)
        outcomes = [await asyncio.wait_for(self.outcomes.get(), 10) for _ in fetches]
        return {outcome.fetch.piece: outcome.result for outcome in outcomes}


@asynccontextmanager
async def asking(connect: Callable[[], TlsStream], lanes: int = 2) -> AsyncIterator[Asking]:
    """Run lanes to a server."""
    client = Asking(connect, lanes)
    try:
        yield client
    finally:
        await client.lanes.close()


@asynccontextmanager
async def linked(contexts: Contexts, source: Source | None = None) -> AsyncIterator[tuple[Asking, Answering]]:
    """Run both ends."""
    async with answering(contexts, source) as server, asking(lambda: dial(contexts, server.address)) as client:
        yield client, server


def fetch_of(kind: PieceKind, index: int = 0) -> Fetch:
    """Return the fetch that a download would make."""
    content = Content(MADE.root, 1, MADE.size)
    content.learn_head(MADE.head.encode())
    content.learn_page(0, MADE.digests)
    return content.ask(PeerId("a" * 64), MADE.piece(kind, index), 0.0).fetch


CHUNKS = [fetch_of(CHUNK, index) for index in range(4)]


class Scripted:
    """A server of one lane that does as the script says; entering gives the way to connect to it."""

    def __init__(self, contexts: Contexts, script: Callable[[TlsStream], None]) -> None:
        self._contexts = contexts
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> Callable[[], TlsStream]:
        self._thread.start()
        return lambda: dial(self._contexts, self._listener.getsockname())

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                thread = threading.Thread(target=self._play, args=(self._listener.accept()[0],))
                self._threads.append(thread)
                thread.start()

    def _play(self, sock: socket.socket) -> None:
        with suppress(OSError), TlsStream(sock, self._contexts[0].server, server_side=True) as stream:
            stream.set_timeout(10)
            stream.handshake()
            self._script(stream)
