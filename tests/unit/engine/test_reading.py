"""What a lane reads: shares, and contents that are on their way."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from peerterm.core.bitfield import Bitfield
from peerterm.core.ids import Root
from peerterm.core.manifest import CHUNK_BYTES
from peerterm.core.pieces import Piece, PieceKind, PieceRefused, Refusal
from peerterm.engine.reading import MAX_OPEN, HeldContent, LaneReader, SharedContent
from peerterm.errors import StorageError
from peerterm.store.reading import SharedFile
from tests.fakes.contents import MadeContent
from tests.fakes.engines import write

if TYPE_CHECKING:
    from pathlib import Path

HEAD, PAGE, CHUNK = PieceKind.HEAD, PieceKind.PAGE, PieceKind.CHUNK
MADE = MadeContent.of(2 * CHUNK_BYTES + 10)
WHOLE = b"".join(MADE.read(MADE.piece(CHUNK, index)) for index in range(3))


class OnItsWay:
    """A content of which only the named pieces are here."""

    def __init__(self, *pieces: Piece, error: StorageError | None = None) -> None:
        self._pieces = pieces
        self._error = error

    @property
    def held(self) -> Bitfield | None:
        return Bitfield(3)

    def read_piece(self, piece: Piece) -> bytes | None:
        if self._error:
            raise self._error
        return MADE.read(piece) if piece in self._pieces else None


class Offered:
    """What is offered: at most one content of either kind."""

    def __init__(
        self, shared: SharedContent | Refusal = Refusal.NOT_FOUND, held: HeldContent | None = None
    ) -> None:
        self._shared = shared
        self._held = held

    def held(self, root: Root) -> HeldContent | None:
        assert root == MADE.root
        return self._held

    def shared(self, root: Root) -> SharedContent:
        assert root == MADE.root
        if isinstance(self._shared, Refusal):
            raise PieceRefused(self._shared)
        return self._shared


def shared_file(path: Path) -> SharedFile:
    status = path.stat()
    return SharedFile(path, status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev)


def shared(*files: SharedFile, listing: bytes | None = None) -> SharedContent:
    return SharedContent(MADE.size, MADE.digests, files, listing)


def refusal_of(reader: LaneReader, piece: Piece) -> Refusal:
    with pytest.raises(PieceRefused) as raised:
        reader.read_piece(piece)
    return raised.value.refusal


@pytest.mark.parametrize("is_listing", [False, True])
def test_shared_content_gives_every_piece(tmp_path: Path, is_listing: bool) -> None:
    """Head, page and each chunk of a file or a listing, the short last one too."""
    file = shared_file(write(tmp_path / "film", WHOLE))
    with LaneReader(Offered(shared(listing=WHOLE) if is_listing else shared(file))) as reader:
        for piece in (MADE.piece(HEAD), MADE.piece(PAGE), *(MADE.piece(CHUNK, index) for index in range(3))):
            assert bytes(reader.read_piece(piece)) == MADE.read(piece)


@pytest.mark.parametrize("piece", [MADE.piece(PAGE, 1), MADE.piece(CHUNK, 3), MADE.piece(CHUNK, 2**31)])
def test_piece_beyond_the_end_is_not_found(tmp_path: Path, piece: Piece) -> None:
    """Numbers that the content has not are refused."""
    with LaneReader(Offered(shared(shared_file(write(tmp_path / "film", WHOLE))))) as reader:
        assert refusal_of(reader, piece) == Refusal.NOT_FOUND


def test_content_that_is_not_offered_is_refused() -> None:
    """The reason of the catalog is passed on."""
    with LaneReader(Offered()) as reader:
        assert refusal_of(reader, MADE.piece(HEAD)) == Refusal.NOT_FOUND
    with LaneReader(Offered(Refusal.FAILED)) as reader:
        assert refusal_of(reader, MADE.piece(HEAD)) == Refusal.FAILED


def test_content_on_its_way_gives_what_it_has() -> None:
    """Of what is being fetched, only what has come; the rest is said to be missing for now."""
    held = OnItsWay(MADE.piece(HEAD), MADE.piece(CHUNK, 1))
    with LaneReader(Offered(held=held)) as reader:
        assert reader.read_piece(MADE.piece(CHUNK, 1)) == MADE.read(MADE.piece(CHUNK, 1))
        assert refusal_of(reader, MADE.piece(CHUNK, 0)) == Refusal.NOT_HELD
    with LaneReader(Offered(Refusal.FAILED, held)) as reader:
        assert refusal_of(reader, MADE.piece(CHUNK, 0)) == Refusal.FAILED


def test_share_fills_in_for_what_is_still_on_its_way(tmp_path: Path) -> None:
    """A content that is shared and fetched at once is given as a whole."""
    offers = Offered(shared(shared_file(write(tmp_path / "film", WHOLE))), OnItsWay(MADE.piece(HEAD)))
    with LaneReader(offers) as reader:
        assert bytes(reader.read_piece(MADE.piece(CHUNK, 2))) == MADE.read(MADE.piece(CHUNK, 2))


def test_disk_that_fails_under_a_download_refuses_the_piece() -> None:
    """The part file may be unreadable; the lane lives."""
    with LaneReader(Offered(held=OnItsWay(error=StorageError("bad sector")))) as reader:
        assert refusal_of(reader, MADE.piece(CHUNK, 1)) == Refusal.FAILED


def test_file_that_changed_is_refused_and_never_read(tmp_path: Path) -> None:
    """Not one byte of another version leaves, whether it changed before or after it was opened."""
    path = write(tmp_path / "film", WHOLE)
    with LaneReader(Offered(shared(shared_file(path)))) as reader:
        reader.read_piece(MADE.piece(CHUNK, 0))
        path.write_bytes(WHOLE[::-1] + b"x")

        assert refusal_of(reader, MADE.piece(CHUNK, 1)) == Refusal.CHANGED
        assert refusal_of(reader, MADE.piece(CHUNK, 1)) == Refusal.CHANGED


def test_intact_copy_serves_for_the_changed_one(tmp_path: Path) -> None:
    """The same content in another share is as good."""
    gone, intact = write(tmp_path / "a", WHOLE), write(tmp_path / "b", WHOLE)
    content = shared(shared_file(gone), shared_file(intact))
    gone.unlink()
    with LaneReader(Offered(content)) as reader:
        assert bytes(reader.read_piece(MADE.piece(CHUNK, 0))) == MADE.read(MADE.piece(CHUNK, 0))


def test_disk_that_fails_is_told_from_a_changed_file(tmp_path: Path) -> None:
    """A folder that cannot be passed is this machine's failure."""
    endless = SharedFile(tmp_path / ("x" * 300), MADE.size, 0, 0, 0)
    with LaneReader(Offered(shared(endless))) as reader:
        assert refusal_of(reader, MADE.piece(CHUNK, 0)) == Refusal.FAILED


def test_lane_keeps_few_files_open_and_closes_all(tmp_path: Path) -> None:
    """However many files a lane reads, only the last few stay open, and none after its end."""

    def opened() -> int:
        return sum(
            os.path.realpath(f"/proc/self/fd/{fd}").startswith(str(tmp_path)) for fd in os.listdir("/proc/self/fd")
        )

    contents = [shared(shared_file(write(tmp_path / str(number), WHOLE))) for number in range(MAX_OPEN + 2)]
    with LaneReader(offers := Offered()) as reader:
        for content in contents:
            offers._shared = content
            reader.read_piece(MADE.piece(CHUNK, 0))
        assert opened() == MAX_OPEN
    assert opened() == 0
