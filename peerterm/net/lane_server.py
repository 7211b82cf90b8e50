"""The serving side of data lanes: one thread a lane, which answers a peer's requests from a ``PieceSource``.

Decides nothing about content: the source does, and says who may have what. ``net.listener`` hands over accepted
sockets after the preamble; ``engine`` owns the server.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from functools import partial
from typing import TYPE_CHECKING

from peerterm.core.pieces import PieceRefused, Refusal
from peerterm.errors import AuthFailed, ProtocolViolation
from peerterm.net.identity import peer_id_of
from peerterm.net.priority import give_way
from peerterm.net.throttle import Throttle
from peerterm.net.tls_stream import TlsStream, shut_down
from peerterm.net.upload_slots import UploadSlots
from peerterm.net.upload_turns import UploadTurns
from peerterm.wire.lane import REQUEST, decode_request, encode_reply_header

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from peerterm.core.ids import PeerId
    from peerterm.core.pieces import Piece, PieceReader, PieceSource
    from peerterm.wire.lane import Request

MAX_LANES = 64
MAX_LANES_PER_PEER = 4

HANDSHAKE_SECONDS = 10.0
IDLE_SECONDS = 90.0
"""Longest wait for a request."""

SEND_SECONDS = 30.0
"""Longest time one slice of an answer may take to leave: a peer that does not read loses its lane."""

_JOINED_BYTES = 16 * 1024  # up to here an answer is copied behind its header, to leave as one TLS record

_log = logging.getLogger(__name__)


class LaneServer:
    """Serves lanes until closed.

    Args:
        context: Server side of the network's TLS.
        source: Where pieces come from; called in lane threads.
        allow: Whether a peer may use lanes now; asked before each answer, in lane threads.
        on_sent: Told of each piece sent and its bytes; called in lane threads.
        slots: Who is served now; a peer without a slot is refused as busy. Its limit may be changed at any time.
        throttle: The upload limit, closed with the server. Its rate may be changed at any time.
        max_lanes: Most lanes at once, unfinished handshakes included; further ones are closed at once.
        max_lanes_per_peer: Most lanes of one peer at once.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        source: PieceSource,
        *,
        allow: Callable[[PeerId], bool],
        on_sent: Callable[[PeerId, Piece, int], None],
        slots: UploadSlots | None = None,
        throttle: Throttle | None = None,
        max_lanes: int = MAX_LANES,
        max_lanes_per_peer: int = MAX_LANES_PER_PEER,
    ) -> None:
        self._context = context
        self._source = source
        self._allow = allow
        self._on_sent = on_sent
        self._slots = slots or UploadSlots()
        self._throttle = throttle or Throttle()
        self._turns = UploadTurns()
        self._max_lanes = max_lanes
        self._max_lanes_per_peer = max_lanes_per_peer
        self._lock = threading.Lock()
        self._threads: dict[threading.Thread, socket.socket] = {}
        self._peers: dict[PeerId, int] = {}
        self._is_closed = False

    def serve(self, sock: socket.socket, host: str, release: Callable[[], None]) -> None:
        """Take over a connected socket.

        Args:
            sock: In blocking mode, with the preamble read.
            host: Where it comes from, for the log.
            release: Called once when the lane is over, in any thread.
        """
        thread = threading.Thread(target=self._run, args=(sock, host, release), name=f"lane-from-{host}")
        with self._lock:
            has_room = not self._is_closed and len(self._threads) < self._max_lanes
            if has_room:
                self._threads[thread] = sock
        if has_room:
            thread.start()
            return
        _log.info("lane from %s refused: too many lanes", host)
        sock.close()
        release()

    async def close(self) -> None:
        """End all lanes and wait for their threads. Cancel: the lanes end all the same, unwatched."""
        with self._lock:
            self._is_closed = True
            threads = dict(self._threads)
            for sock in threads.values():
                shut_down(sock)
        self._throttle.close()
        self._turns.close()
        for thread in threads:
            await asyncio.to_thread(thread.join)

    def _run(self, sock: socket.socket, host: str, release: Callable[[], None]) -> None:
        give_way()
        try:
            self._serve_peer(self._handshake(sock))
        except (OSError, AuthFailed, ProtocolViolation) as error:
            _log.info("lane from %s ended: %s", host, error)
        finally:
            with self._lock:
                del self._threads[threading.current_thread()]
            sock.close()
            release()

    def _handshake(self, sock: socket.socket) -> TlsStream:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = TlsStream(sock, self._context, server_side=True)
        stream.set_timeout(HANDSHAKE_SECONDS)
        stream.handshake()
        return stream

    def _serve_peer(self, stream: TlsStream) -> None:
        certificate = stream.tls.getpeercert(binary_form=True)
        if certificate is None:
            raise AuthFailed("no certificate")
        peer = peer_id_of(certificate)
        with self._lock:
            if self._peers.get(peer, 0) >= self._max_lanes_per_peer:
                raise ProtocolViolation(f"more than {self._max_lanes_per_peer} lanes")
            self._peers[peer] = self._peers.get(peer, 0) + 1
        try:
            with self._source.open_reader(peer) as reader:
                self._answer_requests(stream, peer, reader)
        finally:
            with self._lock:
                self._peers[peer] -= 1
                if not self._peers[peer]:
                    del self._peers[peer]

    def _answer_requests(self, stream: TlsStream, peer: PeerId, reader: PieceReader) -> None:
        buffer = memoryview(bytearray(REQUEST.size))
        stream.set_timeout(SEND_SECONDS)
        while self._allow(peer):
            stream.read_exactly(
                buffer,
                heard=partial(stream.set_timeout, SEND_SECONDS),
                waits=partial(stream.set_timeout, IDLE_SECONDS),
            )
            request = decode_request(buffer)
            if not self._allow(peer):
                break
            if not self._slots.take(peer):
                stream.send(encode_reply_header(request.number, 0, Refusal.BUSY))
                continue
            try:
                with self._turns.answering(peer):
                    self._answer(stream, peer, reader, request)
            finally:
                self._slots.done(peer)

    def _answer(self, stream: TlsStream, peer: PeerId, reader: PieceReader, request: Request) -> None:
        try:
            data = reader.read_piece(request.piece)
        except PieceRefused as error:
            stream.send(encode_reply_header(request.number, 0, error.refusal))
            return
        header = encode_reply_header(request.number, len(data))
        if len(data) <= _JOINED_BYTES and not self._throttle.rate:
            stream.write(header + bytes(data))  # with the answers to the requests that are here already
        elif len(data) <= _JOINED_BYTES:
            self._send_throttled(stream, peer, header + bytes(data))
        else:
            stream.write(header)  # leaves with the first slice
            self._send_throttled(stream, peer, data)
        self._on_sent(peer, request.piece, len(data))

    def _send_throttled(self, stream: TlsStream, peer: PeerId, data: bytes | bytearray | memoryview) -> None:
        rest = memoryview(data)
        while rest:
            part = rest[: self._throttle.slice_bytes]
            self._turns.acquire(peer, len(part))
            self._throttle.acquire(peer, len(part))
            stream.send(part)
            rest = rest[len(part) :]
