"""Whole swarms of download machines on a virtual clock: rates, churn, liars, silence."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import TYPE_CHECKING

import pytest

from peerterm.core.budget import Budget
from peerterm.core.content import MAX_ASKED
from peerterm.core.download import (
    ChunkHeld,
    ContentDone,
    Download,
    Event,
    SourceDropped,
    SourceStruck,
)
from peerterm.core.ids import PeerId
from peerterm.core.pieces import Fetch, Piece, PieceKind, Refusal
from peerterm.core.window import MAX_REQUESTS, MAX_WINDOW_BYTES, SILENCE_SECONDS
from tests.fakes.contents import MadeContent

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1024 * 1024
LATENCY = 0.001
NEVER = float("inf")


class Network:
    """The virtual clock, and everyone on it."""

    def __init__(self, made: list[MadeContent], seed: int = 1) -> None:
        self.made = {content.root: content for content in made}
        self.rng = Random(seed)
        self.now = 0.0
        self.peers: dict[PeerId, Peer] = {}
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def at(self, when: float, action: Callable[[], None]) -> None:
        heappush(self._agenda, (when, next(self._order), action))

    def run(self, until: float) -> None:
        """Let time pass until nothing is left to happen."""
        while self._agenda and self._agenda[0][0] <= until:
            when, _, action = heappop(self._agenda)
            self.now = max(self.now, when)
            action()
        for peer in self.peers.values():
            if peer.download:
                peer.check()

    def add(self, peer: Peer) -> Peer:
        peer.network = self
        self.peers[peer.id] = peer
        for other in list(self.peers.values()):
            other.meet(peer)
            peer.meet(other)
        return peer


@dataclass
class Peer:
    """One peer: it serves at a rate, and if it has a machine it downloads what it lacks."""

    id: PeerId
    rate: float = 10.0 * MIB
    lies: bool = False
    silent_from: float = NEVER
    download: Download | None = None
    budgets: tuple[Budget, ...] = ()
    network: Network = field(init=False)
    received: list[tuple[float, int]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    asked: defaultdict[Piece, list[PeerId]] = field(default_factory=lambda: defaultdict(list))
    done_at: float = NEVER
    is_online: bool = True
    _free_at: float = 0.0
    _wake_at: float = NEVER

    def start(self) -> None:
        """Begin to fetch every content."""
        self.download = Download(self.network.rng, self.budgets)
        for made in self.network.made.values():
            self.take(self.download.add_content(made.root, made.size))
        for other in list(self.network.peers.values()):
            self.meet(other)
        self.pump()

    def meet(self, other: Peer) -> None:
        if self.download is None or other is self or not (other.is_online and self.is_online):
            return
        self.download.source_joined(other.id, self.network.now)
        for made in self.network.made.values():
            held = other.download.held(made.root) if other.download else None
            if other.download is None:
                self.download.has(other.id, made.root, complete=True)
            elif held is not None:
                for first, bits in held.slices():
                    self.download.has(other.id, made.root, first=first, bits=bits)
        self.pump()

    def leave(self) -> None:
        self.is_online = False
        for other in self.network.peers.values():
            if other.download is not None:
                other.download.source_left(self.id, self.network.now)
                other.forget(self.id)
                other.pump()

    def forget(self, peer: PeerId) -> None:
        """Requests to a peer that is gone are open no more."""
        for peers in self.asked.values():
            peers[:] = [other for other in peers if other != peer]

    def come_back(self) -> None:
        self.is_online = True
        for other in self.network.peers.values():
            other.meet(self)

    def pump(self) -> None:
        if self.download is None:
            return
        for fetch in self.download.pump(self.network.now):
            self.asked[fetch.piece].append(fetch.peer)
            self.network.peers[fetch.peer].serve(fetch, self)
        self.check()
        deadline = self.download.deadline()
        if deadline is not None and not self.network.now <= self._wake_at <= deadline:
            self._wake_at = deadline
            self.network.at(deadline, self.wake)

    def wake(self) -> None:
        assert self.download is not None
        self._wake_at = NEVER
        self.take(self.download.tick(self.network.now))
        self.pump()

    def check(self) -> None:
        """The promises that hold at every moment."""
        assert self.download is not None
        assert all(len(peers) <= MAX_ASKED for peers in self.asked.values())
        for stats in self.download.sources.values():
            assert 0 <= stats.in_flight_bytes <= MAX_WINDOW_BYTES

    def serve(self, fetch: Fetch, asker: Peer) -> None:
        """Answer in turn, as one uplink does."""
        network = self.network
        if network.now >= self.silent_from:
            return
        start = max(self._free_at, network.now)
        self._free_at = start + fetch.max_bytes / self.rate
        for second in range(10, int(self._free_at - start), 10):  # the lanes hear every byte; this is enough
            network.at(start + second, lambda: asker.hear(self))
        if self._free_at < self.silent_from:
            network.at(self._free_at + LATENCY, lambda: asker.answered(fetch, self))

    def hear(self, source: Peer) -> None:
        """Note that a part of a piece came."""
        assert self.download is not None
        if source.is_online and self.is_online and self.network.now < source.silent_from:
            self.download.heard(source.id, self.network.now)

    def answered(self, fetch: Fetch, source: Peer) -> None:
        """Take the answer, as the lane threads would hand it over."""
        assert self.download is not None
        now, made = self.network.now, self.network.made[fetch.piece.root]
        if source.id in self.asked[fetch.piece]:
            self.asked[fetch.piece].remove(source.id)
        if not (source.is_online and self.is_online):
            self.download.refused(fetch, Refusal.LOST, now)
        elif source.lies:
            self.take(self.download.rejected(fetch, now))
        elif not source.holds(fetch):
            self.download.refused(fetch, Refusal.NOT_HELD, now)
        else:
            self.received.append((now, fetch.max_bytes))
            self.take(self.download.arrived(fetch, made.proof(fetch.piece), now))
        self.pump()

    def holds(self, fetch: Fetch) -> bool:
        held = self.download.held(fetch.piece.root) if self.download else None
        if self.download is None or fetch.piece.kind != PieceKind.CHUNK:
            return True
        return held is not None and held.has(fetch.piece.index)

    def take(self, events: list[Event]) -> None:
        self.events += events
        for event in events:
            if isinstance(event, ChunkHeld):
                self.tell_others(event)
            if isinstance(event, SourceDropped):
                self.forget(event.peer)
        done = {event.root for event in self.events if isinstance(event, ContentDone)} if events else set()
        if done == set(self.network.made) and self.done_at == NEVER:
            self.done_at = self.network.now

    def tell_others(self, event: ChunkHeld) -> None:
        for other in self.network.peers.values():
            if other.download is not None and other is not self:
                other.download.has_more(self.id, event.root, [event.index])
                self.network.at(self.network.now, other.pump)

    @property
    def is_done(self) -> bool:
        return self.done_at < NEVER

    def bytes_from(self, other: Peer) -> int:
        assert self.download is not None
        return self.download.sources[other.id].verified_bytes


def peer_id(number: int) -> PeerId:
    return PeerId(f"{number:064x}")


def swarm(
    *seeds: Peer, made: list[MadeContent] | None = None, budgets: tuple[Budget, ...] = ()
) -> tuple[Network, Peer]:
    """Return a network of these peers and one that starts to download."""
    network = Network(made or [MadeContent.unreadable(400)])
    for seed in seeds:
        network.add(seed)
    leech = network.add(Peer(peer_id(99), budgets=budgets))
    leech.start()
    return network, leech


def test_equal_sources_give_equal_shares() -> None:
    """Three seeds of one speed carry a third each, and together three times the speed."""
    seeds = [Peer(peer_id(number)) for number in range(3)]
    network, leech = swarm(*seeds)
    network.run(1000)

    assert leech.done_at < 400 / 30 * 1.1
    for seed in seeds:
        assert leech.bytes_from(seed) == pytest.approx(400 * MIB / 3, rel=0.05)
    assert leech.download is not None
    assert leech.download.wasted_bytes <= 3 * MIB


def test_source_four_times_faster_gives_four_times_more() -> None:
    """Shares follow the speed of the sources."""
    fast, slow = Peer(peer_id(1), rate=20 * MIB), Peer(peer_id(2), rate=5 * MIB)
    network, leech = swarm(fast, slow)
    network.run(1000)

    assert leech.bytes_from(fast) / leech.bytes_from(slow) == pytest.approx(4, rel=0.1)
    assert leech.done_at < 400 / 25 * 1.1


def test_very_slow_source_does_not_delay_the_end() -> None:
    """Pieces stuck at a source of 50 KiB/s are taken over in the endgame."""
    fast, slow = Peer(peer_id(1), rate=20 * MIB), Peer(peer_id(2), rate=50 * 1024)
    network, leech = swarm(fast, slow)
    network.run(1000)

    assert leech.done_at < 400 / 20 * 1.1


def test_liar_among_four_is_dropped_after_three_strikes() -> None:
    """One of four sources lies: three strikes, then never again; the rest comes from the others."""
    liar = Peer(peer_id(4), lies=True)
    network, leech = swarm(*(Peer(peer_id(number)) for number in range(3)), liar)
    network.run(1000)

    assert leech.is_done
    blamed = [event for event in leech.events if isinstance(event, SourceStruck | SourceDropped)]
    assert blamed == [
        *(SourceStruck(liar.id, strike) for strike in (1, 2, 3)),
        SourceDropped(liar.id, 3, "bad data"),
    ]
    assert leech.bytes_from(liar) == 0


def test_liar_is_dropped_among_small_files_too() -> None:
    """With hundreds of one-chunk files the liar has three strikes as well, and every file is done."""
    made = [MadeContent.of(1000 + number, number) for number in range(300)]
    liar = Peer(peer_id(4), lies=True)
    network, leech = swarm(*(Peer(peer_id(number)) for number in range(3)), liar, made=made)
    network.run(1000)

    assert leech.is_done
    assert [event for event in leech.events if isinstance(event, SourceDropped)] == [
        SourceDropped(liar.id, 3, "bad data")
    ]


def test_silent_source_costs_at_most_twenty_seconds() -> None:
    """A source that freezes with requests in flight delays the end by the stall limit at most."""
    frozen = Peer(peer_id(3), silent_from=3.0)
    network, leech = swarm(Peer(peer_id(1)), Peer(peer_id(2)), frozen)
    network.run(1000)

    assert leech.done_at < 400 / 20 + 20
    assert SourceDropped(frozen.id, 0, "silent") in leech.events


def test_transfer_waits_for_the_last_seed_to_come_back() -> None:
    """When all sources are gone nothing is lost, and it goes on by itself when one returns."""
    seed = Peer(peer_id(1))
    network, leech = swarm(seed)
    network.at(10.0, seed.leave)
    network.at(500.0, seed.come_back)
    network.run(499)

    assert not leech.is_done
    before = sum(isinstance(event, ChunkHeld) for event in leech.events)
    assert before >= 95

    network.run(2000)

    assert leech.done_at < 500 + (400 - before) / 10 * 1.2


def test_class_room_is_fed_by_one_seed() -> None:
    """Ten peers that serve each other while they download need little more than one peer would."""
    made = [MadeContent.unreadable(100)]
    network = Network(made)
    network.add(Peer(peer_id(1), rate=10 * MIB))
    leeches = [network.add(Peer(peer_id(10 + number), rate=10 * MIB)) for number in range(10)]
    for leech in leeches:
        leech.start()
    network.run(1000)

    assert all(leech.is_done for leech in leeches)
    assert max(leech.done_at for leech in leeches) < 100 / 10 * 2.5  # alone, the seed would need 100 s


@pytest.mark.parametrize("seed", range(10))
def test_download_ends_if_and_only_if_an_honest_seed_stays(seed: int) -> None:
    """Amid churn, lies, silence and slowness one honest seed is enough; without it the end is not reached."""
    made = [MadeContent.unreadable(1 + 20 * number, number) for number in range(3)]
    network, leech = swarm(Peer(peer_id(0), rate=5 * MIB), *unreliable(seed), made=made)
    churn(network, seed)
    network.run(300)

    assert leech.is_done

    network, leech = swarm(*unreliable(seed, only_liars=True), made=made)
    churn(network, seed)
    network.run(300)

    assert not leech.is_done
    assert not any(isinstance(event, ChunkHeld) for event in leech.events)


def unreliable(seed: int, *, only_liars: bool = False) -> list[Peer]:
    rng = Random(seed)
    return [
        Peer(
            peer_id(1 + number),
            rate=rng.choice([0.1, 1, 30]) * MIB,
            lies=rng.random() < 0.4 or only_liars,
            silent_from=rng.choice([NEVER, rng.uniform(0, 10)]),
        )
        for number in range(6)
    ]


def churn(network: Network, seed: int) -> None:
    """Let every unreliable peer leave and come back three times."""
    rng = Random(seed)
    for number in range(1, 7):
        peer = network.peers[peer_id(number)]
        for start in (0, 20, 40):
            network.at(rng.uniform(start, start + 10), peer.leave)
            network.at(start + 10.0, peer.come_back)


def test_requests_stay_within_their_number() -> None:
    """Of thousands of tiny files at most 64 are asked of a source at a time."""
    made = [MadeContent.of(10, number) for number in range(500)]
    network, leech = swarm(Peer(peer_id(1), rate=MIB), made=made)

    assert sum(map(len, leech.asked.values())) == MAX_REQUESTS

    network.run(100)

    assert leech.is_done


def rates(leech: Peer, start: float, end: float) -> list[float]:
    """Return what came in each second from start to end, in MiB, begun at every tenth of a second."""
    steps = [start + step / 10 for step in range(int((end - start - 1) * 10))]
    return [sum(size for at, size in leech.received if step < at <= step + 1) / MIB for step in steps]


@pytest.mark.parametrize("seeds", [1, 3])
def test_limit_set_while_running_holds_within_two_seconds(seeds: int) -> None:
    """10 MiB/s holds within 5 % in every second, by one source or several; lifting it is felt at once."""
    budget = Budget(0, 0.0)
    made = [MadeContent.unreadable(1000)]
    network, leech = swarm(
        *(Peer(peer_id(number), rate=100 * MIB) for number in range(seeds)), made=made, budgets=(budget,)
    )
    network.at(1.0, lambda: budget.set_rate(10 * MIB, network.now))
    network.at(31.03, lambda: budget.set_rate(0, network.now))
    network.at(31.03, leech.pump)
    network.run(1000)

    assert all(rate == pytest.approx(10, rel=0.05) for rate in rates(leech, 3.02, 31.0))
    assert rates(leech, 31.1, 32.2)[0] > 90
    assert leech.is_done


def test_limits_of_transfer_and_engine_hold_together() -> None:
    """Two transfers share what the engine allows; one of them has a lower limit of its own."""
    whole, own = Budget(8 * MIB, 0.0), Budget(2 * MIB, 0.0)
    network = Network([MadeContent.unreadable(400)])
    network.add(Peer(peer_id(1), rate=100 * MIB))
    slow = network.add(Peer(peer_id(98), budgets=(whole, own)))
    fast = network.add(Peer(peer_id(99), budgets=(whole,)))
    for leech in (slow, fast):
        leech.start()
    network.run(20)

    assert rates(slow, 3, 20)[0] <= 3
    assert sum(size for _, size in slow.received) / MIB <= 2 * 20 + 1
    assert sum(size for leech in (slow, fast) for _, size in leech.received) / MIB == pytest.approx(160, rel=0.05)


def test_source_of_twenty_kilobytes_a_second_is_kept() -> None:
    """A piece that takes a minute is no silence."""
    made = [MadeContent.unreadable(3)]
    network, leech = swarm(Peer(peer_id(1), rate=20_000), made=made)
    network.run(1000)

    assert leech.is_done
    assert not any(isinstance(event, SourceDropped) for event in leech.events)


def test_source_that_freezes_in_a_piece_is_dropped_in_time() -> None:
    """45 s after its last byte it is given up, however long the piece took until then."""
    frozen = Peer(peer_id(1), rate=20_000, silent_from=31.0)
    network, leech = swarm(frozen, made=[MadeContent.unreadable(3)])
    network.run(20 + SILENCE_SECONDS)

    assert leech.events[-1] != SourceDropped(frozen.id, 0, "silent")

    network.run(31 + SILENCE_SECONDS)

    assert leech.events[-1] == SourceDropped(frozen.id, 0, "silent")
