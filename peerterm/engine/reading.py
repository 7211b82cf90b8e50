"""Reads pieces for one lane, in that lane's thread: from shares, or from what is being fetched."""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from peerterm.core.ids import HASH_BYTES
from peerterm.core.manifest import CHUNK_BYTES, PAGE_CHUNKS, chunk_count, head_of
from peerterm.core.pieces import Piece, PieceKind, PieceRefused, Refusal
from peerterm.errors import SourceChanged, StorageError

if TYPE_CHECKING:
    from peerterm.core.bitfield import Bitfield
    from peerterm.core.ids import Root
    from peerterm.store.reading import OpenFile, SharedFile

log = logging.getLogger("peerterm.reading")

MAX_OPEN = 4
"""Files one lane keeps open between requests."""


class HeldContent(Protocol):
    """A content that is being fetched here, as far as it has come. Read from lane threads."""

    @property
    def held(self) -> Bitfield | None:
        """Chunks that are verified and on disk; ``None`` until the size is known."""
        ...

    def read_piece(self, piece: Piece) -> bytes | None:
        """Return a piece, ``None`` if it is not held yet.

        Raises:
            StorageError: The disk cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class SharedContent:
    """A content of the catalog: chunk digests, and files or a listing to read it from."""

    size: int
    digests: bytes
    files: tuple[SharedFile, ...] = ()
    listing: bytes | None = None

    @property
    def held_bytes(self) -> int:
        """Bytes of memory that its digests and listing take."""
        return len(self.digests) + len(self.listing or b"")


class Offers(Protocol):
    """Finds what is offered. Called from lane threads."""

    def held(self, root: Root) -> HeldContent | None:
        """Return a content that is being fetched here."""
        ...

    def shared(self, root: Root) -> SharedContent:
        """Return a content of the catalog.

        Raises:
            PieceRefused: It is not offered.
        """
        ...


class LaneReader:
    """Answers one lane's requests, one at a time; keeps its last files open in between."""

    def __init__(self, offers: Offers) -> None:
        self._offers = offers
        self._buffer = bytearray(CHUNK_BYTES)
        self._files: OrderedDict[SharedFile, OpenFile] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()

    def read_piece(self, piece: Piece) -> bytes | bytearray | memoryview:
        """See ``core.pieces.PieceReader``."""
        held = self._offers.held(piece.root)
        if held and (data := _read_held(held, piece)) is not None:
            return data
        try:
            content = self._offers.shared(piece.root)
        except PieceRefused as error:
            if held and error.refusal is Refusal.NOT_FOUND:
                raise PieceRefused(Refusal.NOT_HELD) from error
            raise
        match piece.kind:
            case PieceKind.HEAD:
                return head_of(content.size, content.digests).encode()
            case PieceKind.PAGE:
                page_bytes = PAGE_CHUNKS * HASH_BYTES
                page = content.digests[piece.index * page_bytes : (piece.index + 1) * page_bytes]
                if not page:
                    raise PieceRefused(Refusal.NOT_FOUND)
                return page
            case PieceKind.CHUNK:
                return self._read_chunk(piece, content)

    def _read_chunk(self, piece: Piece, content: SharedContent) -> bytes | memoryview:
        if piece.index >= chunk_count(content.size):
            raise PieceRefused(Refusal.NOT_FOUND)
        if content.listing is not None:
            return content.listing[piece.index * CHUNK_BYTES : (piece.index + 1) * CHUNK_BYTES]
        refusal = Refusal.NOT_FOUND
        for file in content.files:  # several shares may hold the same bytes; any copy that is intact will do
            try:
                return self._open(file).read_chunk(piece.index, self._buffer)
            except SourceChanged as error:
                log.info("%s", error.message)
                refusal = Refusal.CHANGED
            except StorageError as error:
                log.warning("%s", error.message)
                refusal = Refusal.FAILED
            self._close(file)
        raise PieceRefused(refusal)

    def _open(self, file: SharedFile) -> OpenFile:
        if file not in self._files:
            self._files[file] = file.open()
            if len(self._files) > MAX_OPEN:
                self._files.popitem(last=False)[1].close()
        self._files.move_to_end(file)
        return self._files[file]

    def _close(self, file: SharedFile) -> None:
        if opened := self._files.pop(file, None):
            opened.close()


def _read_held(content: HeldContent, piece: Piece) -> bytes | None:
    try:
        return content.read_piece(piece)
    except StorageError as error:
        log.warning("%s", error.message)
        raise PieceRefused(Refusal.FAILED) from error
