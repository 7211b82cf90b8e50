"""Accepts connections: binds the port, keeps strangers few, hands links and lanes to their owners.

An accept loop of our own, since ``asyncio.start_server`` holds any number of clients that never begin TLS. The
caps apply before a byte is read. It knows nothing of what is said on a connection.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import logging
import socket
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from threading import Lock
from typing import TYPE_CHECKING

from peerterm.errors import AuthFailed, PeertermError, PortTaken
from peerterm.net.dialer import HANDSHAKE_SECONDS, SHUTDOWN_SECONDS
from peerterm.net.link import READ_BYTES, Connected
from peerterm.net.preamble import Preamble, read_preamble

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from peerterm.net.tls import TlsContexts

DEFAULT_PORT = 47470
BACKLOG = 64
PREAMBLE_SECONDS = 5.0
SHORTEST_PAUSE = 0.1
LONGEST_PAUSE = 1.0
PORT_ATTEMPTS = 16

OnLink = Callable[[Connected], Awaitable[None]]
OnLane = Callable[[socket.socket, tuple[str, int], Callable[[], None]], None]

_log = logging.getLogger("peerterm.net.listener")


@dataclass(frozen=True, slots=True)
class Limits:
    """How many connections may exist at once; ``unfinished`` ones have not passed preamble and handshake.

    A machine may run many engines, so loopback has caps of its own.
    """

    total: int = 128
    per_host: int = 8
    per_loopback: int = 64
    unfinished: int = 32
    unfinished_per_host: int = 4
    unfinished_per_loopback: int = 32

    def of_host(self, host: str) -> tuple[int, int]:
        """Return the caps for one address: of all its connections, and of the unfinished ones."""
        if ip_address(host).is_loopback:
            return self.per_loopback, self.unfinished_per_loopback
        return self.per_host, self.unfinished_per_host


class Slots:
    """Counts the connections of each host. Lanes give their slots back from threads."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = Lock()
        self._numbers = itertools.count()
        self._hosts: dict[int, str] = {}  # of the slots taken

    def take(self, host: str) -> int | None:
        """Return a slot for one connection more, or ``None`` where the caps allow none."""
        with self._lock:
            count = sum(other == host for other in self._hosts.values())
            if len(self._hosts) >= self._limits.total or count >= self._limits.of_host(host)[0]:
                return None
            slot = next(self._numbers)
            self._hosts[slot] = host
            return slot

    def release(self, slot: int) -> None:
        """Give a slot back. Doing so again does nothing."""
        with self._lock:
            self._hosts.pop(slot, None)


@dataclass(slots=True)
class _Arrival:
    """A connection that was accepted, until it ends or a lane thread has it."""

    connection: socket.socket
    host: str
    port: int
    release: Callable[[], None]
    is_handed_over: bool = False

    def finish(self, _: asyncio.Task[None]) -> None:
        """Close it and give its slot back; also called when its task never began."""
        if not self.is_handed_over:
            self.connection.close()
            self.release()


class Listener:
    """Listens on one port at any number of addresses.

    Args:
        contexts: This device's.
        on_link: Carries a link until it ends; its slot is held meanwhile.
        on_lane: Takes a blocking socket before TLS, the address of its other end, and what to call, from any
            thread, when the lane has ended. Returns at once.
        limits: How many connections may exist.
    """

    def __init__(
        self, contexts: TlsContexts, *, on_link: OnLink, on_lane: OnLane, limits: Limits | None = None
    ) -> None:
        self.port = 0
        self._contexts = contexts
        self._on_link = on_link
        self._on_lane = on_lane
        self._limits = limits or Limits()
        self._slots = Slots(self._limits)
        self._doors: dict[str, tuple[socket.socket, asyncio.Task[None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._unfinished: dict[asyncio.Task[None], str] = {}  # with their hosts, oldest first

    @property
    def addresses(self) -> list[str]:
        """The addresses listened on now."""
        return list(self._doors)

    async def listen(self, addresses: Sequence[str], port: int | None = None) -> int:
        """Start to accept on one port of all addresses, and return it.

        Args:
            addresses: IP addresses, link-local ones with their interface (``fe80::1%eth0``).
            port: Which port; ``None`` takes 47470, or any that is free at all addresses; 0 any that is free.

        Raises:
            PortTaken: The port asked for is used at one of the addresses, or may not be used.
        """
        sockets = _bind_free(addresses) if port is None else _bind_all(addresses, port)
        self.port = next(iter(sockets.values())).getsockname()[1] if sockets else port or DEFAULT_PORT
        for address, door in sockets.items():
            self._open(address, door)
        return self.port

    async def rebind(self, addresses: Sequence[str]) -> None:
        """Listen on these addresses from now on, at the same port. What cannot be bound waits for the next call."""
        for address in [old for old in self._doors if old not in addresses]:
            door, task = self._doors.pop(address)
            await _end([task])
            door.close()
        for address in addresses:
            if address in self._doors:
                continue
            try:
                self._open(address, _bind(address, self.port))
            except OSError as error:
                _log.info("%s port %d cannot be listened on: %s", address, self.port, error)

    async def close(self) -> None:
        """Stop to accept and drop every link; lanes are their owner's to end."""
        await _end([task for _, task in self._doors.values()])
        for door, _ in self._doors.values():
            door.close()
        self._doors.clear()
        await _end(list(self._tasks))

    def _open(self, address: str, door: socket.socket) -> None:
        self._doors[address] = (door, self._start(self._accept(door)))

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)
        return task

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._unfinished.pop(task, None)
        if not task.cancelled() and (error := task.exception()):
            context = {"message": "a bug ended a connection", "exception": error, "task": task}
            task.get_loop().call_exception_handler(context)

    async def _accept(self, door: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        pause = SHORTEST_PAUSE
        while True:
            try:
                connection, address = await loop.sock_accept(door)
            except OSError as error:  # too many open files, most likely: no use in asking again at once
                _log.info("cannot accept for %g s: %s", pause, error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            pause = SHORTEST_PAUSE
            self._admit(connection, *_place(address))

    def _admit(self, connection: socket.socket, host: str, port: int) -> None:
        slot = self._slots.take(host)
        if slot is None:
            _log.info("%s:%d refused: too many connections", host, port)
            connection.close()
            return
        self._make_room(host)
        arrival = _Arrival(connection, host, port, partial(self._slots.release, slot))
        task = self._start(self._welcome(arrival))
        task.add_done_callback(arrival.finish)
        self._unfinished[task] = host

    def _make_room(self, host: str) -> None:
        """Drop the oldest unfinished connection, of this host or of all, where one more would be too many.

        Refusing the newest instead would let a few idle clients lock everyone out for ``PREAMBLE_SECONDS``.
        """
        same = [task for task, other in self._unfinished.items() if other == host]
        if len(same) >= self._limits.of_host(host)[1]:
            self._drop(same[0])
        elif len(self._unfinished) >= self._limits.unfinished:
            self._drop(next(iter(self._unfinished)))

    def _drop(self, task: asyncio.Task[None]) -> None:
        _log.info("%s dropped: unfinished, and others wait", self._unfinished.pop(task))
        task.cancel()

    async def _welcome(self, arrival: _Arrival) -> None:
        """Carry one connection. What its other end does wrong ends here."""
        try:
            async with asyncio.timeout(PREAMBLE_SECONDS):
                preamble = await read_preamble(arrival.connection)
            if preamble is Preamble.LANE:
                arrival.connection.settimeout(None)
                arrival.is_handed_over = True
                self._on_lane(arrival.connection, (arrival.host, arrival.port), arrival.release)
                return
            connected = await self._handshake(arrival)
        except (OSError, PeertermError) as error:  # TimeoutError and everything TLS are OSErrors
            _log.info("%s:%d refused: %s", arrival.host, arrival.port, str(error) or "too slow")
            return
        self._unfinished.pop(_this_task(), None)
        try:
            await self._on_link(connected)
        except PeertermError as error:
            _log.info("%s:%d ended: %s", arrival.host, arrival.port, error)
        finally:
            connected.writer.transport.abort()

    async def _handshake(self, arrival: _Arrival) -> Connected:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=READ_BYTES)
        transport, protocol = await loop.connect_accepted_socket(
            lambda: asyncio.StreamReaderProtocol(reader),
            arrival.connection,
            ssl=self._contexts.server,
            ssl_handshake_timeout=HANDSHAKE_SECONDS,
            ssl_shutdown_timeout=SHUTDOWN_SECONDS,
        )
        tls: ssl.SSLObject = transport.get_extra_info("ssl_object")
        try:
            peer_id = self._contexts.peer_of(tls)
        except AuthFailed:
            transport.abort()
            raise
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        return Connected(reader, writer, peer_id, arrival.host, arrival.port, is_dialer=False)


def _bind_free(addresses: Sequence[str]) -> dict[str, socket.socket]:
    """Bind the default port, or else one that happens to be free at every address."""
    for attempt in range(PORT_ATTEMPTS):
        try:
            return _bind_all(addresses, 0 if attempt else DEFAULT_PORT)
        except PortTaken as error:
            _log.debug("%s", error)
    raise PortTaken("no port is free at all addresses", "choose one with: --port PORT")


def _bind_all(addresses: Sequence[str], port: int) -> dict[str, socket.socket]:
    """Bind one port at every address that exists; port 0 takes the first address's choice for all."""
    doors: dict[str, socket.socket] = {}
    with ExitStack() as on_failure:
        for address in dict.fromkeys(addresses):
            try:
                door = _bind(address, port)
            except OSError as error:
                if error.errno in (errno.EADDRINUSE, errno.EACCES):
                    raise _port_taken(address, port, error) from error
                _log.info("%s port %d cannot be listened on: %s", address, port, error)
                continue
            on_failure.callback(door.close)
            doors[address] = door
            port = door.getsockname()[1]
        on_failure.pop_all()
    return doors


def _bind(address: str, port: int) -> socket.socket:
    flags = socket.AI_NUMERICHOST | socket.AI_PASSIVE
    found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=flags)
    family, kind, protocol, _, place = found[0]
    door = socket.socket(family, kind, protocol)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        door.bind(place)
        door.listen(BACKLOG)
        door.settimeout(0)
    except OSError:
        door.close()
        raise
    return door


def _port_taken(address: str, port: int, error: OSError) -> PortTaken:
    if error.errno == errno.EACCES:
        return PortTaken(f"port {port} may not be used without more rights", "choose one above 1023: --port PORT")
    return PortTaken(f"port {port} is in use at {address}", "choose another with: --port PORT")


def _place(address: tuple[str, int] | tuple[str, int, int, int]) -> tuple[str, int]:
    """Return host and port of an accepted connection; a link-local host with its interface."""
    host, port, *rest = address
    if rest and rest[1] and "%" not in host:
        with suppress(OSError):  # the interface is gone already, and so is the connection
            host = f"{host}%{socket.if_indextoname(rest[1])}"
    return host, port


def _this_task() -> asyncio.Task[None]:
    task = asyncio.current_task()
    assert task is not None
    return task


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
