"""What an attempt that is over had asked for is not fetched for nobody."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.fakes.engines import MIB, eventually, network, noise, shared, write
from tests.fakes.fetching import finished, partly_fetched, place
from tests.fakes.gates import gated

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("settled")


AT_ONCE = 5.0
"""Seconds; a lane waits three times as long for an answer."""


async def test_pause_takes_back_what_was_asked_for(tmp_path: Path) -> None:
    """It piles up nowhere, and what the next attempt asks for stands in no line behind it."""
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, write(tmp_path / "film.mkv", noise(32 * MIB)))
        with gated(anna, 1) as gate:
            started = await partly_fetched(ben, "anna/film.mkv", MIB)
            await eventually(lambda: ben.services.lanes._askers)
            await ben.pause(started.transfer_id)
            async with asyncio.timeout(AT_ONCE):
                await eventually(lambda: not ben.services.lanes._askers)
            gate.open()
            await ben.resume(started.transfer_id)
            done = await finished(ben, started.transfer_id)

    assert done.state == "done"
    assert (place(tmp_path) / "film.mkv").read_bytes() == noise(32 * MIB)
