"""Folders arrive whole: many files, the same file twice, empty ones, and long listings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.engines import MIB, network, noise, shared, write
from tests.fakes.fake_peer import FakePeer, child
from tests.fakes.fetching import fetched, place

if TYPE_CHECKING:
    from pathlib import Path

    from peerterm.engine.engine import Engine

pytestmark = pytest.mark.usefixtures("settled")


async def test_content_that_occurs_twice_in_a_folder_is_fetched_once(
    ben: Engine, peer: FakePeer, tmp_path: Path
) -> None:
    """It is copied to its other place on this disk."""
    data = noise(2 * MIB)
    root = peer.file(data)
    peer.offer_folder(child("a", root, len(data)), child("b", root, len(data)), size=2 * len(data), files=2)
    got = await fetched(ben, "mallory/album")
    album = place(tmp_path) / "album"

    assert (got.state, got.bytes, got.total, got.done_files) == ("done", 2 * len(data), 2 * len(data), 2)
    assert len(peer.chunks(root)) == 2
    assert (album / "a").read_bytes() == (album / "b").read_bytes() == data


async def test_folder_of_more_files_than_may_be_active_arrives(tmp_path: Path) -> None:
    """The queue of files empties, however long it is."""
    count = 320
    for number in range(count):
        write(tmp_path / "many" / f"{number:04}", number.to_bytes(3, "big"))
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, tmp_path / "many")
        got = await fetched(ben, "anna/many")
    many = place(tmp_path) / "many"

    assert (got.state, got.files, got.done_files) == ("done", count, count)
    assert all((many / f"{number:04}").read_bytes() == number.to_bytes(3, "big") for number in range(count))


async def test_empty_things_arrive(tmp_path: Path) -> None:
    """A single empty file, a folder of nothing, and an empty file among others."""
    write(tmp_path / "nothing", b"")
    (tmp_path / "bare").mkdir()
    write(tmp_path / "mixed" / "empty", b"")
    write(tmp_path / "mixed" / "full", b"full")
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        views = []
        for name in ("nothing", "bare", "mixed"):
            await shared(anna, tmp_path / name)
            views.append(await fetched(ben, f"anna/{name}"))
    here = place(tmp_path)

    assert [(view.state, view.bytes, view.error) for view in views] == [
        ("done", 0, ""),
        ("done", 0, ""),
        ("done", 4, ""),
    ]
    assert (here / "nothing").read_bytes() == b""
    assert list((here / "bare").iterdir()) == []
    assert (here / "mixed" / "empty").read_bytes() == b""


async def test_listing_of_several_chunks_arrives(tmp_path: Path) -> None:
    """A folder whose listing alone is larger than a chunk."""
    for number in range(4500):
        write(tmp_path / "wide" / f"{'n' * 200} {number}", b"")
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, tmp_path / "wide")
        got = await fetched(ben, "anna/wide")

    assert (got.state, got.done_files) == ("done", 4500)
