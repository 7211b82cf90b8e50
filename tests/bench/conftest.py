"""A folder with room for a few GiB, with a short path, removed at once after the benchmark."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def work() -> Iterator[Path]:
    """Return the folder."""
    folder = Path(tempfile.mkdtemp(prefix="ptbench-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def memory() -> Iterator[Path]:
    """Return a folder in memory, so that no disk is measured."""
    folder = Path(tempfile.mkdtemp(prefix="ptbench-", dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
