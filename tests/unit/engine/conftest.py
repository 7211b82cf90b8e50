"""Fixtures of the engine's tests."""

from __future__ import annotations

import pytest

from peerterm.engine import peers


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let engines not wait for peers after their start: the test has waited."""
    monkeypatch.setattr(peers, "LONELY_SECONDS", 0.0)
    monkeypatch.setattr(peers, "MEETING_SECONDS", 0.0)
