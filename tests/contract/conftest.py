"""Fixtures of the contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.engines import settle
from tests.fakes.worlds import IMPLEMENTATIONS, Setup, implementation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture(params=IMPLEMENTATIONS)
async def setup(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Setup]:
    """Yield each implementation of the client's contract in turn."""
    settle(monkeypatch)
    async with implementation(request.param, tmp_path) as setup:
        yield setup
