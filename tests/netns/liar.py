"""Runs peerterm with one fault: every chunk it uploads has a flipped bit. Heads and pages stay honest."""

from __future__ import annotations

import sys

from peerterm.__main__ import main
from peerterm.core.pieces import Piece, PieceKind
from peerterm.engine.reading import LaneReader

honest = LaneReader.read_piece


def lie(self: LaneReader, piece: Piece) -> bytes:
    """Return the piece as it is, or with its first bit flipped if it is a chunk."""
    data = bytearray(honest(self, piece))
    if piece.kind is PieceKind.CHUNK:
        data[0] ^= 0x80
    return bytes(data)


LaneReader.read_piece = lie  # type: ignore[method-assign]
sys.exit(main())
