"""What an earlier attempt published just before it was killed is ours only if it is all there."""

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
from tests.fakes.landing import CONTENT, MTIME, ROOT, fill

if TYPE_CHECKING:
    from pathlib import Path

    from peerterm.core.listing import EntryKind

TRANSFER = TransferId("00000001")


@pytest.mark.parametrize(
    ("kind", "noted", "is_ours"), [("file", 3, True), ("file", 2, False), ("folder", 0, False)]
)
async def test_published_without_a_note_that_it_landed(
    tmp_path: Path, kind: EntryKind, noted: int, is_ours: bool
) -> None:
    """Every chunk that was noted tells as much; anything less leaves it to the user and begins anew."""
    database = await Database.open(tmp_path / "database")
    journal = Journal(database, 1)
    path = () if kind == "file" else ("film",)
    first = Destination.open(tmp_path, "thing", kind)
    file = first.file(path, len(CONTENT))
    fill(file)
    for index in range(noted):
        data = memoryview(CONTENT)[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES]
        journal.note(TRANSFER, ROOT, len(CONTENT), index, file.write_chunk(index, data))
    file.finish(MTIME, executable=False)
    part = first.part
    first.finish()
    first.close()
    entry = CatalogEntry(("thing",), kind, len(CONTENT), 1, ROOT)
    recall = Recall(journal, Order(TRANSFER, "thing", entry, tmp_path))
    again = Destination.open(tmp_path, "thing", kind, part, first.inode)
    await recall.load(again)
    await database.close()

    assert again.is_published == is_ours
    assert bool(recall.contents) == is_ours
    assert again.part == ("thing" if is_ours else "thing.peerterm-part")
    assert (tmp_path / "thing").joinpath(*path).read_bytes() == CONTENT
    again.close()
