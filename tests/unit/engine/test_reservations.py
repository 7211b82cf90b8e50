"""Room on the disk: asked for without holding up the engine, and reserved only for what is still to come."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from peerterm.core.ids import TransferId
from peerterm.errors import DiskFull, StorageError
from peerterm.store.destination import Destination
from peerterm.store.space import SpaceAccount
from tests.fakes.engines import MIB, noise, running, shared, until_online, write
from tests.fakes.fake_peer import FakePeer, child, fake_peer
from tests.fakes.fetching import fetched, finished, transfer_when

if TYPE_CHECKING:
    from pathlib import Path

    from peerterm.engine.engine import Engine

pytestmark = pytest.mark.usefixtures("settled")


def reserved(engine: Engine, transfer_id: str) -> tuple[int, int]:
    """Return the bytes and files that are reserved for a transfer."""
    found = engine.services.downloads._around.space._ledger.reserved[TransferId(transfer_id)]
    return found.size, found.files


async def test_reservation_shrinks_with_all_that_is_written(ben: Engine, peer: FakePeer, tmp_path: Path) -> None:
    """What came from peers, what was copied on this machine, and copies at further places."""
    mine, twice, last = noise(3 * MIB, 1), noise(2 * MIB, 2), noise(4 * MIB, 3)
    await shared(ben, write(tmp_path / "mine", mine))
    roots = [peer.file(data) for data in (mine, twice, last)]
    names = (child("a", roots[0], 3 * MIB), child("b", roots[1], 2 * MIB), child("c", roots[1], 2 * MIB))
    peer.offer_folder(*names, child("z", roots[2], 4 * MIB), size=1, files=4)
    peer.give(3, of=roots[2])
    started = await ben.get("mallory/album")
    view = await transfer_when(
        ben, started.transfer_id, lambda view: view.done_files == 3 and view.bytes == 10 * MIB
    )

    assert (view.local_bytes, view.total) == (3 * MIB, 11 * MIB)
    assert reserved(ben, started.transfer_id) == (MIB, 1)


@pytest.mark.parametrize("kind", ["file", "folder"])
async def test_what_an_earlier_attempt_left_needs_no_room(tmp_path: Path, kind: str) -> None:
    """Else a disk that has room for the rest would be too small to go on."""
    data = noise(6 * MIB)
    async with fake_peer(tmp_path) as peer:
        root = peer.offer(data)
        if kind == "folder":
            peer.offer_folder(child("film", root, len(data)), name="film.mkv", size=len(data), files=1)
        peer.give(4, of=root)
        async with running(tmp_path, "ben") as ben:
            await peer.connect(ben)
            await until_online(ben, 1)
            started = await ben.get("mallory/film.mkv")
            await transfer_when(ben, started.transfer_id, lambda view: view.bytes == 4 * MIB)
        peer.give(1, of=root)
        async with running(tmp_path, "ben") as again:
            await peer.connect(again)
            await until_online(again, 1)
            await transfer_when(again, started.transfer_id, lambda view: view.bytes == 5 * MIB)
            left = reserved(again, started.transfer_id)

    assert left == (MIB, 1)


async def test_disk_is_never_asked_on_the_loop(
    ben: Engine, peer: FakePeer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network disk that hangs would freeze every link: neither for room nor to close what was written."""
    threads: list[threading.Thread] = []
    reserve, close = SpaceAccount.reserve, Destination.close

    def noted_reserve(self: SpaceAccount, transfer_id: TransferId, directory: Path, size: int, files: int) -> None:
        threads.append(threading.current_thread())
        reserve(self, transfer_id, directory, size, files)

    def noted_close(self: Destination) -> None:
        threads.append(threading.current_thread())
        close(self)

    monkeypatch.setattr(SpaceAccount, "reserve", noted_reserve)
    monkeypatch.setattr(Destination, "close", noted_close)
    data, lie = noise(2 * MIB), noise(2 * MIB + 1)
    await shared(ben, write(tmp_path / "mine", lie))
    peer.offer(data)
    peer.offer(lie, "mine.mkv")
    for name, said in (("film.mkv", 7), ("album", 2 * MIB), ("mine.mkv", 2 * MIB + 1)):
        root = peer.offer(lie if name == "mine.mkv" else data, name, size=said)
        if name == "album":
            peer.offer_folder(child("film", root, said), size=said, files=1)
        assert (await fetched(ben, f"mallory/{name}")).state == "done"

    assert len(threads) >= 6
    assert threading.main_thread() not in threads


async def test_room_for_the_proven_size_decides(
    ben: Engine, peer: FakePeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was said of the size before."""

    def reserve(_: SpaceAccount, transfer_id: TransferId, directory: Path, size: int, files: int) -> None:
        del transfer_id, directory, files
        if size > MIB:
            raise DiskFull("no room")

    monkeypatch.setattr(SpaceAccount, "reserve", reserve)
    peer.offer(noise(4 * MIB), size=7)
    started = await ben.get("mallory/film.mkv")
    view = await transfer_when(ben, started.transfer_id, lambda view: view.state == "paused")

    assert view.error_code == DiskFull.code


@pytest.mark.parametrize("is_whole", [True, False])
async def test_disk_that_refuses_at_the_close(
    ben: Engine, peer: FakePeer, monkeypatch: pytest.MonkeyPatch, is_whole: bool
) -> None:
    """Of what is durable already it takes nothing; else the transfer fails, and only that."""
    close = Destination.close

    def refusing(self: Destination) -> None:
        close(self)
        raise StorageError("Disk quota exceeded")

    data = noise(2 * MIB)
    root = peer.offer(data)
    with monkeypatch.context() as patch:
        patch.setattr(Destination, "close", refusing)
        if not is_whole:
            patch.setattr(Destination, "finish", lambda _: refuse())
        view = await fetched(ben, "mallory/film.mkv")

    assert (view.state, view.error) == (("done", "") if is_whole else ("failed", view.error))
    assert is_whole or "quota" in view.error
    if not is_whole:
        await ben.retry(view.transfer_id)
        assert (await finished(ben, view.transfer_id)).state == "done"
        assert peer.chunks(root) == [0, 1]


def refuse() -> None:
    raise StorageError("refused")
