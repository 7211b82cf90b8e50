from __future__ import annotations

import errno
import socket
import struct

import pytest

from peerterm.net import udp
from peerterm.net.interfaces import LocalAddress
from peerterm.net.udp import IP_PKTINFO, Sender, interface_of, join_group, open_receiver, source_host

LOCAL = LocalAddress("lo", "127.0.0.1", "127.255.255.255", False, 1, "127.0.0.0/8")
NOT_OURS = LocalAddress("lo", "127.0.0.1", None, False, 1, "127.0.0.0/8")
ABSENT = LocalAddress("lo", "10.255.254.253", None, False, 1, "10.255.254.0/24")
LOCAL_IPV6 = LocalAddress("lo", "::1", None, True, 1, "::1/128")


def free_port() -> int:
    """Return a UDP port that nobody uses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("address", [LOCAL, NOT_OURS], ids=["broadcast and multicast", "multicast only"])
def test_every_receiver_on_the_port_hears(address: LocalAddress) -> None:
    """Several engines share the port, and each hears each datagram and over which interface it came."""
    port = free_port()
    receivers = [open_receiver(port, is_ipv6=False) for _ in range(2)]
    for receiver in receivers:
        join_group(receiver, LOCAL)
        join_group(receiver, LOCAL)
        receiver.settimeout(5)
    sender = Sender(address, port)
    assert sender.send(b"hello") == []

    for receiver in receivers:
        for _ in (address.broadcast, udp.GROUP) if address.broadcast else (udp.GROUP,):
            data, ancillary, _, source = receiver.recvmsg(100, 256)
            assert data == b"hello"
            assert source_host(source) == "127.0.0.1"
            assert interface_of(ancillary) == 1
        receiver.close()
    sender.close()


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_ipv6_sockets_open_on_loopback() -> None:
    """The IPv6 sockets take their options; whether ``lo`` routes multicast is the system's choice."""
    receiver, sender = open_receiver(free_port(), is_ipv6=True), Sender(LOCAL_IPV6, free_port())
    join_group(receiver, LOCAL_IPV6)

    assert all(isinstance(error, OSError) for error in sender.send(b"hello"))
    receiver.close()
    sender.close()


def test_port_of_another_program_is_refused() -> None:
    """A program that does not share the port keeps it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("0.0.0.0", 0))

        with pytest.raises(OSError, match="in use"):
            open_receiver(other.getsockname()[1], is_ipv6=False)


def test_address_that_is_not_ours_is_refused() -> None:
    """Nothing is left open."""
    with pytest.raises(OSError, match="assign") as caught:
        Sender(ABSENT, 1)

    assert caught.value.errno == errno.EADDRNOTAVAIL


def test_group_cannot_be_joined_where_there_is_no_interface() -> None:
    """An address that went away is an error to the caller."""
    with open_receiver(free_port(), is_ipv6=False) as receiver, pytest.raises(OSError, match="No such device"):
        join_group(receiver, ABSENT)


def test_interface_is_read_from_either_family() -> None:
    """Both kinds of packet info name the interface; other data does not."""
    assert IP_PKTINFO is not None
    info, info_ipv6 = struct.pack("@i8x", 3), struct.pack("@16xI", 4)

    assert interface_of([(socket.IPPROTO_IP, IP_PKTINFO, info)]) == 3
    assert interface_of([(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, info_ipv6)]) == 4
    assert interface_of([(socket.SOL_SOCKET, 99, b"")]) is None


def test_link_local_source_names_its_interface() -> None:
    """Without its scope a link-local address cannot be dialled."""
    assert source_host(("fe80::1", 5, 0, 1)) == "fe80::1%lo"
    assert source_host(("fd00::1", 5, 0, 0)) == "fd00::1"
    with pytest.raises(OSError, match=r"."):
        source_host(("fe80::1", 5, 0, 2**31 - 1))


def test_receiver_without_packet_info_or_port_sharing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that lacks these options still receives."""
    monkeypatch.setattr(udp, "IP_PKTINFO", None)
    monkeypatch.delattr(socket, "SO_REUSEPORT", raising=False)
    port = free_port()
    with open_receiver(port, is_ipv6=False) as receiver:
        receiver.settimeout(5)
        sender = Sender(LOCAL, port)
        sender.send(b"hello")
        sender.close()

        assert interface_of(receiver.recvmsg(100, 256)[1]) is None
