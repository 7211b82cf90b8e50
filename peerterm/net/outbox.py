"""What waits to be written to one stream, and how long it may. Part of ``net.link``."""

from __future__ import annotations

import asyncio

WRITE_BYTES = 64 * 1024
DRAIN_SECONDS = 30.0
"""How long the peer may take to read ``WRITE_BYTES``."""
ROOM_BYTES = 1024 * 1024
"""Unsent bytes above which those who can wait do."""
MAX_BYTES = 8 * 1024 * 1024
"""Unsent bytes above which the peer counts as not reading."""


class Outbox:
    """A queue of bytes before a stream. What puts bytes there without waiting checks ``is_overfull``."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._writer.transport.set_write_buffer_limits(high=WRITE_BYTES)
        self._bytes = bytearray()
        self._is_filled = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()

    @property
    def is_overfull(self) -> bool:
        """Whether more than ``MAX_BYTES`` wait."""
        return len(self._bytes) > MAX_BYTES

    def put(self, data: bytes) -> None:
        """Queue bytes."""
        self._bytes += data
        self._is_filled.set()
        if len(self._bytes) >= ROOM_BYTES:
            self._has_room.clear()

    async def room(self) -> None:
        """Wait until less than ``ROOM_BYTES`` wait.

        Cancel: safe.
        """
        await self._has_room.wait()

    async def drain(self) -> None:
        """Write what is queued, for as long as the stream lasts.

        Raises:
            TimeoutError: The peer does not read.
            OSError: The stream broke.

        Cancel: safe; what is queued stays unwritten.
        """
        while True:
            await self._is_filled.wait()
            data = bytes(self._bytes[:WRITE_BYTES])
            del self._bytes[:WRITE_BYTES]
            if not self._bytes:
                self._is_filled.clear()
            if len(self._bytes) < ROOM_BYTES:
                self._has_room.set()
            self._writer.write(data)
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._writer.drain()
