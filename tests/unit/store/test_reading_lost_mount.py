"""Open files whose disk does not even say what they are any more, as on a server that is gone."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from peerterm.errors import StorageError
from peerterm.store.copying import file_at
from peerterm.store.reading import SharedFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def shared(tmp_path: Path) -> SharedFile:
    """A file as it was indexed while the disk was there."""
    path = tmp_path / "film.mkv"
    path.write_bytes(b"film")
    status = path.stat()
    return SharedFile(path, status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev)


@contextmanager
def lost_mount(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Lose the mount; yield the descriptors closed from then on."""
    closed, close = list[int](), os.close

    def note(descriptor: int) -> None:
        closed.append(descriptor)
        close(descriptor)

    def stale(descriptor: int) -> os.stat_result:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    with monkeypatch.context() as patch:
        patch.setattr(os, "close", note)
        patch.setattr(os, "fstat", stale)
        yield closed


def test_file_that_cannot_be_judged_is_not_opened(shared: SharedFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a ``StorageError`` escapes, and no descriptor stays behind."""
    with lost_mount(monkeypatch) as closed, pytest.raises(StorageError, match="Stale"):
        shared.open()

    assert len(closed) == 1


def test_file_that_cannot_be_judged_is_not_found(shared: SharedFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A candidate on a lost mount is none."""
    with lost_mount(monkeypatch) as closed:
        found = file_at(shared.path.parent, ("film.mkv",)), file_at(shared.path, ())

    assert found == (None, None)
    assert len(closed) == 4
