"""Bits on the wire and ranges of what is missing."""

from __future__ import annotations

import pytest

from peerterm.core.bitfield import SLICE_BYTES, Bitfield, mask_of
from peerterm.errors import ProtocolViolation
from peerterm.wire.messages import MAX_HAVE_BYTES


def field_of(size: int, *chunks: int) -> Bitfield:
    field = Bitfield(size)
    for chunk in chunks:
        field.set(chunk)
    return field


def test_first_chunk_is_the_most_significant_bit() -> None:
    """Chunk 0 is the top bit of the first byte."""
    assert field_of(10, 0, 9).to_bytes() == b"\x80\x40"


def test_set_tells_whether_it_changed_anything() -> None:
    """Setting a bit twice counts it once."""
    field = Bitfield(3)

    assert [field.set(1), field.set(1)] == [True, False]
    assert field.count == 1
    assert [field.has(chunk) for chunk in range(3)] == [False, True, False]


def test_complete_when_every_bit_is_set() -> None:
    """A bitfield is complete with its last bit; one without bits always is."""
    assert field_of(2, 0, 1).is_complete
    assert not field_of(2, 0).is_complete
    assert Bitfield(0).is_complete


def test_bytes_come_back_as_they_went() -> None:
    """``from_bytes`` undoes ``to_bytes``, the count included."""
    field = Bitfield.from_bytes(10, field_of(10, 2, 9).to_bytes())

    assert (field.count, field.to_bytes()) == (2, b"\x20\x40")


@pytest.mark.parametrize(("size", "data"), [(8, b""), (8, b"\0\0"), (0, b"\0"), (7, b"\x01"), (9, b"\0\x40")])
def test_wrong_length_or_stray_bits_are_refused(size: int, data: bytes) -> None:
    """Bytes that cannot be of this many chunks are a protocol violation."""
    with pytest.raises(ProtocolViolation):
        Bitfield.from_bytes(size, data)


def test_missing_are_the_gaps() -> None:
    """Missing chunks come as ranges in order."""
    assert list(field_of(10, 0, 3, 4).missing()) == [(1, 2), (5, 5)]
    assert list(Bitfield(9).missing()) == [(0, 9)]
    assert list(field_of(2, 0, 1).missing()) == []


def test_mask_has_chunk_n_at_bit_n() -> None:
    """As an integer, chunk ``n`` is bit ``n``."""
    assert field_of(20, 0, 8, 19).mask == 1 | 1 << 8 | 1 << 19
    assert mask_of(b"\x80\x01") == 1 | 1 << 15


def test_slices_fit_the_message_and_skip_what_is_empty() -> None:
    """Slices start at multiples of 8, are as long as a ``Have`` allows, and only those with a chunk are given."""
    far = SLICE_BYTES * 8 * 2
    field = field_of(far + 1, 3, far)

    slices = dict(field.slices())

    assert SLICE_BYTES == MAX_HAVE_BYTES
    assert {first: mask_of(bits) for first, bits in slices.items()} == {0: 8, far: 1}
    assert [len(bits) for bits in slices.values()] == [SLICE_BYTES, 1]
