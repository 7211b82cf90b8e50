"""This machine's network interfaces and addresses, and what a restriction to some of them means.

Owns no socket and keeps nothing: every call looks anew. Called by the engine, ``net.beacons``, listener and dialer.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface
from typing import TYPE_CHECKING

import psutil  # it ships no types

from peerterm.core.addresses import is_loopback
from peerterm.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psutil._ntuples import snicaddr


@dataclass(frozen=True, slots=True, order=True)
class LocalAddress:
    """One address of one interface that is up.

    Attributes:
        interface: The interface's name.
        host: The address; a link-local IPv6 address ends in ``%interface``.
        broadcast: IPv4 broadcast address of its network, if it has one.
        is_ipv6: Which family.
        scope_id: The interface's index.
        network: The network it is in, such as ``192.168.1.0/24``.
    """

    interface: str
    host: str
    broadcast: str | None
    is_ipv6: bool
    scope_id: int
    network: str


def list_addresses(only: tuple[str, ...] = ()) -> tuple[LocalAddress, ...]:
    """Return the addresses of all interfaces that are up, in a stable order; loopback only if it is asked for.

    Args:
        only: Names of the interfaces to use. One that exists but is down, or has no address yet, gives nothing.

    Raises:
        ConfigError: There is no interface of such a name.
    """
    listed = psutil.net_if_addrs()
    states = psutil.net_if_stats()
    known = sorted(listed.keys() | states.keys())
    for name in only:
        if name not in known:
            raise ConfigError(
                f"there is no network interface {name!r}", f"choose one of these: {', '.join(known) or '(none)'}"
            )
    found: set[LocalAddress] = set()
    for name in only or known:
        state = states.get(name)
        if state is not None and state.isup:
            read = (_read(name, address) for address in listed.get(name, ()))
            found.update(address for address in read if address and (only or not is_loopback(address.host)))
    return tuple(sorted(found))


def _read(name: str, entry: snicaddr) -> LocalAddress | None:
    if entry.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    try:
        scope_id = socket.if_nametoindex(name)
    except OSError:  # it went away between the two looks
        return None
    host = entry.address.partition("%")[0]
    is_ipv6 = entry.family == socket.AF_INET6
    broadcast: str | None = None
    if is_ipv6:
        prefix = int(ip_address(entry.netmask)).bit_count() if entry.netmask else 128
        network = ip_interface(f"{host}/{prefix}").network
        host = f"{host}%{name}" if ip_address(host).is_link_local else host
    else:
        network = ip_interface(f"{host}/{entry.netmask or 32}").network
        if entry.ptp is None and network.prefixlen <= 30:
            broadcast = entry.broadcast or str(network.broadcast_address)
    return LocalAddress(name, host, broadcast, is_ipv6, scope_id, str(network))


def listen_hosts(addresses: Iterable[LocalAddress], restricted: bool) -> tuple[str, ...]:
    """Return the hosts to listen on: all of them, or only the chosen interfaces' addresses."""
    if restricted:
        return tuple(address.host for address in addresses)
    return ("0.0.0.0", "::") if has_ipv6() else ("0.0.0.0",)  # noqa: S104 - unrestricted means all


def has_ipv6() -> bool:
    """Whether this machine can open IPv6 sockets."""
    try:
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).close()
    except OSError:
        return False
    return True


def reaches(addresses: Iterable[LocalAddress], host: str) -> bool:
    """Return whether dialling a numeric host stays within these interfaces: loopback, or a network they are in.

    A link-local IPv6 host must name its interface; a host name is never within.
    """
    try:
        wanted = ip_address(host)
    except ValueError:
        return False
    return any(_reaches(address, wanted) for address in addresses)


def _reaches(address: LocalAddress, wanted: IPv4Address | IPv6Address) -> bool:
    if wanted.version != (6 if address.is_ipv6 else 4):
        return False
    if wanted.is_loopback:
        return is_loopback(address.host)
    if isinstance(wanted, IPv6Address) and wanted.is_link_local:
        return wanted.scope_id in (address.interface, str(address.scope_id))
    return wanted in ip_interface(address.network).network
