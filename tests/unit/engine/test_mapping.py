"""Which parts of a download are held."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from peerterm.engine import mapping as module
from tests.fakes.engines import MIB, noise, shared, write
from tests.fakes.fetching import fetched, partly_fetched, transfer_when
from tests.fakes.gates import gated

if TYPE_CHECKING:
    from pathlib import Path

    from peerterm.engine.engine import Engine

pytestmark = pytest.mark.usefixtures("settled")


async def test_map_of_a_file_is_its_bitfield(pair: tuple[Engine, Engine]) -> None:
    """A part for each chunk is held or not; it is known while the download runs, and once it is done."""
    anna, ben = pair
    with gated(anna, 2) as gate:
        started = await partly_fetched(ben, "anna/film.mkv", 2 * MIB)
        running = await ben.chunk_map(started.transfer_id, 4)
        await ben.pause(started.transfer_id)
        paused = await ben.chunk_map(started.transfer_id, 4)
        await ben.resume(started.transfer_id)
        gate.open()
        await transfer_when(ben, started.transfer_id, lambda view: view.state == "done")
    done = await ben.chunk_map(started.transfer_id, 4)

    assert sorted(running.cells) == [0, 0, 100, 100]
    assert (running.held, running.chunks) == (2, 4)
    assert (paused.cells, paused.held) == (running.cells, 2)
    assert (done.cells, done.held) == ([100] * 4, 4)


async def test_map_of_a_folder_is_by_bytes_in_the_order_of_the_listing(
    pair: tuple[Engine, Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has landed is whole wherever it goes, what has not is as far as it is."""
    monkeypatch.setattr(module, "BATCH_FILES", 1)
    anna, ben = pair
    folder = tmp_path / "album"
    write(folder / "a", b"")
    write(folder / "b", noise(3 * MIB, 1))
    write(folder / "c", noise(3 * MIB, 1))
    write(folder / "d", noise(2 * MIB, 2))
    await shared(anna, folder)
    with gated(anna, 4) as gate:  # one of them for the listing
        started = await ben.get("anna/album")
        await transfer_when(ben, started.transfer_id, lambda view: view.bytes >= 3 * MIB)
        running = await ben.chunk_map(started.transfer_id, 8)
        while sum(running.cells) != 100 * running.held:  # what is landing at this moment
            await asyncio.sleep(0.01)
            running = await ben.chunk_map(started.transfer_id, 8)
        gate.open()
        await transfer_when(ben, started.transfer_id, lambda view: view.state == "done")

    assert (running.chunks, len(running.cells)) == (8, 8)
    assert running.held in (3, 6)
    assert set(running.cells) == {0, 100}


async def test_parts_are_bounded(pair: tuple[Engine, Engine]) -> None:
    """However many are asked for, and even none."""
    _, ben = pair
    done = await fetched(ben, "anna/film.mkv")
    many, none = await ben.chunk_map(done.transfer_id, 10**6), await ben.chunk_map(done.transfer_id, -1)

    assert (len(many.cells), len(none.cells)) == (module.MAX_CELLS, 1)
