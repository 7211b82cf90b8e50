"""Which addresses to dial now: the bounds, the order, and what is in flight.

Reads the roster, writes only the back-off of addresses; knows no beacon and no link. Called by ``core.presence``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerterm.core.addresses import MIN_REDIAL_SECONDS, Address
from peerterm.core.buckets import KeyedBuckets
from peerterm.core.encounters import Dial
from peerterm.core.roster import MAX_PEERS, NEVER

if TYPE_CHECKING:
    from peerterm.core.addresses import Contact
    from peerterm.core.ids import PeerId
    from peerterm.core.roster import Peer, Roster

MAX_DIALS = 8
MAX_HINTED_DIALS = 4
"""Dials in flight to addresses that the user did not name and nobody was heard at: these may all hang."""

HOST_DIALS_PER_SECOND = 1.0
HOST_DIALS_BURST = 16
"""Dials to the unproven addresses of one host, whatever number of ports and ids is claimed for it."""


class Dials:
    """Starts dials and remembers them until they end.

    Invariant: at most ``MAX_DIALS`` in flight, one an address. None is started for a peer that is online or that
    another dial may reach, nor to an address where a peer is linked.
    """

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._in_flight: dict[Address, PeerId | None] = {}  # who is expected, if anyone
        self._answered: dict[Address, PeerId] = {}  # who is there, once TLS proved it
        self._host_dials = KeyedBuckets(HOST_DIALS_PER_SECOND, HOST_DIALS_BURST, max_keys=MAX_PEERS)

    def __contains__(self, address: object) -> bool:
        return address in self._in_flight

    def __len__(self) -> int:
        return len(self._in_flight)

    def reaches(self, peer_id: PeerId) -> bool:
        """Return whether a dial in flight may end at this peer."""
        if peer_id in self._in_flight.values() or peer_id in self._answered.values():
            return True
        peer = self._roster.get(peer_id)
        return peer is not None and any(address in self._in_flight for address in peer.addresses)

    def identify(self, address: Address, peer_id: PeerId) -> bool:
        """Note who answered; ``False`` if another dial reached the same peer before."""
        if peer_id in self._answered.values():
            return False
        self._answered[address] = peer_id
        return True

    def end(self, address: Address) -> Contact:
        """Take a dial out of flight."""
        del self._in_flight[address]
        self._answered.pop(address, None)
        contact = self._roster.book[address]
        contact.is_dialling = False
        return contact

    def plan(self, now: float) -> tuple[list[Dial], float]:
        """Start every dial that may start; return them and when time alone allows the next, at the earliest.

        What waits for room waits for a dial to end, not for time. Addresses where somebody was heard come first.
        """
        due = NEVER
        ready: list[tuple[bool, float, Address]] = []
        for address, contact in self._roster.book:
            when = self._ready_at(address, contact, now)
            if when > now:
                due = min(due, when)
            else:
                ready.append((not contact.is_likely(now), when, address))
        started: list[Dial] = []
        for is_silent, _, address in sorted(ready):
            if not self._has_room(now, is_silent=is_silent):
                break
            dial, when = self.consider(address, now)
            started += dial
            due = min(due, when)
        return started, due

    def consider(self, address: Address, now: float) -> tuple[list[Dial], float]:
        """Do the same for one address."""
        contact = self._roster.book[address]
        when = self._ready_at(address, contact, now)
        if when > now:
            return [], when
        if not self._has_room(now, is_silent=not contact.is_likely(now)):
            return [], NEVER
        if contact.is_trusted or self._host_dials.take(address.host, now):
            return [self._start(address, contact, now)], NEVER
        contact.ready_at = now + 1.0 / HOST_DIALS_PER_SECOND
        return [], contact.ready_at

    def _ready_at(self, address: Address, contact: Contact, now: float) -> float:
        """Return when an address may be dialled if there is room, at the earliest; never, if nobody is wanted."""
        if contact.is_dialling:
            return NEVER
        if contact.ready_at > now:  # whoever is wanted then
            return contact.ready_at
        owner = self._roster.get(contact.owner)
        if owner and owner.is_online and owner.last_address == address:
            return NEVER
        if contact.is_manual and not (self._is_served(contact.owner) or self._is_served(contact.pin)):
            return now
        waits = [peer.wait_until for peer in self._wanted(contact) if not self.reaches(peer.peer_id)]
        return min(waits, default=NEVER)

    def _is_served(self, peer_id: PeerId | None) -> bool:
        """Whether a peer is online, or may soon be."""
        peer = self._roster.get(peer_id)
        return (peer is not None and peer.is_online) or (peer_id is not None and self.reaches(peer_id))

    def _wanted(self, contact: Contact) -> list[Peer]:
        claimants = map(self._roster.get, contact.claimants)
        return [peer for peer in claimants if peer is not None and not peer.is_online]

    def _has_room(self, now: float, *, is_silent: bool) -> bool:
        if len(self._in_flight) >= MAX_DIALS:
            return False
        silent = sum(not self._roster.book[other].is_likely(now) for other in self._in_flight)
        return not is_silent or silent < MAX_HINTED_DIALS

    def _start(self, address: Address, contact: Contact, now: float) -> Dial:
        """Dial for whoever claims the address; if several do, whoever answers is welcome."""
        wanted = self._wanted(contact)
        whom = contact.pin if contact.is_manual else wanted[0].peer_id if len(wanted) == 1 else None
        contact.is_dialling, contact.dialled_at = True, now
        contact.ready_at = now + MIN_REDIAL_SECONDS
        self._in_flight[address] = whom
        return Dial(whom, address.host, address.port)
