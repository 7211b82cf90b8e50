"""Media for players: bytes in memory that can be held back, or a file of this machine; and clients."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from peerterm.core.manifest import CHUNK_BYTES
from peerterm.net.media import MediaServer, mime_of

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

CONTENT = random.Random(5).randbytes(2 * CHUNK_BYTES + 12_345)
LARGE = bytes(32 * CHUNK_BYTES)


class MemoryMedia:
    """Bytes in memory.

    Attributes:
        reads: Offset and length of every read so far.
        waiting: How many reads wait now.
        cancelled: How many were cancelled.
        error: Raised instead of bytes from ``held_from`` on.
    """

    def __init__(self, content: bytes, *, name: str = "film.mkv", held_from: int | None = None) -> None:
        self.name, self.mime, self.size, self.etag = name, mime_of(name), len(content), "ab" * 32
        self.reads: list[tuple[int, int]] = []
        self.waiting = 0
        self.cancelled = 0
        self.error: Exception | None = None
        self._content = memoryview(content)
        self._held_from = len(content) if held_from is None else held_from
        self.changed = asyncio.Condition()

    async def prepare(self) -> None:
        """Do nothing: the size is known."""

    async def read(self, offset: int, length: int) -> memoryview:
        """Return bytes at once; from ``held_from`` on never, until it is cancelled."""
        self.reads.append((offset, length))
        if offset >= self._held_from:
            await self._hold()
        return self._content[offset : offset + length]

    async def _hold(self) -> None:
        if self.error:
            raise self.error
        self.waiting += 1
        async with self.changed:
            self.changed.notify_all()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.waiting -= 1
            async with self.changed:
                self.changed.notify_all()

    async def wait(self, *, waiting: int, cancelled: int = 0) -> None:
        """Return once so many reads wait and so many were cancelled."""
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: (self.waiting, self.cancelled) == (waiting, cancelled))


class FileMedia:
    """A file that is here already."""

    def __init__(self, path: Path) -> None:
        self.name, self.mime, self.size = path.name, mime_of(path.name), path.stat().st_size
        self.etag = "cd" * 32
        self._file = os.open(path, os.O_RDONLY)

    async def prepare(self) -> None:
        """Do nothing: the size is known."""

    async def read(self, offset: int, length: int) -> bytes:
        """Read in a thread."""
        return await asyncio.to_thread(os.pread, self._file, length, offset)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


@asynccontextmanager
async def serving() -> AsyncIterator[MediaServer]:
    """Run a server on 127.0.0.1."""
    server = MediaServer()
    await server.start()
    try:
        yield server
    finally:
        await server.close()


@dataclass(slots=True)
class Reply:
    """What a server answered: status, headers by lower-case name, and the bytes after them."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)


class Client:
    """One connection, on which anything can be said."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, url: str) -> None:
        self.reader, self.writer = reader, writer
        self.host = urlsplit(url).netloc
        self.target = urlsplit(url).path

    def ask(
        self, method: str = "GET", *, target: str | None = None, headers: Mapping[str, str | None] | None = None
    ) -> None:
        """Send a request. A header that is ``None`` is left out."""
        every = {"Host": self.host, **(headers or {})}
        lines = [f"{name}: {value}" for name, value in every.items() if value is not None]
        self.send("\r\n".join([f"{method} {target or self.target} HTTP/1.1", *lines, "", ""]).encode())

    def send(self, data: bytes) -> None:
        """Send any bytes."""
        self.writer.write(data)

    async def head(self) -> Reply:
        """Read an answer up to its body."""
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = [line.split(": ", 1) for line in lines[1:] if line]
        return Reply(int(lines[0].split()[1]), {name.lower(): value for name, value in pairs}, b"")

    async def reply(self, *, bodiless: bool = False) -> Reply:
        """Read an answer, as much of it as its length says."""
        reply = await self.head()
        if not bodiless:
            reply.body = await self.reader.readexactly(int(reply.headers.get("content-length", "0")))
        return reply

    async def rest(self) -> bytes:
        """Read until the other end closes, in whatever way."""
        found = bytearray()
        with suppress(ConnectionError):
            while data := await self.reader.read(CHUNK_BYTES):
                found += data
        return bytes(found)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Client]:
    """Connect to the server of a URL."""
    host, _, port = urlsplit(url).netloc.rpartition(":")
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    try:
        async with asyncio.timeout(10):
            yield Client(reader, writer, url)
    finally:
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def fetched(url: str, method: str = "GET", target: str | None = None, **headers: str | None) -> Reply:
    """Ask once on a connection of its own; underscores in header names stand for dashes."""
    async with connected(url) as client:
        client.ask(method, target=target, headers={name.replace("_", "-"): text for name, text in headers.items()})
        return await client.reply(bodiless=method == "HEAD")


async def curl(*words: str) -> tuple[int, bytes]:
    """Run curl; return its exit status and what it printed."""
    command = ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "20", *words]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    printed, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, printed


async def stalled(player: socket.socket, url: str) -> None:
    """Ask for all, take the head only, and return once the server has done what it can."""
    host, _, port = urlsplit(url).netloc.rpartition(":")
    loop = asyncio.get_running_loop()
    player.setblocking(False)
    await loop.sock_connect(player, (host, int(port)))
    await loop.sock_sendall(player, f"GET {urlsplit(url).path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    assert (await loop.sock_recv(player, 64)).startswith(b"HTTP/1.1 200 OK\r\n")
    await fetched(url, "HEAD")
