"""The HTTP side of ``net.media``: judges each request of a player and sends it the bytes of a ``Media``.

aiohttp parses and writes; what it does not bound is bounded here. No token and no request target is ever logged.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.http import HttpProcessingError

from peerterm.core.manifest import CHUNK_BYTES
from peerterm.errors import PeertermError, PortTaken
from peerterm.wire.ranges import ByteRange, Verdict, if_range_holds, names_tag, parse_range

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerterm.net.media import Media, Stream

MAX_CONNECTIONS = 16
MAX_HEADER_BYTES = 8 * 1024
MAX_HEADERS = 64

HEADER_SECONDS = 10.0
"""Longest time a connection may take, from its start or its last answer on, until a whole request is here."""

STALL_SECONDS = 600.0
"""Longest time a client may take no bytes: a paused player takes none, and asks again when it goes on."""

CLOSE_SECONDS = 5.0

MAX_UNSENT_BYTES = 256 * 1024
"""The kernel's share of what a client has not taken: a seek makes it worthless, and some of it was just fetched."""

_NOT_SENT = getattr(socket, "TCP_NOTSENT_LOWAT", None)  # not on every system

_HARMLESS = {"Referrer-Policy": "no-referrer", "Server": "peerterm", "X-Content-Type-Options": "nosniff"}
_TOO_LONG = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

_log = logging.getLogger(__name__)


class Connection(web.RequestHandler):
    """One client."""

    __slots__ = ("_door", "_received", "is_answering")

    def __init__(self, door: Door) -> None:
        super().__init__(
            door,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=HEADER_SECONDS,
            logger=_log,
            access_log=None,  # type: ignore[arg-type] # its way to say: none
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            max_headers=MAX_HEADERS,
            lingering_time=0,  # no body is read, so none is waited for
            auto_decompress=False,
        )
        self._door = door
        self._received = 0  # bytes since the last request began to be answered
        self.is_answering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let it in if there is room."""
        assert isinstance(transport, asyncio.Transport)
        super().connection_made(transport)
        if not self._door.admit(self, transport):
            transport.abort()
        elif _NOT_SENT is not None:
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, _NOT_SENT, MAX_UNSENT_BYTES)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Cancel what is being answered, and give the place back."""
        self._door.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass on what belongs to a request of bounded length; whoever sends more is shown out."""
        self._received += len(data)
        if self._received <= MAX_HEADER_BYTES:
            super().data_received(data)
        elif self.is_answering:
            self.cut()
        elif self.transport is not None:
            self.transport.write(_TOO_LONG)
            self.force_close()

    def begin(self) -> None:
        """Note that a request is here whole."""
        self._received = 0
        self.is_answering = True

    def cut(self) -> None:
        """End it at once; what was not taken is dropped."""
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is not HTTP, and what a bug left unanswered. aiohttp would log and repeat what was asked."""
        if not isinstance(exc, HttpProcessingError | ConnectionError):
            context = {"message": "a bug ended a player's request", "exception": exc}
            asyncio.get_running_loop().call_exception_handler(context)
        if request.writer.output_size:
            raise ConnectionError("part of an answer is out, the rest will not come")
        return _refusal(HTTPStatus(status))


class Door(web.Server):
    """Listens at one loopback address.

    Args:
        find: Returns the stream that a request target names.
    """

    def __init__(self, find: Callable[[str], Stream | None]) -> None:
        super().__init__(self._answer, handler_cancellation=True)
        self.authority = ""
        self._find = find
        self._listener: asyncio.Server | None = None
        self._transports: dict[Connection, asyncio.Transport] = {}  # oldest first

    def __call__(self) -> Connection:
        """Make the protocol of a connection."""
        return Connection(self)

    async def open(self, host: str) -> None:
        """Listen on a free port; ``authority`` says which.

        Raises:
            PortTaken: The system gives none.
        """
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(self, host, 0, backlog=MAX_CONNECTIONS)
        except OSError as error:
            raise PortTaken(f"no port can be had at {host}: {error.strerror}") from error
        port = self._listener.sockets[0].getsockname()[1]
        self.authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def close(self) -> None:
        """Drop all connections and stop to listen. Cancel: both are done all the same."""
        assert self._listener is not None
        self._listener.close()
        for transport in list(self._transports.values()):
            transport.abort()
        await self.shutdown(CLOSE_SECONDS)
        await self._listener.wait_closed()

    def admit(self, connection: Connection, transport: asyncio.Transport) -> bool:
        """Take a new connection in, in the place of the oldest one that gets no answer now if all are taken.

        Refusing the newest instead would let a few idle clients lock the player out.
        """
        if len(self._transports) >= MAX_CONNECTIONS:
            idle = next((other for other in self._transports if not other.is_answering), None)
            if idle is None:
                _log.info("a player was refused: %d connections are in use", MAX_CONNECTIONS)
                return False
            self._transports.pop(idle).abort()
        self._transports[connection] = transport
        return True

    def leave(self, connection: Connection) -> None:
        """Forget a connection. Doing so again does nothing."""
        self._transports.pop(connection, None)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        assert isinstance(connection, Connection)
        connection.begin()
        try:
            if status := _fault(request, self.authority):
                return _refusal(status)
            stream = self._find(request.raw_path)
            if stream is None:
                return _refusal(HTTPStatus.NOT_FOUND)
            try:
                await stream.media.prepare()
            except PeertermError as error:
                _log.info("%s: a player was told to wait: %s", stream.media.name, error)
                return _refusal(HTTPStatus.SERVICE_UNAVAILABLE)
            return await _serve(request, stream)
        except (ConnectionError, asyncio.CancelledError):  # it is gone, or shall be
            connection.cut()
            raise
        finally:
            connection.is_answering = False


def _fault(request: web.BaseRequest, authority: str) -> HTTPStatus | None:
    """Say what is wrong with a request, whatever it asks for.

    Another Host is a name that was made to lead here. Scripts and forms of web pages come with an Origin or as
    another site; only a page that shows a media as such may, since it learns nothing of the bytes.
    """
    headers = request.headers
    if headers.get("Host") != authority:
        return HTTPStatus.MISDIRECTED_REQUEST
    is_own = headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin")
    if "Origin" in headers or not (is_own or headers.get("Sec-Fetch-Dest") in ("audio", "video")):
        return HTTPStatus.FORBIDDEN
    if request.method not in ("GET", "HEAD"):
        return HTTPStatus.METHOD_NOT_ALLOWED
    if request.body_exists:
        return HTTPStatus.BAD_REQUEST
    return None


def _refusal(status: HTTPStatus) -> web.Response:
    """Refuse, and close the connection."""
    headers = {**_HARMLESS, "Allow": "GET, HEAD"} if status is HTTPStatus.METHOD_NOT_ALLOWED else _HARMLESS
    response = web.Response(status=status, headers=headers, text=f"{status.phrase}\n")
    response.force_close()
    return response


async def _serve(request: web.BaseRequest, stream: Stream) -> web.StreamResponse:
    media = stream.media
    tag = f'"{media.etag}"'
    headers = {**_HARMLESS, "Accept-Ranges": "bytes", "Cache-Control": "no-store", "ETag": tag}
    if names_tag(_joined(request, "If-None-Match"), tag):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    wanted: ByteRange | Verdict = Verdict.WHOLE  # ranges are defined for GET only
    if request.method == "GET" and if_range_holds(_joined(request, "If-Range"), tag):
        wanted = parse_range(_joined(request, "Range"), media.size)
    if wanted is Verdict.UNSATISFIABLE:
        headers["Content-Range"] = f"bytes */{media.size}"
        return web.Response(status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=headers)
    start, stop, status = 0, media.size, HTTPStatus.OK
    if isinstance(wanted, ByteRange):
        start, stop, status = wanted.start, wanted.stop, HTTPStatus.PARTIAL_CONTENT
        headers["Content-Range"] = wanted.content_range(media.size)
    response = web.StreamResponse(status=status, headers={**headers, "Content-Type": media.mime})
    response.content_length = stop - start
    await response.prepare(request)
    if request.method == "GET":
        await _send(response, stream, start, stop)
    return response


def _joined(request: web.BaseRequest, name: str) -> str | None:
    """Return a header, its lines as one; ``None`` if there is none."""
    lines = request.headers.getall(name, None)
    return None if lines is None else ", ".join(lines)


async def _send(response: web.StreamResponse, stream: Stream, start: int, stop: int) -> None:
    """Send bytes, a chunk at a time, for as long as the stream is published and the client takes them."""
    task = asyncio.current_task()
    assert task is not None
    stream.tasks.add(task)
    try:
        await _send_chunks(response, stream.media, start, stop)
    except PeertermError as error:
        _log.info("%s: an answer to a player ended early: %s", stream.media.name, error)
        response.force_close()  # the client sees that bytes are missing
    finally:
        stream.tasks.discard(task)


async def _send_chunks(response: web.StreamResponse, media: Media, offset: int, stop: int) -> None:
    while offset < stop:
        border = offset - offset % CHUNK_BYTES + CHUNK_BYTES
        data = await media.read(offset, min(border, stop) - offset)
        assert data
        try:
            async with asyncio.timeout(STALL_SECONDS):
                await response.write(memoryview(data))  # so that what does not fit is not copied twice
        except TimeoutError as error:
            raise ConnectionAbortedError("the client takes nothing") from error
        offset += len(data)
