"""Whoever pauses, cancels or stops does not wait until a whole file is read: it ends at the next chunk."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from peerterm.core.bitfield import Bitfield
from peerterm.core.catalog import CatalogEntry
from peerterm.core.ids import TransferId
from peerterm.core.manifest import CHUNK_BYTES
from peerterm.engine.landing import Landing
from peerterm.engine.order import Order
from peerterm.engine.plan import Place, WantedFile
from peerterm.engine.recall import Recall
from peerterm.engine.reuse import Reuse
from peerterm.store.copying import file_at
from peerterm.store.database import Database
from peerterm.store.destination import Destination
from peerterm.store.journal import Journal, Journaled
from tests.fakes.engines import noise, write
from tests.fakes.fake_peer import root_of
from tests.fakes.landing import fill

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from pathlib import Path

    from peerterm.store.catalog import CatalogReader
    from peerterm.store.landed import LandedIndex

DATA = noise(8 * CHUNK_BYTES)
ROOT = root_of(DATA)


class SlowDisk:
    """Holds up every reader from the first chunk on until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reads: list[int] = []
        self.began = threading.Event()
        self.go_on = threading.Event()
        self._preadv = os.preadv
        monkeypatch.setattr("os.preadv", self._read)

    def _read(self, descriptor: int, buffers: list[bytearray], offset: int) -> int:
        self.reads.append(offset)
        self.began.set()
        self.go_on.wait()
        return self._preadv(descriptor, buffers, offset)

    async def cancel_at_first_chunk(self, work: Coroutine[Any, Any, object]) -> None:
        """Start something, cancel it while it reads its first chunk, and wait for its end."""
        task = asyncio.ensure_future(work)
        await asyncio.to_thread(self.began.wait)
        task.cancel()
        await asyncio.sleep(0)
        self.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.fixture
def destination(tmp_path: Path) -> Iterator[Destination]:
    destination = Destination.open(tmp_path / "downloads", "film", "file")
    yield destination
    destination.close()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SlowDisk:
    return SlowDisk(monkeypatch)


async def test_recall(destination: Destination, disk: SlowDisk, tmp_path: Path) -> None:
    """What an unclean end left is checked again by the next attempt."""
    entry = CatalogEntry(("film",), "file", len(DATA), 1, ROOT)
    database = await Database.open(tmp_path / "database")
    recall = Recall(Journal(database), Order(TransferId("1"), "film", entry, tmp_path))
    part = destination.file((), len(DATA))
    fill(part, DATA)
    recall.contents = {ROOT: Journaled(len(DATA), Bitfield.from_bytes(8, b"\xff"), bytes(64), "")}
    await disk.cancel_at_first_chunk(recall.held(ROOT, part))
    await database.close()

    assert disk.reads == [0]


async def test_copy(destination: Destination, disk: SlowDisk, tmp_path: Path) -> None:
    """What was copied is found again by the next attempt."""
    write(tmp_path / "mine", DATA)
    source = file_at(tmp_path, ("mine",))
    assert source
    reuse = Reuse(catalog(), landed())
    await disk.cancel_at_first_chunk(reuse.copy(ROOT, [source], destination.file((), len(DATA))))

    assert disk.reads == [0]


def catalog() -> CatalogReader:
    return None  # type: ignore[return-value]


def landed() -> LandedIndex:
    return None  # type: ignore[return-value]


async def test_flat_sum(destination: Destination, disk: SlowDisk) -> None:
    """The file lands with the next attempt."""
    landing = Landing(destination, lambda *_: None, lambda _: None, sha256=b"x" * 32)
    fill(landing.open(WantedFile(ROOT, len(DATA), [Place((), False, 0)])), DATA)
    landing.complete(ROOT)
    await disk.cancel_at_first_chunk(landing.run())

    assert disk.reads == [0]
