"""Announces this engine on the local network and hears the others: UDP broadcast and multicast.

Owns the sockets, the schedule and the flood guard. It never answers a datagram, judges no beacon and dials nothing.
Run by the engine, which feeds what is heard to ``core.presence``.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import time
from collections import deque
from typing import TYPE_CHECKING

from peerterm.core.addresses import is_dialable, is_loopback
from peerterm.core.buckets import KeyedBuckets, TokenBucket
from peerterm.errors import ConfigError, ProtocolViolation
from peerterm.net.interfaces import reaches
from peerterm.net.udp import Sender, interface_of, join_group, open_receiver, source_host
from peerterm.wire.beacon import MAX_BEACON_BYTES, Beacon, BeaconKind, decode_beacon

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from peerterm.net.interfaces import LocalAddress

log = logging.getLogger(__name__)

DISCOVERY_PORT = 47470
"""UDP port of every engine, wherever its TCP port is; a network may agree on another."""

BURST_SECONDS = (0.1, 0.5, 2.0)
PERIOD_SECONDS = 5.0
PERIOD_SPREAD = 0.2
CHECK_SECONDS = 2.0
SUSPENDED_SECONDS = 5.0

HOST_RATE = 20.0
TOTAL_RATE = 200.0
MAX_HOSTS = 1024
MAX_SENDERS = 64
MAX_DATAGRAMS_A_WAKE = 32
"""Datagrams read before other work of the loop gets its turn."""

_NO_ROUTE = {errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTUNREACH, errno.EPERM, errno.EACCES, errno.ENODEV}
_NO_ROUTE |= {errno.EADDRNOTAVAIL, errno.EAGAIN, errno.ENOBUFS}


class Flood:
    """Decides which datagrams are worth reading: so many a second of one host, and of all.

    Invariant: remembers at most ``MAX_HOSTS`` hosts. Loopback hosts share only the common bound: nobody else can
    send from them, and many engines may share one.
    """

    def __init__(self) -> None:
        self._hosts = KeyedBuckets(HOST_RATE, HOST_RATE, max_keys=MAX_HOSTS)
        self._total = TokenBucket(TOTAL_RATE, TOTAL_RATE)

    def __len__(self) -> int:
        return len(self._hosts)

    def accepts(self, host: str, now: float) -> bool:
        """Count a datagram; return whether to read it."""
        return (is_loopback(host) or self._hosts.take(host, now)) and self._total.take(now)


class Schedule:
    """When the next beacon is due: a burst after a start or change, then regularly."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._times: deque[float] = deque()

    @property
    def next(self) -> float:
        """When ``take`` will next be true."""
        return self._times[0]

    def burst(self, now: float, *, at_once: bool = False) -> None:
        """Start over with a burst."""
        self._times = deque(now + delay for delay in ((0.0, *BURST_SECONDS) if at_once else BURST_SECONDS))

    def take(self, now: float) -> bool:
        """Return whether a beacon is due; of several missed ones, only one is."""
        is_due = False
        while self._times and self._times[0] <= now:
            self._times.popleft()
            is_due = True
        if not self._times:
            self._times.append(now + PERIOD_SECONDS * self._rng.uniform(1 - PERIOD_SPREAD, 1 + PERIOD_SPREAD))
        return is_due


def seconds_suspended() -> float:
    """Return how long this machine has slept since boot, in seconds; 0 where the system does not tell."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return 0.0
    awake = time.clock_gettime(time.CLOCK_MONOTONIC)
    return time.clock_gettime(time.CLOCK_BOOTTIME) - awake


def _ignore(*_: object) -> None:
    """Do nothing: the default of the callbacks that need not be given."""


class Beacons:
    """Sends and hears beacons while ``run`` runs.

    Several engines on one machine share the port. Only what comes in over the interfaces of the given addresses is
    heard. All callbacks are called in the loop and must not block.

    Args:
        addresses_source: The addresses to use now; asked every ``CHECK_SECONDS``. A ``ConfigError`` of
            the first call ends ``run``; later it means none.
        on_beacon: Called with each well-formed beacon, our own included, and the host it came from.
        make_beacon: Gives the datagram to send.
        on_addresses_changed: Called with each new set of addresses, the first included.
        rng: Spreads the schedule.
        port: UDP port of all engines of the network.
        on_resumed: Called after this machine slept.
        suspended: How long it has slept so far, in seconds.
    """

    def __init__(
        self,
        addresses_source: Callable[[], tuple[LocalAddress, ...]],
        *,
        on_beacon: Callable[[Beacon, str], None],
        make_beacon: Callable[[BeaconKind], bytes],
        rng: Random,
        port: int = DISCOVERY_PORT,
        on_addresses_changed: Callable[[tuple[LocalAddress, ...]], None] = _ignore,
        on_resumed: Callable[[], None] = _ignore,
        suspended: Callable[[], float] = seconds_suspended,
    ) -> None:
        self._addresses_source = addresses_source
        self._on_beacon = on_beacon
        self._make_beacon = make_beacon
        self._on_addresses_changed = on_addresses_changed
        self._on_resumed = on_resumed
        self._suspended = suspended
        self._port = port
        self._flood = Flood()
        self._schedule = Schedule(rng)
        self._addresses: tuple[LocalAddress, ...] | None = None
        self._indices: frozenset[int] = frozenset()
        self._senders: dict[LocalAddress, Sender] = {}
        self._joined: set[LocalAddress] = set()
        self._receivers: dict[bool, socket.socket] = {}  # by: is it IPv6
        self._told: set[str] = set()
        self.rejected = 0
        """Datagrams not taken as beacons: malformed, too many, or from elsewhere."""

    @property
    def is_hearing(self) -> bool:
        """Whether the port is ours to listen on."""
        return bool(self._receivers)

    async def run(self) -> None:
        """Announce and hear until cancelled.

        Cancel: safe; says ``bye`` twice and closes the sockets.
        """
        loop = asyncio.get_running_loop()
        slept = self._suspended()
        try:
            self._schedule.burst(loop.time())
            while True:
                now = loop.time()
                self._check_addresses(now)
                if self._suspended() - slept > SUSPENDED_SECONDS:
                    slept = self._suspended()
                    self._schedule.burst(now, at_once=True)
                    self._on_resumed()
                check_at = now + CHECK_SECONDS
                while (now := loop.time()) < check_at:
                    if self._schedule.take(now):
                        self._send(BeaconKind.HELLO)
                    await asyncio.sleep(max(0.0, min(self._schedule.next, check_at) - loop.time()))
        finally:
            self._send(BeaconKind.BYE)
            self._send(BeaconKind.BYE)
            self._close()

    def _check_addresses(self, now: float) -> None:
        addresses = self._list_addresses()
        is_first, is_new = self._addresses is None, addresses != self._addresses
        if is_new:
            self._addresses = addresses
            self._indices = frozenset(address.scope_id for address in addresses)
            self._told.clear()
            for address in self._senders.keys() - set(addresses):
                self._senders.pop(address).close()
            self._joined &= set(addresses)
        has_opened = self._open_senders(addresses)
        for is_ipv6 in {address.is_ipv6 for address in addresses}:
            self._listen(addresses, is_ipv6=is_ipv6)
        if has_opened and not is_first:
            self._schedule.burst(now)
        if is_new:
            log.info("addresses: %s", ", ".join(address.host for address in addresses) or "none")
            self._on_addresses_changed(addresses)

    def _list_addresses(self) -> tuple[LocalAddress, ...]:
        try:
            return self._addresses_source()
        except ConfigError as error:
            if self._addresses is None:
                raise
            self._tell(error.message)  # a chosen interface was unplugged; it may come back
            return ()

    def _open_senders(self, addresses: tuple[LocalAddress, ...]) -> bool:
        """Open what is missing for the addresses that others would dial; return whether there was any."""
        has_opened = False
        for address in [address for address in addresses if is_dialable(address.host)][:MAX_SENDERS]:
            if address not in self._senders:
                try:
                    self._senders[address] = Sender(address, self._port)
                    has_opened = True
                except OSError as error:  # such as an IPv6 address still being checked for duplicates
                    self._tell(f"cannot announce from {address.host}: {error.strerror}")
        return has_opened

    def _listen(self, addresses: tuple[LocalAddress, ...], *, is_ipv6: bool) -> None:
        """Listen on the port and join the group on each interface; what fails is tried again at the next check."""
        if is_ipv6 not in self._receivers:
            try:
                receiver = open_receiver(self._port, is_ipv6=is_ipv6)
            except OSError as error:
                self._tell(f"cannot hear peers on UDP port {self._port}: {error.strerror}", logging.WARNING)
                return
            self._receivers[is_ipv6] = receiver
            asyncio.get_running_loop().add_reader(receiver, self._drain, receiver)
        for address in addresses:
            if address.is_ipv6 == is_ipv6 and address not in self._joined:
                try:
                    join_group(self._receivers[is_ipv6], address)
                    self._joined.add(address)
                except OSError as error:
                    self._tell(f"no multicast on {address.interface}: {error.strerror}")

    def _close(self) -> None:
        for receiver in self._receivers.values():
            asyncio.get_running_loop().remove_reader(receiver)
            receiver.close()
        for sender in self._senders.values():
            sender.close()
        self._receivers.clear()
        self._senders.clear()
        self._joined.clear()

    def _send(self, kind: BeaconKind) -> None:
        data = self._make_beacon(kind)
        for sender in self._senders.values():
            for error in sender.send(data):
                level = logging.DEBUG if error.errno in _NO_ROUTE else logging.WARNING
                self._tell(f"cannot announce from {sender.address.host}: {error.strerror}", level)

    def _drain(self, receiver: socket.socket) -> None:
        """Read what waits, up to a bound; the loop calls again if there is more."""
        for _ in range(MAX_DATAGRAMS_A_WAKE):
            try:
                data, ancillary, flags, source = receiver.recvmsg(MAX_BEACON_BYTES, 256)
                host = source_host(source)
            except BlockingIOError:
                return
            except OSError as error:  # an earlier error of the network, told here; the socket goes on
                self._tell(f"cannot hear peers: {error.strerror}")
                return
            is_whole = not flags & socket.MSG_TRUNC
            beacon = self._read(data, host) if is_whole and self._is_ours(interface_of(ancillary), host) else None
            if beacon is None:
                self.rejected += 1
            else:
                self._on_beacon(beacon, host)

    def _is_ours(self, index: int | None, host: str) -> bool:
        """Whether a datagram came in over one of our interfaces, as far as can be told."""
        return index in self._indices if index is not None else reaches(self._addresses or (), host)

    def _read(self, data: bytes, host: str) -> Beacon | None:
        if not self._flood.accepts(host, asyncio.get_running_loop().time()):
            return None
        try:
            return decode_beacon(data)
        except ProtocolViolation:
            return None

    def _tell(self, text: str, level: int = logging.DEBUG) -> None:
        """Log something once until the addresses change."""
        if text not in self._told:
            self._told.add(text)
            log.log(level, "%s", text)
