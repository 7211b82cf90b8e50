"""peerterm.store.completion: work that is not left half done, and what may be ended early."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING

import pytest

from peerterm.core.bitfield import Bitfield
from peerterm.core.manifest import CHUNK_BYTES
from peerterm.errors import StorageError
from peerterm.store.completion import check_stopped, to_its_end, until_stopped
from peerterm.store.copying import copy_chunks, file_at
from peerterm.store.destination import Destination
from tests.fakes.landing import MTIME

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from peerterm.store.partfile import PartFile

CHUNKS = 8


async def test_work_goes_to_its_end_whoever_is_cancelled() -> None:
    """The cancellation is passed on only then."""
    go_on, done = asyncio.Event(), []

    async def work() -> None:
        await go_on.wait()
        done.append(True)

    waiting = asyncio.ensure_future(to_its_end(work()))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert done


async def test_result_and_error_of_the_work_are_handed_on() -> None:
    """As if it had been called; the checks in it do nothing while somebody waits."""

    def work(number: int, *, is_good: bool) -> int:
        check_stopped()
        if not is_good:
            raise StorageError("refused")
        return number

    assert await until_stopped(work, 7, is_good=True) == 7
    with pytest.raises(StorageError, match="refused"):
        await until_stopped(work, 7, is_good=False)
    check_stopped()


async def test_work_ends_at_its_next_check() -> None:
    """Not before, so nothing is left half done; the next work starts afresh."""
    began, cancelled, steps = threading.Event(), threading.Event(), []

    def work() -> None:
        began.set()
        cancelled.wait()
        steps.append("half")
        steps.append("whole")
        check_stopped()
        steps.append("more")

    waiting = asyncio.ensure_future(until_stopped(work))
    await asyncio.to_thread(began.wait)
    waiting.cancel()
    await asyncio.sleep(0)
    cancelled.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert steps == ["half", "whole"]
    await until_stopped(check_stopped)


def recheck(part: PartFile, folder: Path) -> object:
    del folder
    return part.recheck(Bitfield.from_bytes(CHUNKS, b"\xff"), bytes(8 * CHUNKS))


def copy(part: PartFile, folder: Path) -> object:
    (folder / "source").write_bytes(bytes(CHUNKS * CHUNK_BYTES))
    source = file_at(folder, ("source",))
    assert source
    return copy_chunks(source, part, range(CHUNKS), lambda *_: True)


@pytest.mark.parametrize(
    "work",
    [recheck, copy, lambda part, _: part.sha256(), lambda part, _: part.root()],
    ids=["recheck", "copy", "sha256", "root"],
)
async def test_whatever_goes_through_a_file_ends_at_a_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: Callable[[PartFile, Path], object]
) -> None:
    """However long the file is, at most one chunk more is read."""
    destination = Destination.open(tmp_path, "film", "file")
    part = destination.file((), CHUNKS * CHUNK_BYTES)
    part.finish(MTIME, executable=False)
    began, cancelled, reads, preadv = threading.Event(), threading.Event(), [], os.preadv

    def slow(descriptor: int, buffers: list[bytearray], offset: int) -> int:
        reads.append(offset)
        began.set()
        cancelled.wait()
        return preadv(descriptor, buffers, offset)

    monkeypatch.setattr("os.preadv", slow)
    waiting = asyncio.ensure_future(until_stopped(work, part, tmp_path))
    await asyncio.to_thread(began.wait)
    waiting.cancel()
    await asyncio.sleep(0)
    cancelled.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert reads == [0]
    destination.close()
