"""Files that have landed while their folder is still coming are given to others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from peerterm.core.manifest import CHUNK_BYTES
from peerterm.core.pieces import PieceKind, Refusal
from peerterm.engine import offering as module
from peerterm.engine.offering import LandedFile, Offering
from peerterm.engine.plan import Place, WantedFile
from peerterm.store.destination import Destination
from tests.fakes.contents import MadeContent
from tests.fakes.engines import MIB, noise, running, until_online
from tests.fakes.fake_peer import child, fake_peer
from tests.fakes.fetching import finished, received, transfer_when
from tests.fakes.landing import MTIME, fill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from peerterm.core.ids import Root
    from peerterm.engine.reading import HeldContent
    from peerterm.store.partfile import PartFile

HEAD, PAGE, CHUNK = PieceKind.HEAD, PieceKind.PAGE, PieceKind.CHUNK
SIZES = [0, 5, CHUNK_BYTES, 9 * CHUNK_BYTES + 10]


def wanted(made: MadeContent) -> WantedFile:
    return WantedFile(made.root, made.size, [Place((f"{made.size}",), False, MTIME)])


@pytest.fixture
def opener(tmp_path: Path) -> Iterator[Callable[[WantedFile], PartFile]]:
    destination = Destination.open(tmp_path, "album", "folder")
    yield lambda file: destination.file(file.places[0].path, file.size)
    destination.close()


def land(made: MadeContent, opener: Callable[[WantedFile], PartFile]) -> WantedFile:
    """Put a content on disk."""
    file = opener(wanted(made))
    fill(file, b"".join(made.read(made.piece(CHUNK, index)) for index in range(-(-made.size // CHUNK_BYTES))))
    file.finish(MTIME, executable=False)
    return wanted(made)


@pytest.mark.parametrize("size", SIZES)
def test_everything_of_a_landed_file_is_given(size: int, opener: Callable[[WantedFile], PartFile]) -> None:
    """Head, pages and chunks; no more than there are."""
    made, count = MadeContent.of(size), -(-size // CHUNK_BYTES)
    held = LandedFile(land(made, opener), made.digests, opener)

    assert held.held.is_complete
    assert held.held.size == count
    assert held.read_piece(made.piece(HEAD)) == made.head.encode()
    assert held.read_piece(made.piece(PAGE)) == (made.digests or None)
    assert held.read_piece(made.piece(PAGE, 1)) is None
    assert [held.read_piece(made.piece(CHUNK, index)) for index in range(count + 1)] == [
        *(made.read(made.piece(CHUNK, index)) for index in range(count)),
        None,
    ]


@pytest.mark.parametrize("size", SIZES[1:])
def test_file_whose_digests_are_not_known_is_given_without(
    size: int, opener: Callable[[WantedFile], PartFile]
) -> None:
    """A file of one chunk proves itself."""
    made, is_small = MadeContent.of(size), size <= CHUNK_BYTES
    held = LandedFile(land(made, opener), b"", opener)

    assert held.read_piece(made.piece(HEAD)) == (made.head.encode() if is_small else None)
    assert held.read_piece(made.piece(PAGE)) == (made.digests if is_small else None)
    assert held.read_piece(made.piece(CHUNK)) == made.read(made.piece(CHUNK))


class Uploads:
    """Notes what is offered."""

    def __init__(self) -> None:
        self.held: dict[Root, HeldContent] = {}
        self.told: list[tuple[Root, list[int]]] = []

    def hold(self, root: Root, content: HeldContent) -> None:
        self.held[root] = content

    def release(self, root: Root, content: HeldContent) -> None:
        assert self.held.pop(root) is content

    def grew(self, root: Root, chunks: list[int]) -> None:
        self.told.append((root, chunks))


def test_digests_kept_are_bounded(
    opener: Callable[[WantedFile], PartFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What landed first makes room; small files take none, and all go at the end."""
    monkeypatch.setattr(module, "MAX_PROOF_BYTES", 5 * 32)
    small, *large = (MadeContent.of(size) for size in (5, 2 * MIB, 2 * MIB + 1, 2 * MIB + 2))
    uploads = Uploads()
    offering = Offering(uploads, opener)  # type: ignore[arg-type]
    for made in (small, *large):
        offering.add(wanted(made), made.digests)

    assert list(uploads.held) == [small.root, large[2].root]
    assert uploads.told[:2] == [(small.root, [0]), (large[0].root, [0, 1])]
    offering.close()
    assert not uploads.held


@pytest.mark.usefixtures("settled")
async def test_unfinished_folder_feeds_another_peer(tmp_path: Path) -> None:
    """What has landed of it comes from whoever has it, not from the seed alone; whether it came or was copied."""
    first, small, last = noise(3 * MIB, 1), noise(500, 2), noise(2 * MIB, 3)
    async with fake_peer(tmp_path) as peer, running(tmp_path, "ben") as ben, running(tmp_path, "carla") as carla:
        roots = [peer.file(data) for data in (first, small, last)]
        names = zip("asz", roots, (first, small, last), strict=True)
        peer.offer_folder(*(child(name, root, len(data)) for name, root, data in names), size=1, files=3)
        peer.refusals = {roots[2]: Refusal.BUSY}
        await until_online(ben, 1)
        await until_online(carla, 1)
        await peer.connect(ben)
        await until_online(ben, 2)
        one = await ben.get("mallory/album")
        await transfer_when(ben, one.transfer_id, lambda view: view.done_files == 2)
        peer.refusals = dict.fromkeys(roots, Refusal.BUSY)
        await peer.connect(carla)
        await until_online(carla, 2)
        other = await carla.get("mallory/album")
        fed = await transfer_when(carla, other.transfer_id, lambda view: view.done_files == 2)
        peer.refusals = {}
        done = [await finished(ben, one.transfer_id), await finished(carla, other.transfer_id)]

    assert received(fed, "ben") >= len(first) + len(small)
    assert [view.state for view in done] == ["done", "done"]
    assert (tmp_path / "carla" / "downloads" / "album" / "a").read_bytes() == first
