"""The codes of pieces and refusals are part of the protocol."""

from __future__ import annotations

from peerterm.core.ids import Root
from peerterm.core.pieces import Piece, PieceKind, PieceRefused, Refusal


def test_codes_never_change() -> None:
    """Kinds and refusals keep the numbers they have on the wire."""
    assert {kind.name: kind.value for kind in PieceKind} == {"HEAD": 1, "PAGE": 2, "CHUNK": 3}
    assert {refusal.name: refusal.value for refusal in Refusal} == {
        "NOT_FOUND": 1,
        "NOT_HELD": 2,
        "CHANGED": 3,
        "BUSY": 4,
        "FAILED": 5,
        "LOST": 6,
    }


def test_pieces_are_the_same_by_value() -> None:
    """A piece decoded from a request finds what was noted under an equal one."""
    first, second = (Piece(Root(bytes(32)), PieceKind.CHUNK, 7) for _ in range(2))

    assert {first: "noted"}[second] == "noted"


def test_refusal_travels_with_its_exception() -> None:
    """Whoever catches a refused piece knows what to answer."""
    assert PieceRefused(Refusal.CHANGED).refusal is Refusal.CHANGED
