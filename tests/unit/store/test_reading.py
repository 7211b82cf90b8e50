"""peerterm.store.reading: only what was indexed is ever read."""

from __future__ import annotations

import errno
import os
import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from peerterm.core.manifest import CHUNK_BYTES
from peerterm.errors import DiskFull, SourceChanged, StorageError
from peerterm.store.reading import READ_FLAGS, SharedFile, open_beneath, storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = os.urandom(CHUNK_BYTES) + b"the rest"


def indexed(path: Path) -> SharedFile:
    status = path.stat()
    return SharedFile(path, status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev)


@pytest.fixture
def shared(tmp_path: Path) -> SharedFile:
    path = tmp_path / "film.mkv"
    path.write_bytes(CONTENT)
    return indexed(path)


@contextmanager
def files_at_most(count: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_chunks_are_read_into_the_buffer_given(shared: SharedFile) -> None:
    """Each chunk comes at the start of the caller's buffer, the last one short."""
    buffer = bytearray(CHUNK_BYTES)

    with shared.open() as file:
        first = bytes(file.read_chunk(0, buffer))
        last = file.read_chunk(1, buffer)

    assert first == CONTENT[:CHUNK_BYTES]
    assert bytes(last) == b"the rest"
    assert buffer.startswith(b"the rest")


def test_chunk_outside_the_file_is_a_bug(shared: SharedFile) -> None:
    """The caller checks what a peer asks for."""
    with shared.open() as file, pytest.raises(IndexError):
        file.read_chunk(2, bytearray(CHUNK_BYTES))


@pytest.mark.parametrize("how", ["gone", "grown", "shrunk", "touched", "replaced", "link", "fifo", "folder"])
def test_changed_file_does_not_open(shared: SharedFile, how: str) -> None:
    """Whatever stands in the file's place, it is not opened for reading, and nothing blocks."""
    path, other = shared.path, shared.path.with_name("other")
    other.write_bytes(CONTENT)
    os.utime(other, ns=(shared.mtime_ns, shared.mtime_ns))
    if how == "grown":
        path.write_bytes(CONTENT + b"x")
    elif how == "shrunk":
        os.truncate(path, 5)
    elif how == "touched":
        os.utime(path, ns=(0, 0))
    elif how == "replaced":
        other.replace(path)
    else:
        path.unlink()
    if how == "link":
        path.symlink_to(other)
    elif how == "fifo":
        os.mkfifo(path)
    elif how == "folder":
        path.mkdir()

    with pytest.raises(SourceChanged, match=r"film\.mkv: changed"):
        shared.open()


@pytest.mark.parametrize("how", ["written", "shrunk", "touched"])
def test_file_that_changes_while_open_is_noticed(shared: SharedFile, how: str) -> None:
    """A read that might have seen other bytes is never passed on."""
    buffer = bytearray(CHUNK_BYTES)
    with shared.open() as file:
        file.read_chunk(1, buffer)
        if how == "written":
            shared.path.write_bytes(CONTENT[::-1])
            os.utime(shared.path, ns=(0, shared.mtime_ns + 1))
        elif how == "shrunk":
            os.truncate(shared.path, 5)
        else:
            os.utime(shared.path, ns=(0, 0))

        with pytest.raises(SourceChanged):
            file.read_chunk(1, buffer)


def test_swapped_folder_above_is_noticed(tmp_path: Path) -> None:
    """A folder on the way that became a link leads to another file, which is refused."""
    (tmp_path / "share").mkdir()
    (tmp_path / "private").mkdir()
    for folder in ("share", "private"):
        (tmp_path / folder / "x").write_bytes(b"same size")
        os.utime(tmp_path / folder / "x", ns=(0, 0))
    shared = indexed(tmp_path / "share" / "x")
    (tmp_path / "share").rename(tmp_path / "old")
    (tmp_path / "share").symlink_to("private")

    with pytest.raises(SourceChanged):
        shared.open()


def test_refused_file_leaks_no_descriptor(shared: SharedFile) -> None:
    """A thousand refusals leave no descriptor behind."""
    os.utime(shared.path, ns=(0, 0))
    with files_at_most(len(os.listdir("/proc/self/fd")) + 8):
        for _ in range(1000):
            with pytest.raises(SourceChanged):
                shared.open()

    assert shared.path.read_bytes() == CONTENT


def test_lack_of_descriptors_is_no_change(shared: SharedFile) -> None:
    """A fault of this machine is told from a file that changed."""
    with files_at_most(1), pytest.raises(StorageError) as caught:
        shared.open()

    assert not isinstance(caught.value, SourceChanged)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_is_told_apart(tmp_path: Path, code: int) -> None:
    """No space and no quota are the same to a user, who gets a remedy."""
    with pytest.raises(DiskFull, match="no space left") as caught, storage_errors(tmp_path):
        raise OSError(code, os.strerror(code))

    assert caught.value.hint


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.EIO])
def test_other_disk_errors_name_the_path_and_a_remedy(tmp_path: Path, code: int) -> None:
    """The message names the thing; the hint says what to do."""
    with pytest.raises(StorageError, match=str(tmp_path)) as caught, storage_errors(tmp_path):
        raise OSError(code, os.strerror(code))

    assert os.strerror(code) in caught.value.message
    assert caught.value.hint


def test_no_link_is_followed_beneath(tmp_path: Path) -> None:
    """A link is refused as the last step and on the way."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(b"x")
    (tmp_path / "a" / "link").symlink_to("b")
    (tmp_path / "a" / "b" / "alias").symlink_to("file")
    top = os.open(tmp_path, os.O_RDONLY)

    os.close(open_beneath(top, ("a", "b", "file"), READ_FLAGS))
    for path in (("a", "link", "file"), ("a", "b", "alias")):
        with pytest.raises(OSError, match=r"."):
            open_beneath(top, path, READ_FLAGS)
    os.close(top)
