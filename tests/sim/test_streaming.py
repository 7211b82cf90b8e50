"""A player that reads while the bytes come, on a virtual clock: sources that die, are slow or lie, and seeks."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest

from peerterm.core.download import ContentDone, Event, SourceStruck
from peerterm.core.manifest import CHUNK_BYTES
from peerterm.core.playhead import EDGE_CHUNKS, MAX_AHEAD_BYTES, MIN_AHEAD_BYTES, Playhead
from tests.fakes.contents import MadeContent
from tests.sim.test_swarm import NEVER, Network, Peer, peer_id

MBIT = 1_000_000 / 8
STEP_SECONDS = 0.05
FILM_RATE = 8 * MBIT
LINK_SECONDS = 9.0  # a dead link is noticed after a ping and its pong


@dataclass
class Viewer(Peer):
    """A peer whose player reads the one content while it comes; the player keeps nothing in store."""

    playhead: Playhead = field(init=False)
    reader: int = 0
    is_kept: bool = False
    position: int = 0
    sought_at: float = 0.0
    waits: list[float] = field(default_factory=list)
    stale: list[int] = field(default_factory=list)
    stalled: float = 0.0
    _came_before: int = 0
    _is_waiting: bool = False
    _refresh_at: float = NEVER

    @property
    def made(self) -> MadeContent:
        [made] = self.network.made.values()
        return made

    def begin(self) -> None:
        """Start to watch at the first byte."""
        self.playhead = Playhead(self.made.size)
        self.seek(0)
        self.start()
        self.aim()

    def seek(self, offset: int) -> None:
        """Read at another place from now on."""
        self.playhead.close(self.reader)
        self.reader = self.playhead.open(offset, self.network.now)
        self.position, self.sought_at = offset, self.network.now
        self._is_waiting, self._came_before = True, self.came
        if self.download:
            self.aim()
            self.see()

    def aim(self) -> None:
        """Let the machine know what is wanted, now and whenever that may have changed."""
        assert self.download is not None
        now = self.network.now
        brought = sum(stats.rate for stats in self.download.sources.values() if stats.is_present)
        wants = self.playhead.wants(now, brought)
        self.download.set_window(self.made.root, None if self.is_kept else wants)
        self.download.set_deadlines(self.made.root, wants)
        self.pump()
        deadline = self.playhead.deadline()
        if deadline is not None and not now <= self._refresh_at <= deadline:
            self._refresh_at = deadline
            self.network.at(deadline, self.refresh)

    def refresh(self) -> None:
        self._refresh_at = NEVER
        self.aim()

    def take(self, events: list[Event]) -> None:
        super().take(events)
        self.see()

    def see(self) -> None:
        """Note how long it took until the first chunk was there, and what came before it."""
        if self._is_waiting and self.has(self.position):
            self._is_waiting = False
            self.waits.append(self.network.now - self.sought_at)
            self.stale.append(max(self.came - self._came_before - CHUNK_BYTES, 0))

    def has(self, offset: int) -> bool:
        held = self.download.held(self.made.root) if self.download else None
        return bool(held and held.has(offset // CHUNK_BYTES))

    def advance(self, length: int) -> None:
        self.position = min(self.position + length, self.made.size)
        self.playhead.advance(self.reader, self.position, self.network.now)
        self.aim()

    def play(self, seconds: float) -> None:
        """Take the film's bytes as time passes; what is not there in time is a stall."""
        network = self.network
        end = network.now + seconds
        while network.now < end and self.position < self.made.size:
            run(network, STEP_SECONDS)
            if self.has(self.position):
                self.advance(int(FILM_RATE * STEP_SECONDS))
            elif not self._is_waiting:
                self.stalled += STEP_SECONDS

    def gulp(self, seconds: float) -> None:
        """Take all bytes as fast as they come."""
        network = self.network
        end = network.now + seconds
        while network.now < end and self.position < self.made.size:
            run(network, STEP_SECONDS / 10)
            while self.position < self.made.size and self.has(self.position):
                self.advance(CHUNK_BYTES)

    @property
    def came(self) -> int:
        """Bytes that came, wanted or not."""
        return sum(size for _, size in self.received)


def run(network: Network, seconds: float) -> None:
    """Let time pass, whether anything happens or not."""
    until = network.now + seconds
    network.at(until, lambda: None)
    network.run(until)


def watching(*seeds: Peer, chunks: int = 600) -> tuple[Network, Viewer]:
    """Return a network of these peers and one that has just begun to watch."""
    network = Network([MadeContent.unreadable(chunks)])
    for seed in seeds:
        network.add(seed)
    viewer = Viewer(peer_id(99))
    network.add(viewer)
    viewer.begin()
    return network, viewer


def fast(number: int, rate: float = 50 * MBIT, *, lies: bool = False, silent_from: float = NEVER) -> Peer:
    return Peer(peer_id(number), rate=rate, lies=lies, silent_from=silent_from)


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


@pytest.mark.parametrize("dies_at", [0.1, 0.5, 2.0, 10.0, 100.0])
def test_film_plays_through_though_one_source_dies_and_one_is_slow(dies_at: float) -> None:
    """Of two sources at 50 Mbit/s one falls silent, a third brings 1 Mbit/s: 8 Mbit/s play without a stall."""
    dying = fast(2, silent_from=dies_at)
    network, viewer = watching(fast(1), dying, fast(3, MBIT))
    network.at(dies_at + LINK_SECONDS, dying.leave)
    viewer.play(120)

    assert viewer.waits[0] < 0.7
    assert viewer.stalled == 0
    assert viewer.download is not None
    assert viewer.download.wasted_bytes <= 3 * CHUNK_BYTES


def test_film_goes_on_when_its_only_source_comes_back() -> None:
    """What was read ahead bridges 25 seconds without any source."""
    seed = fast(1)
    network, viewer = watching(seed)
    network.at(40.0, seed.leave)
    network.at(65.0, seed.come_back)
    viewer.play(120)

    assert viewer.stalled == 0


@pytest.mark.parametrize("lies", [False, True])
def test_seek_brings_what_is_wanted_first(*, lies: bool) -> None:
    """Of 200 seeks at 2 x 100 Mbit/s nearly all are served within 0.2 s, also if one of the two sources lies."""
    _, viewer = watching(fast(1, 100 * MBIT), fast(2, 100 * MBIT, lies=lies), chunks=4000)
    rng = Random(5)
    for _ in range(200):
        viewer.play(rng.uniform(0.3, 1))
        viewer.seek(rng.randrange(viewer.made.size))
    viewer.play(1)

    assert len(viewer.waits) == 201  # none was left before it was served
    assert percentile(viewer.waits, 0.95) < 0.2
    assert max(viewer.waits) < 0.3
    assert max(viewer.stale) <= 4 * CHUNK_BYTES
    assert viewer.download is not None
    assert viewer.download.wasted_bytes <= 4 * CHUNK_BYTES
    assert any(isinstance(event, SourceStruck) for event in viewer.events) == lies
    assert (viewer.bytes_from(viewer.network.peers[peer_id(2)]) == 0) == lies


def test_dragged_slider_does_not_heap_up_requests() -> None:
    """After 100 seeks within two seconds the last is served as soon as any other."""
    _, viewer = watching(fast(1), chunks=4000)
    viewer.play(5)
    rng = Random(5)
    for _ in range(100):
        viewer.seek(rng.randrange(viewer.made.size))
        run(viewer.network, 0.02)
    viewer.play(2)

    assert viewer.waits[-1] < 3.1 * CHUNK_BYTES / (50 * MBIT)


@pytest.mark.parametrize(
    ("rates", "share"),
    [((50, 50), 0.95), ((50, 12), 0.9), ((200, 200, 200), 0.95), ((1000,), 0.95), ((50, 1), 0.9)],
)
def test_greedy_player_gets_all_there_is(rates: tuple[int, ...], share: float) -> None:
    """A player that fills its own store reads nearly as fast as all sources bring, and next to nothing twice."""
    _, viewer = watching(*(fast(number, rate * MBIT) for number, rate in enumerate(rates)))
    viewer.gulp(20)

    assert viewer.position / viewer.network.now > share * sum(rates) * MBIT
    assert viewer.download is not None
    assert viewer.download.wasted_bytes < 0.03 * viewer.came


def test_paused_player_costs_nothing() -> None:
    """Once the window is full nothing more is asked for, however long the pause."""
    network, viewer = watching(fast(1), fast(2))
    viewer.play(60)
    run(network, 60)
    before = viewer.came
    run(network, 600)

    assert viewer.came == before
    edges = 2 * EDGE_CHUNKS * CHUNK_BYTES
    assert before <= viewer.position + MAX_AHEAD_BYTES + edges + 2 * CHUNK_BYTES


def test_start_fetches_little() -> None:
    """Whoever only looks at a film costs a window of the least size and both ends."""
    network, viewer = watching(fast(1), fast(2))
    run(network, 60)

    assert viewer.has(0)
    assert viewer.has(viewer.made.size - 1)
    assert viewer.came <= MIN_AHEAD_BYTES + 2 * EDGE_CHUNKS * CHUNK_BYTES


def test_kept_film_becomes_a_download_of_what_is_missing() -> None:
    """When the window is lifted the player goes on, the rest comes meanwhile, each byte once, to the end."""
    _, viewer = watching(fast(1), fast(2), chunks=200)
    viewer.seek(100 * CHUNK_BYTES)
    viewer.play(10)

    assert not viewer.has(80 * CHUNK_BYTES)

    viewer.is_kept = True
    viewer.play(30)

    assert viewer.stalled == 0
    assert ContentDone(viewer.made.root) in viewer.events
    assert viewer.came < viewer.made.size + CHUNK_BYTES
