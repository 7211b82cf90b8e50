"""Lane headers from hostile bytes."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

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

WORD = st.integers(0, 2**32 - 1)


@given(WORD, st.sampled_from(PieceKind), WORD, st.binary(min_size=32, max_size=32))
def test_requests_come_back(number: int, kind: PieceKind, index: int, root: bytes) -> None:
    """Every request that can be made is read as it was."""
    piece = Piece(Root(root), kind, 0 if kind == PieceKind.HEAD else index)

    assert decode_request(encode_request(number, piece)) == Request(number, piece)


@given(WORD, st.integers(1, MAX_REPLY_BYTES), st.sampled_from([None, *(set(Refusal) - {Refusal.LOST})]))
def test_replies_come_back(number: int, length: int, refusal: Refusal | None) -> None:
    """Every reply that can be made is read as it was."""
    length = length if refusal is None else 0

    assert decode_reply_header(encode_reply_header(number, length, refusal)) == ReplyHeader(number, refusal, length)


@given(st.binary(max_size=60) | st.binary(min_size=REQUEST.size, max_size=REQUEST.size))
def test_any_bytes_are_a_request_or_a_violation(data: bytes) -> None:
    """Arbitrary bytes raise nothing else, and what is read is exactly what was sent."""
    with suppress(ProtocolViolation):
        request = decode_request(data)

        assert encode_request(request.number, request.piece) == data


@given(st.binary(max_size=20) | st.binary(min_size=REPLY.size, max_size=REPLY.size))
def test_any_bytes_are_a_reply_or_a_violation(data: bytes) -> None:
    """Arbitrary bytes raise nothing else, and no accepted length is over its bound."""
    with suppress(ProtocolViolation):
        reply = decode_reply_header(data)

        assert reply.length <= MAX_REPLY_BYTES
        assert encode_reply_header(reply.number, reply.length, reply.refusal) == data
