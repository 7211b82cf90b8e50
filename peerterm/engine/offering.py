"""Files of a transfer that have landed while the rest is still coming: others get them from us all the same.

Made by ``engine.attempt``; what is on its way itself is ``engine.holding``'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from peerterm.core.bitfield import Bitfield
from peerterm.core.ids import HASH_BYTES
from peerterm.core.manifest import PAGE_BYTES, chunk_count, chunk_digest, head_of
from peerterm.core.pieces import Piece, PieceKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerterm.core.ids import Root
    from peerterm.engine.plan import WantedFile
    from peerterm.engine.reading import HeldContent
    from peerterm.store.partfile import PartFile

MAX_PROOF_BYTES = 64 * 1024 * 1024
"""Chunk digests kept for the landed files of one transfer; what landed first makes room."""


class LandedFile:
    """A complete file; a ``HeldContent``. There may be as many as a folder has files, so it is small."""

    __slots__ = ("_digests", "_file", "_opener")

    def __init__(self, file: WantedFile, digests: bytes, opener: Callable[[WantedFile], PartFile]) -> None:
        """Give it from what ``opener`` returns; ``digests`` are all of its chunks', or empty if not known."""
        self._file = file
        self._digests = digests
        self._opener = opener

    @property
    def held(self) -> Bitfield:
        """See ``HeldContent``."""
        count = chunk_count(self._file.size)
        spare = -count % 8
        bits = ((1 << count) - 1) << spare
        return Bitfield.from_bytes(count, bits.to_bytes((count + spare) // 8, "big"))

    def read_piece(self, piece: Piece) -> bytes | None:
        """See ``HeldContent``."""
        match piece.kind:
            case PieceKind.CHUNK:
                is_there = piece.index < chunk_count(self._file.size)
                return self._opener(self._file).read_chunk(piece.index) if is_there else None
            case PieceKind.PAGE:
                start = piece.index * PAGE_BYTES
                return self._proof()[start : start + PAGE_BYTES] or None
            case PieceKind.HEAD:
                size, proof = self._file.size, self._proof()
                return head_of(size, proof).encode() if len(proof) == chunk_count(size) * HASH_BYTES else None

    def _proof(self) -> bytes:
        """Return the digests of all chunks, those of a small file from its bytes; empty if they are not known."""
        if chunk_count(self._file.size) == 1:
            return chunk_digest(self._opener(self._file).read_chunk(0))
        return self._digests


class Outlet(Protocol):
    """Where a transfer puts what it has, for others to fetch."""

    def held(self, root: Root) -> HeldContent | None:
        """Return what is there of a content."""
        ...

    def hold(self, root: Root, content: HeldContent) -> None:
        """Offer a content."""
        ...

    def release(self, root: Root, content: HeldContent) -> None:
        """Stop to offer a content."""
        ...

    def grew(self, root: Root, chunks: list[int]) -> None:
        """Tell that more of a content is held."""
        ...


class Nowhere:
    """The ``Outlet`` of what others are not to get from us."""

    def held(self, root: Root) -> None:
        """Have nothing."""

    def hold(self, root: Root, content: HeldContent) -> None:
        """Offer it to nobody."""

    def release(self, root: Root, content: HeldContent) -> None:
        """Do nothing: nobody was offered it."""

    def grew(self, root: Root, chunks: list[int]) -> None:
        """Tell nobody."""


class Offering:
    """What has landed of one transfer, offered for as long as that runs."""

    def __init__(self, uploads: Outlet, opener: Callable[[WantedFile], PartFile]) -> None:
        self._uploads = uploads
        self._opener = opener
        self._files: dict[Root, LandedFile] = {}
        self._proofs: dict[Root, int] = {}  # bytes of digests, of those that have any
        self._proof_bytes = 0

    def add(self, file: WantedFile, digests: bytes) -> None:
        """Offer a file that has landed, in the place of what was held of it; see ``LandedFile``."""
        count = chunk_count(file.size)
        proof = digests if count > 1 else b""
        landed = self._files[file.root] = LandedFile(file, proof, self._opener)
        self._uploads.hold(file.root, landed)
        self._uploads.grew(file.root, list(range(count)))
        if proof:
            self._proofs[file.root] = len(proof)
            self._proof_bytes += len(proof)
        while self._proof_bytes > MAX_PROOF_BYTES:
            self._drop(next(iter(self._proofs)))

    def close(self) -> None:
        """Offer nothing of it any more."""
        for root in list(self._files):
            self._drop(root)

    def _drop(self, root: Root) -> None:
        self._proof_bytes -= self._proofs.pop(root, 0)
        self._uploads.release(root, self._files.pop(root))
