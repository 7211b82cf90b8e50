"""peerterm.store.destination: everything lands where it must, and nothing else is touched."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

import pytest

from peerterm.core.manifest import CHUNK_BYTES
from peerterm.core.names import part_name
from peerterm.errors import InvalidName, StorageError
from peerterm.store.destination import Destination
from tests.fakes.landing import CONTENT, MTIME, fetch, fill, tree, umask
from tests.unit.core.test_names import HOSTILE

if TYPE_CHECKING:
    from pathlib import Path


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


def test_a_file_has_no_path_and_a_folder_has_files_with_one(downloads: Path) -> None:
    """Mixing up the kinds is a bug, told at once."""
    file, folder = Destination.open(downloads, "a", "file"), Destination.open(downloads, "b", "folder")

    with pytest.raises(ValueError, match="transfer of a file"):
        file.file(("x",), 1)
    with pytest.raises(ValueError, match="transfer of a folder"):
        folder.file((), 1)
    file.close()
    folder.close()


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
