"""What a download that ended or rests has on disk: told, kept, and never left behind by nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from peerterm.errors import UsageError
from tests.fakes.engines import MIB, eventually, network, noise, running, shared, write
from tests.fakes.fetching import landed, partly_fetched
from tests.fakes.gates import gated

if TYPE_CHECKING:
    from pathlib import Path

    from peerterm.engine.engine import Engine

pytestmark = pytest.mark.usefixtures("settled")


async def test_part_on_disk_keeps_its_transfer_listed(pair: tuple[Engine, Engine], tmp_path: Path) -> None:
    """Until it is deleted, by the verb that the error names."""
    anna, ben = pair
    with gated(anna, 1):
        started = await partly_fetched(ben, "anna/film.mkv", MIB)
        await ben.cancel(started.transfer_id)
    with pytest.raises(UsageError, match="on disk") as raised:
        await ben.clear(started.transfer_id)
    cleared = await ben.clear()
    kept = landed(tmp_path)
    await ben.cancel(started.transfer_id, delete=True)

    assert f"cancel {started.transfer_id} --delete" in raised.value.hint
    assert cleared == 0
    assert kept == ["film.mkv.peerterm-part"]
    assert await ben.clear(started.transfer_id) == 1
    assert landed(tmp_path) == []


async def test_part_with_nothing_in_it_goes_with_its_transfer(pair: tuple[Engine, Engine], tmp_path: Path) -> None:
    """Nothing is lost with it, and nobody would know whose it was."""
    anna, ben = pair
    with gated(anna, 0):
        started = await ben.get("anna/film.mkv")
        await eventually(lambda: landed(tmp_path))
        had = landed(tmp_path)
        await ben.cancel(started.transfer_id)
        cleared = await ben.clear()

    assert had == ["film.mkv.peerterm-part"]
    assert cleared == 1
    assert landed(tmp_path) == []


async def test_map_of_a_paused_file_outlives_the_engine(tmp_path: Path) -> None:
    """The journal knows what is held."""
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, write(tmp_path / "film.mkv", noise(4 * MIB)))
        with gated(anna, 2):
            started = await partly_fetched(ben, "anna/film.mkv", 2 * MIB)
            before = await ben.chunk_map(started.transfer_id, 4)
            await ben.pause(started.transfer_id)
    async with running(tmp_path, "ben") as ben:
        after = await ben.chunk_map(started.transfer_id, 4)

    assert sorted(before.cells) == [0, 0, 100, 100]
    assert after == before
