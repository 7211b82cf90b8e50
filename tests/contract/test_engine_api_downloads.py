"""What every implementation of ``EngineApi`` must do with downloads and their limits.

Each test runs on the fake and on the real engine, on either also through a socket.
"""

from __future__ import annotations

import pytest

from peerterm.api.events import Snapshot, TransferChanged
from peerterm.api.views import ChunkMapView, LimitsView, TransferView
from peerterm.errors import NotFound, UsageError
from tests.fakes.engines import closing, until
from tests.fakes.worlds import FILM, HOLDER, Setup


async def begun(setup: Setup) -> str:
    """Begin a download that gets no bytes, and return its id."""
    await setup.world.join()
    setup.world.hold()
    return (await setup.api.get(f"{HOLDER}/x.mkv")).transfer_id


async def downloaded(setup: Setup, path: str, *, only: list[str] | None = None) -> TransferView:
    """Return a download from the holder that is done."""
    await setup.world.join()
    async with closing(setup.api.events()) as events:
        await until(events, Snapshot)
        view = await setup.api.get(f"{HOLDER}/{path}", only=only)
        while view.state != "done":
            view = (await until(events, TransferChanged)).transfer
    return view


async def test_download_runs_to_its_end(setup: Setup) -> None:
    """From ``get`` on, events tell how far it is, until it is done and complete."""
    await setup.world.join()
    async with closing(setup.api.events()) as events:
        await until(events, Snapshot)
        started = await setup.api.get(f"{HOLDER}/x.mkv")
        changed = await until(events, TransferChanged)
        while changed.transfer.state != "done":
            changed = await until(events, TransferChanged)
        (listed,) = await setup.api.transfers()

    assert isinstance(started, TransferView)
    assert changed.transfer.transfer_id == listed.transfer_id == started.transfer_id
    assert (listed.state, listed.bytes, listed.total) == ("done", len(FILM), len(FILM))


async def test_download_is_listed_and_can_be_cancelled(setup: Setup) -> None:
    """A transfer keeps its id from ``get`` to ``cancel``."""
    await setup.world.join()
    setup.world.hold()

    started = await setup.api.get(f"{HOLDER}/x.mkv")
    listed = await setup.api.transfers()
    ended = await setup.api.cancel(started.transfer_id[:4], delete=True)

    assert isinstance(started, TransferView)
    assert [view.transfer_id for view in listed] == [started.transfer_id]
    assert (ended.transfer_id, ended.state) == (started.transfer_id, "cancelled")
    assert [view.state for view in await setup.api.transfers()] == ["cancelled"]
    with pytest.raises(NotFound):
        await setup.api.cancel("nothing")


async def test_files_of_a_folder_can_be_chosen(setup: Setup) -> None:
    """What fits no pattern is neither fetched nor counted."""
    view = await downloaded(setup, "docs", only=["b.*"])

    assert (view.files, view.done_files) == (1, 1)


async def test_paused_download_stands_still_until_it_is_resumed(setup: Setup) -> None:
    """Either wish may be said twice; neither makes sense once the transfer is over."""
    ident = await begun(setup)

    paused = [await setup.api.pause(ident[:4]) for _ in range(2)]
    resumed = [await setup.api.resume(ident) for _ in range(2)]
    await setup.api.cancel(ident)

    assert [(view.transfer_id, view.state) for view in paused] == [(ident, "paused")] * 2
    assert all(view.state in ("queued", "connecting", "running", "waiting") for view in resumed)
    for wish in (setup.api.pause, setup.api.resume):
        with pytest.raises(UsageError):
            await wish(ident)
        with pytest.raises(NotFound):
            await wish("nothing")


async def test_cancelled_download_can_be_tried_again(setup: Setup) -> None:
    """It keeps its id; one that is not over is not."""
    ident = await begun(setup)
    with pytest.raises(UsageError):
        await setup.api.retry(ident)
    await setup.api.cancel(ident)

    again = await setup.api.retry(ident)

    assert again.transfer_id == ident
    assert again.state in ("queued", "connecting", "running", "waiting")
    assert [view.transfer_id for view in await setup.api.transfers()] == [ident]


async def test_download_has_a_priority_and_a_limit(setup: Setup) -> None:
    """Both are kept and shown; what is not named or out of range changes nothing."""
    ident = await begun(setup)

    urgent = await setup.api.prioritise(ident[:4], -7)
    moved = await setup.api.move(ident[:4], "last")
    limited = await setup.api.limit(ident[:4], down=500_000)
    with pytest.raises(UsageError):
        await setup.api.prioritise(ident, 101)
    with pytest.raises(UsageError):
        await setup.api.limit(ident, up=500_000)
    (listed,) = await setup.api.transfers()

    assert urgent.priority == -7
    assert (moved.transfer_id, moved.priority) == (ident, -7)
    assert limited == await setup.api.limit(ident) == LimitsView(down=500_000, up=0, transfer_id=ident)
    assert (listed.priority, listed.limit) == (-7, 500_000)
    with pytest.raises(NotFound):
        await setup.api.limit("nothing", down=1)
    with pytest.raises(NotFound):
        await setup.api.move("nothing", "up")


async def test_download_that_ended_can_be_cleared(setup: Setup) -> None:
    """It is off the list for good; one that has not ended stays on it."""
    ident = await begun(setup)
    with pytest.raises(UsageError):
        await setup.api.clear(ident)
    kept = await setup.api.clear()
    await setup.api.cancel(ident)

    assert kept == 0
    assert await setup.api.clear(ident[:4]) == 1
    assert await setup.api.transfers() == []
    assert await setup.api.clear() == 0
    with pytest.raises(NotFound):
        await setup.api.clear(ident)


async def test_chunk_map_says_what_is_held(setup: Setup) -> None:
    """Of a download that is complete every part is."""
    view = await downloaded(setup, "x.mkv")
    shown = await setup.api.chunk_map(view.transfer_id[:4], 8)

    assert isinstance(shown, ChunkMapView)
    assert (shown.transfer_id, shown.cells) == (view.transfer_id, [100] * 8)
    assert shown.held == shown.chunks > 0
    with pytest.raises(NotFound):
        await setup.api.chunk_map("nothing", 8)


async def test_engine_has_limits(setup: Setup) -> None:
    """There are none at first; each is set alone, and lifted with 0."""
    at_first = await setup.api.limit()
    down = await setup.api.limit(down=10**6)
    both = await setup.api.limit(up=2 * 10**6)
    lifted = await setup.api.limit(down=0)

    assert at_first == LimitsView(down=0, up=0)
    assert down == LimitsView(down=10**6, up=0)
    assert both == LimitsView(down=10**6, up=2 * 10**6)
    assert lifted == await setup.api.limit() == LimitsView(down=0, up=2 * 10**6)
