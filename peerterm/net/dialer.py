"""Dials peers: control links in asyncio, data lanes in blocking threads.

One attempt a call: when to try again is the engine's business. Maps what can fail to two errors, each with a hint.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from peerterm.errors import AuthFailed, PeerUnavailable, WrongPeer
from peerterm.net.identity import tag
from peerterm.net.link import READ_BYTES, Connected
from peerterm.net.preamble import Preamble
from peerterm.net.tls_stream import TlsStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from peerterm.core.ids import PeerId
    from peerterm.net.tls import TlsContexts

CONNECT_SECONDS = 5.0
HANDSHAKE_SECONDS = 10.0
SHUTDOWN_SECONDS = 2.0


def _keep(_: socket.socket) -> None:
    """Tell nobody of a socket."""


async def dial_link(
    host: str,
    port: int,
    contexts: TlsContexts,
    *,
    expected: PeerId | None = None,
    local_address: str | None = None,
) -> Connected:
    """Open the stream of a control link.

    Args:
        host: Name or address; a link-local IPv6 address with its interface (``fe80::1%eth0``).
        port: Where the peer listens.
        contexts: This device's, for the network dialled on.
        expected: Whom to find there; ``None`` takes anyone of the network but ourselves.
        local_address: Address to dial from; ``None`` leaves it to the system.

    Raises:
        PeerUnavailable: Nothing listens there, or it did not get through in time.
        AuthFailed: Who answered is not of this network (``WrongPeer``: not the one expected; ``DialledSelf``).

    Cancel: safe; the connection is dropped.
    """
    with _explained(host, port):
        async with asyncio.timeout(CONNECT_SECONDS):
            connection = await _connect(host, port, local_address)
        reader, writer = await asyncio.open_connection(
            sock=connection,
            limit=READ_BYTES,
            ssl=contexts.client,
            server_hostname="",
            ssl_handshake_timeout=HANDSHAKE_SECONDS,
            ssl_shutdown_timeout=SHUTDOWN_SECONDS,
        )
    try:
        peer_id = _expect(contexts.peer_of(writer.get_extra_info("ssl_object")), expected, f"{host}:{port}")
    except AuthFailed:
        writer.transport.abort()
        raise
    return Connected(reader, writer, peer_id, host, port, is_dialer=True)


def connect_lane(
    host: str,
    port: int,
    contexts: TlsContexts,
    expected: PeerId,
    timeout: float = CONNECT_SECONDS,
    *,
    local_address: str | None = None,
    adopt: Callable[[socket.socket], None] = _keep,
) -> TlsStream:
    """Open a data lane from a thread; the stream returned blocks up to ``timeout`` seconds an operation.

    Args:
        host: As ``dial_link`` takes it.
        port: Where the peer listens.
        contexts: This device's.
        expected: Whom to find there.
        timeout: Seconds for the connection, and again for the handshake.
        local_address: As ``dial_link`` takes it.
        adopt: Given the socket once it is connected, so that another thread can shut it down meanwhile.

    Raises:
        PeerUnavailable, AuthFailed: As ``dial_link`` does.
    """
    source = (local_address, 0) if local_address else None
    with _explained(host, port):
        connection = socket.create_connection((host, port), timeout, source)
        adopt(connection)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(Preamble.LANE.value)
            lane = TlsStream(connection, contexts.client)
            lane.handshake()
        except OSError:
            connection.close()
            raise
    try:
        _expect(contexts.peer_of(lane.tls), expected, f"{host}:{port}")
    except AuthFailed:
        lane.close()
        raise
    return lane


async def _connect(host: str, port: int, local_address: str | None) -> socket.socket:
    """Connect to the first address of the host that answers, and send the preamble of a link."""
    loop = asyncio.get_running_loop()
    failure = OSError("no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        with ExitStack() as on_failure:
            connection = on_failure.enter_context(socket.socket(family, kind, protocol))
            connection.settimeout(0)
            try:
                if local_address:
                    connection.bind(_local(local_address, family))
                await loop.sock_connect(connection, address)
                await loop.sock_sendall(connection, Preamble.LINK.value)
            except OSError as error:
                failure = error
                continue
            on_failure.pop_all()
            return connection
    raise failure


def _local(address: str, family: int) -> tuple[Any, ...]:
    return socket.getaddrinfo(address, 0, family, socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)[0][4]


def _expect(peer_id: PeerId, expected: PeerId | None, place: str) -> PeerId:
    if expected is not None and peer_id != expected:
        raise WrongPeer(
            f"{place} is {tag(peer_id)}, not {tag(expected)}",
            "another device has that address now; look for the peer's new one with: peerterm peers",
        )
    return peer_id


@contextmanager
def _explained(host: str, port: int) -> Iterator[None]:
    """Map what the system and TLS report to errors that say what to do."""
    place = f"{host}:{port}"
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise AuthFailed(f"{place} belongs to another network", "check the network code on both devices") from error
    except TimeoutError as error:
        raise PeerUnavailable(
            f"{place} does not answer", f"does a firewall let TCP port {port} through?"
        ) from error
    except ConnectionRefusedError as error:
        raise PeerUnavailable(f"{place}: nothing listens there", "is peerterm running on that machine?") from error
    except socket.gaierror as error:
        raise PeerUnavailable(f"{host}: no such machine is known", "try its IP address") from error
    except (ssl.SSLError, ConnectionError) as error:
        raise PeerUnavailable(
            f"{place} ended the connection",
            "it may use another network code, have blocked this device, or have too many connections",
        ) from error
    except OSError as error:
        raise PeerUnavailable(f"{place} cannot be reached: {error.strerror or error}") from error
    except ValueError as error:  # what cannot even be looked up, such as an empty label or a NUL
        raise PeerUnavailable(f"{host!a} is not the name of a machine", "check the address") from error
