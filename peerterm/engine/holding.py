"""Contents that are being fetched here, as others can already get them. Read from lane threads.

A holding outlives the machine's record of its content, so it keeps the few bytes that prove it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerterm.core.pieces import Piece, PieceKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerterm.core.bitfield import Bitfield
    from peerterm.core.content import Content
    from peerterm.store.partfile import PartFile


class FileHolding:
    """A file on its way: what is verified so far is served from the part file it is written into."""

    def __init__(self, content: Content, part: PartFile) -> None:
        self._content = content
        self._part = part

    def stamp(self) -> str:
        """Return what tells later whether the part file was touched since; see ``PartFile.stamp``."""
        return self._part.stamp()

    @property
    def held(self) -> Bitfield | None:
        """See ``HeldContent``."""
        return self._content.held

    def write_chunk(self, index: int, data: memoryview) -> bytes:
        """See ``core.pieces.PieceSink``."""
        return self._part.write_chunk(index, data)

    def read_piece(self, piece: Piece) -> bytes | None:
        """See ``HeldContent``."""
        return _read(self._content, piece, self._part.read_chunk)


class ListingHolding:
    """A folder's listing, kept in memory; also the sink it is fetched into."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._chunks: dict[int, bytes] = {}

    @property
    def held(self) -> Bitfield | None:
        """See ``HeldContent``."""
        return self._content.held

    def write_chunk(self, index: int, data: memoryview) -> bytes:
        """See ``core.pieces.PieceSink``."""
        self._chunks[index] = bytes(data)
        return b""

    def read_piece(self, piece: Piece) -> bytes | None:
        """See ``HeldContent``."""
        return _read(self._content, piece, self._chunks.__getitem__)

    def whole(self) -> bytes:
        """Return the complete listing."""
        return b"".join(self._chunks[index] for index in sorted(self._chunks))


def _read(content: Content, piece: Piece, read_chunk: Callable[[int], bytes]) -> bytes | None:
    match piece.kind:
        case PieceKind.HEAD:
            return content.head.encode() if content.head else None
        case PieceKind.PAGE:
            return content.pages.get(piece.index)
        case PieceKind.CHUNK:
            is_held = content.held and piece.index < content.held.size and content.held.has(piece.index)
            return read_chunk(piece.index) if is_held else None
