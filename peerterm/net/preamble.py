"""The four bytes a dialler sends in clear before TLS: what the connection is for.

They let the listener turn strangers away before a handshake, and hand lanes to threads. They authenticate nothing.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import TYPE_CHECKING

from peerterm.errors import ProtocolViolation

if TYPE_CHECKING:
    import socket

PREAMBLE_BYTES = 4


class Preamble(Enum):
    """What a connection is for; the value is what is sent."""

    LINK = b"PT1L"
    LANE = b"PT1D"


async def read_preamble(connection: socket.socket) -> Preamble:
    """Read the preamble from a non-blocking socket, and not a byte more.

    Raises:
        ProtocolViolation: It is none, or the stream ended.
        OSError: The connection broke.

    Cancel: safe; bytes read are lost, so close the socket.
    """
    data = b""
    loop = asyncio.get_running_loop()
    while len(data) < PREAMBLE_BYTES:
        part = await loop.sock_recv(connection, PREAMBLE_BYTES - len(data))
        if not part:
            break
        data += part
    try:
        return Preamble(data)
    except ValueError as error:
        raise ProtocolViolation(f"not a peerterm connection: it began with {data!r}") from error
