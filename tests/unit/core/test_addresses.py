from __future__ import annotations

from random import Random

import pytest

from peerterm.core.addresses import MAX_RESTING, MIN_REDIAL_SECONDS, Address, AddressBook, is_dialable, is_loopback
from peerterm.core.ids import PeerId

PEER = PeerId("aa" * 32)


@pytest.mark.parametrize(
    "host",
    [
        "10.1.2.3",
        "172.31.0.1",
        "192.168.0.9",
        "169.254.3.4",
        "127.0.0.1",
        "100.64.0.1",
        "fd00::2",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
    ],
)
def test_hosts_of_this_network_may_be_dialled(host: str) -> None:
    """Private, shared, link-local, unique local and loopback hosts are dialable."""
    assert is_dialable(host)


@pytest.mark.parametrize(
    "host",
    [
        "8.8.8.8",
        "172.32.0.1",
        "224.0.0.1",
        "239.255.71.70",
        "0.0.0.0",
        "255.255.255.255",
        "::",
        "ff02::1",
        "2001:4860:4860::8888",
        "::ffff:10.0.0.1",
        "example.org",
        "",
        "10.0.0.1 ",
        "0x7f000001",
        "fe80::1%",
    ],
)
def test_other_hosts_may_not(host: str) -> None:
    """Public, multicast, unspecified, mapped and malformed hosts are refused."""
    assert not is_dialable(host)


@pytest.mark.parametrize(
    ("host", "is_local"), [("127.0.0.9", True), ("::1", True), ("10.0.0.1", False), ("x", False)]
)
def test_loopback_is_this_machine(host: str, is_local: bool) -> None:
    """Only numeric loopback addresses are known to stay here."""
    assert is_loopback(host) is is_local


def test_numeric_hosts_have_one_spelling() -> None:
    """Two spellings of an address are one address; a name stays as it is."""
    assert Address.of("FD00:0::2", 5) == Address("fd00::2", 5)
    assert Address.of("alice.local", 5) == Address("alice.local", 5)


def test_address_reads_as_people_write_it() -> None:
    """IPv6 is bracketed."""
    assert str(Address("10.0.0.1", 5)) == "10.0.0.1:5"
    assert str(Address("fd00::2", 5)) == "[fd00::2]:5"


@pytest.mark.parametrize(
    ("is_manual", "delays"), [(True, [1, 2, 4, 8, 16, 30, 30]), (False, [30, 60, 120, 240, 480, 600])]
)
def test_back_off_doubles_to_its_bound(is_manual: bool, delays: list[float]) -> None:
    """Trusted addresses are retried after 1 to 30 s, others after 30 s to 10 min, and up to a tenth more."""
    book = AddressBook(Random(1))
    contact = book.open(Address("10.0.0.1", 1))
    contact.is_manual = is_manual
    waited = []
    for _ in delays:
        book.failed(contact, 100.0)
        waited.append(contact.ready_at - 100.0)

    assert all(delay <= wait <= delay * 1.1 for delay, wait in zip(delays, waited, strict=True))
    assert waited[-1] == delays[-1]


def test_only_a_trusted_address_is_forgiven() -> None:
    """What strangers say never shortens a back-off, and a trusted address keeps its least pause."""
    book = AddressBook(Random(1))
    stranger, friend = book.open(Address("10.0.0.1", 1)), book.open(Address("10.0.0.2", 1))
    friend.owner = PEER
    for contact in (stranger, friend):
        contact.dialled_at = 100.0
        book.failed(contact, 100.0)
        book.forgive(contact)

    assert stranger.ready_at >= 130.0
    assert friend.ready_at == 100.0 + MIN_REDIAL_SECONDS


def test_back_off_outlives_its_claimants() -> None:
    """An address nobody claims is remembered until it may be dialled again, and is then as good as new."""
    book = AddressBook(Random(1))
    address = Address("10.0.0.1", 1)
    book.failed(book.open(address), 0.0)
    book.rest(address)
    book.prune(29.0)

    assert list(book) == []
    assert book.open(address).failures == 1
    book.rest(address)
    book.prune(40.0)
    assert len(book) == 0


def test_address_in_use_does_not_rest() -> None:
    """Claimed, dialled or named by the user it stays; without a failure there is nothing to remember."""
    book = AddressBook(Random(1))
    address = Address("10.0.0.1", 1)
    contact = book.open(address)
    contact.is_manual, contact.is_dialling = True, True
    contact.claimants.add(PEER)
    book.rest(address)
    contact.is_manual = False
    book.rest(address)
    contact.is_dialling = False
    book.rest(address)

    assert book[address] is contact
    contact.claimants.clear()
    book.rest(address)
    assert len(book) == 0


def test_resting_addresses_are_bounded() -> None:
    """Of too many the one longest at rest is forgotten."""
    book = AddressBook(Random(1))
    places = [Address("10.0.0.1", port) for port in range(MAX_RESTING + 1)]
    for place in places:
        book.failed(book.open(place), 0.0)
        book.rest(place)

    assert len(book) == MAX_RESTING
    assert book.open(places[0]).failures == 0
    assert book.open(places[1]).failures == 1


@pytest.mark.parametrize("scope", ["a..b", "e0\0", "e" * 16, "e 0", "a/b"])
def test_scope_that_no_interface_has_is_not_dialled(scope: str) -> None:
    """A link-local address with an impossible interface would only confuse the resolver."""
    assert is_dialable("fe80::1%eth0")
    assert not is_dialable(f"fe80::1%{scope}")
