"""Headers of data lanes."""

from __future__ import annotations

import pytest

from peerterm.core.ids import Root
from peerterm.core.pieces import Piece, PieceKind, Refusal
from peerterm.errors import ProtocolViolation
from peerterm.wire.lane import (
    MAX_REPLY_BYTES,
    REPLY,
    REQUEST,
    ReplyHeader,
    Request,
    decode_reply_header,
    decode_request,
    encode_reply_header,
    encode_request,
)

ROOT = Root(bytes(range(32)))


def test_request_bytes_are_fixed() -> None:
    """A request is 41 bytes: number, kind, index, root."""
    data = encode_request(7, Piece(ROOT, PieceKind.CHUNK, 258))

    assert data == b"\0\0\0\x07\x03\0\0\x01\x02" + ROOT
    assert decode_request(data) == Request(7, Piece(ROOT, PieceKind.CHUNK, 258))


def test_reply_bytes_are_fixed() -> None:
    """A reply header is 9 bytes: number, status, length."""
    data = encode_reply_header(7, 258)

    assert data == b"\0\0\0\x07\0\0\0\x01\x02"
    assert decode_reply_header(data) == ReplyHeader(7, None, 258)


def test_refusal_has_no_bytes() -> None:
    """A refusal travels as its code."""
    data = encode_reply_header(7, 0, Refusal.BUSY)

    assert data == b"\0\0\0\x07\x04\0\0\0\0"
    assert decode_reply_header(data) == ReplyHeader(7, Refusal.BUSY, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(REQUEST.size - 1),
        REQUEST.pack(1, 0, 0, ROOT),
        REQUEST.pack(1, 4, 0, ROOT),
        REQUEST.pack(1, PieceKind.HEAD, 1, ROOT),
    ],
)
def test_impossible_requests_are_refused(data: bytes) -> None:
    """Wrong length, unknown kinds and numbered heads are protocol violations."""
    with pytest.raises(ProtocolViolation):
        decode_request(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(REPLY.size + 1),
        REPLY.pack(1, 0, 0),
        REPLY.pack(1, 0, MAX_REPLY_BYTES + 1),
        REPLY.pack(1, Refusal.LOST, 0),
        REPLY.pack(1, 99, 0),
        REPLY.pack(1, Refusal.BUSY, 1),
    ],
)
def test_impossible_replies_are_refused(data: bytes) -> None:
    """Empty or huge answers, unknown statuses and refusals with bytes are protocol violations."""
    with pytest.raises(ProtocolViolation):
        decode_reply_header(data)
