"""peerterm.store.destination: what an earlier run left is found again, and nothing else is taken for it."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import resource
import shutil
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from peerterm.core.manifest import CHUNK_BYTES
from peerterm.errors import InvalidName, StorageError
from peerterm.store import destination as module
from peerterm.store.destination import Destination
from peerterm.store.journal import Landed
from tests.fakes.landing import CONTENT, MTIME, ROOT, fetch, fill, tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_transfer_goes_on_after_a_restart(downloads: Path, kind: str) -> None:
    """The part of an earlier run is found by its name and holds what was written."""
    path = () if kind == "file" else ("sub", "film.mkv")
    first = Destination.open(downloads, "thing", "file" if kind == "file" else "folder")
    first.file(path, len(CONTENT)).write_chunk(0, memoryview(CONTENT)[:CHUNK_BYTES])
    first.close()

    again = Destination.open(downloads, "thing", "file" if kind == "file" else "folder", part=first.part)
    file = again.file(path, len(CONTENT))

    assert not first.resumed
    assert again.resumed
    assert again.part == first.part
    assert file.read_chunk(0) == CONTENT[:CHUNK_BYTES]
    fill(file)
    file.finish(MTIME, executable=False)
    assert again.finish().joinpath(*path).read_bytes() == CONTENT
    again.close()


def test_finished_file_of_a_folder_is_found_after_a_restart(downloads: Path) -> None:
    """A file that had its final name is read, mended and finished again under it, and keeps its mode."""
    first = Destination.open(downloads, "album", "folder")
    fill(first.file(("a",), len(CONTENT)))
    first.file(("a",), len(CONTENT)).finish(MTIME, executable=False)
    first.close()
    mode = (downloads / first.part / "a").stat().st_mode

    again = Destination.open(downloads, "album", "folder", part=first.part)
    file = again.file(("a",), len(CONTENT))
    assert file.sha256() == hashlib.sha256(CONTENT).digest()
    file.write_chunk(2, memoryview(b"REPAIRED"))
    file.finish(MTIME, executable=False)

    assert tree(downloads / first.part) == {"a"}
    assert (downloads / first.part / "a").read_bytes()[-8:] == b"REPAIRED"
    assert (downloads / first.part / "a").stat().st_mode == mode
    again.close()


@pytest.mark.parametrize("what", ["nothing", "link", "folder", "fifo", "hard link"])
def test_part_that_is_not_ours_is_not_taken_over(downloads: Path, outside: Path, what: str) -> None:
    """If something else stands where the part was, the transfer starts anew beside it."""
    downloads.mkdir()
    part = downloads / "film.mkv.peerterm-part"
    if what == "link":
        part.symlink_to(outside / "sentinel")
    elif what == "folder":
        part.mkdir()
    elif what == "fifo":
        os.mkfifo(part)
    elif what == "hard link":
        part.hardlink_to(outside / "sentinel")

    destination = Destination.open(downloads, "film.mkv", "file", part=part.name)
    fill(destination.file((), len(CONTENT)))
    destination.close()

    assert not destination.resumed
    assert (destination.part == part.name) == (what == "nothing")
    assert (outside / "sentinel").read_bytes() == b"sentinel"


def test_part_name_from_the_journal_is_checked(downloads: Path) -> None:
    """Not even our own database leads out of the download folder."""
    with pytest.raises(InvalidName):
        Destination.open(downloads, "film.mkv", "file", part="../film.mkv.peerterm-part")


def test_part_that_cannot_be_opened_is_an_error(downloads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that refuses the old part is no reason to fetch everything again."""
    first = Destination.open(downloads, "film.mkv", "file")
    first.close()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    start = Destination._start

    def start_without_descriptors(self: Destination, part: str, inode: int) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1, before[1]))
        start(self, part, inode)

    monkeypatch.setattr(Destination, "_start", start_without_descriptors)
    try:
        with pytest.raises(StorageError, match="Too many open files"):
            Destination.open(downloads, "film.mkv", "file", part=first.part)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_part_with_another_inode_is_doubtful(downloads: Path) -> None:
    """A part that was copied back may hold our bytes; only its content can tell."""
    first = Destination.open(downloads, "film.mkv", "file")
    fill(first.file((), len(CONTENT)))
    first.close()
    part = downloads / first.part
    same = Destination.open(downloads, "film.mkv", "file", first.part, first.inode)
    same.close()
    shutil.copy2(part, downloads / "copy")
    (downloads / "copy").replace(part)
    other = Destination.open(downloads, "film.mkv", "file", first.part, first.inode)
    other.close()

    assert (same.resumed, same.is_doubtful) == (True, False)
    assert (other.resumed, other.is_doubtful) == (True, True)
    assert other.inode != first.inode


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_foreign_part_is_left_alone(downloads: Path, kind: str) -> None:
    """A transfer that finds somebody else's part begins beside it and still gets its own name."""
    path = () if kind == "file" else ("film",)
    part = downloads / "thing.peerterm-part"
    mine = part if kind == "file" else part / "mine"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    destination = Destination.open(downloads, "thing", "file" if kind == "file" else "folder", part.name, inode=1)
    assert destination.is_doubtful
    destination.discard()
    destination.start_anew()
    file = destination.file(path, len(CONTENT))
    fill(file)
    file.finish(MTIME, executable=False)

    assert not destination.resumed
    assert not destination.is_doubtful
    assert destination.finish() == downloads / "thing"
    assert mine.read_bytes() == b"mine"
    assert (downloads / "thing").joinpath(*path).read_bytes() == CONTENT
    destination.close()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_part_in_use_is_not_shared(downloads: Path, kind: str) -> None:
    """Two engines never write one part; when the first is gone the second may have it."""
    first = Destination.open(downloads, "thing", "file" if kind == "file" else "folder")
    second = Destination.open(downloads, "thing", "file" if kind == "file" else "folder", first.part, first.inode)
    assert not second.resumed
    assert second.part != first.part
    second.discard()
    second.close()
    first.close()
    third = Destination.open(downloads, "thing", "file" if kind == "file" else "folder", first.part, first.inode)

    assert third.resumed
    third.close()


def test_claim_ends_with_the_last_lane(downloads: Path) -> None:
    """A lane that still writes when its transfer is stopped does not keep the part from the next run."""
    first = Destination.open(downloads, "album", "folder")
    file = first.file(("small",), 5, MTIME)
    with ThreadPoolExecutor(1) as closer:
        with file._using(create=True) as lent:
            closing = closer.submit(first.close)
            assert not wait([closing], timeout=0.05).done
            os.write(lent, b"small")
        closing.result()
    again = Destination.open(downloads, "album", "folder", first.part, first.inode)

    assert again.resumed
    assert tree(downloads) == {"album.peerterm-part", "album.peerterm-part/small"}
    again.close()


def test_claim_is_not_a_lanes(downloads: Path) -> None:
    """Only the destination itself holds it: who borrows the part folder may not lock it a second time."""
    destination = Destination.open(downloads, "album", "folder")

    with destination._inside((), create=False) as lent, pytest.raises(BlockingIOError):
        fcntl.flock(lent, fcntl.LOCK_EX | fcntl.LOCK_NB)
    destination.close()


def test_disk_without_locks_will_do(downloads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Network file systems may have no locks; any other refusal is an error."""

    def refusing(number: int) -> None:
        def lock(*_: object) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr("fcntl.flock", lock)

    refusing(errno.ENOLCK)
    assert fetch(downloads, "film.mkv").read_bytes() == CONTENT
    refusing(errno.EIO)
    with pytest.raises(StorageError, match="Input/output"):
        Destination.open(downloads, "film.mkv", "file")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_was_published_just_before_a_kill_is_found(downloads: Path, kind: str) -> None:
    """The rename happened but nobody could note it: the transfer is done, not fetched a second time."""
    path = () if kind == "file" else ("film",)
    fetch(downloads, "thing")
    first = Destination.open(downloads, "thing", "file" if kind == "file" else "folder")
    part = first.part
    file = first.file(path, len(CONTENT))
    fill(file)
    mark = file.finish(MTIME, executable=False)
    final = first.finish()
    first.close()
    again = Destination.open(downloads, "thing", "file" if kind == "file" else "folder", part, first.inode)
    landed: dict[tuple[str, ...], Landed] = {path: Landed(ROOT, mark, is_certain=True)}

    assert again.resumed
    assert again.is_published
    assert not again.is_doubtful
    assert again.check_landed(landed) == {path}
    assert again.file(path, len(CONTENT)).read_chunk(0) == CONTENT[:CHUNK_BYTES]
    again.file(path, len(CONTENT)).finish(MTIME, executable=False)
    again.discard()
    assert again.finish() == final == downloads / "thing (2)"
    again.close()
    again = Destination.open(downloads, "thing", "file", part, inode=1)
    assert not again.resumed
    again.close()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_name_that_was_given_but_not_synced_is_the_final_one(
    downloads: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """What the user can see already is neither renamed nor removed by the run that goes on."""
    path = () if kind == "file" else ("film",)
    first = Destination.open(downloads, "thing", "file" if kind == "file" else "folder")
    fill(first.file(path, len(CONTENT)))
    first.file(path, len(CONTENT)).finish(MTIME, executable=False)
    monkeypatch.setattr(module, "sync_folder", lambda _: os.open("/nothing/there", os.O_RDONLY))
    with pytest.raises(StorageError):
        first.finish()
    monkeypatch.undo()
    first.close()
    again = Destination.open(downloads, "thing", "file" if kind == "file" else "folder", first.part, first.inode)
    again.discard()

    assert (again.part, again.is_published, again.is_doubtful) == ("thing", True, False)
    assert again.finish() == downloads / "thing"
    assert (downloads / "thing").joinpath(*path).read_bytes() == CONTENT
    again.close()


def test_published_names_are_searched_to_their_end(downloads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every number is taken and none is ours, nothing is taken over."""
    fetch(downloads, "film.mkv")
    fetch(downloads, "film.mkv")
    monkeypatch.setattr(module, "MAX_NUMBER", 2)
    destination = Destination.open(downloads, "film.mkv", "file", "film.mkv.peerterm-part", inode=1)

    assert not destination.resumed
    destination.close()


def landed_album(downloads: Path, *, is_certain: bool) -> tuple[Destination, dict[tuple[str, ...], Landed]]:
    """Land some files in a part folder, and one that has no name there yet."""
    destination = Destination.open(downloads, "album", "folder")
    landed: dict[tuple[str, ...], Landed] = {}
    paths: list[tuple[str, ...]] = [("a",), ("b",), ("sub", "a"), ("sub", "b"), ("sub", "below", "a"), ("z", "a")]
    for path in paths:
        file = destination.file(path, len(CONTENT))
        fill(file)
        landed[path] = Landed(ROOT, file.finish(MTIME, executable=False), is_certain)
    return destination, landed


@pytest.mark.parametrize("is_certain", [True, False])
def test_landed_files_stand_while_they_are_as_they_were(downloads: Path, is_certain: bool) -> None:
    """Removed, shortened, touched and replaced files are found among those that stand."""
    destination, landed = landed_album(downloads, is_certain=is_certain)
    part = downloads / destination.part
    assert destination.check_landed(landed) == set(landed)
    (part / "b").unlink()
    (part / "sub" / "a").write_bytes(CONTENT[1:])
    os.utime(part / "sub" / "a", ns=(MTIME, MTIME))
    (part / "sub" / "b").touch()
    shutil.rmtree(part / "sub" / "below")
    shutil.rmtree(part / "z")
    (part / "z").write_bytes(b"no folder")

    assert destination.check_landed(landed) == {("a",)}
    destination.close()


def test_landed_file_that_a_power_cut_emptied_does_not_stand(downloads: Path) -> None:
    """Where the cut can have taken bytes the file is read: its size and time alone prove nothing."""
    destination, landed = landed_album(downloads, is_certain=False)
    hurt = downloads / destination.part / "a"
    hurt.write_bytes(bytes(len(CONTENT)))
    os.utime(hurt, ns=(MTIME, MTIME))

    assert destination.check_landed(landed) == set(landed) - {("a",)}
    assert destination.check_landed({("a",): replace(landed["a",], is_certain=True)}) == {("a",)}
    destination.close()
