"""peerterm.store.destination: everything lands where it must, and nothing else is touched."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import shutil
import stat
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

import pytest

from peerterm.core.manifest import CHUNK_BYTES, chunk_digest, head_of
from peerterm.core.names import part_name
from peerterm.errors import DiskFull, InvalidName, StorageError
from peerterm.store import destination as module
from peerterm.store.destination import MAX_OPEN_FILES, Destination
from peerterm.store.journal import Landed
from tests.unit.core.test_names import HOSTILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from peerterm.store.partfile import PartFile

CONTENT = os.urandom(2 * CHUNK_BYTES) + b"the rest"
ROOT = head_of(
    len(CONTENT),
    b"".join(chunk_digest(CONTENT[at : at + CHUNK_BYTES]) for at in range(0, len(CONTENT), CHUNK_BYTES)),
).root
MTIME = 1_600_000_000_123_456_789


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    return tmp_path / "downloads"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "sentinel").write_bytes(b"sentinel")
    return folder


def fill(file: PartFile, content: bytes = CONTENT) -> None:
    for index, offset in enumerate(range(0, len(content), CHUNK_BYTES)):
        file.write_chunk(index, memoryview(content)[offset : offset + CHUNK_BYTES])


def tree(top: Path) -> set[str]:
    return {str(path.relative_to(top)) for path in top.rglob("*")}


def fetch(downloads: Path, name: str, content: bytes = CONTENT) -> Path:
    destination = Destination.open(downloads, name, "file")
    file = destination.file((), len(content))
    fill(file, content)
    file.finish(MTIME, executable=False)
    path = destination.finish()
    destination.close()
    return path


def test_single_file_is_fetched_beside_its_destination(downloads: Path) -> None:
    """Until it is done a file is private and marked as a part; then it has its name, time and usual mode."""
    with umask(0o022):
        destination = Destination.open(downloads, "film.mkv", "file")
        file = destination.file((), len(CONTENT))
        fill(file)
        part = downloads / destination.part
        assert tree(downloads) == {"film.mkv.peerterm-part"}
        assert part.stat().st_mode & 0o777 == 0o600

        file.finish(MTIME, executable=False)
        path = destination.finish()
        destination.close()

    assert path == downloads / "film.mkv"
    assert tree(downloads) == {"film.mkv"}
    assert path.read_bytes() == CONTENT
    assert path.stat().st_mtime_ns == MTIME
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("mask", "plain", "tool"), [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700), (0, 0o666, 0o777)]
)
def test_modes_honour_the_umask(downloads: Path, mask: int, plain: int, tool: int) -> None:
    """Files and folders get what the umask allows, and run only if they could at the source."""
    with umask(mask):
        destination = Destination.open(downloads, "album", "folder")
        for name in ("plain", "tool"):
            destination.file(("sub", name), 0).finish(MTIME, executable=name == "tool")
        assert (downloads / destination.part).stat().st_mode & 0o777 == 0o700
        top = destination.finish()
        destination.close()
        single = Destination.open(downloads, "tool", "file")
        single.file((), 0).finish(MTIME, executable=True)
        single.finish()
        single.close()

    assert (top / "sub" / "plain").stat().st_mode & 0o777 == plain
    assert (top / "sub" / "tool").stat().st_mode & 0o777 == tool
    assert (downloads / "tool").stat().st_mode & 0o777 == tool
    assert top.stat().st_mode & 0o777 == tool | (plain & 0o222)


def test_chunks_come_in_any_order_and_are_read_back(downloads: Path) -> None:
    """A chunk can be read as soon as it is written, so that others get it meanwhile; the file is sparse."""
    destination = Destination.open(downloads, "film.mkv", "file")
    file = destination.file((), len(CONTENT))
    file.write_chunk(2, memoryview(b"the rest"))

    assert file.read_chunk(2) == b"the rest"
    assert (downloads / destination.part).stat().st_blocks * 512 < CHUNK_BYTES
    fill(file)
    assert file.sha256() == hashlib.sha256(CONTENT).digest()
    assert file.read_chunk(0) == CONTENT[:CHUNK_BYTES]
    destination.close()


def test_chunk_of_a_wrong_length_is_a_bug(downloads: Path) -> None:
    """Only whole chunks are written."""
    destination = Destination.open(downloads, "film.mkv", "file")
    file = destination.file((), len(CONTENT))

    with pytest.raises(ValueError, match="chunk of 8"):
        file.write_chunk(2, memoryview(b"the res"))
    with pytest.raises(IndexError):
        file.write_chunk(3, memoryview(b""))
    destination.close()


def test_chunk_that_was_lost_is_a_storage_error(downloads: Path) -> None:
    """A part that lost what it had, or was never written, is told apart from one that holds the chunk."""
    destination = Destination.open(downloads, "album", "folder")
    file = destination.file(("a",), len(CONTENT))
    with pytest.raises(StorageError, match="No such file"):
        file.read_chunk(0)
    fill(file)
    os.truncate(downloads / destination.part / part_name("a"), 10)

    with pytest.raises(StorageError, match="shorter"):
        file.read_chunk(1)
    destination.close()


def test_folder_is_fetched_into_a_private_part_folder(downloads: Path) -> None:
    """Files of a folder get their names one by one, the folder last; empty ones survive."""
    destination = Destination.open(downloads, "album", "folder")
    part = downloads / "album.peerterm-part"
    destination.folder(("empty", "below"))
    destination.folder(())
    one, two = destination.file(("cd 1", "one"), len(CONTENT)), destination.file(("two",), 3)
    fill(one)
    two.write_chunk(0, memoryview(b"two"))
    one.finish(MTIME, executable=False)

    assert tree(part) == {"empty", "empty/below", "cd 1", "cd 1/one", "two.peerterm-part"}
    assert one.read_chunk(0) == CONTENT[:CHUNK_BYTES]
    two.finish(0, executable=False)
    top = destination.finish()
    assert one.read_chunk(1) == CONTENT[CHUNK_BYTES : 2 * CHUNK_BYTES]
    destination.close()
    assert tree(downloads) == {"album", *(f"album/{path}" for path in ("empty", "empty/below", "cd 1", "two"))} | {
        "album/cd 1/one"
    }
    assert (top / "cd 1" / "one").read_bytes() == CONTENT
    assert (top / "cd 1" / "one").stat().st_mtime_ns == MTIME


def test_nothing_is_overwritten(downloads: Path) -> None:
    """A name that is taken, by whatever, is left alone and a number added."""
    downloads.mkdir()
    (downloads / "film.mkv").write_bytes(b"mine")
    (downloads / "film (2).mkv").symlink_to("nowhere")
    (downloads / "album 1.0").mkdir()

    assert fetch(downloads, "film.mkv").name == "film (3).mkv"
    destination = Destination.open(downloads, "album 1.0", "folder")
    assert destination.finish().name == "album 1.0 (2)"
    destination.close()
    assert (downloads / "film.mkv").read_bytes() == b"mine"
    assert os.readlink(downloads / "film (2).mkv") == "nowhere"
    assert not (downloads / "nowhere").exists()


def test_hidden_names_are_neutralised(downloads: Path) -> None:
    """``.bashrc`` offered twice replaces and hides nothing."""
    downloads.mkdir()
    (downloads / ".bashrc").write_bytes(b"mine")

    assert [fetch(downloads, ".bashrc").name for _ in range(2)] == ["_bashrc", "_bashrc (2)"]
    assert (downloads / ".bashrc").read_bytes() == b"mine"


def test_transfers_of_one_name_do_not_share_a_part(downloads: Path) -> None:
    """Two transfers of one name, and what looks like a part of a third, stay apart."""
    downloads.mkdir()
    (downloads / "film.mkv.peerterm-part").write_bytes(b"somebody's")
    one, two = (Destination.open(downloads, "film.mkv", "file") for _ in range(2))
    for destination, content in ((one, b"one"), (two, b"two")):
        file = destination.file((), 3)
        fill(file, content)
        file.finish(0, executable=False)

    paths = [one.finish(), two.finish()]
    one.close()
    two.close()

    assert [path.name for path in paths] == ["film.mkv", "film (2).mkv"]
    assert [path.read_bytes() for path in paths] == [b"one", b"two"]
    assert (downloads / "film.mkv.peerterm-part").read_bytes() == b"somebody's"


def test_names_of_255_bytes_land(downloads: Path) -> None:
    """The longest names have part names too, at the top and below, and number well."""
    name, other = "ü" * 127 + "x", "ü" * 127 + "y"

    assert fetch(downloads, name).name == name
    assert fetch(downloads, name).name.endswith(" (2)")
    destination = Destination.open(downloads, "album", "folder")
    for each in (name, other):
        file = destination.file((each,), len(each))
        file.write_chunk(0, memoryview(each.encode()[: len(each)]))
        file.finish(0, executable=False)
    top = destination.finish()
    destination.close()
    assert tree(top) == {name, other}


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


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:40])
def test_hostile_name_writes_nothing(downloads: Path, outside: Path, name: str) -> None:
    """No hostile name passes any way in, and the tree stays as it was."""
    destination = Destination.open(downloads, "album", "folder")
    before = tree(outside.parent)

    for attempt in (
        lambda: Destination.open(downloads, name, "file"),
        lambda: Destination.open(downloads, name, "folder"),
        lambda: destination.file((name,), 1),
        lambda: destination.file(("sub", name), 1),
        lambda: destination.file((name, "x"), 1),
        lambda: destination.folder((name,)),
        lambda: destination.folder(("sub", name)),
    ):
        with pytest.raises(InvalidName):
            attempt()

    destination.close()
    assert tree(outside.parent) == before


def test_paths_are_bounded_in_depth(downloads: Path) -> None:
    """Sixty-four levels can be written, more are refused."""
    destination = Destination.open(downloads, "album", "folder")
    deep = destination.file(("d",) * 63 + ("x",), 1)
    deep.write_chunk(0, memoryview(b"x"))
    deep.finish(0, executable=False)

    with pytest.raises(InvalidName):
        destination.file(("d",) * 65, 1)
    assert deep.read_chunk(0) == b"x"
    destination.close()


def test_a_file_has_no_path_and_a_folder_has_files_with_one(downloads: Path) -> None:
    """Mixing up the kinds is a bug, told at once."""
    file, folder = Destination.open(downloads, "a", "file"), Destination.open(downloads, "b", "folder")

    with pytest.raises(ValueError, match="transfer of a file"):
        file.file(("x",), 1)
    with pytest.raises(ValueError, match="transfer of a folder"):
        folder.file((), 1)
    file.close()
    folder.close()


@pytest.mark.parametrize("where", [("link", "x"), ("sub", "link", "x"), ("alias",)])
def test_planted_link_is_not_followed(downloads: Path, outside: Path, where: tuple[str, ...]) -> None:
    """A link inside the part folder is an error, as a folder on the way and as the file."""
    destination = Destination.open(downloads, "album", "folder")
    part = downloads / destination.part
    (part / "sub").mkdir()
    (part / "link").symlink_to(outside)
    (part / "sub" / "link").symlink_to(outside)
    (part / part_name("alias")).symlink_to(outside / "sentinel")
    (part / part_name("x")).touch()

    with pytest.raises(StorageError):
        destination.file(where, 8).write_chunk(0, memoryview(b"attacked"))
    destination.close()
    assert tree(outside) == {"sentinel"}
    assert (outside / "sentinel").read_bytes() == b"sentinel"


def test_folder_that_is_swapped_all_the_time_never_leads_out(downloads: Path, outside: Path) -> None:
    """However a folder and a link to the outside change places, no byte is written outside."""
    destination = Destination.open(downloads, "album", "folder")
    part = downloads / destination.part
    stop = threading.Event()

    def swap() -> None:
        for number in count():
            if stop.is_set():
                return
            with suppress(OSError):
                (part / "sub").rename(part / f"aside {number}")
            with suppress(OSError):
                (part / "sub").symlink_to(outside)
            with suppress(OSError):
                (part / "sub").unlink()

    refused = 0
    with ThreadPoolExecutor(1) as pool:
        swapping = pool.submit(swap)
        for number in range(3000):
            try:
                destination.file(("sub", f"x{number}"), 8).write_chunk(0, memoryview(b"attacked"))
            except StorageError:
                refused += 1
        stop.set()
        swapping.result()
    destination.close()

    assert tree(outside) == {"sentinel"}
    assert (outside / "sentinel").read_bytes() == b"sentinel"
    assert refused < 3000


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_part_that_was_replaced_is_not_touched(downloads: Path, kind: str) -> None:
    """If the user moved the part and put something else there, it is neither written, renamed nor removed."""
    destination = Destination.open(downloads, "thing", "file" if kind == "file" else "folder")
    part = downloads / destination.part
    part.rename(downloads / "aside")
    if kind == "file":
        part.write_bytes(b"mine")
        with pytest.raises(StorageError, match="replaced"):
            destination.file((), 3).write_chunk(0, memoryview(b"bad"))
    else:
        part.mkdir()
        (part / "mine").write_bytes(b"mine")

    for attempt in (destination.finish, destination.discard):
        with pytest.raises(StorageError, match="replaced"):
            attempt()
    destination.close()
    assert (part if kind == "file" else part / "mine").read_bytes() == b"mine"
    assert not (downloads / "thing").exists()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_discard_removes_what_the_transfer_made(downloads: Path, outside: Path, kind: str) -> None:
    """Discarding leaves everything else, also behind links; a second time does nothing."""
    path = () if kind == "file" else ("sub", "film")
    destination = Destination.open(downloads, "thing", "file" if kind == "file" else "folder")
    fill(destination.file(path, len(CONTENT)))
    (downloads / "mine").write_bytes(b"mine")
    if kind == "folder":
        (downloads / destination.part / "link").symlink_to(outside)

    destination.discard()
    destination.discard()
    destination.close()

    assert tree(downloads) == {"mine"}
    assert (outside / "sentinel").exists()


def test_what_is_finished_is_not_discarded(downloads: Path) -> None:
    """Finishing twice is finishing once; what has its name is the user's."""
    destination = Destination.open(downloads, "film.mkv", "file")
    file = destination.file((), 3)
    fill(file, b"abc")
    file.finish(MTIME, executable=False)

    first = destination.finish()
    assert destination.finish() == first
    destination.discard()
    assert file.read_chunk(0) == b"abc"
    destination.close()
    destination.close()
    assert tree(downloads) == {"film.mkv"}


def test_closed_destination_is_not_used(downloads: Path) -> None:
    """A lane that comes late gets an error, not somebody else's descriptor."""
    destination = Destination.open(downloads, "film.mkv", "file")
    file = destination.file((), 3)
    destination.close()

    with pytest.raises(StorageError, match="closed"):
        fill(file, b"abc")


def test_many_lanes_write_many_files_with_few_descriptors(downloads: Path) -> None:
    """Chunks of two hundred files arrive from eight threads; the number of open files stays small."""
    destination = Destination.open(downloads, "album", "folder")
    content = os.urandom(CHUNK_BYTES + 3)
    files = [destination.file((f"d{number % 7}", f"f{number}"), len(content)) for number in range(200)]
    most = 0

    def write(job: tuple[PartFile, int]) -> None:
        nonlocal most
        file, index = job
        file.write_chunk(index, memoryview(content)[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES])
        most = max(most, len(os.listdir("/proc/self/fd")))

    before = len(os.listdir("/proc/self/fd"))
    with ThreadPoolExecutor(8) as lanes:
        list(lanes.map(write, [(file, index) for index in (1, 0) for file in files]))
    for file in files:
        file.finish(MTIME, executable=False)
    top = destination.finish()
    destination.close()

    assert most - before <= MAX_OPEN_FILES + 8 * 3 + 2
    assert len(os.listdir("/proc/self/fd")) < before
    assert all((top / f"d{number % 7}" / f"f{number}").read_bytes() == content for number in range(200))


def test_first_chunks_of_one_file_may_race(downloads: Path) -> None:
    """Several lanes that create one file at once all write into the same."""
    destination = Destination.open(downloads, "album", "folder")
    for number in range(10):
        file = destination.file((f"d{number}", "f"), 4 * CHUNK_BYTES)
        chunk = memoryview(bytes([number]) * CHUNK_BYTES)
        with ThreadPoolExecutor(4) as lanes:
            list(lanes.map(lambda index, file=file, chunk=chunk: file.write_chunk(index, chunk), range(4)))
        assert file.sha256() == hashlib.sha256(bytes(chunk) * 4).digest()
    destination.close()


def test_names_that_a_disk_cannot_tell_apart_are_refused(downloads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a case-insensitive disk two such files would be written into one another."""
    real_stat = os.stat

    def folding_stat(path: str, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result:
        return real_stat(path.lower(), dir_fd=dir_fd, follow_symlinks=follow_symlinks)

    monkeypatch.setattr("os.stat", folding_stat)
    destination = Destination.open(downloads, "album", "folder")
    monkeypatch.undo()
    destination.file(("sub", "Readme"), 1)
    destination.file(("sub", "Readme"), 1)

    with pytest.raises(StorageError, match="cannot tell"):
        destination.file(("SUB", "README"), 1)
    destination.close()


def test_case_matters_where_the_disk_says_so(downloads: Path) -> None:
    """On an ordinary disk names that differ in case or normal form are different files."""
    destination = Destination.open(downloads, "album", "folder")
    for name in ("a", "A", "e\u0301", "\u00e9"):
        file = destination.file((name,), len(name.encode()))
        fill(file, name.encode())
        file.finish(0, executable=False)
    top = destination.finish()
    destination.close()

    assert {path.name: path.read_bytes().decode() for path in top.iterdir()} == {
        name: name for name in ("a", "A", "e\u0301", "\u00e9")
    }


def test_name_taken_inside_the_part_folder_is_an_error(downloads: Path) -> None:
    """A stranger's file inside the part folder is not overwritten."""
    destination = Destination.open(downloads, "album", "folder")
    file = destination.file(("a",), 3)
    fill(file, b"abc")
    (downloads / destination.part / "a").write_bytes(b"mine")

    with pytest.raises(StorageError, match="File exists"):
        file.finish(0, executable=False)
    destination.close()
    assert (downloads / destination.part / "a").read_bytes() == b"mine"


def test_names_run_out_in_the_end(downloads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search for a free name ends with an error."""
    monkeypatch.setattr(module, "MAX_NUMBER", 2)
    for name in ("film.mkv", "film.mkv"):
        fetch(downloads, name)
    destination = Destination.open(downloads, "film.mkv", "file")

    with pytest.raises(StorageError, match="too many"):
        destination.finish()
    others = [Destination.open(downloads, "film.mkv", "file")]
    with pytest.raises(StorageError, match="too many"):
        Destination.open(downloads, "film.mkv", "file")
    for each in (destination, *others):
        each.close()


def test_failed_rename_leaves_no_reservation(downloads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the last step fails, the part stays and the final name is free again."""
    destinations = [Destination.open(downloads, "film.mkv", "file"), Destination.open(downloads, "album", "folder")]

    def failing_rename(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.rename", failing_rename)
    for destination in destinations:
        with pytest.raises(StorageError, match="not permitted"):
            destination.finish()
    monkeypatch.undo()

    assert tree(downloads) == {"film.mkv.peerterm-part", "album.peerterm-part"}
    assert [destination.finish().name for destination in destinations] == ["film.mkv", "album"]
    for destination in destinations:
        destination.close()


def test_folder_that_cannot_be_synced_is_not_finished(downloads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be made durable keeps its part name."""
    destination = Destination.open(downloads, "album", "folder")
    destination.folder(("sub",))
    real_scandir = os.scandir
    calls = count()

    def failing_scandir(folder: int) -> object:
        if next(calls):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real_scandir(folder)

    monkeypatch.setattr("os.scandir", failing_scandir)
    with pytest.raises(StorageError, match="Input/output"):
        destination.finish()
    monkeypatch.undo()
    destination.close()

    assert tree(downloads) == {destination.part, f"{destination.part}/sub"}


def test_download_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """A file where the download folder should be is named."""
    (tmp_path / "file").touch()

    with pytest.raises(StorageError, match="file"):
        Destination.open(tmp_path / "file" / "downloads", "film.mkv", "file")


def test_disk_without_permissions_will_do(downloads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FAT refuses modes it cannot hold, and some shares to sync a folder; any other refusal is an error."""
    real_sync = os.fsync
    codes = {"chmod": errno.EPERM, "sync": errno.EINVAL}

    def refusing_chmod(*_: object) -> None:
        raise OSError(codes["chmod"], os.strerror(codes["chmod"]))

    def refusing_sync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(codes["sync"], os.strerror(codes["sync"]))
        real_sync(descriptor)

    monkeypatch.setattr("os.fchmod", refusing_chmod)
    monkeypatch.setattr("os.fsync", refusing_sync)

    assert fetch(downloads, "film.mkv").read_bytes() == CONTENT
    codes["sync"] = errno.EIO
    with pytest.raises(StorageError, match="film"):
        fetch(downloads, "film.mkv")
    codes["chmod"] = errno.EIO
    with pytest.raises(StorageError, match="film"):
        fetch(downloads, "film.mkv")


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="needs root to mount a small disk")
def test_full_disk_is_told_and_the_transfer_goes_on_later(tmp_path: Path) -> None:
    """A full disk stops the transfer without harm; with space again it completes."""
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(small)], check=True)
    try:
        (small / "ballast").write_bytes(bytes(2 * CHUNK_BYTES))
        destination = Destination.open(small, "film.mkv", "file")
        file = destination.file((), len(CONTENT))
        with pytest.raises(DiskFull, match="no space left"):
            fill(file)
        (small / "ballast").unlink()
        fill(file)
        file.finish(MTIME, executable=False)
        path = destination.finish()
        destination.close()

        assert path.read_bytes() == CONTENT
    finally:
        subprocess.run(["umount", str(small)], check=True)


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


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_sync_reaches_every_file(downloads: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All files and folders of a part are synced, and the folder they are in."""
    paths = [()] if kind == "file" else [("a",), ("sub", "b")]
    destination = Destination.open(downloads, "thing", "file" if kind == "file" else "folder")
    for path in paths:
        destination.file(path, len(CONTENT)).write_chunk(0, memoryview(CONTENT)[:CHUNK_BYTES])
    synced = set()

    def note(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)

    monkeypatch.setattr("os.fsync", note)
    destination.sync()

    assert synced == {path.stat().st_ino for path in [downloads, *downloads.rglob("*")]}
    destination.close()
