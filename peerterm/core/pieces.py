"""What can be asked of a source, and the two ports through which pieces reach and leave the disk.

A content is fetched as pieces: its *head* (size and page hashes), its *pages* (chunk digests) and its *chunks*
(bytes). ``net`` moves pieces and ``store`` keeps them; they meet only here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerterm.core.ids import PeerId, Root


class PieceKind(IntEnum):
    """Which part of a content a piece is; the value is its code on a data lane."""

    HEAD = 1
    PAGE = 2
    CHUNK = 3


@dataclass(frozen=True, slots=True)
class Piece:
    """One askable part of a content.

    Attributes:
        root: The content.
        kind: Head, page or chunk.
        index: Page or chunk number from 0; 0 for the head.
    """

    root: Root
    kind: PieceKind
    index: int


class Refusal(IntEnum):
    """Why a source answers without bytes; the value is its code on a data lane (0 means bytes follow)."""

    NOT_FOUND = 1  # the source does not offer this content (or not to us: the two look alike)
    NOT_HELD = 2  # the source is fetching the content itself and lacks this piece
    CHANGED = 3  # the file changed on the source's disk since it was indexed
    BUSY = 4  # no upload slot, or too many requests
    FAILED = 5  # the source cannot read its disk
    LOST = 6  # the lane broke before the answer came (never sent, only concluded here)


class PieceRefused(Exception):
    """A ``PieceSource`` has no bytes to give. Not an error of this machine."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.name)
        self.refusal = refusal


class PieceReader(Protocol):
    """The upload side of one lane, used by that lane's thread only, and closed at its end (a context manager)."""

    def read_piece(self, piece: Piece) -> bytes | bytearray | memoryview:
        """Return the piece's bytes; valid until the next call.

        Raises:
            PieceRefused: With the reason to send.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class PieceSource(Protocol):
    """The upload side: gives pieces of what is shared or being fetched."""

    def open_reader(self, peer: PeerId) -> PieceReader:
        """Return what serves one lane of a peer; called in the lane's thread."""
        ...


class PieceSink(Protocol):
    """The download side of one content. Called from lane threads, several at once."""

    def write_chunk(self, index: int, data: memoryview) -> bytes:
        """Write one chunk that passed its check, at its place; return its sum for the journal, if there is one.

        Raises:
            StorageError: The disk refused it; the chunk does not count as held.
        """
        ...


@dataclass(frozen=True, slots=True)
class Fetch:
    """One piece to ask of one source, with the means to judge and keep the answer.

    Attributes:
        piece: What to ask for.
        peer: The source.
        max_bytes: Longest acceptable answer; exact for a chunk.
        accepts: Whether these bytes are what the root promises. Pure; called in a lane thread.
    """

    piece: Piece
    peer: PeerId
    max_bytes: int
    accepts: Callable[[memoryview], bool]
