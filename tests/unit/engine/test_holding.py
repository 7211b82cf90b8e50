"""Contents on their way, served as far as they have come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from peerterm.core.content import Content
from peerterm.core.manifest import CHUNK_BYTES
from peerterm.core.pieces import Piece, PieceKind
from peerterm.engine.holding import FileHolding, ListingHolding
from peerterm.store.destination import Destination
from tests.fakes.contents import MadeContent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAD, PAGE, CHUNK = PieceKind.HEAD, PieceKind.PAGE, PieceKind.CHUNK
MADE = MadeContent.of(2 * CHUNK_BYTES + 10)


@pytest.fixture(params=["file", "listing"])
def holding(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[Content, FileHolding | ListingHolding]]:
    """Yield a content of unknown size and each kind of holding of it."""
    content = Content(MADE.root, 1, None)
    if request.param == "listing":
        yield content, ListingHolding(content)
        return
    destination = Destination.open(tmp_path, "film", "file")
    yield content, FileHolding(content, destination.file((), MADE.size))
    destination.close()


def hold(content: Content, holding: FileHolding | ListingHolding, index: int) -> None:
    """Let one chunk come."""
    holding.write_chunk(index, memoryview(MADE.read(MADE.piece(CHUNK, index))))
    content.hold(index)


def learn(content: Content) -> None:
    content.learn_head(MADE.head.encode())
    content.learn_page(0, MADE.digests)


def test_nothing_is_held_before_the_head_came(holding: tuple[Content, FileHolding | ListingHolding]) -> None:
    """Of an unknown content there is nothing to give, and its bits are not known."""
    content, held = holding

    assert held.held is None
    assert [held.read_piece(MADE.piece(kind)) for kind in PieceKind] == [None, None, None]
    assert content.size is None


def test_what_has_come_can_be_read(holding: tuple[Content, FileHolding | ListingHolding]) -> None:
    """Head, page and the chunk that is held are given; the others are not."""
    content, held = holding
    learn(content)
    hold(content, held, 1)

    assert held.held is not None
    assert held.held.count == 1
    assert held.read_piece(MADE.piece(HEAD)) == MADE.head.encode()
    assert held.read_piece(MADE.piece(PAGE)) == MADE.digests
    assert held.read_piece(MADE.piece(CHUNK, 1)) == MADE.read(MADE.piece(CHUNK, 1))
    assert held.read_piece(MADE.piece(CHUNK, 0)) is None


@pytest.mark.parametrize("piece", [Piece(MADE.root, CHUNK, 2**31), Piece(MADE.root, PAGE, 2**31)])
def test_piece_that_does_not_exist_is_not_held(
    holding: tuple[Content, FileHolding | ListingHolding], piece: Piece
) -> None:
    """A number that no piece has is no error."""
    content, held = holding
    learn(content)

    assert held.read_piece(piece) is None


def test_listing_is_whole_in_the_order_of_its_chunks() -> None:
    """Chunks may come in any order."""
    content = Content(MADE.root, 1, None)
    listing = ListingHolding(content)
    learn(content)
    for index in (2, 0, 1):
        hold(content, listing, index)

    assert listing.whole() == b"".join(MADE.read(MADE.piece(CHUNK, index)) for index in range(3))
