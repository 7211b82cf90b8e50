"""Gates that let a real engine upload only so many chunks."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from peerterm.core.pieces import Piece, PieceKind, PieceRefused, Refusal
from peerterm.engine.reading import LaneReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peerterm.core.ids import PeerId
    from peerterm.engine.engine import Engine
    from peerterm.engine.reading import Offers


class Gate:
    """Lets an engine upload only so many chunks; whoever asks for more waits until the gate opens or closes."""

    def __init__(self, chunks: int) -> None:
        self._is_closed = False
        self._passes = threading.Semaphore(chunks)

    def open(self) -> None:
        """Let everything pass from now on."""
        self._passes.release(1_000_000)

    def close(self) -> None:
        """Refuse every chunk from now on."""
        self._is_closed = True
        self.open()

    def enter(self, piece: Piece) -> None:
        """Wait for leave to upload a piece."""
        if piece.kind is PieceKind.CHUNK:
            self._passes.acquire()
            if self._is_closed:
                raise PieceRefused(Refusal.BUSY)


class _GatedReader(LaneReader):
    def __init__(self, offers: Offers, gate: Gate) -> None:
        super().__init__(offers)
        self._gate = gate

    def read_piece(self, piece: Piece) -> bytes | bytearray | memoryview:
        self._gate.enter(piece)
        return super().read_piece(piece)


@contextmanager
def gated(engine: Engine, chunks: int) -> Iterator[Gate]:
    """Put a gate before an engine's uploads; at the end of the block it closes."""
    gate, uploads = Gate(chunks), engine.services.uploads

    def open_reader(peer: PeerId) -> LaneReader:
        return _GatedReader(uploads.offers_to(peer), gate)

    uploads.open_reader = open_reader  # type: ignore[method-assign]
    try:
        yield gate
    finally:
        gate.close()
