"""The background tasks of a service."""

from __future__ import annotations

import asyncio
import logging

import pytest

from peerterm.engine.tasks import Tasks, apart, tolerate
from peerterm.errors import DiskFull, NotFound


async def forever() -> None:
    await asyncio.Event().wait()


async def test_what_is_started_before_or_after_is_dropped() -> None:
    """Callbacks may come at any time; work that nobody would watch is not started."""
    tasks = Tasks()

    assert tasks.start(forever()) is None
    async with tasks:
        task = tasks.start(forever(), name="a job")
        assert task is not None
        assert task.get_name() == "a job"
        tasks.cancel()
        assert tasks.start(forever()) is None
    assert tasks.start(forever()) is None
    assert task.cancelled()


async def test_close_lets_what_runs_go_on() -> None:
    """Only new work is refused."""
    seen = []

    async def work() -> None:
        await asyncio.sleep(0)
        seen.append("done")

    tasks = Tasks()
    async with tasks:
        tasks.start(work())
        tasks.close()
        assert tasks.start(work()) is None

    assert seen == ["done"]


async def test_bug_ends_the_service() -> None:
    """An unexpected error cancels the other tasks and reaches whoever runs the service."""

    async def buggy() -> None:
        raise ZeroDivisionError

    tasks = Tasks()
    others: list[asyncio.Task[None] | None] = []

    async def serve() -> None:
        async with tasks:
            others.append(tasks.start(forever()))
            tasks.start(buggy())
            try:
                await forever()
            finally:
                others.append(tasks.start(forever()))

    with pytest.raises(ExceptionGroup) as raised:
        await serve()

    running, late = others
    assert raised.group_contains(ZeroDivisionError)
    assert running is not None
    assert running.cancelled()
    assert late is None


async def test_bug_of_one_peer_is_logged_and_ends_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    """What is run apart cannot end the service; the log says what broke."""

    async def buggy() -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.ERROR):
        assert not await apart(buggy(), "a link")
        assert await apart(asyncio.sleep(0), "another link")

    assert "a bug ended a link" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert "another" not in caplog.text


async def test_disk_that_refuses_is_logged_and_tolerated(caplog: pytest.LogCaptureFixture) -> None:
    """What the engine can do without may fail with its disk, and with nothing else."""

    async def fail(error: Exception) -> None:
        raise error

    with caplog.at_level(logging.WARNING):
        await tolerate("remember a peer", fail, DiskFull("no space left"))
    with pytest.raises(NotFound):
        await tolerate("remember a peer", fail, NotFound("nothing"))

    assert "no space left" in caplog.text
