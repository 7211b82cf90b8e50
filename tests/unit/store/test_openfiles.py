"""peerterm.store.openfiles: few descriptors, none shared, none leaked."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from peerterm.errors import StorageError
from peerterm.store.openfiles import OpenFiles

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def use_until_closed(files: OpenFiles, opener: Callable[[], int]) -> None:
    while True:
        with files.using("b", opener):
            pass


@pytest.fixture
def opener(tmp_path: Path) -> Callable[[], int]:
    return lambda: os.open(tmp_path, os.O_RDONLY)


def test_idle_descriptor_is_lent_again(opener: Callable[[], int]) -> None:
    """The next use of a file finds it open."""
    files = OpenFiles(2)
    with files.using("a", opener) as first:
        pass
    with files.using("a", pytest.fail) as second:
        pass
    files.close()

    assert first == second
    assert not is_open(first)


def test_two_users_at_once_get_two_descriptors(opener: Callable[[], int]) -> None:
    """Nobody closes or moves a descriptor under another's hands."""
    files = OpenFiles(2)
    with files.using("a", opener) as first, files.using("a", opener) as second:
        assert first != second

    assert is_open(first)
    assert is_open(second)
    files.close()


def test_least_recently_used_is_closed_first(opener: Callable[[], int]) -> None:
    """Beyond the limit the file that was not used for longest is closed."""
    files = OpenFiles(2)
    used = {}
    for key in ("a", "b", "a", "c"):
        with files.using(key, opener) as used[key]:
            pass

    assert [is_open(used[key]) for key in ("a", "b", "c")] == [True, False, True] or used["b"] == used["c"]
    with files.using("a", pytest.fail):
        pass
    files.close()


def test_closed_pool_waits_for_what_is_lent(opener: Callable[[], int]) -> None:
    """Closing does not take a descriptor from its user, and is over when the last one is closed."""
    files = OpenFiles(2)
    other = opener()
    with ThreadPoolExecutor(1) as closer:
        with files.using("a", opener) as lent:
            closing = closer.submit(files.close, other)
            with pytest.raises(StorageError, match="closed"):
                use_until_closed(files, opener)
            assert is_open(lent)
            assert not closing.done()
        closing.result()

    assert not is_open(lent)
    assert not is_open(other)


def test_close_that_fails_closes_the_others(opener: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A network disk may refuse only then; the error is told, and no descriptor is leaked."""
    files = OpenFiles(2)
    opened = [opener()]
    for key in "ab":
        with files.using(key, opener) as descriptor:
            opened.append(descriptor)
    close = os.close

    def refusing(descriptor: int) -> None:
        close(descriptor)
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr("os.close", refusing)
    with pytest.raises(OSError, match="quota"):
        files.close(opened[0])
    monkeypatch.undo()

    assert not any(map(is_open, opened))
