"""Fixtures of the engine's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.engines import MIB, network, noise, running, settle, shared, until_online, write
from tests.fakes.fake_peer import FakePeer, fake_peer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from peerterm.engine.engine import Engine


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let engines not wait for peers after their start: the test has waited."""
    settle(monkeypatch)


@pytest.fixture
async def ben(tmp_path: Path) -> AsyncIterator[Engine]:
    """Yield an engine that is alone."""
    async with running(tmp_path, "ben") as engine:
        yield engine


@pytest.fixture
async def peer(ben: Engine, tmp_path: Path) -> AsyncIterator[FakePeer]:
    """Yield a peer that ben is linked to."""
    async with fake_peer(tmp_path, ben) as peer:
        await until_online(ben, 1)
        yield peer


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[Engine, Engine]]:
    """Yield anna, who shares the film ``noise(4 * MIB)``, and ben."""
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, write(tmp_path / "film.mkv", noise(4 * MIB)))
        yield anna, ben


@pytest.fixture
async def queue(tmp_path: Path) -> AsyncIterator[tuple[Engine, Engine]]:
    """Yield anna and ben, who runs one download at a time."""
    async with running(tmp_path, "anna") as anna, running(tmp_path, "ben", at_once=1) as ben:
        await until_online(ben, 1)
        yield anna, ben
