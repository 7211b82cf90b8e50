"""Data lanes on the wire: a fixed binary header each way, then raw bytes.

A client writes requests, as many as it likes before the first answer; the server answers in the same order. There
is nothing else on a lane. ``net.lanes`` and ``net.lane_server`` move the bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from peerterm.core.ids import Root
from peerterm.core.manifest import CHUNK_BYTES
from peerterm.core.pieces import Piece, PieceKind, Refusal
from peerterm.errors import ProtocolViolation

REQUEST = Struct("!IBI32s")  # request id, kind, index, root
REPLY = Struct("!IBI")  # request id, status, bytes that follow

MAX_REPLY_BYTES = CHUNK_BYTES
"""Most bytes of one answer: no piece is larger than a chunk."""

_BYTES_FOLLOW = 0
_SENDABLE = frozenset(Refusal) - {Refusal.LOST}


@dataclass(frozen=True, slots=True)
class Request:
    """A request for one piece. ``number`` is chosen by the client and repeated in the answer."""

    number: int
    piece: Piece


@dataclass(frozen=True, slots=True)
class ReplyHeader:
    """What precedes an answer's bytes: ``length`` of them, or none and a refusal."""

    number: int
    refusal: Refusal | None
    length: int


def encode_request(number: int, piece: Piece) -> bytes:
    """Return the ``REQUEST.size`` bytes of a request; ``number`` is 0 to 2**32-1."""
    return REQUEST.pack(number, piece.kind, piece.index, piece.root)


def decode_request(data: bytes | bytearray | memoryview) -> Request:
    """Read a request.

    Raises:
        ProtocolViolation: Not ``REQUEST.size`` bytes, an unknown kind, or a head with an index.
    """
    if len(data) != REQUEST.size:
        raise ProtocolViolation(f"lane request of {len(data)} bytes")
    number, kind, index, root = REQUEST.unpack(data)
    if kind not in PieceKind.__members__.values():
        raise ProtocolViolation(f"lane request for a piece of kind {kind}")
    if kind == PieceKind.HEAD and index:
        raise ProtocolViolation("lane request for a head with an index")
    return Request(number, Piece(Root(root), PieceKind(kind), index))


def encode_reply_header(number: int, length: int, refusal: Refusal | None = None) -> bytes:
    """Return the ``REPLY.size`` bytes before an answer; a refusal has length 0."""
    return REPLY.pack(number, refusal or _BYTES_FOLLOW, length)


def decode_reply_header(data: bytes | bytearray | memoryview) -> ReplyHeader:
    """Read what precedes an answer.

    Raises:
        ProtocolViolation: Not ``REPLY.size`` bytes, an unknown status, an answer without bytes or with more than
            ``MAX_REPLY_BYTES``, or a refusal with bytes.
    """
    if len(data) != REPLY.size:
        raise ProtocolViolation(f"lane reply header of {len(data)} bytes")
    number, status, length = REPLY.unpack(data)
    if status == _BYTES_FOLLOW:
        if not 0 < length <= MAX_REPLY_BYTES:
            raise ProtocolViolation(f"lane reply of {length} bytes")
        return ReplyHeader(number, None, length)
    if status not in _SENDABLE:
        raise ProtocolViolation(f"lane reply with status {status}")
    if length:
        raise ProtocolViolation("lane refusal with bytes")
    return ReplyHeader(number, Refusal(status), 0)
