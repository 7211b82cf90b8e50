"""Removing the part of an earlier attempt: ours goes even if its inode number changed, nothing else does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from peerterm.core.catalog import CatalogEntry
from peerterm.core.ids import TransferId
from peerterm.core.manifest import CHUNK_BYTES
from peerterm.engine.order import Order
from peerterm.engine.recall import Recall
from peerterm.store.database import Database
from peerterm.store.destination import Destination
from peerterm.store.journal import Journal
from tests.fakes.landing import CONTENT, MTIME, ROOT, fill, tree

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from peerterm.core.listing import EntryKind

TRANSFER = TransferId("00000001")


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    database = await Database.open(tmp_path / "database")
    yield Journal(database, 1)
    await database.close()


def order_of(kind: EntryKind, folder: Path) -> Order:
    entry = CatalogEntry(("thing",), kind, len(CONTENT), 1, ROOT)
    return Order(TRANSFER, "thing", entry, folder)


def begin(folder: Path, journal: Journal, kind: EntryKind) -> Destination:
    """Put some of a transfer on disk, and note it."""
    destination = Destination.open(folder, "thing", kind)
    path = () if kind == "file" else ("film",)
    file = destination.file(path, len(CONTENT))
    if kind == "file":
        journal.note(TRANSFER, ROOT, len(CONTENT), 0, file.write_chunk(0, memoryview(CONTENT)[:CHUNK_BYTES]))
    else:
        fill(file)
        journal.note_landed(TRANSFER, path, ROOT, file.finish(MTIME, executable=False))
    destination.close()
    return destination


@pytest.mark.parametrize("moved", [0, 1])
@pytest.mark.parametrize("kind", ["file", "folder"])
async def test_part_is_removed_whatever_its_inode_number(
    tmp_path: Path, journal: Journal, kind: EntryKind, moved: int
) -> None:
    """Some disks number their files anew each time they are mounted: what was noted tells whose it is."""
    folder = tmp_path / "downloads"
    left = begin(folder, journal, kind)
    await Recall(journal, order_of(kind, folder)).discard(left.part, left.inode + moved)

    assert not tree(folder)


@pytest.mark.parametrize("kind", ["file", "folder"])
async def test_what_cannot_be_ours_is_left_alone(
    tmp_path: Path, journal: Journal, kind: EntryKind, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told where it lies."""
    folder = tmp_path / "downloads"
    left = begin(folder, journal, kind)
    film = folder / left.part if kind == "file" else folder / left.part / "film"
    film.write_bytes(b"mine")
    await Recall(journal, order_of(kind, folder)).discard(left.part, left.inode + 1)

    assert film.read_bytes() == b"mine"
    assert str(folder / left.part) in caplog.text


async def test_part_of_which_nothing_was_noted_is_left_alone(tmp_path: Path, journal: Journal) -> None:
    """Nothing says whose it is."""
    folder = tmp_path / "downloads"
    left = Destination.open(folder, "thing", "file")
    left.close()
    await Recall(journal, order_of("file", folder)).discard(left.part, left.inode + 1)

    assert tree(folder) == {left.part}
