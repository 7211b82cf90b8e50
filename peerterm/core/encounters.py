"""What is told to and by ``core.presence``: beacons in; facts about peers and things to do out.

Values only, and the one rule about two links to a peer that needs no table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from peerterm.core.addresses import Address
    from peerterm.core.ids import PeerId

SIMULTANEOUS_SECONDS = 5.0
"""Two links that open within this time count as both sides dialling at once."""


class BeaconKind(IntEnum):
    """What a beacon says; the value is its code in the datagram."""

    HELLO = 1
    BYE = 2


@dataclass(frozen=True, slots=True)
class Beacon:
    """What one datagram claims. A hint: nothing in it is proven.

    Attributes:
        peer_id: Who it speaks of.
        instance: 8 bytes, random for each start of an engine.
        port: Where that engine listens, 1 to 65535.
        counter: Number of the beacon in its instance, 0 to 2**64 - 1; for people who read captures.
        kind: Still there, or leaving.
    """

    peer_id: PeerId
    instance: bytes
    port: int
    counter: int
    kind: BeaconKind


@dataclass(frozen=True, slots=True)
class Link:
    """What presence knows of an open link. ``is_dialer``: this side dialled it."""

    address: Address
    instance: bytes
    is_dialer: bool
    opened_at: float


@dataclass(frozen=True, slots=True)
class Dial:
    """Dial an address; answer once, with ``identified`` (``False``), ``dial_failed`` or ``link_opened``.

    ``peer_id`` is the only acceptable answerer; ``None`` takes whoever is there.
    """

    peer_id: PeerId | None
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class RefuseLink:
    """Close the link just reported; it never counted. ``reason`` is ``duplicate``, ``self`` or ``full``."""

    peer_id: PeerId
    reason: str


@dataclass(frozen=True, slots=True)
class ReplaceLink:
    """Close the peer's older link as a duplicate; its end is not to be reported."""

    peer_id: PeerId


@dataclass(frozen=True, slots=True)
class CheckLink:
    """Ping the peer now: something unproven says that it left or restarted."""

    peer_id: PeerId


@dataclass(frozen=True, slots=True)
class PeerOnline:
    """A peer's first link opened."""

    peer_id: PeerId
    name: str
    address: Address
    instance: bytes


@dataclass(frozen=True, slots=True)
class PeerOffline:
    """A peer has no link any more."""

    peer_id: PeerId
    reason: str


@dataclass(frozen=True, slots=True)
class PeerRestartedFact:
    """A peer that was online before is a new process now. Follows ``PeerOnline``, if that is due too."""

    peer_id: PeerId
    instance: bytes


@dataclass(frozen=True, slots=True)
class PeerRenamedFact:
    """A peer goes by another name than before."""

    peer_id: PeerId
    old_name: str
    name: str


@dataclass(frozen=True, slots=True)
class PeerMoved:
    """A peer is linked at another address than the last time."""

    peer_id: PeerId
    old_address: Address
    new_address: Address


@dataclass(frozen=True, slots=True)
class ProfileCloned:
    """Another engine announces itself with our own identity. Said once."""

    host: str


Effect: TypeAlias = (
    Dial
    | RefuseLink
    | ReplaceLink
    | CheckLink
    | PeerOnline
    | PeerOffline
    | PeerRestartedFact
    | PeerRenamedFact
    | PeerMoved
    | ProfileCloned
)


def judge_duplicate(own_id: PeerId, peer_id: PeerId, old: Link, new: Link) -> bool:
    """Return whether a new link to a peer replaces the one that is open; both sides come to the same answer.

    A new process, or a newer link of the same dialler, replaces: whoever dials has lost what it had. If both
    dialled at once the smaller id's dial stays.
    """
    if new.instance != old.instance or new.is_dialer == old.is_dialer:
        return True
    if new.opened_at - old.opened_at > SIMULTANEOUS_SECONDS:
        return True
    return new.is_dialer == (own_id < peer_id)
