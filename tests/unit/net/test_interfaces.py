from __future__ import annotations

import socket
from collections import namedtuple
from typing import TYPE_CHECKING

import psutil
import pytest

from peerterm.errors import ConfigError
from peerterm.net import interfaces
from peerterm.net.interfaces import LocalAddress, has_ipv6, list_addresses, listen_hosts, reaches

if TYPE_CHECKING:
    from collections.abc import Callable

    Machine = Callable[[dict[str, list["Entry"]], set[str]], None]

Entry = namedtuple("Entry", "family address netmask broadcast ptp")
State = namedtuple("State", "isup")

V4 = LocalAddress("eth0", "192.168.1.5", "192.168.1.255", False, 2, "192.168.1.0/24")
LINK = LocalAddress("eth0", "fe80::1%eth0", None, True, 2, "fe80::/64")
LOCAL = LocalAddress("lo", "127.0.0.1", "127.255.255.255", False, 1, "127.0.0.0/8")
LOCAL_IPV6 = LocalAddress("lo", "::1", None, True, 1, "::1/128")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return a way to say which interfaces this machine has, and which are up."""

    def has(listed: dict[str, list[Entry]], up: set[str]) -> None:
        indices = {name: index for index, name in enumerate(listed, 1)}
        monkeypatch.setattr(psutil, "net_if_addrs", lambda: listed)
        monkeypatch.setattr(psutil, "net_if_stats", lambda: {name: State(name in up) for name in listed})
        monkeypatch.setattr(socket, "if_nametoindex", lambda name: indices[name])

    return has


def ipv4(
    host: str, netmask: str | None = "255.255.255.0", broadcast: str | None = None, ptp: str | None = None
) -> Entry:
    """Return an IPv4 address as psutil lists it."""
    return Entry(socket.AF_INET, host, netmask, broadcast, ptp)


def ipv6(host: str, netmask: str | None = "ffff:ffff:ffff:ffff::") -> Entry:
    """Return an IPv6 address as psutil lists it."""
    return Entry(socket.AF_INET6, host, netmask, None, None)


def test_loopback_is_listed_when_asked_for() -> None:
    """On this machine ``lo`` gives the address that engines on one host meet at."""
    listed = list_addresses(("lo",))

    assert LocalAddress("lo", "127.0.0.1", "127.255.255.255", False, 1, "127.0.0.0/8") in listed
    assert {address.interface for address in listed} == {"lo"}


def test_unknown_interface_is_an_error_that_names_the_known() -> None:
    """A mistyped name is answered with the right ones."""
    with pytest.raises(ConfigError, match="'wlna0'") as caught:
        list_addresses(("wlna0",))

    assert "lo" in caught.value.hint


def test_all_interfaces_that_are_up_but_loopback(
    machine: Machine,
) -> None:
    """Unrestricted, loopback and what is down are left out; bridges and the like stay."""
    machine(
        {
            "lo": [ipv4("127.0.0.1", "255.0.0.0"), ipv6("::1", None)],
            "eth0": [ipv6("fe80::1%eth0"), ipv4("192.168.1.5", broadcast="192.168.1.255"), ipv6("fd00::5")],
            "docker0": [ipv4("172.17.0.1", "255.255.0.0")],
            "wlan0": [ipv4("192.168.2.5")],
        },
        {"lo", "eth0", "docker0"},
    )

    assert list_addresses() == (
        LocalAddress("docker0", "172.17.0.1", "172.17.255.255", False, 3, "172.17.0.0/16"),
        V4,
        LocalAddress("eth0", "fd00::5", None, True, 2, "fd00::/64"),
        LINK,
    )
    assert list_addresses(("wlan0",)) == ()
    assert LOCAL_IPV6 in list_addresses(("lo",))


def test_networks_without_broadcast(machine: Machine) -> None:
    """A point-to-point or single-address network has no broadcast address; other families are no addresses."""
    hardware = Entry(socket.AF_UNIX, "00:00:00:00:00:00", None, None, None)
    machine(
        {
            "tun0": [
                hardware,
                ipv4("10.8.0.1", ptp="10.8.0.2"),
                ipv4("10.9.0.1", None),
                ipv4("10.9.1.1", "255.255.255.254"),
            ]
        },
        {"tun0"},
    )

    assert {address.host: address.broadcast for address in list_addresses()} == {
        "10.8.0.1": None,
        "10.9.0.1": None,
        "10.9.1.1": None,
    }


def test_interface_that_goes_away_meanwhile_is_left_out(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two looks an interface may be unplugged."""
    machine({"usb0": [ipv4("10.0.0.1")]}, {"usb0"})

    def gone(_: str) -> int:
        raise OSError

    monkeypatch.setattr(socket, "if_nametoindex", gone)

    assert list_addresses() == ()


def test_machine_without_network_has_no_addresses(
    machine: Machine,
) -> None:
    """That is no error."""
    machine({"lo": [ipv4("127.0.0.1", "255.0.0.0")]}, {"lo"})

    assert list_addresses() == ()


def test_listening_follows_the_restriction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unrestricted listens everywhere, of both families if there are two; restricted on the addresses only."""
    assert listen_hosts((V4, LINK), True) == ("192.168.1.5", "fe80::1%eth0")
    monkeypatch.setattr(interfaces, "has_ipv6", lambda: True)
    assert listen_hosts((V4,), False) == ("0.0.0.0", "::")
    monkeypatch.setattr(interfaces, "has_ipv6", lambda: False)
    assert listen_hosts((), False) == ("0.0.0.0",)


def test_machine_without_ipv6_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel without IPv6 refuses the socket."""

    def refuse(*_: object) -> socket.socket:
        raise OSError

    assert has_ipv6() is socket.has_ipv6
    monkeypatch.setattr(socket, "socket", refuse)
    assert not has_ipv6()


@pytest.mark.parametrize(
    ("host", "is_reached"),
    [
        ("192.168.1.77", True),
        ("192.168.2.1", False),
        ("127.0.0.1", False),
        ("fe80::9%eth0", True),
        ("fe80::9%2", True),
        ("fe80::9%wlan0", False),
        ("fe80::9", False),
        ("fd00::1", False),
        ("alice.local", False),
    ],
)
def test_dialling_stays_within_the_interfaces(host: str, is_reached: bool) -> None:
    """Only the chosen interfaces' own networks are within reach."""
    assert reaches((V4, LINK), host) is is_reached


@pytest.mark.parametrize(("host", "is_reached"), [("127.0.0.2", True), ("::1", True), ("192.168.1.5", False)])
def test_loopback_reaches_only_loopback(host: str, is_reached: bool) -> None:
    """An engine on ``lo`` stays on this machine."""
    assert reaches((LOCAL, LOCAL_IPV6), host) is is_reached
