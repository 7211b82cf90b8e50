"""Contents made up for tests: every chunk is known by its number, so that gigabytes need no memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerterm.core.ids import HASH_BYTES, Root
from peerterm.core.manifest import PAGE_BYTES, Head, chunk_count, chunk_span, head_of
from peerterm.core.pieces import Piece, PieceKind

if TYPE_CHECKING:
    from peerterm.core.pieces import Fetch


@dataclass(frozen=True)
class MadeContent:
    """A content whose chunk ``n`` repeats one digest-like block of ``seed`` and ``n``."""

    size: int
    seed: int
    digests: bytes
    head: Head

    @classmethod
    def of(cls, size: int, seed: int = 0) -> MadeContent:
        """Make a content. Hashes all of it."""
        digests = b"".join(
            hashlib.sha256(chunk_bytes(size, seed, index)).digest() for index in range(chunk_count(size))
        )
        return cls(size, seed, digests, head_of(size, digests))

    @classmethod
    def unreadable(cls, chunks: int, seed: int = 0) -> MadeContent:
        """Make a content of whole chunks with made-up digests, for tests that move no bytes."""
        digests = b"".join(hashlib.sha256(b"%d %d" % (seed, index)).digest() for index in range(chunks))
        size = chunks * 1024 * 1024
        return cls(size, seed, digests, head_of(size, digests))

    @property
    def root(self) -> Root:
        return self.head.root

    @property
    def chunks(self) -> int:
        return len(self.digests) // HASH_BYTES

    def piece(self, kind: PieceKind, index: int = 0) -> Piece:
        return Piece(self.root, kind, index)

    def read(self, piece: Piece) -> bytes:
        """Return the bytes of any piece."""
        if piece.kind == PieceKind.CHUNK:
            return chunk_bytes(self.size, self.seed, piece.index)
        return self.proof(piece) or b""

    def proof(self, piece: Piece) -> bytes | None:
        """Return the bytes of a head or page; ``None`` for a chunk: what ``Download.arrived`` takes."""
        if piece.kind == PieceKind.HEAD:
            return self.head.encode()
        if piece.kind == PieceKind.PAGE:
            return self.digests[piece.index * PAGE_BYTES : (piece.index + 1) * PAGE_BYTES]
        return None

    def answer(self, fetch: Fetch) -> bool:
        """Whether the fetch accepts the true bytes."""
        return fetch.accepts(memoryview(self.read(fetch.piece)))


def chunk_bytes(size: int, seed: int, index: int) -> bytes:
    """Return the bytes of one chunk of ``MadeContent.of``."""
    block = hashlib.sha256(b"%d %d" % (seed, index)).digest()
    length = chunk_span(size, index)[1]
    return (block * (length // len(block) + 1))[:length]
