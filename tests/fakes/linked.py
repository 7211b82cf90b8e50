"""Real TLS streams over 127.0.0.1, for tests of links."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peerterm.net.dialer import dial_link
from peerterm.net.identity import Identity
from peerterm.net.link import Connected
from peerterm.net.listener import Limits, Listener
from peerterm.net.tls import OPEN_NETWORK_SEED, TlsContexts
from peerterm.wire.messages import Hello

LOOPBACK = "127.0.0.1"


def contexts_of(folder: Path, name: str, seed: bytes = OPEN_NETWORK_SEED) -> TlsContexts:
    """Return the contexts of a device whose key lies in a folder."""
    return TlsContexts.for_identity(Identity.load_or_create(folder / name), seed)


def hello_of(name: str, **fields: Any) -> Hello:
    defaults: dict[str, Any] = {"protocol": 1, "name": name, "instance": b"12345678", "port": 1}
    return Hello(**(defaults | fields))


@dataclass
class Door:
    """A listener that keeps what comes in: links until ``leave`` is set, lanes until they are released."""

    listener: Listener
    links: asyncio.Queue[Connected]
    lanes: asyncio.Queue[tuple[socket.socket, tuple[str, int], Callable[[], None]]]
    leave: asyncio.Event

    @property
    def port(self) -> int:
        return self.listener.port


@asynccontextmanager
async def listening(contexts: TlsContexts, limits: Limits | None = None) -> AsyncIterator[Door]:
    """Listen on a free port of 127.0.0.1."""
    links: asyncio.Queue[Connected] = asyncio.Queue()
    lanes: asyncio.Queue[tuple[socket.socket, tuple[str, int], Callable[[], None]]] = asyncio.Queue()
    leave = asyncio.Event()

    async def on_link(connected: Connected) -> None:
        links.put_nowait(connected)
        await leave.wait()

    def on_lane(lane: socket.socket, address: tuple[str, int], release: Callable[[], None]) -> None:
        lanes.put_nowait((lane, address, release))

    listener = Listener(contexts, on_link=on_link, on_lane=on_lane, limits=limits)
    await listener.listen([LOOPBACK], 0)
    try:
        yield Door(listener, links, lanes, leave)
    finally:
        await listener.close()
        while not lanes.empty():
            lanes.get_nowait()[0].close()


@asynccontextmanager
async def connected_pair(folder: Path) -> AsyncIterator[tuple[Connected, Connected]]:
    """Yield the two ends of one stream: the dialler's, then the listener's."""
    async with listening(contexts_of(folder, "bob")) as door:
        dialled = await dial_link(LOOPBACK, door.port, contexts_of(folder, "ann"))
        try:
            yield dialled, await door.links.get()
        finally:
            dialled.writer.transport.abort()
