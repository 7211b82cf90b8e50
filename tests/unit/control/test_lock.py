"""One engine a profile."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from peerterm.control.lock import ProfileLock, is_held
from peerterm.errors import EngineBusy, StorageError

if TYPE_CHECKING:
    from pathlib import Path


def test_second_engine_is_told_who_runs(tmp_path: Path) -> None:
    """The message names the process, the hint what to do."""
    with ProfileLock(tmp_path / "lock"), pytest.raises(EngineBusy) as raised, ProfileLock(tmp_path / "lock"):
        pass

    assert raised.value.message == f"another engine (pid {os.getpid()}) runs on this profile"
    assert "--profile" in raised.value.hint


def test_lock_is_free_after_the_block(tmp_path: Path) -> None:
    """The file stays, the lock does not."""
    path = tmp_path / "lock"
    before = is_held(path)
    with ProfileLock(path):
        during = is_held(path)
    after = is_held(path)
    with ProfileLock(path):
        pass

    assert (before, during, after) == (False, True, False)


def test_lock_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """A planted link is not followed."""
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(StorageError, match="lock"), ProfileLock(tmp_path / "lock"):
        pass

    assert not (tmp_path / "elsewhere").exists()
