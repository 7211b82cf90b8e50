"""The rows of the presence table: who is kept, who makes room, and where each peer may be.

Owns the peers and, through the address book, their addresses; decides neither who is online nor whom to dial.
Called by ``core.presence`` and ``core.dials``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from peerterm.core.addresses import Address, AddressBook, Contact

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from peerterm.core.encounters import Link
    from peerterm.core.ids import PeerId

MAX_PEERS = 256
MAX_REMEMBERED = 128
"""Peers of earlier sessions taken; the rest of the table is for new ones."""

MAX_UNVERIFIED_PER_HOST = 8
MAX_ADDRESSES_PER_PEER = 4
NEVER = float("inf")


@dataclass(slots=True)
class Peer:
    """One row.

    Attributes:
        peer_id: Who.
        is_verified: It was linked in this session or an earlier one, and is not forgotten for a stranger's sake.
        wait_until: Not dialled before: the other side may be about to.
        name: As its last HELLO or status said.
        addresses: Where it may be, oldest first.
        link: The open link.
        last_link: The same, or the last one of this session.
        settles_at: Set while a duplicate was closed and the link kept is still to open.
        expires_at: When it is forgotten, unless verified or online.
        seen_at: When it was last heard or told of.
        was_heard: By beacon, not only by gossip.
        checked_at: When its link was last checked.
    """

    peer_id: PeerId
    is_verified: bool
    wait_until: float = 0.0
    name: str = ""
    addresses: dict[Address, None] = field(default_factory=dict)
    link: Link | None = None
    last_link: Link | None = None
    settles_at: float | None = None
    expires_at: float = 0.0
    seen_at: float = 0.0
    was_heard: bool = False
    checked_at: float = float("-inf")

    @property
    def is_online(self) -> bool:
        """Whether it has a link, or is about to have its other one."""
        return self.link is not None or self.settles_at is not None

    @property
    def last_address(self) -> Address | None:
        """Where it is linked, or last was in this session."""
        return self.last_link.address if self.last_link else None

    @property
    def changes_at(self) -> float:
        """When time alone changes this row."""
        if self.settles_at is not None:
            return self.settles_at
        return NEVER if self.is_verified or self.is_online else self.expires_at


class Roster:
    """The table.

    Invariant: at most ``MAX_PEERS`` rows; of those never linked at most ``MAX_UNVERIFIED_PER_HOST`` name one host
    when they are added; a contact's claimants are exactly the peers that list its address.
    """

    def __init__(self, rng: Random) -> None:
        self.book = AddressBook(rng)
        self._peers: dict[PeerId, Peer] = {}

    def __iter__(self) -> Iterator[Peer]:
        return iter(list(self._peers.values()))

    def __len__(self) -> int:
        return len(self._peers)

    def get(self, peer_id: PeerId | None) -> Peer | None:
        """Return a peer's row, if it has one."""
        return self._peers.get(peer_id) if peer_id is not None else None

    def admit_heard(self, peer_id: PeerId, host: str) -> Peer | None:
        """Add a peer that anybody may have made up; ``None`` if there is no room for it."""
        rivals = sum(any(key.host == host for key in peer.addresses) for peer in self if not peer.is_verified)
        return self._admit(Peer(peer_id, is_verified=False)) if rivals < MAX_UNVERIFIED_PER_HOST else None

    def admit_remembered(self, peer_id: PeerId) -> Peer | None:
        """Add a peer of an earlier session; ``None`` if there are enough."""
        known = sum(peer.is_verified for peer in self)
        return self._admit(Peer(peer_id, is_verified=True)) if known < MAX_REMEMBERED else None

    def admit_linked(self, peer_id: PeerId) -> Peer | None:
        """Add a peer that is here; ``None`` if the table is full of such."""
        return self._admit(Peer(peer_id, is_verified=True), can_displace_verified=True)

    def _admit(self, peer: Peer, *, can_displace_verified: bool = False) -> Peer | None:
        if len(self._peers) >= MAX_PEERS:
            weaker = [old for old in self if not old.is_online and (can_displace_verified or not old.is_verified)]
            if not weaker:
                return None
            self.forget(min(weaker, key=lambda old: (old.is_verified, old.was_heard, old.seen_at)))
        self._peers[peer.peer_id] = peer
        return peer

    def forget(self, peer: Peer) -> None:
        """Remove a row; what is known of its addresses stays in the book while that matters."""
        for address in list(peer.addresses):
            self._release(peer, address)
        del self._peers[peer.peer_id]

    def claim(self, peer: Peer, address: Address, *, is_proven: bool = False) -> Contact | None:
        """Note that a peer may be at an address; ``None`` if it has better ones enough.

        ``is_proven`` makes the peer the address's owner, and always finds room.
        """
        if address not in peer.addresses and len(peer.addresses) >= MAX_ADDRESSES_PER_PEER:
            worth = {old: self._worth(peer, old) for old in peer.addresses}
            worst = min(worth, key=worth.__getitem__)  # of equals the oldest
            if worth[worst] and not is_proven:
                return None
            self._release(peer, worst)
        peer.addresses[address] = None
        contact = self.book.open(address)
        contact.claimants.add(peer.peer_id)
        if is_proven:
            contact.owner = peer.peer_id
        return contact

    def disprove(self, peer_id: PeerId, address: Address) -> None:
        """Note that a peer is not at an address."""
        peer = self._peers.get(peer_id)
        if peer is not None and address in peer.addresses:
            self._release(peer, address)
            if not (peer.addresses or peer.is_verified):
                self.forget(peer)

    def _worth(self, peer: Peer, address: Address) -> int:
        contact = self.book[address]
        return 2 if contact.is_dialling else int(contact.owner == peer.peer_id)

    def _release(self, peer: Peer, address: Address) -> None:
        del peer.addresses[address]
        self.book[address].claimants.discard(peer.peer_id)
        self.book.rest(address)
