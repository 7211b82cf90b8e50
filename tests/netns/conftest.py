"""A LAN for each test; where the machine cannot make one, tests are skipped with the reason, but never in CI."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .lan import can_make_namespaces

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _namespaces() -> None:
    if not can_make_namespaces():
        assert not os.environ.get("CI"), "CI must be able to make network namespaces"
        pytest.skip("needs root and iproute2 to make network namespaces")


@pytest.fixture
def work() -> Iterator[Path]:
    """A folder with room for a few GiB, with a short path, removed at once after the test."""
    folder = Path(tempfile.mkdtemp(prefix="ptlan-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
