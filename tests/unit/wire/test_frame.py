"""Frames: cut as sent, refused before they are waited for."""

from __future__ import annotations

import pytest

from peerterm.errors import ProtocolViolation
from peerterm.wire.frame import HEADER, Frame, FrameDecoder, encode_frame


def test_frames_come_out_as_they_went_in() -> None:
    """Two frames in one read come out in order."""
    decoder = FrameDecoder(max_body=10)

    frames = decoder.feed(encode_frame(1, b"one") + encode_frame(255, b""))

    assert frames == [Frame(1, b"one"), Frame(255, b"")]
    assert not decoder.has_partial


def test_frame_waits_for_its_last_byte() -> None:
    """A frame that comes byte by byte is returned once, at its end."""
    decoder = FrameDecoder(max_body=10)
    data = encode_frame(7, b"slow")

    early = [frame for byte in data[:-1] for frame in decoder.feed(bytes([byte]))]

    assert early == []
    assert decoder.has_partial
    assert decoder.feed(data[-1:]) == [Frame(7, b"slow")]


@pytest.mark.parametrize("size", [10, 0])
def test_body_up_to_the_bound_is_taken(size: int) -> None:
    """The bound itself is allowed."""
    decoder = FrameDecoder(max_body=10)

    assert decoder.feed(encode_frame(1, bytes(size))) == [Frame(1, bytes(size))]


@pytest.mark.parametrize("size", [11, 2**31, 2**32 - 1])
def test_longer_body_is_refused_by_its_header(size: int) -> None:
    """A length over the bound is refused before a byte of the body has come."""
    decoder = FrameDecoder(max_body=10)

    with pytest.raises(ProtocolViolation, match=str(size)):
        decoder.feed(HEADER.pack(size, 1))
