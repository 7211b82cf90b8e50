"""peerterm.store.destination: disks that are full, refuse, lack something, or have no name left."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
from itertools import count
from typing import TYPE_CHECKING

import pytest

from peerterm.core.manifest import CHUNK_BYTES
from peerterm.errors import DiskFull, StorageError
from peerterm.store import destination as module
from peerterm.store.destination import Destination
from tests.fakes.landing import CONTENT, MTIME, fetch, fill, tree

if TYPE_CHECKING:
    from pathlib import Path


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


def test_disk_that_refuses_at_the_end_is_told(downloads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network disk or a quota may say so only when a file is closed; a second time there is nothing to close."""
    destination = Destination.open(downloads, "film.mkv", "file")
    fill(destination.file((), len(CONTENT)))
    close = os.close

    def refusing(descriptor: int) -> None:
        close(descriptor)
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr("os.close", refusing)
    with pytest.raises(DiskFull, match="film"):
        destination.close()
    destination.close()


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
