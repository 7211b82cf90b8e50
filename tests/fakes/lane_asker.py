"""A lane of a device to a real engine, on which a test asks for pieces and sees the very bytes that come back."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from peerterm.net.preamble import Preamble
from peerterm.net.tls_stream import TlsStream
from peerterm.wire.lane import REPLY, decode_reply_header, encode_request
from tests.fakes.linked import LOOPBACK

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from peerterm.core.pieces import Piece
    from peerterm.net.tls import TlsContexts

NUMBER = 7


class LaneAsker:
    """One lane. ``async with`` opens and closes it."""

    def __init__(self, contexts: TlsContexts, port: int) -> None:
        self._contexts = contexts
        self._port = port

    async def __aenter__(self) -> Self:
        self._stream = await asyncio.to_thread(self._open)
        return self

    def _open(self) -> TlsStream:
        connection = socket.create_connection((LOOPBACK, self._port), timeout=10)
        connection.sendall(Preamble.LANE.value)
        stream = TlsStream(connection, self._contexts.client)
        stream.handshake()
        return stream

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._stream.close)

    async def reply(self, piece: Piece) -> bytes:
        """Ask for a piece; return the whole answer, header included."""
        return await asyncio.to_thread(self._reply, piece)

    def _reply(self, piece: Piece) -> bytes:
        self._stream.send(encode_request(NUMBER, piece))
        header = bytearray(REPLY.size)
        self._stream.read_exactly(memoryview(header))
        body = bytearray(decode_reply_header(header).length)
        if body:
            self._stream.read_exactly(memoryview(body))
        return bytes(header + body)
