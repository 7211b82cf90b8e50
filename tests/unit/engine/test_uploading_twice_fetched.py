"""One content that several transfers fetch at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from peerterm.core.bitfield import Bitfield
from peerterm.core.ids import Root
from peerterm.engine.granted import Granted
from peerterm.engine.uploading import Uploads
from peerterm.store.catalog import CatalogReader
from peerterm.store.database import Database
from peerterm.store.grants import GrantStore
from peerterm.wire.messages import HaveUpdate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from peerterm.core.pieces import Piece
    from peerterm.net.link import Link

ROOT = Root(b"h" * 32)


class OnItsWay:
    """What one transfer has of the content."""

    def __init__(self, *chunks: int) -> None:
        self.held: Bitfield | None = Bitfield(10)
        for chunk in chunks:
            self.held.set(chunk)

    def read_piece(self, piece: Piece) -> bytes | None:
        del piece
        return None


class Ear:
    """As much of a link as is told news."""

    peer_id = "a" * 64

    def __init__(self) -> None:
        self.heard: list[HaveUpdate] = []

    def send(self, message: HaveUpdate) -> None:
        self.heard.append(message)


@pytest.fixture
async def uploads(tmp_path: Path) -> AsyncIterator[Uploads]:
    """Uploads of an engine that shares nothing."""
    database = await Database.open(tmp_path / "peerterm.db")
    yield Uploads(CatalogReader(database), Granted(GrantStore(database)))
    await database.close()


async def test_end_of_the_newer_transfer_leaves_the_older_one_serving(uploads: Uploads) -> None:
    """Whichever of two transfers ends first, the other goes on to offer what it has, and no end is told."""
    older, newer, ear = OnItsWay(1, 2), OnItsWay(1), Ear()
    uploads.hold(ROOT, older)
    uploads.hold(ROOT, newer)
    await uploads.interested(cast("Link", ear), [ROOT])
    uploads.release(ROOT, newer)

    assert uploads.held(ROOT) is older
    assert ear.heard == []

    uploads.release(ROOT, older)

    assert uploads.held(ROOT) is None
    assert ear.heard == [HaveUpdate(root=ROOT, gone=True)]


async def test_transfer_that_has_most_serves(uploads: Uploads) -> None:
    """Neither the order in which they began nor a size that is unknown yet hides what is held."""
    little, most, unknown = OnItsWay(1), OnItsWay(1, 2), OnItsWay()
    unknown.held = None
    for holding in (little, most, unknown):
        uploads.hold(ROOT, holding)

    assert uploads.held(ROOT) is most
