"""The discovery datagram: who announces itself, and on which port it listens.

A beacon is only a hint: anybody on the network can send any beacon, or repeat one it saw. It carries no name and
no address (the packet's source host is dialled, nothing else). Layout, big-endian, ``BEACON.size`` bytes::

    4 magic "PTRM" | 1 version | 1 kind | 32 peer id | 8 instance | 2 port | 8 counter

Further bytes, up to ``MAX_BEACON_BYTES`` in all, are ignored, so that a later release can add to it.
"""

from __future__ import annotations

from struct import Struct

from peerterm.core.ids import PeerId
from peerterm.core.presence import Beacon, BeaconKind
from peerterm.errors import ProtocolViolation

__all__ = ["BEACON", "MAX_BEACON_BYTES", "Beacon", "BeaconKind", "decode_beacon", "encode_beacon"]

MAX_BEACON_BYTES = 512

BEACON = Struct("!4sBB32s8sHQ")
MAGIC = b"PTRM"
VERSION = 1


def encode_beacon(beacon: Beacon) -> bytes:
    """Return the datagram."""
    return BEACON.pack(
        MAGIC, VERSION, beacon.kind, bytes.fromhex(beacon.peer_id), beacon.instance, beacon.port, beacon.counter
    )


def decode_beacon(data: bytes) -> Beacon:
    """Read a datagram.

    Raises:
        ProtocolViolation: It is no beacon, or one of a version or kind not known here.
    """
    if not BEACON.size <= len(data) <= MAX_BEACON_BYTES:
        raise ProtocolViolation(f"a datagram of {len(data)} bytes is no beacon")
    magic, version, kind, peer, instance, port, counter = BEACON.unpack_from(data)
    if magic != MAGIC or version != VERSION:
        raise ProtocolViolation("a datagram of another program or version")
    if kind not in (BeaconKind.HELLO, BeaconKind.BYE):
        raise ProtocolViolation(f"a beacon of unknown kind {kind}")
    if port == 0:
        raise ProtocolViolation("a beacon without a port")
    return Beacon(PeerId(peer.hex()), instance, port, counter, BeaconKind(kind))
