"""An engine in memory whose peers have folders, listed in pages as by a real one; and a program that runs on it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from textual.events import Paste

from peerterm.api.views import BrowsePage, EntryView
from peerterm.errors import NotFound, PeertermError
from peerterm.tui.app import PeertermApp
from tests.fakes.fake_engine import FakeEngine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from textual.pilot import Pilot

    from peerterm.api.engine import EngineApi
    from peerterm.tui.terminal import Terminal

WAIT_SECONDS = 10.0


def file(name: str, size: int = 1000, **fields: Any) -> EntryView:
    """Return a file in a folder."""
    known: dict[str, Any] = {"root": f"{sum(name.encode(errors='replace')):064x}", "mtime": 86_400.0 * 365}
    return EntryView(name=name, kind="file", size=size, **known | fields)


def folder(name: str, files: int = 3) -> EntryView:
    """Return a folder in a folder."""
    root = f"{sum(name.encode(errors='replace')):064x}"
    return EntryView(name=name, kind="folder", size=5000, files=files, root=root, mtime=0.0)


class BrowsableEngine(FakeEngine):
    """Keeps folders by peer and path.

    Attributes:
        folders: Entries by peer id and path.
        faults: What a peer answers instead, by peer id.
        gate: Pages after the first one wait for it.
        listed: What was asked: peer, path, after.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folders: dict[tuple[str, str], list[EntryView]] = {}
        self.faults: dict[str, PeertermError] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.listed: list[tuple[str, str, str]] = []

    async def browse(self, peer: str, path: str = "", after: str = "", limit: int = 500) -> BrowsePage:
        """List a folder in pages."""
        self.listed.append((peer, path, after))
        if after:
            await self.gate.wait()
        if peer in self.faults:
            raise self.faults[peer]
        if (peer, path) not in self.folders:
            raise NotFound(f"/{path}: there is no such folder")
        entries = self.folders[peer, path]
        start = int(after or 0)
        end = start + limit
        more = str(end) if end < len(entries) else ""
        return BrowsePage(peer_id=peer, path=path, entries=entries[start:end], next=more)


def screen_of(app: PeertermApp) -> list[str]:
    """Return the lines on the screen."""
    return [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]


class Screen:
    """A running program: keys in, lines out."""

    def __init__(self, app: PeertermApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def lines(self) -> list[str]:
        """The lines on the screen."""
        return screen_of(self.app)

    @property
    def text(self) -> str:
        """The whole screen."""
        return "\n".join(self.lines)

    @property
    def cursor_line(self) -> str:
        """The line of the table that the cursor is on."""
        return next((line for line in self.lines if line.startswith(">")), "")

    async def press(self, *keys: str) -> None:
        """Press keys, and let what they cause happen."""
        await self.pilot.press(*keys)

    async def paste(self, text: str) -> None:
        """Paste text into the input that has the focus, as a terminal does."""
        self.app.post_message(Paste(text))
        await self.pilot.pause()

    async def sees(self, *texts: str) -> None:
        """Wait until all texts are on the screen."""
        await self.until(lambda: all(text in self.text for text in texts), f"{texts} on the screen")

    async def until(self, condition: Callable[[], bool], what: str = "the condition") -> None:
        """Wait for a condition.

        Raises:
            AssertionError: It does not come true; says what is on the screen.
        """
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while not condition():
                    await self.pilot.pause(0.01)
        except TimeoutError:
            raise AssertionError(f"waited in vain for {what}:\n{self.text}") from None


@asynccontextmanager
async def program(
    engine: EngineApi, size: tuple[int, int] = (80, 24), terminal: Terminal | None = None
) -> AsyncIterator[Screen]:
    """Run the program on an engine."""

    @asynccontextmanager
    async def connect(_start: bool) -> AsyncIterator[EngineApi]:
        yield engine

    app = PeertermApp(connect, terminal)
    async with app.run_test(size=size) as pilot:
        screen = Screen(app, pilot)
        await screen.until(lambda: app.model.status is not None, "the engine")
        yield screen
