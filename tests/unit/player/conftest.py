"""A folder of small clips, a plain server that serves it under a token, and a canary that nobody may contact."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import socket
import subprocess
import threading
from contextlib import closing, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from peerterm.player.base import Item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOKEN = secrets.token_urlsafe(16)
SECONDS = 10.0


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that other processes bring about."""
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


class Handler(SimpleHTTPRequestHandler):
    """Serves files; of those whose name starts with ``half`` only the first half until it is told to go on."""

    server: Served

    def log_message(self, *arguments: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.server.requests.append(name)
        if not name.startswith("half"):
            super().do_GET()
            return
        data = (self.server.folder / name).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2])
        self.server.may_go_on.wait(SECONDS)
        self.wfile.write(data[len(data) // 2 :])


class Served(ThreadingHTTPServer):
    """The server of a test."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(folder.parent)))
        self.folder = folder
        self.requests: list[str] = []
        self.may_go_on = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore players that hang up."""

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{TOKEN}/{name}"

    def item(self, name: str, title: str = "Some film") -> Item:
        return Item(self.url(name), title)

    def write(self, name: str, text: str) -> Item:
        """Serve a file that is not what its name says."""
        (self.folder / name).write_text(text)
        return self.item(name, name)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two clips of two seconds."""
    if not shutil.which("ffmpeg"):
        pytest.skip("needs ffmpeg to make a clip")
    folder = tmp_path_factory.mktemp("clips")
    sources = ["-f", "lavfi", "-i", "testsrc=d=2:s=64x48:r=10", "-f", "lavfi", "-i", "sine=d=2"]
    codecs = ["-c:v", "mpeg4", "-g", "5", "-c:a", "aac"]
    subprocess.run(["ffmpeg", "-v", "error", *sources, *codecs, folder / "film.mkv"], check=True)
    shutil.copy(folder / "film.mkv", folder / "half.mkv")
    (folder / "film.srt").write_text("1\n00:00:00,000 --> 00:00:02,000\nhello\n")
    (folder / "film.de.srt").write_text("1\n00:00:00,000 --> 00:00:02,000\nhallo\n")
    return folder


@pytest.fixture
def served(clips: Path, tmp_path: Path) -> Iterator[Served]:
    """Serve the clips."""
    folder = tmp_path / TOKEN
    shutil.copytree(clips, folder)
    with Served(folder) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        yield server
        server.may_go_on.set()
        server.shutdown()
        thread.join()


class Canary:
    """A port that answers nothing and counts who asks."""

    def __init__(self) -> None:
        self.contacts = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/x"
        self._thread = threading.Thread(target=self._count)
        self._thread.start()

    def _count(self) -> None:
        with suppress(OSError):
            while True:
                with closing(self._socket.accept()[0]):
                    self.contacts += 1

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


@pytest.fixture
def canary() -> Iterator[Canary]:
    """Return a canary."""
    with closing(Canary()) as bird:
        yield bird
