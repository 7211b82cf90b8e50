"""Transfers that ended are forgotten when the user wants it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from peerterm.errors import NotFound, StorageError, UsageError
from peerterm.store.transfers import TransferStore
from tests.fakes.engines import MIB, network, noise, running, shared, write
from tests.fakes.fetching import fetched, partly_fetched, place
from tests.fakes.gates import gated

if TYPE_CHECKING:
    from pathlib import Path

    from peerterm.engine.engine import Engine

pytestmark = pytest.mark.usefixtures("settled")


async def test_what_ended_is_forgotten_for_good(tmp_path: Path) -> None:
    """The next engine does not know it either; its files stay."""
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, write(tmp_path / "film.mkv", noise(2 * MIB)))
        await fetched(ben, "anna/film.mkv")
        with gated(anna, 1):
            elsewhere = str(tmp_path / "elsewhere")
            part = await ben.get("anna/film.mkv", elsewhere)
            await ben.cancel(part.transfer_id)
            waits = await ben.get("anna/film.mkv", str(tmp_path / "third"))
            count = await ben.clear()
            left = await ben.transfers()
            await ben.pause(waits.transfer_id)
    async with running(tmp_path, "ben") as ben:
        later = await ben.transfers()

    assert count == 2
    assert [view.transfer_id for view in left] == [view.transfer_id for view in later] == [waits.transfer_id]
    assert (place(tmp_path) / "film.mkv").exists()


async def test_one_is_cleared_and_what_has_not_ended_is_not(pair: tuple[Engine, Engine]) -> None:
    """A single one is called by the start of its id."""
    anna, ben = pair
    done = await fetched(ben, "anna/film.mkv")
    other = await fetched(ben, "anna/film.mkv")
    with gated(anna, 0):
        started = await ben.get("anna/film.mkv")
        with pytest.raises(UsageError, match="it is"):
            await ben.clear(started.transfer_id)
        count = await ben.clear(done.transfer_id)
        await ben.cancel(started.transfer_id)

    assert count == 1
    assert [view.transfer_id for view in await ben.transfers()][:1] == [other.transfer_id]
    with pytest.raises(NotFound):
        await ben.clear(done.transfer_id)


async def test_one_that_is_being_cancelled_is_cleared_after_that(pair: tuple[Engine, Engine]) -> None:
    """Its last note does not bring it back, and clearing everything passes it over."""
    anna, ben = pair
    with gated(anna, 1):
        started = await partly_fetched(ben, "anna/film.mkv", MIB)
        cancelling = asyncio.create_task(ben.cancel(started.transfer_id, delete=True))
        await asyncio.sleep(0)
        passed_over = await ben.clear()
        count = await ben.clear(started.transfer_id)
        await cancelling
        store = ben.services.downloads.transfers._store
        records = [*await store.history(10), *await store.unfinished()]

    assert (passed_over, count) == (0, 1)
    assert records == []


async def test_disk_that_refuses_leaves_everything_listed(
    pair: tuple[Engine, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be forgotten is still there."""
    _, ben = pair
    done = await fetched(ben, "anna/film.mkv")

    async def refuse(*_: object) -> None:
        raise StorageError("no")

    with monkeypatch.context() as patch:
        patch.setattr(TransferStore, "delete", refuse)
        with pytest.raises(StorageError):
            await ben.clear(done.transfer_id)

    assert [view.transfer_id for view in await ben.transfers()][:1] == [done.transfer_id]
    assert await ben.clear() == 1
