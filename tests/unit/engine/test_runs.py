"""What one download may do to the others and to the next engine: nothing, whatever ends it."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from peerterm.core.ids import Root, TransferId
from peerterm.engine.attempt import Attempt
from peerterm.engine.transfer import Transfer
from peerterm.errors import UsageError
from peerterm.store.destination import Destination
from peerterm.store.landed import LandedIndex
from peerterm.store.transfers import TransferRecord, TransferStore
from peerterm.wire.messages import HaveUpdate
from tests.fakes.engines import MIB, PATIENCE, eventually, noise, running, shared, until_online, write
from tests.fakes.fetching import downloads_of, fetched, finished, get_each, landed, place, share_each
from tests.fakes.gates import gated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from peerterm.engine.engine import Engine

pytestmark = pytest.mark.usefixtures("settled")

FILM = noise(3 * MIB)


# Bugs


async def test_bug_in_one_download_fails_that_one_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are fetched, the engine lives, and so does the next one."""
    original = Attempt.run

    async def run(attempt: Attempt, part: str, inode: int) -> None:
        if attempt.order.name == "a":
            raise ZeroDivisionError
        await original(attempt, part, inode)

    monkeypatch.setattr(Attempt, "run", run)
    async with running(tmp_path, "anna") as anna:
        async with running(tmp_path, "ben") as ben:
            await until_online(ben, 1)
            await share_each(anna, tmp_path, "ab")
            ids = await get_each(ben, "ab")
            views = [await finished(ben, ids[name]) for name in "ab"]
            status = await ben.status()
        async with running(tmp_path, "ben") as ben:
            later = await downloads_of(ben)

    assert [view.state for view in views] == ["failed", "done"]
    assert "bug" in views[0].error
    assert (status.state, status.transfers) == ("ready", 0)
    assert {view.transfer_id: view.state for view in later} == {ids["a"]: "failed", ids["b"]: "done"}


async def test_download_that_a_bug_ended_can_be_retried(
    pair: tuple[Engine, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on like any other that failed."""
    _, ben = pair

    async def run(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(Attempt, "run", run)
        failed = await fetched(ben, "anna/film.mkv")
    await ben.retry(failed.transfer_id)
    done = await finished(ben, failed.transfer_id)

    assert (failed.state, done.state, done.error) == ("failed", "done", "")


# The end of a download


@asynccontextmanager
async def killed_at_the_end(folder: Path, *, after_journal: bool) -> AsyncIterator[Engine]:
    """Let ben fetch a film and be killed as its journal is forgotten; yield anna, who has it."""
    is_killed = False
    save, take_over = TransferStore.save, LandedIndex.take_over

    async def save_until_killed(store: TransferStore, *records: TransferRecord) -> None:
        if not is_killed:
            await save(store, *records)

    async def be_killed(index: LandedIndex, transfer_id: TransferId, top: Path) -> None:
        nonlocal is_killed
        is_killed = True
        if after_journal:
            await take_over(index, transfer_id, top)

    async with running(folder, "anna") as anna:
        await shared(anna, write(folder / "film.mkv", FILM))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TransferStore, "save", save_until_killed)
            patch.setattr(LandedIndex, "take_over", be_killed)
            async with running(folder, "ben") as ben:
                await until_online(ben, 1)
                await fetched(ben, "anna/film.mkv")
        assert is_killed
        yield anna


@pytest.mark.parametrize("after_journal", [False, True])
async def test_kill_right_after_the_end_loses_nothing(tmp_path: Path, after_journal: bool) -> None:
    """What has landed is not fetched again, and the next engine knows where it is."""
    async with killed_at_the_end(tmp_path, after_journal=after_journal), running(tmp_path, "ben") as ben:
        await until_online(ben, 1)
        (view,) = await downloads_of(ben)
        there = landed(tmp_path)
        again = await fetched(ben, "anna/film.mkv")

    assert (view.state, view.path) == ("done", str(place(tmp_path) / "film.mkv"))
    assert there == ["film.mkv"]
    assert again.local_bytes == len(FILM)


async def test_what_is_noted_is_noted_once(pair: tuple[Engine, Engine], tmp_path: Path) -> None:
    """The next engine has nothing left to note of what ended in order."""
    _, ben = pair
    await fetched(ben, "anna/film.mkv")
    await eventually(lambda: not len(ben.services.downloads.runs))
    (record,) = await ben.services.downloads.transfers._store.history(10)

    assert (record.state, record.path, record.part) == ("done", str(place(tmp_path) / "film.mkv"), "")


# Wishes


async def test_pause_of_a_client_that_leaves_is_fulfilled(pair: tuple[Engine, Engine]) -> None:
    """It ends the run before the next wish is granted, though nobody waits for it any more."""
    anna, ben = pair
    with gated(anna, 1):
        started = await ben.get("anna/film.mkv")
        transfer = ben.services.downloads.transfers.find(started.transfer_id)
        leaving = asyncio.ensure_future(ben.pause(started.transfer_id))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])

        assert transfer.order.transfer_id not in ben.services.downloads.runs
        assert not transfer.turn.locked()
    assert [view.state for view in await downloads_of(ben)] == ["paused"]


async def test_pause_that_comes_too_late_and_whose_client_leaves_is_no_pause(
    pair: tuple[Engine, Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lands meanwhile is done, though another client has it resumed at once: it is not run again."""
    _, ben = pair
    finish, is_reached, is_let_go = Destination.finish, threading.Event(), threading.Event()

    def held(destination: Destination) -> Path:
        is_reached.set()
        assert is_let_go.wait(PATIENCE)
        return finish(destination)

    monkeypatch.setattr(Destination, "finish", held)
    started = await ben.get("anna/film.mkv")
    await eventually(is_reached.is_set)
    leaving = asyncio.ensure_future(ben.pause(started.transfer_id))
    await asyncio.sleep(0)
    leaving.cancel()
    resuming = asyncio.ensure_future(ben.resume(started.transfer_id))
    await asyncio.sleep(0)
    is_let_go.set()
    await asyncio.wait([leaving, resuming])
    view = await finished(ben, started.transfer_id)

    assert isinstance(resuming.exception(), UsageError)
    assert (view.state, view.path) == ("done", str(place(tmp_path) / "film.mkv"))
    assert landed(tmp_path) == ["film.mkv"]


# News


async def test_news_concern_what_runs_only(pair: tuple[Engine, Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    """However many transfers are listed, a peer's news cost as little as if they were not."""
    _, ben = pair
    for _ in range(3):
        await fetched(ben, "anna/film.mkv")
    await eventually(lambda: not len(ben.services.downloads.runs))
    looked_at: list[Transfer] = []

    def fetching(transfer: Transfer) -> Any:
        looked_at.append(transfer)

    (link,) = ben.services.peers.links()
    monkeypatch.setattr(Transfer, "fetching", property(fetching))
    ben.services.downloads.runs.have_update(link, HaveUpdate(root=Root(b"r" * 32)))
    ben.services.downloads.runs.link_opened(link)

    assert looked_at == []
