"""The further places of a content: copied from the first, without writing where the disk can share its blocks."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from peerterm.core.manifest import CHUNK_BYTES
from peerterm.engine.landing import Landing
from peerterm.engine.plan import Place, WantedFile
from peerterm.errors import PeertermError, StorageError
from peerterm.store import copying, partfile
from peerterm.store.destination import Destination
from tests.fakes.engines import noise
from tests.fakes.fake_peer import root_of
from tests.fakes.landing import MTIME, fill

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from peerterm.store.partfile import FileMark

DATA = noise(2 * CHUNK_BYTES + 5)
PLACES = [Place(("a",), False, MTIME), Place(("sub", "b"), True, MTIME + 1)]


class Setup:
    """A landing in a folder, of one content at two places."""

    def __init__(self, folder: Path, data: bytes = DATA) -> None:
        self.destination = Destination.open(folder, "top", "folder")
        self.marks: list[FileMark] = []
        self.failed: list[PeertermError] = []
        self.landing = Landing(self.destination, lambda _, marks: self.marks.extend(marks), self.failed.append)
        wanted = WantedFile(root_of(data), len(data), PLACES)
        self.part = self.landing.open(wanted)
        fill(self.part, data)
        self.landing.complete(wanted.root)

    async def run(self) -> None:
        """Land until all is landed or failed."""
        running = asyncio.ensure_future(self.landing.run())
        async with asyncio.timeout(10):
            while not self.failed and not self.marks:
                await asyncio.sleep(0.001)
        running.cancel()
        await asyncio.wait([running])


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    setup = Setup(tmp_path)
    yield setup
    setup.destination.close()


async def test_copies_share_the_blocks_of_the_first(
    setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that can is only asked to: no byte passes through us."""
    asked: list[Path] = []

    def clone(source: Path, descriptor: int, offset: int, length: int) -> bool:
        asked.append(source)
        os.lseek(descriptor, offset, os.SEEK_SET)
        with source.open("rb") as opened:
            os.sendfile(descriptor, opened.fileno(), offset, length)
        return True

    def no_writes(*_: object) -> int:
        raise AssertionError("bytes were copied")

    monkeypatch.setattr(partfile, "_clone", clone)
    monkeypatch.setattr("os.pwrite", no_writes)
    await setup.run()
    monkeypatch.undo()
    top = setup.destination.finish()

    assert asked == [tmp_path / "top.peerterm-part" / "a"] * 3
    assert not setup.failed
    assert [(top / "a").read_bytes(), (top / "sub" / "b").read_bytes()] == [DATA, DATA]
    assert [mark.mtime_ns for mark in setup.marks] == [MTIME, MTIME + 1]
    assert os.access(top / "sub" / "b", os.X_OK)


@pytest.mark.parametrize("data", [DATA, b"small", b""])
async def test_copies_are_written_elsewhere(tmp_path: Path, data: bytes) -> None:
    """Every place gets all bytes."""
    setup = Setup(tmp_path, data)
    await setup.run()
    top = setup.destination.finish()
    setup.destination.close()

    assert not setup.failed
    assert [(top / "a").read_bytes(), (top / "sub" / "b").read_bytes()] == [data, data]


async def test_first_file_that_is_gone_fails_the_landing(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a copy is none."""
    monkeypatch.setattr(copying, "_read", lambda *_: None)
    monkeypatch.setattr(partfile, "_clone", lambda *_: False)
    await setup.run()

    assert isinstance(setup.failed[0], StorageError)
    assert not setup.marks
