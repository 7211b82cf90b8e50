"""peerterm.store.landed: what earlier transfers put on this disk is found by its content."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from peerterm.core.ids import Root, TransferId
from peerterm.store import landed as module
from peerterm.store.journal import Journal
from peerterm.store.landed import LandedIndex
from peerterm.store.partfile import FileMark
from peerterm.store.reading import SharedFile
from peerterm.store.transfers import TransferRecord, TransferStore

if TYPE_CHECKING:
    from peerterm.store.database import Database

FILM, SONG = Root(b"\1" * 32), Root(b"\2" * 32)


def file(name: str, size: int = 7) -> SharedFile:
    return SharedFile(Path("/downloads", name), size, -1_600_000_000_123_456_789, 2**64 - 1, 2**64 - 2)


@pytest.fixture
def index(database: Database) -> LandedIndex:
    return LandedIndex(database)


async def test_content_is_found_wherever_it_landed(index: LandedIndex) -> None:
    """Every place comes back as it was, the latest first."""
    await index.remember([(FILM, file("a")), (SONG, file("b")), (FILM, file("c"))])

    assert await index.find(FILM) == [file("c"), file("a")]
    assert await index.find(Root(b"\3" * 32)) == []


async def test_a_path_holds_one_content(index: LandedIndex) -> None:
    """What landed later at a path replaces what was known of it."""
    await index.remember([(FILM, file("a")), (FILM, file("b"))])
    await index.remember([(SONG, file("a", 8))])

    assert await index.find(FILM) == [file("b")]
    assert await index.find(SONG) == [file("a", 8)]


async def test_file_that_changed_is_forgotten(index: LandedIndex) -> None:
    """One that is unknown is no error."""
    await index.remember([(FILM, file("a")), (FILM, file("b"))])
    for name in ("a", "a", "z"):
        await index.forget(file(name).path)

    assert await index.find(FILM) == [file("b")]


async def test_memory_is_bounded(index: LandedIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files remembered first make room; of many places the latest are told."""
    monkeypatch.setattr(module, "MAX_LANDED", 3)
    monkeypatch.setattr(module, "MAX_FOUND", 2)
    for number in range(5):
        await index.remember([(FILM if number > 1 else SONG, file(str(number)))])

    assert await index.find(SONG) == []
    assert await index.find(FILM) == [file("4"), file("3")]


@pytest.mark.parametrize("path", [(), ("sub", "film")])
async def test_finished_transfer_hands_its_files_over(
    database: Database, index: LandedIndex, path: tuple[str, ...]
) -> None:
    """What the journal knew of a transfer is found below its final name; the journal is empty then."""
    journal, transfer_id = Journal(database), TransferId("00000001")
    known = file("x")
    mark = FileMark(known.size, known.mtime_ns, known.inode, known.device)
    journal.note_landed(transfer_id, path, FILM, mark)
    journal.note_landed(TransferId("00000002"), path, SONG, mark)
    journal.note(transfer_id, SONG, 5, 0, b"12345678")
    await journal.flush()
    await index.take_over(transfer_id, Path("/downloads/thing (2)"))

    [found] = await index.find(FILM)
    assert found == SharedFile(
        Path("/downloads/thing (2)", *path), known.size, known.mtime_ns, known.inode, known.device
    )
    assert await index.find(SONG) == []
    assert (await journal.load(transfer_id), await journal.load_landed(transfer_id)) == ({}, {})
    assert await journal.load_landed(TransferId("00000002"))


async def test_many_contents_are_found_at_once(index: LandedIndex) -> None:
    """Each place with its content, the latest first; what is unknown is left out."""
    await index.remember([(FILM, file("a")), (SONG, file("b")), (FILM, file("c"))])

    assert await index.find_many([FILM, Root(b"\3" * 32), SONG]) == [
        (FILM, file("c")),
        (SONG, file("b")),
        (FILM, file("a")),
    ]
    assert await index.find_many([]) == []


async def test_last_place_of_a_name_is_told(index: LandedIndex, database: Database) -> None:
    """Of finished downloads of the same kind, whatever their content."""
    store = TransferStore(database)
    rows = [
        ("1", "down", "album", "folder", "done", "/first", 1.0),
        ("2", "down", "album", "folder", "done", "/last", 3.0),
        ("3", "down", "album", "folder", "done", "/second", 2.0),
        ("4", "down", "album", "folder", "failed", "/failed", 4.0),
        ("5", "down", "album", "file", "done", "/file", 5.0),
        ("6", "up", "album", "folder", "done", "/sent", 6.0),
        ("7", "down", "other", "folder", "done", "/other", 7.0),
    ]
    for key, direction, name, kind, state, path, ended_at in rows:
        record = TransferRecord(
            id=TransferId(key),
            direction=direction,
            name=name,
            kind=kind,
            state=state,
            path=path,
            started_at=0.0,
            ended_at=ended_at,
        )
        await store.save(record)

    assert await index.named("album", "folder") == [Path("/last")]
    assert await index.named("album", "file") == [Path("/file")]
    assert await index.named("nothing", "file") == []
