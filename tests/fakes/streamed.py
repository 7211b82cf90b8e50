"""An engine in memory whose streams real players can read, and programs that stand in for players and ``ssh``."""

from __future__ import annotations

import asyncio
import io
import os
import wave
from typing import TYPE_CHECKING, Any

from peerterm.api.views import SourceView, StreamItemView, StreamView, SubtitleView
from peerterm.net.media import MediaServer
from tests.fakes.fake_engine import FakeEngine
from tests.fakes.playable import MemoryMedia

if TYPE_CHECKING:
    from pathlib import Path

    from peerterm.api.views import TransferView

ANNA = SourceView(peer_id="b" * 64, name="anna", bytes=1000, rate=5.0, state="active")


def make_item(name: str, **fields: Any) -> StreamItemView:
    """Return an item of a stream."""
    known: dict[str, Any] = {
        "name": name,
        "root": "f" * 64,
        "url": f"http://127.0.0.1:9/secret/{name}",
        "mime": "video/x-matroska",
        "size": 1000,
    }
    return StreamItemView(**known | fields)


def make_stream(name: str, *items: StreamItemView, **fields: Any) -> StreamView:
    """Return a stream that comes in."""
    items = items or (make_item(name),)
    known: dict[str, Any] = {
        "stream_id": f"{sum(name.encode(errors='replace')):08x}",
        "name": name,
        "kind": "file" if len(items) == 1 else "folder",
        "url": items[0].url,
        "mime": items[0].mime,
        "size": items[0].size,
        "items": list(items),
        "state": "streaming",
        "item": 0,
        "position": 0,
        "ahead": 0,
        "bytes": 0,
        "rate": 0.0,
        "sources": [],
        "started_at": 1.0,
    }
    return StreamView(**known | fields)


def song(name: str, seconds: float = 0.3) -> MemoryMedia:
    """Return a little silence that a player can play."""
    written = io.BytesIO()
    with wave.open(written, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(int(8000 * seconds) * 2))
    return MemoryMedia(written.getvalue(), name=name)


def program(folder: Path, name: str, script: str) -> Path:
    """Put a shell script where programs are looked for."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


class StreamingEngine(FakeEngine):
    """Streams over real HTTP.

    Attributes:
        media: By reference, what is played.
        subtitles: By the name of an item, those that belong to it.
        kept: The download that ``keep`` begins, if it is not to be a new one.
        is_stuck: Whether no stream is ever closed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.media: dict[str, list[MemoryMedia]] = {}
        self.subtitles: dict[str, list[SubtitleView]] = {}
        self.kept: TransferView | None = None
        self.is_stuck = False
        self._server: MediaServer | None = None

    async def run_until_stopped(self) -> None:
        """Serve until ``stop`` was called."""
        await super().run_until_stopped()
        if self._server:
            await self._server.close()

    async def stream(self, reference: str) -> StreamView:
        """Serve what ``media`` has for the reference."""
        if self._server is None:
            self._server = MediaServer()
            await self._server.start()
        items = [
            make_item(
                media.name,
                url=self._server.publish(media),
                mime=media.mime,
                size=media.size,
                subtitles=self.subtitles.get(media.name, []),
            )
            for media in self.media.get(reference, [])
        ]
        if items:
            self.playable[reference] = make_stream(reference, *items)
        return await super().stream(reference)

    async def close_stream(self, stream: str) -> StreamView:
        """Withdraw a stream."""
        if self.is_stuck:
            await asyncio.Event().wait()
        closed = await super().close_stream(stream)
        if self._server:
            for item in closed.items:
                self._server.withdraw(item.url)
        return closed

    async def keep(self, stream: str, directory: str = "") -> TransferView:
        """Begin a download, or say that it is ``kept``."""
        found = await super().keep(stream, directory)
        return self.kept or found


def searched_first(folder: Path) -> str:
    """Return a ``PATH`` on which a folder stands first."""
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
