"""The presence table in the hands of a test: beacons that it hears and links that open.

``LARGE`` is dialled at once; ``SMALL`` may dial first.
"""

from __future__ import annotations

from random import Random

from peerterm.core.addresses import Address
from peerterm.core.encounters import Beacon, BeaconKind, Dial, Effect
from peerterm.core.ids import PeerId
from peerterm.core.presence import Presence

OWN = PeerId("88" * 32)
SMALL, LARGE = PeerId("11" * 32), PeerId("99" * 32)
HOST, PORT = "10.0.0.5", 47470
THERE = Address(HOST, PORT)
FIRST, SECOND = b"instanc1", b"instanc2"
DIAL_LARGE = Dial(LARGE, HOST, PORT)


def presence() -> Presence:
    """Return an empty table. ``LARGE`` is dialled at once, ``SMALL`` after the courtesy."""
    return Presence(OWN, b"own-inst", Random(1))


def hello(peer_id: PeerId = LARGE, *, instance: bytes = FIRST, port: int = PORT) -> Beacon:
    """Return a beacon of a peer that is there."""
    return Beacon(peer_id, instance, port, 1, BeaconKind.HELLO)


def bye(peer_id: PeerId = LARGE, *, instance: bytes = FIRST) -> Beacon:
    """Return a beacon of a peer that leaves."""
    return Beacon(peer_id, instance, PORT, 2, BeaconKind.BYE)


def open_link(
    table: Presence,
    now: float,
    *,
    peer_id: PeerId = LARGE,
    host: str = HOST,
    instance: bytes = FIRST,
    name: str = "anna",
    is_dialer: bool = True,
) -> list[Effect]:
    """Report a link."""
    return table.link_opened(peer_id, host, PORT, instance=instance, name=name, is_dialer=is_dialer, now=now)


def linked(now: float = 0.0) -> Presence:
    """Return a table with ``LARGE`` online."""
    table = presence()
    open_link(table, now)
    return table
