"""Fixtures of the tests of the machines."""

from __future__ import annotations

import pytest

from peerterm.core import window
from peerterm.core.manifest import CHUNK_BYTES


@pytest.fixture
def two_chunks_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a source that is not measured have two chunks in flight, which keeps the tests short."""
    monkeypatch.setattr(window, "MIN_WINDOW_BYTES", 2 * CHUNK_BYTES)
