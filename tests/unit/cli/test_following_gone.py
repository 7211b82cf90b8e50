"""Waiting for downloads that are not listed any more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from peerterm.api.events import Event, Snapshot, TransferRemoved
from peerterm.cli.common import Common
from peerterm.cli.following import follow
from tests.fakes.fake_engine import FakeEngine, make_transfer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RUNNING = make_transfer("x", bytes=500)
OTHER = make_transfer("y", state="done")


async def told(*events: Event) -> AsyncIterator[Event]:
    """Yield some events, and nothing more for as long as anybody waits."""
    for event in events:
        yield event
    await asyncio.Event().wait()


@pytest.mark.parametrize("is_snapshot", [False, True])
async def test_wait_ends_when_a_download_is_listed_no_more(is_snapshot: bool) -> None:
    """It has ended, though nobody could tell how: that is said, and nobody waits for ever."""
    engine = FakeEngine()
    gone = TransferRemoved(transfer_id=RUNNING.transfer_id)
    snapshot = Snapshot(status=await engine.status(), peers=[], shares=[], transfers=[OTHER])
    async with asyncio.timeout(5):
        (view,) = await follow(engine, told(snapshot if is_snapshot else gone), [RUNNING], Common(quiet=True))

    assert view.state == "failed"
    assert "not listed" in view.error
