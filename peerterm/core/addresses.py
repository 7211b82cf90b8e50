"""Where peers may be dialled, and when an address may be tried again.

Owns the back-off of every (host, port). It knows neither links nor presence, and dials nothing itself: called by
``core.roster`` and ``core.dials``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from peerterm.core.ids import PeerId

TRUSTED_BACKOFF = (1.0, 30.0)
"""Seconds after the first failure, and at most, where the user or an earlier link vouches for the address."""

HINTED_BACKOFF = (30.0, 600.0)
"""The same for an address that anybody may have made up."""

MIN_REDIAL_SECONDS = 0.5
"""Least time between two dials to one address, whatever is heard of it."""

MAX_RESTING = 1024
"""Addresses whose back-off is remembered though nobody is said to be there."""

_SCOPE = re.compile(r"[\w-]{0,15}")  # the name of an interface, if any

_DIALABLE = tuple(
    IPv4Network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8", "100.64.0.0/10")
) + tuple(IPv6Network(text) for text in ("fc00::/7", "fe80::/10", "::1/128"))


def is_dialable(host: str) -> bool:
    """Whether a host that a stranger named may be dialled: one of this network, never of the internet.

    Private (RFC 1918), shared (RFC 6598), unique local (RFC 4193), link-local and loopback addresses are.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if not _SCOPE.fullmatch(host.partition("%")[2]):
        return False
    return any(address in network for network in _DIALABLE if network.version == address.version)


def is_loopback(host: str) -> bool:
    """Whether a host is a numeric address of this machine alone."""
    return is_dialable(host) and ip_address(host).is_loopback


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Where to dial. ``host`` is an IP address in text (perhaps with a scope), or a host name the user gave."""

    host: str
    port: int

    @staticmethod
    def of(host: str, port: int) -> Address:
        """Return an address whose host, if it is numeric, is written the one canonical way."""
        try:
            return Address(str(ip_address(host)), port)
        except ValueError:
            return Address(host, port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(slots=True)
class Contact:
    """What is known of one address.

    Attributes:
        is_manual: The user named it.
        pin: Whom the user expects there; ``None`` is whoever answers.
        owner: The peer that was last authenticated there.
        instance: What its owner's newest beacon from there, or HELLO, said; empty after it went offline.
        claimants: Peers said to be there.
        heard_until: While ``now`` is below, a beacon from there is fresh.
        failures: Dials that failed in a row.
        ready_at: No dial before.
        dialled_at: When it was last dialled.
        is_dialling: A dial is in flight.
    """

    is_manual: bool = False
    pin: PeerId | None = None
    owner: PeerId | None = None
    instance: bytes = b""
    claimants: set[PeerId] = field(default_factory=set)
    heard_until: float = float("-inf")
    failures: int = 0
    ready_at: float = float("-inf")
    dialled_at: float = float("-inf")
    is_dialling: bool = False

    @property
    def is_trusted(self) -> bool:
        """Whether the user or an earlier link vouches for it."""
        return self.is_manual or self.owner is not None

    def is_likely(self, now: float) -> bool:
        """Whether somebody was heard there lately, or the user says so."""
        return self.is_manual or self.heard_until > now


class AddressBook:
    """All addresses, each with its back-off: those in use, and those that only rest.

    Invariant: an address that failed is remembered until it may be dialled again, however its claimants come and
    go, unless ``MAX_RESTING`` others came to rest since.
    """

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._contacts: dict[Address, Contact] = {}
        self._resting: dict[Address, Contact] = {}  # longest at rest first

    def __getitem__(self, address: Address) -> Contact:
        return self._contacts[address]

    def __iter__(self) -> Iterator[tuple[Address, Contact]]:
        """Iterate over the addresses in use."""
        return iter(self._contacts.items())

    def __len__(self) -> int:
        return len(self._contacts) + len(self._resting)

    def open(self, address: Address) -> Contact:
        """Return the address's contact, now in use; a new one if need be."""
        if address not in self._contacts:
            self._contacts[address] = self._resting.pop(address) if address in self._resting else Contact()
        return self._contacts[address]

    def rest(self, address: Address) -> None:
        """Take an address out of use, if nobody is said to be there any more."""
        contact = self._contacts[address]
        if contact.is_manual or contact.claimants or contact.is_dialling:
            return
        del self._contacts[address]
        if contact.failures:
            self._resting[address] = contact
            if len(self._resting) > MAX_RESTING:
                del self._resting[next(iter(self._resting))]

    def failed(self, contact: Contact, now: float) -> None:
        """Put the next dial off, twice as long as the last time."""
        first, most = TRUSTED_BACKOFF if contact.is_trusted else HINTED_BACKOFF
        delay = first * 2.0 ** min(contact.failures, 10) * self._rng.uniform(1.0, 1.1)
        contact.failures += 1
        contact.ready_at = now + min(delay, most)

    def forgive(self, contact: Contact) -> None:
        """Allow a dial again at once, if the address is trusted; what strangers say never shortens a back-off."""
        if contact.is_trusted:
            contact.failures = 0
            contact.ready_at = contact.dialled_at + MIN_REDIAL_SECONDS

    def prune(self, now: float) -> None:
        """Forget resting addresses whose back-off is over."""
        for address in [key for key, contact in self._resting.items() if contact.ready_at <= now]:
            del self._resting[address]
