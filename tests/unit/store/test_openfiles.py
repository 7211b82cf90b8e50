"""peerterm.store.openfiles: few descriptors, none shared, none leaked."""

from __future__ import annotations

import os
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


def test_closed_pool_closes_what_comes_back(opener: Callable[[], int]) -> None:
    """Closing does not take a descriptor from its user, but nothing is opened after."""
    files = OpenFiles(2)
    other = opener()
    with files.using("a", opener) as lent:
        files.close(other)
        assert is_open(lent)

    assert not is_open(lent)
    assert not is_open(other)
    with pytest.raises(StorageError, match="closed"), files.using("a", opener):
        pass
    files.close(lent)  # a second time: closes nothing, for the number may be somebody else's by now
