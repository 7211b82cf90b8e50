"""The last step of a transfer: names, times, copies and the flat sum."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import pytest

from peerterm.core.manifest import CHUNK_BYTES
from peerterm.core.names import part_name
from peerterm.engine.landing import BATCH_FILES, Landing
from peerterm.engine.plan import Place, WantedFile
from peerterm.errors import IntegrityError, PeertermError, StorageError
from peerterm.store.destination import Destination
from peerterm.store.partfile import FileMark
from tests.fakes.engines import noise, write
from tests.fakes.fake_peer import root_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Setup:
    """A landing in a folder, and what it reports."""

    def __init__(self, folder: Path, kind: str = "folder", sha256: bytes | None = None) -> None:
        self.destination = Destination.open(folder, "top", kind)  # type: ignore[arg-type]
        self.fetched = 0
        self.landed: list[WantedFile] = []
        self.failed: list[PeertermError] = []
        self.marks: dict[tuple[str, ...], FileMark] = {}
        self.landing = Landing(self.destination, self.take, self.failed.append, sha256=sha256)

    def take(self, wanted: WantedFile, marks: list[FileMark]) -> None:
        """Note what landed, and how it looks at each place."""
        self.landed.append(wanted)
        self.marks |= {place.path: mark for place, mark in zip(wanted.places, marks, strict=True)}

    def fetch(self, data: bytes, *places: Place) -> None:
        """Let a content come as a whole."""
        self.fetched += 1
        wanted = WantedFile(root_of(data), len(data), list(places))
        part = self.landing.open(wanted)
        for index, start in enumerate(range(0, len(data), CHUNK_BYTES)):
            part.write_chunk(index, memoryview(data[start : start + CHUNK_BYTES]))
        self.landing.complete(wanted.root)

    async def run(self) -> None:
        """Land until all is landed or failed."""
        running = asyncio.ensure_future(self.landing.run())
        async with asyncio.timeout(10):
            while not self.failed and len(self.landed) < self.fetched:
                await asyncio.sleep(0.001)
        running.cancel()
        await asyncio.wait([running])


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    setup = Setup(tmp_path)
    yield setup
    setup.destination.close()


async def test_files_get_name_time_and_mode(setup: Setup, tmp_path: Path) -> None:
    """Everything a listing says of a file holds of the file that landed."""
    setup.fetch(noise(CHUNK_BYTES + 5), Place(("sub", "run"), True, 1_500_000_000_000_000_000))
    setup.fetch(b"", Place(("empty",), False, 7))
    await setup.landing.make_folders([(), ("sub",), ("bare",), ("bare", "inside")])
    await setup.run()
    top = setup.destination.finish()

    assert top == tmp_path / "top"
    assert (top / "sub" / "run").read_bytes() == noise(CHUNK_BYTES + 5)
    assert (top / "sub" / "run").stat().st_mtime_ns == 1_500_000_000_000_000_000
    assert (top / "sub" / "run").stat().st_mode & 0o100
    assert (top / "empty").read_bytes() == b""
    assert (top / "bare" / "inside").is_dir()
    assert len(setup.landed) == 2


async def test_content_at_several_places_is_copied(setup: Setup) -> None:
    """Each place has its own time and mode."""
    data = noise(2 * CHUNK_BYTES + 1)
    setup.fetch(data, Place(("a",), False, 1_000_000_000), Place(("b", "c"), True, 2_000_000_000))
    await setup.run()
    top = setup.destination.finish()

    assert (top / "a").read_bytes() == (top / "b" / "c").read_bytes() == data
    assert (top / "a").stat().st_mtime_ns == 1_000_000_000
    assert (top / "b" / "c").stat().st_mtime_ns == 2_000_000_000
    assert [bool((top / path).stat().st_mode & 0o100) for path in ("a", "b/c")] == [False, True]
    for path, mark in setup.marks.items():
        assert mark == FileMark.of(top.joinpath(*path).stat())
    assert set(setup.marks) == {("a",), ("b", "c")}


async def test_many_files_land_in_batches(setup: Setup) -> None:
    """More files than fit a batch all land, each reported once."""
    count = BATCH_FILES * 2 + 1
    for number in range(count):
        setup.fetch(number.to_bytes(2, "big"), Place((str(number),), False, 0))
    await setup.run()

    assert len({wanted.root for wanted in setup.landed}) == count


async def test_file_with_the_flat_sum_asked_for_lands(tmp_path: Path) -> None:
    """The sum of what is on disk is compared."""
    data = noise(CHUNK_BYTES * 2)
    setup = Setup(tmp_path, "file", hashlib.sha256(data).digest())
    setup.fetch(data, Place((), False, 0))
    await setup.run()
    setup.destination.close()

    assert not setup.failed
    assert len(setup.landed) == 1


async def test_file_with_another_flat_sum_fails(tmp_path: Path) -> None:
    """A true root does not make up for a false sum."""
    setup = Setup(tmp_path, "file", b"x" * 32)
    setup.fetch(b"data", Place((), False, 0))
    await setup.run()
    setup.destination.close()

    assert not setup.landed
    assert isinstance(setup.failed[0], IntegrityError)
    assert hashlib.sha256(b"data").hexdigest() in setup.failed[0].message


async def test_disk_that_refuses_ends_the_landing(setup: Setup, tmp_path: Path) -> None:
    """The failure is reported once; nothing lands after it."""
    setup.fetch(noise(CHUNK_BYTES + 1), Place(("a",), False, 0))
    write(tmp_path / part_name("top") / "a", b"somebody else's")
    await setup.run()

    assert isinstance(setup.failed[0], StorageError)
    assert not setup.landed
    assert (tmp_path / part_name("top") / "a").read_bytes() == b"somebody else's"
