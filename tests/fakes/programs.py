"""The full-screen program on engines in memory, and its screen as text."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.events import Key
from textual.keys import _character_to_key, key_to_character
from textual.pilot import Pilot

from peerterm.api.views import HolderView, LogLine, OfferItemView, ShareView, SourceView
from peerterm.errors import EngineNotRunning
from peerterm.player.finding import Choice
from peerterm.tui import app
from peerterm.tui.app import PeertermApp
from peerterm.tui.links import link_to
from tests.fakes.browsable import BrowsableEngine, file, folder
from tests.fakes.fake_engine import OWN_ID, FakeEngine, make_hit, make_peer, make_transfer
from tests.fakes.fake_offers import make_offer
from tests.fakes.streamed import make_item, make_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from textual.app import App

    from peerterm.api.views import PeerView, TransferView
    from peerterm.tui.terminal import Terminal

LOOKS = 500
SETTLING = 100
NOON = 1_755_172_800.0
"""2025-08-14, 12:00 UTC: the same day all around the world but in the farthest islands."""
HOLIDAY = "4" * 16
"""The offer that waits for an answer."""


class Hand(Pilot[None]):
    """Presses keys and waits until what they begin is done; Textual's own waits for the processor to rest."""

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        program = self.app
        assert program._driver
        for key in keys:
            name = key if key.isalnum() or len(key) > 1 else _character_to_key(key)
            event = Key(name, key if len(key) == 1 else key_to_character(key))
            event.set_sender(program)
            program._driver.send_message(event)
            for _ in range(SETTLING):
                await asyncio.sleep(0)
                if isinstance(program, PeertermApp) and (program._keys.are_heard or program._exit):
                    break
        await self.pause()

    async def pause(self, delay: float | None = None) -> None:
        """Let everybody do what they were told, and that which follows from it; or let some time pass."""
        for _ in range(SETTLING if delay is None else 0):
            await asyncio.sleep(0)
        await asyncio.sleep(delay or 0)
        self.app.screen._on_timer_update()


class Program(PeertermApp):
    """A program that finds ``engines`` one after the other, and none when they are used up."""

    CSS_PATH = str(Path(app.__file__).parent / "styles" / "base.tcss")

    def __init__(self, *engines: FakeEngine, terminal: Terminal | None = None) -> None:
        self.engines = list(engines)
        super().__init__(self._next, terminal)
        self.watching.player.choose = lambda: Choice(None, "no player is installed; install mpv")
        self.copied: list[str] = []

    @asynccontextmanager
    async def _next(self, _start: bool) -> AsyncIterator[FakeEngine]:
        if not self.engines:
            raise EngineNotRunning("no engine runs")
        yield self.engines.pop(0)

    def copy(self, text: str) -> None:
        """Keep what was copied."""
        self.copied.append(text)


def text_of(program: App[None]) -> str:
    """Return the screen as it is drawn now."""
    strips = program.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


async def until(pilot: Pilot[None], holds: Callable[[], object]) -> None:
    """Let the program work until something holds."""
    for _ in range(LOOKS):
        if holds():
            return
        await pilot.pause(0.01)
    raise AssertionError(f"it never came:\n{text_of(pilot.app)}")


async def until_shown(pilot: Pilot[None], text: str) -> None:
    """Let the program work until a text is on the screen."""
    await until(pilot, lambda: text in text_of(pilot.app))


def make_share(name: str, **fields: Any) -> ShareView:
    """Return a share that is ready, with what the test cares about."""
    known: dict[str, Any] = {
        "share_id": f"{sum(name.encode(errors='replace')):08x}",
        "name": name,
        "path": f"/home/alice/{name}",
        "kind": "folder",
        "root": "e" * 64,
        "sha256": "",
        "files": 3,
        "bytes": 3000,
        "visibility": "everyone",
        "state": "ready",
    }
    return ShareView(**known | fields)


def populated() -> BrowsableEngine:
    """Return an engine of which every pane has something to show, the same at any time of day."""
    engine = BrowsableEngine()
    week_ago = time.time() - 7.5 * 86_400
    bob = make_peer("bob", shares=2, bytes=412_000_000_000, address="192.168.1.20:47470", trust="known")
    carol = make_peer("carol", bytes=18_000_000_000, address="192.168.1.21:47470")
    erin = make_peer("erin", state="offline", shares=4, bytes=9_100_000_000, last_seen=week_ago)
    engine.known_peers = [bob, carol, erin]
    engine.known_shares = [
        make_share("Pictures", files=81_204, bytes=412_000_000_000),
        make_share("Music", files=14_020, bytes=160_000_000_000, state="indexing", done_bytes=10**11, eta=75.0),
        make_share("Old disk", state="missing", error="/home/alice/Old disk: it is not there", files=2, bytes=2000),
    ]
    at_bob = SourceView(peer_id=bob.peer_id, name="bob", bytes=4_000_000_000, rate=39_200_000.0)
    at_carol = SourceView(peer_id=carol.peer_id, name="carol", bytes=260_000_000, rate=2_000_000.0)
    engine.known_transfers = [
        _transfer("photo.jpg", 4_100_000, 4_100_000, state="done", sources=[at_bob]),
        _transfer("thesis.pdf", 11_280_000, 12_000_000, state="failed", error="thesis.pdf: the disk is full"),
        _transfer("film.mkv", 4_260_000_000, 6_000_000_000, rate=41.2e6, eta=42.0, sources=[at_bob, at_carol]),
        _transfer("holiday", 1_640_000_000, 9_100_000_000, kind="folder", files=214, state="paused"),
        _transfer("music.zip", 0, 2_200_000_000, state="queued"),
        _transfer("talk.mkv", 400_000_000, 1_200_000_000, direction="up", rate=2e6, sources=[at_carol]),
    ]
    engine.known_streams = [
        make_stream(
            "film.mkv",
            make_item("film.mkv", size=6_000_000_000, root="c" * 64),
            state="streaming",
            position=900_000_000,
            ahead=48_000_000,
            bytes=948_000_000,
            rate=41_200_000.0,
            sources=[at_bob, at_carol],
        ),
        make_stream(
            "live",
            *(make_item(f"live-{number}.flac", size=30_000_000, root=f"{number}" * 64) for number in (1, 2, 3)),
            state="local",
            item=1,
            position=1_000_000,
        ),
    ]
    _talk(engine, bob, carol)
    engine.folders = {
        (bob.peer_id, ""): [folder("Music", 20), folder("Photos", 214)],
        (bob.peer_id, "Photos"): [
            folder("holiday", 214),
            file("IMG_0001.jpg", 4_100_000, mtime=NOON),
            file("film.mkv", 6_000_000_000, mtime=NOON),
        ],
        (OWN_ID, "Pictures"): [file("cat.png", 70_000, mtime=NOON)],
    }
    engine.hits = [
        make_hit(
            name,
            size=size,
            mtime=NOON,
            path=f"Music/live/{name}",
            peers=[HolderView(peer_id=bob.peer_id, name="bob")],
        )
        for name, size in (("live-1.flac", 312_000_000), ("live-2.flac", 298_000_000))
    ]
    engine.lines = [
        LogLine(at=NOON + number, level=level, source=source, text=text)
        for number, (level, source, text) in enumerate(
            [
                ("info", "engine", "ready on port 47470"),
                ("debug", "beacons", "heard bob at 192.168.1.20"),
                ("warning", "links", "erin: connection reset, retry in 8 s"),
                ("error", "transfers", "thesis.pdf: the disk is full"),
            ]
        )
    ]
    return engine


def _talk(engine: BrowsableEngine, bob: PeerView, carol: PeerView) -> None:
    """Let some things be said, of which the last two of bob's are not read."""
    link = link_to("c" * 64, "film.mkv", 6_000_000_000)
    ours = make_peer("fake", peer_id=OWN_ID)
    said: list[tuple[str, PeerView, str, dict[str, Any]]] = [
        ("#lan", carol, "hello everybody", {}),
        ("#lan", bob, "waves", {"kind": "me"}),
        (carol.peer_id, carol, "is the scanner yours?", {}),
        (bob.peer_id, bob, f"the film is up: {link}", {}),
        (bob.peer_id, ours, "thank you", {"state": "read"}),
        (bob.peer_id, ours, "I look at it tonight", {"state": "delivered"}),
        (bob.peer_id, bob, "did the iso arrive? I had to start it again because the cable was out for a while", {}),
        (bob.peer_id, bob, "fake: tell me when it has", {}),
    ]
    for number, (place, sender, text, fields) in enumerate(said):
        at = NOON + 60 * number
        known: dict[str, Any] = {"state": "received", "sent_at": at, "kept_at": at} | fields
        engine._add(place, sender.peer_id, sender.name, text, **known)
    for peer, unread in ((bob, 2), (carol, 0)):
        engine._open_direct(peer)
        engine.talk[peer.peer_id] = replace(engine.talk[peer.peer_id], unread=unread, last_at=NOON + unread)
    for place in engine.talk:
        engine._change_talk(place)


def offering() -> BrowsableEngine:
    """Return a populated engine, where an offer of bob's waits for an answer; others, and two of ours, do not."""
    engine = populated()
    bob, carol, _ = engine.known_peers
    to_bob, to_carol = ({"peer_id": peer.peer_id, "peer_name": peer.name} for peer in (bob, carol))
    items = [
        OfferItemView(name="holiday", kind="folder", root="d" * 64, size=9_100_000_000, files=214),
        OfferItemView(name="map.pdf", kind="file", root="f" * 64, size=4_100_000, files=1),
    ]
    waiting = make_offer("holiday", "map.pdf", offer_id=HOLIDAY, **to_bob)
    engine.known_offers = [
        make_offer("thesis.pdf", offer_id="1" * 16, state="landed", direction="out", sent_at=NOON, **to_carol),
        make_offer("music.zip", offer_id="2" * 16, direction="out", sent_at=NOON + 60, **to_carol),
        make_offer(
            "talk.mkv", offer_id="3" * 16, state="accepted", directory="/home/alice/talks", sent_at=NOON, **to_bob
        ),
        replace(waiting, items=items, files=215, bytes=9_104_100_000, sent_at=NOON),
    ]
    known: dict[str, Any] = {"kind": "offer", "offer_id": HOLIDAY, "sent_at": NOON + 600, "kept_at": NOON + 600}
    engine.hear("", bob, "offers holiday and 1 more", **known)
    return engine


def _transfer(name: str, has: int, total: int, **fields: Any) -> TransferView:
    return make_transfer(name, bytes=has, total=total, path=f"/home/alice/Downloads/{name}", **fields)


@asynccontextmanager
async def running(
    program: Program, size: tuple[int, int] = (80, 24), *, headless: bool = True
) -> AsyncIterator[Hand]:
    """Run a program until its engine is shown."""
    async with program.run_test(size=size, headless=headless):
        pilot = Hand(program)
        await until(pilot, lambda: program.model.status and program.focused and not program._is_dirty)
        await pilot.pause()
        yield pilot
