"""The UDP sockets that beacons go out of and come in by.

Owns the socket options and nothing else: no schedule, no content. Called by ``net.beacons``.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from peerterm.net.interfaces import LocalAddress

GROUP = "239.255.71.70"
GROUP_IPV6 = "ff12::7074"

IP_PKTINFO: int | None = getattr(socket, "IP_PKTINFO", 8 if sys.platform == "linux" else None)
"""Not in the standard library before Python 3.14."""

Place: TypeAlias = tuple[str, int] | tuple[str, int, int, int]


class Sender:
    """Sends from one address to everybody on its network."""

    def __init__(self, address: LocalAddress, port: int) -> None:
        self.address = address
        bare = address.host.partition("%")[0]
        if address.is_ipv6:
            self._socket = _udp(socket.AF_INET6)
            self._targets: list[Place] = [(GROUP_IPV6, port, 0, address.scope_id)]
            options = [
                (socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, struct.pack("@I", address.scope_id)),
                (socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, struct.pack("@i", 1)),
                (socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, struct.pack("@i", 1)),
            ]
            place: Place = (bare, 0, 0, address.scope_id)
        else:
            self._socket = _udp(socket.AF_INET)
            self._targets = [(host, port) for host in (address.broadcast, GROUP) if host]
            options = [
                (socket.SOL_SOCKET, socket.SO_BROADCAST, struct.pack("@i", 1)),
                (socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(bare)),
                (socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, struct.pack("@i", 1)),
                (socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, struct.pack("@i", 1)),
            ]
            place = (bare, 0)
        try:
            for option in options:
                self._socket.setsockopt(*option)
            self._socket.bind(place)
        except OSError:
            self._socket.close()
            raise

    def send(self, data: bytes) -> list[OSError]:
        """Send to all targets; return what failed."""
        errors: list[OSError] = []
        for target in self._targets:
            try:
                self._socket.sendto(data, target)
            except OSError as error:
                errors.append(error)
        return errors

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def open_receiver(port: int, *, is_ipv6: bool) -> socket.socket:
    """Return a socket that shares the port with other engines and tells over which interface a datagram came.

    Raises:
        OSError: Another program holds the port for itself.
    """
    receiver = _udp(socket.AF_INET6 if is_ipv6 else socket.AF_INET)
    try:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if is_ipv6:
            receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        elif IP_PKTINFO is not None:
            receiver.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        receiver.bind(("::" if is_ipv6 else "0.0.0.0", port))  # noqa: S104 - a broadcast reaches no other
    except OSError:
        receiver.close()
        raise
    return receiver


def join_group(receiver: socket.socket, address: LocalAddress) -> None:
    """Hear multicast on the address's interface.

    Raises:
        OSError: It is gone, or the system allows no more; not if the group was joined there before.
    """
    try:
        _join(receiver, address)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise


def _join(receiver: socket.socket, address: LocalAddress) -> None:
    if address.is_ipv6:
        request = socket.inet_pton(socket.AF_INET6, GROUP_IPV6) + struct.pack("@I", address.scope_id)
        receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
    else:
        request = socket.inet_aton(GROUP) + socket.inet_aton(address.host)
        receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)


def _udp(family: socket.AddressFamily) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_DGRAM)
    opened.settimeout(0)
    return opened


def source_host(source: Place) -> str:
    """Return the sender's address, a link-local one with its interface.

    Raises:
        OSError: The interface is gone.
    """
    if len(source) < 4 or not source[3]:
        return source[0]
    return f"{source[0].partition('%')[0]}%{socket.if_indextoname(source[3])}"


def interface_of(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    """Return the index of the interface a datagram came in over; ``None`` where the system does not tell."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            return int(struct.unpack_from("@i", data)[0])
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            return int(struct.unpack_from("@16xI", data)[0])
    return None
