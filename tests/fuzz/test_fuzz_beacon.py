from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from peerterm.errors import ProtocolViolation
from peerterm.wire.beacon import BEACON, decode_beacon, encode_beacon

bodies = st.binary(min_size=BEACON.size - 6, max_size=BEACON.size + 8)


@given(
    st.one_of(
        st.binary(max_size=600),
        st.builds(lambda kind, body: b"PTRM\x01" + kind + body, st.binary(min_size=1, max_size=1), bodies),
    )
)
def test_any_datagram_is_a_beacon_or_a_violation(data: bytes) -> None:
    """Nothing but ``ProtocolViolation`` escapes, and what is accepted is what its bytes say."""
    with suppress(ProtocolViolation):
        beacon = decode_beacon(data)

        assert encode_beacon(beacon) == data[: BEACON.size]
        assert 1 <= beacon.port <= 65535
