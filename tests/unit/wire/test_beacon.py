from __future__ import annotations

import pytest

from peerterm.core.ids import PeerId
from peerterm.errors import ProtocolViolation
from peerterm.wire.beacon import BEACON, MAX_BEACON_BYTES, Beacon, BeaconKind, decode_beacon, encode_beacon

HELLO = Beacon(PeerId("ab" * 32), b"instance", 47470, 7, BeaconKind.HELLO)


@pytest.mark.parametrize(
    "beacon",
    [
        HELLO,
        Beacon(PeerId("00" * 32), bytes(8), 1, 0, BeaconKind.BYE),
        Beacon(PeerId("ff" * 32), b"\xff" * 8, 65535, 2**64 - 1, BeaconKind.HELLO),
    ],
)
def test_beacon_survives_the_wire(beacon: Beacon) -> None:
    """What is encoded is decoded, at the ends of every range."""
    data = encode_beacon(beacon)

    assert len(data) == BEACON.size == 56
    assert decode_beacon(data) == beacon


def test_bytes_of_a_later_release_are_ignored() -> None:
    """A longer datagram of the same version is read as far as it is known."""
    data = encode_beacon(HELLO)

    assert decode_beacon(data.ljust(MAX_BEACON_BYTES, b"x")) == HELLO


@pytest.mark.parametrize(
    "data",
    [
        b"",
        encode_beacon(HELLO)[:-1],
        encode_beacon(HELLO).ljust(MAX_BEACON_BYTES + 1, b"x"),
        b"XXXX" + encode_beacon(HELLO)[4:],
        encode_beacon(HELLO)[:4] + b"\x02" + encode_beacon(HELLO)[5:],
        encode_beacon(HELLO)[:5] + b"\x00" + encode_beacon(HELLO)[6:],
        encode_beacon(HELLO)[:5] + b"\x03" + encode_beacon(HELLO)[6:],
        encode_beacon(HELLO)[:46] + b"\x00\x00" + encode_beacon(HELLO)[48:],
    ],
    ids=["empty", "short", "long", "magic", "version", "kind 0", "kind 3", "port 0"],
)
def test_anything_else_is_a_violation(data: bytes) -> None:
    """A datagram of another length, magic, version or kind, or without a port, is refused."""
    with pytest.raises(ProtocolViolation):
        decode_beacon(data)
