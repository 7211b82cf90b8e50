from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

import pytest

from peerterm.core.ids import PeerId
from peerterm.errors import ConfigError
from peerterm.net import beacons
from peerterm.net.beacons import (
    BURST_SECONDS,
    MAX_HOSTS,
    PERIOD_SECONDS,
    TOTAL_RATE,
    Beacons,
    Flood,
    Schedule,
    seconds_suspended,
)
from peerterm.net.interfaces import LocalAddress
from peerterm.net.udp import Sender, source_host
from peerterm.wire.beacon import Beacon, BeaconKind, encode_beacon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

LOCAL = LocalAddress("lo", "127.0.0.1", "127.255.255.255", False, 1, "127.0.0.0/8")
ABSENT = LocalAddress("lo", "10.255.254.253", None, False, 1, "10.255.254.0/24")
ELSEWHERE = LocalAddress("eth9", "127.0.0.1", "127.255.255.255", False, 99, "127.0.0.0/8")


def free_port() -> int:
    """Return a UDP port that nobody uses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def send(port: int, data: bytes) -> None:
    """Send one datagram to this machine's port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(data, ("127.0.0.1", port))


def hello(number: int) -> bytes:
    """Return the beacon of a made-up peer."""
    return encode_beacon(Beacon(PeerId(f"{number:064x}"), b"instance", 4000, 1, BeaconKind.HELLO))


class Node:
    """One engine's beacons, and all it was told."""

    def __init__(self, number: int, port: int, *, sleeps: list[float] | None = None) -> None:
        self.addresses: tuple[LocalAddress, ...] = (LOCAL,)
        self.error: ConfigError | None = None
        self.peer_id = PeerId(f"{number:064x}")
        self.heard: list[tuple[PeerId, BeaconKind, str]] = []
        self.changes: list[tuple[LocalAddress, ...]] = []
        self.resumed = 0
        self.sent = 0
        self._news = asyncio.Condition()
        self.sleeps = sleeps or [0.0]
        self.beacons = Beacons(
            self._list,
            on_beacon=self._hear,
            make_beacon=self._make,
            rng=Random(number),
            port=port,
            on_addresses_changed=self.changes.append,
            on_resumed=self._resume,
            suspended=lambda: self.sleeps[0],
        )

    def _list(self) -> tuple[LocalAddress, ...]:
        if self.error is not None:
            raise self.error
        return self.addresses

    def _make(self, kind: BeaconKind) -> bytes:
        self.sent += 1
        return encode_beacon(Beacon(self.peer_id, b"instance", 4000, self.sent, kind))

    def _hear(self, beacon: Beacon, host: str) -> None:
        self.heard.append((beacon.peer_id, beacon.kind, host))

    def _resume(self) -> None:
        self.resumed += 1

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Node]:
        """Run until the block ends."""
        task = asyncio.create_task(self.beacons.run())
        try:
            yield self
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def until(claim: Callable[[], bool]) -> None:
    """Let the loop run until a claim holds; the test's time limit bounds it."""
    async with asyncio.timeout(20):
        while not claim():
            await asyncio.sleep(0.005)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for changes often."""
    monkeypatch.setattr(beacons, "CHECK_SECONDS", 0.02)


async def test_two_engines_on_one_machine_hear_each_other() -> None:
    """Both share the port on loopback; each hears the other within the first beacons, and its bye."""
    port = free_port()
    async with Node(1, port).running() as one:
        async with Node(2, port).running() as two:
            await until(lambda: (two.peer_id, BeaconKind.HELLO, "127.0.0.1") in one.heard)
            await until(lambda: (one.peer_id, BeaconKind.HELLO, "127.0.0.1") in two.heard)
        await until(lambda: (two.peer_id, BeaconKind.BYE, "127.0.0.1") in one.heard)

    assert one.changes == two.changes == [(LOCAL,)]
    assert not one.beacons.is_hearing


async def test_datagram_is_never_answered() -> None:
    """What comes in changes nothing of what goes out, whatever it is."""
    port = free_port()
    async with Node(1, port).running() as node:
        await until(lambda: node.beacons.is_hearing)
        await until(lambda: node.sent == 1)
        for number in range(50):
            send(port, hello(number + 100))
        for data in (b"", b"x" * 600, hello(1)[:-1]):
            send(port, data)
        await until(lambda: node.beacons.rejected == 3)

        assert len({peer for peer, _, _ in node.heard}) == 51
        assert node.sent == 1


async def test_datagram_over_another_interface_is_not_heard() -> None:
    """An engine restricted to an interface hears nothing that came in over others."""
    port = free_port()
    node = Node(1, port)
    node.addresses = (ELSEWHERE,)
    async with node.running():
        await until(lambda: node.beacons.rejected >= 1)

    assert node.heard == []


async def test_source_is_judged_where_the_interface_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without packet info the sender's network decides."""
    monkeypatch.setattr(beacons, "interface_of", lambda _: None)
    port = free_port()
    node = Node(1, port)
    async with node.running():
        await until(lambda: bool(node.heard))

    assert {host for _, _, host in node.heard} == {"127.0.0.1"}


async def test_datagram_over_the_limit_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the flood guard refuses is counted and dropped."""
    monkeypatch.setattr(Flood, "accepts", lambda *_: False)
    node = Node(1, free_port())
    async with node.running():
        await until(lambda: node.beacons.rejected >= 2)

    assert node.heard == []


@pytest.mark.usefixtures("quick")
async def test_machine_without_network_waits_for_one() -> None:
    """No address at the start is no error; the first one is announced with a burst."""
    node = Node(1, free_port())
    node.addresses = ()
    async with node.running():
        await until(lambda: node.sent > 0)
        assert not node.beacons.is_hearing
        node.addresses = (LOCAL,)
        await until(lambda: bool(node.heard))
        node.addresses = ()
        await until(lambda: len(node.changes) == 3)

    assert node.changes == [(), (LOCAL,), ()]


@pytest.mark.usefixtures("quick")
async def test_unplugged_interface_may_come_back() -> None:
    """A chosen interface that is unknown at the start is an error; one that goes away later is not."""
    node = Node(1, free_port())
    async with node.running():
        await until(lambda: node.changes == [(LOCAL,)])
        node.error = ConfigError("there is no network interface 'usb0'")
        await until(lambda: node.changes == [(LOCAL,), ()])
        node.error = None
        await until(lambda: node.changes == [(LOCAL,), (), (LOCAL,)])

    node = Node(2, free_port())
    node.error = ConfigError("there is no network interface 'usb0'")
    with pytest.raises(ConfigError):
        await node.beacons.run()


@pytest.mark.usefixtures("quick")
async def test_taken_port_is_told_once_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """While another program holds the port we still announce; when it lets go, we hear."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("0.0.0.0", 0))
        other.settimeout(0)
        node = Node(1, other.getsockname()[1])
        async with node.running():
            await until(lambda: node.sent > 0)
            assert other.recv(600)
            assert not node.beacons.is_hearing
            other.close()
            await until(lambda: bool(node.heard))

    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "cannot hear peers on UDP port" in warnings[0].getMessage()


@pytest.mark.usefixtures("quick")
async def test_address_that_cannot_be_used_yet_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address listed before it is ready, as new IPv6 ones are, is announced from once it is."""
    node = Node(1, free_port())
    node.addresses = (ABSENT,)
    async with node.running():
        await until(lambda: node.sent > 0)
        assert node.beacons._senders == {}
        sent = node.sent
        monkeypatch.setattr(beacons, "Sender", lambda _, port: Sender(LOCAL, port))
        await until(lambda: node.sent > sent)

        assert node.beacons._senders.keys() == {ABSENT}


@pytest.mark.parametrize(("number", "level"), [(101, logging.DEBUG), (22, logging.WARNING)])
async def test_failed_send_is_told_once(
    number: int, level: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A network that is down is normal; another failure is worth a warning; neither ends anything."""
    caplog.set_level(logging.DEBUG, "peerterm.net.beacons")
    monkeypatch.setattr(Sender, "send", lambda *_: [OSError(number, "no use")] * 2)
    node = Node(1, free_port())
    async with node.running():
        await until(lambda: node.sent >= 2)

    told = [record for record in caplog.records if "cannot announce" in record.getMessage()]
    assert [record.levelno for record in told] == [level]


@pytest.mark.usefixtures("quick")
async def test_wake_up_is_announced_at_once() -> None:
    """After a sleep a burst starts, and the owner is told."""
    node = Node(1, free_port(), sleeps=[100.0])
    async with node.running():
        await until(lambda: node.sent == 1)
        node.sleeps[0] = 103.0
        await until(lambda: node.sent == 2)
        assert node.resumed == 0
        node.sleeps[0] = 200.0
        await until(lambda: node.resumed == 1)
        await until(lambda: node.sent == 3)

    assert node.resumed == 1


async def test_error_of_the_socket_is_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system reports earlier network errors when we read; the next datagram is heard."""
    errors = [OSError(100, "Network is down")]

    def failing(source: tuple[str, int]) -> str:
        if errors:
            raise errors.pop()
        return source_host(source)

    monkeypatch.setattr(beacons, "source_host", failing)
    node = Node(1, free_port())
    async with node.running():
        await until(lambda: bool(node.heard))

    assert not errors


async def test_group_that_cannot_be_joined_leaves_broadcast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without multicast, broadcast is heard."""

    def refuse(*_: object) -> None:
        raise OSError(105, "No buffer space available")

    monkeypatch.setattr(beacons, "join_group", refuse)
    node = Node(1, free_port())
    async with node.running():
        await until(lambda: bool(node.heard))

    assert node.heard[0] == (node.peer_id, BeaconKind.HELLO, "127.0.0.1")


def test_flood_keeps_its_table_and_its_rate() -> None:
    """Of 100,000 datagrams in ten seconds, from as many hosts or one, few are read and little is kept."""
    flood = Flood()
    accepted = sum(flood.accepts(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", n / 10_000) for n in range(100_000))

    assert len(flood) == MAX_HOSTS
    assert accepted <= TOTAL_RATE * 11
    one = sum(Flood.accepts(flood, "10.250.0.1", 100 + n / 10_000) for n in range(100_000))
    assert one <= 20 * 11


def test_one_host_cannot_silence_another() -> None:
    """A host over its own bound takes nothing from the common one; engines on loopback share it freely."""
    flood = Flood()
    for _ in range(1000):
        flood.accepts("10.0.0.1", 1.0)

    assert flood.accepts("10.0.0.2", 1.0)
    assert sum(flood.accepts("127.0.0.1", 1.0) for _ in range(1000)) == TOTAL_RATE - 21


def test_schedule_starts_with_a_burst_and_goes_on_regularly() -> None:
    """Three beacons soon, then one every 5 s, give or take a fifth."""
    schedule = Schedule(Random(1))
    schedule.burst(100.0)
    times = []
    for _ in range(20):
        times.append(schedule.next)
        assert not schedule.take(schedule.next - 0.01)
        assert schedule.take(schedule.next)
    gaps = [later - earlier for earlier, later in pairwise(times[2:])]

    assert times[:3] == [100.0 + delay for delay in BURST_SECONDS]
    assert all(0.8 * PERIOD_SECONDS <= gap <= 1.2 * PERIOD_SECONDS for gap in gaps)
    assert len(set(gaps)) > 10


def test_missed_beacons_are_sent_once() -> None:
    """A loop that was held up does not catch up with a volley."""
    schedule = Schedule(Random(1))
    schedule.burst(100.0, at_once=True)

    assert schedule.next == 100.0
    assert schedule.take(200.0)
    assert not schedule.take(200.0)


def test_sleep_is_measured_where_the_system_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without that clock never seems to sleep."""
    assert seconds_suspended() >= 0.0
    monkeypatch.delattr("time.CLOCK_BOOTTIME")
    assert seconds_suspended() == 0.0
