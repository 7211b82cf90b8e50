"""What a player on this machine may read over HTTP, and under which secret URL.

Owns the tokens and the server's life. It knows neither peers nor disks: ``engine`` publishes each ``Media`` and
withdraws it. Requests are judged and answered by ``net.media_http``, which is imported by the first start, since it
loads aiohttp.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from hmac import compare_digest
from ipaddress import ip_address
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, unquote

from peerterm.errors import EngineBusy

if TYPE_CHECKING:
    import asyncio

    from peerterm.net.media_http import Door

MAX_PUBLISHED = 1024

_TOKEN_BYTES = 16
_LOOSE = "surrogateescape"  # names and requests may hold any bytes

_UNKNOWN_TYPE = "application/octet-stream"
_TYPES = {
    "3gp": "video/3gpp",
    "aac": "audio/aac",
    "aif": "audio/aiff",
    "aiff": "audio/aiff",
    "ass": "text/x-ssa",
    "avi": "video/x-msvideo",
    "flac": "audio/flac",
    "flv": "video/x-flv",
    "m2ts": "video/mp2t",
    "m4a": "audio/mp4",
    "m4b": "audio/mp4",
    "m4v": "video/mp4",
    "mka": "audio/x-matroska",
    "mkv": "video/x-matroska",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "mpeg": "video/mpeg",
    "mpg": "video/mpeg",
    "mts": "video/mp2t",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "ogv": "video/ogg",
    "opus": "audio/ogg",
    "srt": "application/x-subrip",
    "ssa": "text/x-ssa",
    "ts": "video/mp2t",
    "vtt": "text/vtt",
    "wav": "audio/wav",
    "weba": "audio/webm",
    "webm": "video/webm",
    "wma": "audio/x-ms-wma",
    "wmv": "video/x-ms-wmv",
}


def mime_of(name: str) -> str:
    """Return the media type for a file's name; what no player knows is only bytes, never a page or a script."""
    _, dot, extension = name.rpartition(".")
    return _TYPES.get(extension.lower(), _UNKNOWN_TYPE) if dot else _UNKNOWN_TYPE


class Media(Protocol):
    """One file that can be played."""

    @property
    def name(self) -> str:
        """The last part of its URL."""
        ...

    @property
    def mime(self) -> str:
        """Its media type."""
        ...

    @property
    def size(self) -> int:
        """Its bytes."""
        ...

    @property
    def etag(self) -> str:
        """Its root, as hex digits."""
        ...

    async def prepare(self) -> None:
        """Make sure that ``size`` is proven; called before each answer.

        Raises:
            PeertermError: It cannot be found out.

        Cancel: safe.
        """
        ...

    async def read(self, offset: int, length: int) -> bytes | memoryview:
        """Return verified bytes, at least one and at most ``length``, once they are here.

        Args:
            offset: First byte, below ``size``.
            length: At least 1; the bytes asked for lie within one chunk.

        Raises:
            PeertermError: They never will be.

        Cancel: safe; says that nobody waits for them any more.
        """
        ...


@dataclass(slots=True, eq=False)
class Stream:
    """A media under its token, with the tasks that answer requests for it."""

    media: Media
    token: bytes
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class MediaServer:
    """Serves published media on loopback, to whoever knows their URL."""

    def __init__(self) -> None:
        self._streams: dict[str, Stream] = {}
        self._door: Door | None = None

    async def start(self, host: str = "127.0.0.1") -> None:
        """Listen on a free port.

        Args:
            host: A loopback address.

        Raises:
            PortTaken: The system gives no port.
        """
        from peerterm.net.media_http import Door  # noqa: PLC0415 - aiohttp is loaded only where something is played

        assert ip_address(host).is_loopback
        door = Door(self._find)
        await door.open(host)
        self._door = door

    def publish(self, media: Media) -> str:
        """Return the URL at which a media can be read from now on.

        Raises:
            EngineBusy: ``MAX_PUBLISHED`` are published.
        """
        assert self._door is not None
        if len(self._streams) >= MAX_PUBLISHED:
            raise EngineBusy(f"{MAX_PUBLISHED} files are open for players already", "end a stream and try again")
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        url = f"http://{self._door.authority}/{token}/{quote(media.name, safe='', errors=_LOOSE)}"
        self._streams[url] = Stream(media, token.encode())
        return url

    def withdraw(self, url: str) -> None:
        """Let a URL lead nowhere from now on, and cut off who reads there. Doing so again does nothing."""
        if stream := self._streams.pop(url, None):
            for task in stream.tasks:
                task.cancel()

    async def close(self) -> None:
        """Withdraw all and stop to listen. Cancel: both are done all the same, but what ends is not waited for."""
        for url in list(self._streams):
            self.withdraw(url)
        door, self._door = self._door, None
        if door:
            await door.close()

    def _find(self, target: str) -> Stream | None:
        """Return what a request target names. How long it takes tells nothing about any token."""
        token, _, name = target.removeprefix("/").partition("/")
        given = token.encode(errors=_LOOSE)
        found = None
        for stream in self._streams.values():
            if compare_digest(stream.token, given):
                found = stream
        return found if found and unquote(name, errors=_LOOSE) == found.media.name else None
