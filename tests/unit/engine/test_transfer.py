"""One download: from whom it takes, what it refuses, and how it ends."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import threading
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from peerterm.api.events import SourceDropped
from peerterm.core import window
from peerterm.core.bitfield import Bitfield
from peerterm.core.manifest import CHUNK_BYTES, EMPTY_ROOT
from peerterm.core.names import MAX_DEPTH
from peerterm.core.pieces import Piece, PieceKind, Refusal
from peerterm.engine import downloading, swarm
from peerterm.engine import transfer as module
from peerterm.errors import DiskFull, IntegrityError, StorageError
from peerterm.wire.messages import Have, HaveUpdate
from tests.fakes.engines import (
    fetched,
    finished,
    first,
    gated,
    network,
    noise,
    running,
    shared,
    transfer_when,
    until_online,
    write,
)
from tests.fakes.fake_peer import FakePeer, child, fake_peer, wire_entry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from peerterm.api.views import TransferView
    from peerterm.engine.engine import Engine

pytestmark = pytest.mark.usefixtures("settled")

MIB = CHUNK_BYTES


@pytest.fixture
async def ben(tmp_path: Path) -> AsyncIterator[Engine]:
    async with running(tmp_path, "ben") as engine:
        yield engine


@pytest.fixture
async def peer(ben: Engine, tmp_path: Path) -> AsyncIterator[FakePeer]:
    """Yield a peer that ben is linked to."""
    async with fake_peer(tmp_path, ben) as peer:
        await until_online(ben, 1)
        yield peer


def downloads(folder: Path, name: str = "ben") -> list[str]:
    """Return what lies in an engine's download folder."""
    return sorted(path.name for path in (folder / name / "downloads").iterdir())


def source(view: TransferView, name: str) -> int:
    """Return how many bytes came from a peer."""
    return next((each.bytes for each in view.sources if each.name == name), 0)


# Swarms


async def test_peer_that_leaves_and_returns_lets_the_transfer_finish(tmp_path: Path) -> None:
    """While its only source is away a transfer waits with what it has; it goes on by itself."""
    data = noise(8 * MIB)
    film = write(tmp_path / "film.mkv", data)
    async with running(tmp_path, "ben") as ben:
        async with running(tmp_path, "anna") as anna:
            await shared(anna, film)
            await until_online(ben, 1)
            with gated(anna, 3):
                started = await ben.get("anna/film.mkv")
                await transfer_when(ben, started.transfer_id, lambda view: view.bytes == 3 * MIB)
        alone = await transfer_when(ben, started.transfer_id, lambda view: view.sources[0].state == "gone")
        async with running(tmp_path, "anna"):
            done = await finished(ben, started.transfer_id)

    assert alone.bytes == 3 * MIB
    assert (done.state, done.error) == ("done", "")
    assert (tmp_path / "ben" / "downloads" / "film.mkv").read_bytes() == data


async def test_leech_serves_another_leech_while_it_downloads(tmp_path: Path) -> None:
    """What one has verified the other gets from it, not from the seed."""
    data = noise(8 * MIB)
    async with network(tmp_path, "anna", "ben", "carla") as (anna, ben, carla):
        await shared(anna, write(tmp_path / "film.mkv", data))
        with gated(anna, 4) as gate:
            first_leech = await ben.get("anna/film.mkv")
            await transfer_when(ben, first_leech.transfer_id, lambda view: view.bytes == 4 * MIB)
            second_leech = await carla.get("anna/film.mkv")
            partial = await transfer_when(carla, second_leech.transfer_id, lambda view: view.bytes == 4 * MIB)
            gate.open()
            views = [await finished(ben, first_leech.transfer_id), await finished(carla, second_leech.transfer_id)]

    assert source(partial, "ben") == 4 * MIB
    assert source(partial, "anna") == 0
    assert [view.state for view in views] == ["done", "done"]
    for name in ("ben", "carla"):
        assert (tmp_path / name / "downloads" / "film.mkv").read_bytes() == data


async def test_leech_is_told_of_what_another_gets_meanwhile(tmp_path: Path) -> None:
    """Chunks that come after the question are announced, and fetched from whoever has them."""
    data = noise(8 * MIB)
    async with network(tmp_path, "anna", "ben", "carla") as (anna, ben, carla):
        await shared(anna, write(tmp_path / "film.mkv", data))
        with gated(anna, 1) as gate:
            one = await ben.get("anna/film.mkv")
            await transfer_when(ben, one.transfer_id, lambda view: view.bytes == MIB)
            two = await carla.get("anna/film.mkv")
            await transfer_when(carla, two.transfer_id, lambda view: view.bytes == MIB)
            gate.open()
            done = await finished(carla, two.transfer_id)
            await finished(ben, one.transfer_id)

    assert done.state == "done"
    assert source(done, "anna") + source(done, "ben") == len(data)


async def test_partial_holder_is_asked_only_for_what_it_has(ben: Engine, tmp_path: Path) -> None:
    """What it lacks comes from the others."""
    data = noise(6 * MIB)
    bits = Bitfield(6)
    for chunk in (0, 1, 2):
        bits.set(chunk)
    async with fake_peer(tmp_path, ben, "half") as half, fake_peer(tmp_path, ben, "whole") as whole:
        await until_online(ben, 2)
        root = half.file(data)
        whole.file(data)
        half.haves[root] = [Have(root=root, bits=bits.to_bytes())]
        half.entries = [wire_entry(root, "film.mkv", size=len(data))]
        got = await fetched(ben, "half/film.mkv")
        served = {piece.index for piece in half.served if piece.kind is PieceKind.CHUNK}

    assert got.state == "done"
    assert served <= {0, 1, 2}
    assert source(got, "whole") >= 3 * MIB


# Folders


async def test_content_that_occurs_twice_in_a_folder_is_fetched_once(
    ben: Engine, peer: FakePeer, tmp_path: Path
) -> None:
    """It is copied to its other place on this disk."""
    data = noise(2 * MIB)
    root = peer.file(data)
    top = peer.folder(child("a", root, len(data)), child("b", root, len(data)))
    peer.entries = [wire_entry(top, "album", size=2 * len(data), kind="folder", files=2)]
    got = await fetched(ben, "mallory/album")
    place = tmp_path / "ben" / "downloads" / "album"
    chunks = [piece for piece in peer.served if piece.root == root and piece.kind is PieceKind.CHUNK]

    assert (got.state, got.bytes, got.total, got.done_files) == ("done", 2 * len(data), 2 * len(data), 2)
    assert len(chunks) == 2
    assert (place / "a").read_bytes() == (place / "b").read_bytes() == data


async def test_folder_of_more_files_than_may_be_active_arrives(tmp_path: Path) -> None:
    """The queue of files empties, however long it is."""
    count = 320
    for number in range(count):
        write(tmp_path / "many" / f"{number:04}", number.to_bytes(3, "big"))
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, tmp_path / "many")
        got = await fetched(ben, "anna/many")
    place = tmp_path / "ben" / "downloads" / "many"

    assert (got.state, got.files, got.done_files) == ("done", count, count)
    assert all((place / f"{number:04}").read_bytes() == number.to_bytes(3, "big") for number in range(count))


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
    place = tmp_path / "ben" / "downloads"

    assert [(view.state, view.bytes, view.error) for view in views] == [
        ("done", 0, ""),
        ("done", 0, ""),
        ("done", 4, ""),
    ]
    assert (place / "nothing").read_bytes() == b""
    assert list((place / "bare").iterdir()) == []
    assert (place / "mixed" / "empty").read_bytes() == b""


async def test_listing_of_several_chunks_arrives(tmp_path: Path) -> None:
    """A folder whose listing alone is larger than a chunk."""
    for number in range(4500):
        write(tmp_path / "wide" / f"{'n' * 200} {number}", b"")
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, tmp_path / "wide")
        got = await fetched(ben, "anna/wide")

    assert (got.state, got.done_files) == ("done", 4500)


# Lies


@pytest.mark.parametrize("name", ["..", "a/b", "a\0b", "x.peerterm-part", "."])
async def test_listing_with_an_unsafe_name_fails_and_writes_nothing(
    ben: Engine, peer: FakePeer, tmp_path: Path, name: str
) -> None:
    """Its root may be right; it is refused all the same."""
    top = peer.folder(child(name, peer.file(b"evil"), 4))
    peer.entries = [wire_entry(top, "album", size=4, kind="folder")]
    got = await fetched(ben, "mallory/album")

    assert (got.state, got.error_code) == ("failed", IntegrityError.code)
    assert downloads(tmp_path) == []


async def hostile_tops(peer: FakePeer) -> dict[str, object]:
    """Return roots of folders that contradict themselves."""
    one = peer.file(b"1")
    sub = peer.folder(child("z", one, 1))
    size = len(peer.contents[sub])
    deep = sub
    for _ in range(MAX_DEPTH + 2):
        deep = peer.folder(child("d", deep, kind="folder"))
    return {
        "no listing": peer.file(b"this is not a listing"),
        "two sizes": peer.folder(child("a", one, 1), child("b", one, 2)),
        "no size": peer.folder(child("a", one, 0)),
        "size of nothing": peer.folder(child("a", EMPTY_ROOT, 5)),
        "empty folder root": peer.folder(child("a", EMPTY_ROOT, kind="folder")),
        "too deep": deep,
        "file and folder": peer.folder(child("a", sub, size), child("b", sub, kind="folder")),
    }


@pytest.mark.parametrize(
    ("case", "state"),
    [
        ("no listing", "failed"),
        ("two sizes", "failed"),
        ("no size", "failed"),
        ("size of nothing", "failed"),
        ("empty folder root", "failed"),
        ("too deep", "failed"),
        ("file and folder", "done"),
    ],
)
async def test_hostile_folder_ends_the_transfer_and_nothing_else(
    ben: Engine, peer: FakePeer, tmp_path: Path, case: str, state: str
) -> None:
    """Every contradiction is found out; the engine and the link live."""
    tops = await hostile_tops(peer)
    peer.entries = [wire_entry(tops[case], "album", size=4, kind="folder")]  # type: ignore[arg-type]
    got = await fetched(ben, "mallory/album")

    assert got.state == state, got.error
    assert downloads(tmp_path) == (["album"] if state == "done" else [])
    assert (await ben.status()).peers == 1


async def test_file_whose_size_is_a_lie_arrives_as_it_is(ben: Engine, peer: FakePeer, tmp_path: Path) -> None:
    """Of what a holder says of a single file only the root is trusted."""
    root = peer.file(b"film")
    peer.entries = [wire_entry(root, "film.mkv", size=10**15)]
    got = await fetched(ben, "mallory/film.mkv")

    assert (got.state, got.bytes, got.total) == ("done", 4, 4)
    assert (tmp_path / "ben" / "downloads" / "film.mkv").read_bytes() == b"film"


async def test_listing_larger_than_any_is_refused_before_it_comes(ben: Engine, peer: FakePeer) -> None:
    """A head that promises gigabytes of names is enough to stop."""
    data = noise(MIB) * 65
    top = peer.file(data)
    peer.entries = [wire_entry(top, "album", size=4, kind="folder")]
    got = await fetched(ben, "mallory/album")

    assert (got.state, got.error_code) == ("failed", IntegrityError.code)
    assert sum(piece.kind is PieceKind.CHUNK for piece in peer.served) < 65


async def test_source_of_bad_bytes_is_dropped_and_the_good_ones_kept(
    ben: Engine, peer: FakePeer, tmp_path: Path
) -> None:
    """After three bad chunks the liar is asked no more; an honest peer delivers the rest."""
    data = noise(8 * MIB)

    def flip(piece: Piece, data: bytes) -> bytes:
        return bytes([data[0] ^ 1]) + data[1:] if piece.kind is PieceKind.CHUNK else data

    root = peer.file(data)
    peer.mangle = flip
    peer.entries = [wire_entry(root, "film.mkv", size=len(data))]
    dropping = asyncio.ensure_future(first(ben, SourceDropped))
    started = await ben.get("mallory/film.mkv")
    dropped = await dropping
    async with fake_peer(tmp_path, ben, "honest") as honest:
        honest.file(data)
        await honest.link.close()
        await honest.connect(ben, instance=b"honest 2")
        done = await finished(ben, started.transfer_id)

    assert (dropped.name, dropped.strikes) == ("mallory", 3)
    assert done.state == "done"
    assert (source(done, "mallory"), source(done, "honest")) == (0, len(data))
    assert next(each.state for each in done.sources if each.name == "mallory") == "dropped"
    assert (tmp_path / "ben" / "downloads" / "film.mkv").read_bytes() == data


@pytest.mark.parametrize("refusal", [Refusal.NOT_FOUND, Refusal.CHANGED, Refusal.NOT_HELD, Refusal.FAILED])
async def test_lying_have_costs_only_a_question(
    ben: Engine, peer: FakePeer, tmp_path: Path, refusal: Refusal
) -> None:
    """A peer that says to have all and gives nothing is not waited for."""
    data = noise(4 * MIB)
    root = peer.file(data)
    peer.refusals[root] = refusal
    peer.entries = [wire_entry(root, "film.mkv", size=len(data))]
    async with fake_peer(tmp_path, ben, "honest") as honest:
        honest.file(data)
        await until_online(ben, 2)
        got = await fetched(ben, "mallory/film.mkv")

    assert got.state == "done"
    assert source(got, "honest") == len(data)


async def test_impossible_have_is_not_believed(
    ben: Engine, peer: FakePeer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Bits that no content can have are logged; the transfer goes on with others."""
    data = noise(2 * MIB)
    root = peer.file(data)
    peer.haves[root] = [Have(root=root, first=3, bits=b"\xff")]
    peer.entries = [wire_entry(root, "film.mkv", size=len(data))]
    with caplog.at_level(logging.WARNING):
        async with fake_peer(tmp_path, ben, "honest") as honest:
            honest.file(data)
            await until_online(ben, 2)
            got = await fetched(ben, "mallory/film.mkv")

    assert got.state == "done"
    assert source(got, "mallory") == 0


async def test_impossible_news_close_the_link(ben: Engine, peer: FakePeer) -> None:
    """A have-update of a chunk that cannot be ends the link of who sent it; the transfer waits."""
    root = peer.file(noise(2 * MIB))
    peer.refusals[root] = Refusal.BUSY
    peer.entries = [wire_entry(root, "film.mkv", size=2 * MIB)]
    started = await ben.get("mallory/film.mkv")
    await transfer_when(ben, started.transfer_id, lambda view: bool(view.sources))
    peer.link.send(HaveUpdate(root=root, chunks=[2**60]))
    closed = await peer.links[0]

    assert closed.code == "protocol"
    assert (await transfer_when(ben, started.transfer_id, lambda view: view.sources[0].state == "gone")).bytes == 0


async def test_content_that_is_gone_is_waited_for(ben: Engine, peer: FakePeer) -> None:
    """A source that offers it no longer is not asked; when it has it again, it is."""
    data = noise(2 * MIB)
    root = peer.file(data)
    peer.haves[root] = [Have(root=root)]
    peer.entries = [wire_entry(root, "film.mkv", size=len(data))]
    started = await ben.get("mallory/film.mkv")
    await transfer_when(ben, started.transfer_id, lambda view: bool(view.sources))
    peer.link.send(HaveUpdate(root=root, gone=True))
    assert not peer.served
    peer.link.send(HaveUpdate(root=root, complete=True))

    assert (await finished(ben, started.transfer_id)).state == "done"


# Disks


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder on a disk of one MiB."""
    place = tmp_path / "tiny"
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "peerterm-test", str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


def resize(disk: Path, size: str) -> None:
    """Give a small disk another size."""
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


async def test_transfer_too_large_for_the_disk_waits_for_room(
    tmp_path: Path, tiny_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what is missing and goes on by itself; others go elsewhere meanwhile."""
    monkeypatch.setattr(downloading, "DISK_SECONDS", 0.02)
    data = noise(4 * MIB)
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, write(tmp_path / "film.mkv", data))
        started = await ben.get("anna/film.mkv", str(tiny_disk))
        full = await transfer_when(ben, started.transfer_id, lambda view: view.state == "paused")
        elsewhere = await fetched(ben, "anna/film.mkv")
        assert (await ben.transfers())[-1].state == "paused"
        resize(tiny_disk, "16m")
        done = await finished(ben, started.transfer_id)

    assert (full.error_code, full.bytes, elsewhere.state) == (DiskFull.code, 0, "done")
    assert str(tiny_disk) in full.error
    assert "by itself" in full.error
    assert (done.state, done.error, done.error_code) == ("done", "", "")
    assert (tiny_disk / "film.mkv").read_bytes() == data


@pytest.mark.parametrize("restart", [False, True])
async def test_disk_that_others_fill_pauses_the_transfer(
    tmp_path: Path, tiny_disk: Path, monkeypatch: pytest.MonkeyPatch, restart: bool
) -> None:
    """What came stays; when there is room again, for this engine or the next, only the rest is fetched."""
    monkeypatch.setattr(downloading, "DISK_SECONDS", 0.02)
    resize(tiny_disk, "8m")
    data = noise(4 * MIB)
    async with network(tmp_path, "anna") as (anna,):
        await shared(anna, write(tmp_path / "film.mkv", data))
        with gated(anna, 2) as gate:
            async with AsyncExitStack() as stack:
                ben = await stack.enter_async_context(running(tmp_path, "ben"))
                await until_online(ben, 1)
                started = await ben.get("anna/film.mkv", str(tiny_disk))
                await transfer_when(ben, started.transfer_id, lambda view: view.bytes == 2 * MIB)
                filler = write(tiny_disk / "filler", bytes(5 * MIB + 512 * 1024))
                gate.open()
                full = await transfer_when(ben, started.transfer_id, lambda view: view.state == "paused")
                if restart:
                    await stack.aclose()
                    ben = await stack.enter_async_context(running(tmp_path, "ben"))
                    await until_online(ben, 1)
                    assert (await ben.transfers())[0].state == "paused"
                filler.unlink()
                done = await finished(ben, started.transfer_id)

    assert full.error_code == DiskFull.code
    assert full.bytes >= 2 * MIB
    assert done.state == "done"
    assert (tiny_disk / "film.mkv").read_bytes() == data


async def test_user_may_resume_onto_a_full_disk_in_vain(tmp_path: Path, tiny_disk: Path) -> None:
    """It is paused again for the same reason."""
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, write(tmp_path / "film.mkv", noise(4 * MIB)))
        started = await ben.get("anna/film.mkv", str(tiny_disk))
        await transfer_when(ben, started.transfer_id, lambda view: view.state == "paused")
        await ben.resume(started.transfer_id)
        again = await transfer_when(ben, started.transfer_id, lambda view: view.state == "paused")

    assert again.error_code == DiskFull.code


async def test_read_only_disk_is_waited_for(
    tmp_path: Path, tiny_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state says what is wrong with the disk; when it can be written again, the transfer finishes unasked."""
    monkeypatch.setattr(downloading, "DISK_SECONDS", 0.02)
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, write(tmp_path / "film.mkv", b"film"))
        started = await ben.get("anna/film.mkv", str(tiny_disk))
        paused = await transfer_when(ben, started.transfer_id, lambda view: view.state == "paused")
        subprocess.run(["mount", "-o", "remount,rw", str(tiny_disk)], check=True)
        done = await finished(ben, started.transfer_id)

        assert paused.error_code == StorageError.code
        assert "Read-only" in paused.error
        assert (done.state, done.error) == ("done", "")


async def test_copies_need_room_too(tmp_path: Path, tiny_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A content that goes to two places counts twice before anything of it is fetched."""
    monkeypatch.setattr(downloading, "DISK_SECONDS", 0.02)
    data = noise(600_000)
    for name in ("a", "b"):
        write(tmp_path / "album" / name, data)
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, tmp_path / "album")
        started = await ben.get("anna/album", str(tiny_disk))
        full = await transfer_when(ben, started.transfer_id, lambda view: view.state == "paused")
        resize(tiny_disk, "2m")
        done = await finished(ben, started.transfer_id)

    assert (full.error_code, full.bytes) == (DiskFull.code, 0)
    assert (done.state, done.bytes) == ("done", 2 * len(data))
    assert (tiny_disk / "album" / "a").read_bytes() == (tiny_disk / "album" / "b").read_bytes() == data


# What the user sees


async def test_transfer_without_a_source_is_connecting_then_waiting(
    ben: Engine, peer: FakePeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user sees that nothing moves, and for how long it has been so."""
    root = peer.file(noise(2 * MIB))
    peer.haves[root] = []
    peer.entries = [wire_entry(root, "film.mkv", size=2 * MIB)]
    started = await ben.get("mallory/film.mkv")
    assert started.state == "connecting"
    monkeypatch.setattr(module, "CONNECTING_SECONDS", 0.0)
    waiting = await transfer_when(ben, started.transfer_id, lambda view: view.state == "waiting")

    assert (waiting.sources, waiting.eta, waiting.rate) == ([], None, 0.0)
    assert (await ben.cancel(started.transfer_id, delete=True)).state == "cancelled"


async def test_silent_source_is_dropped_until_it_recovers(
    ben: Engine, peer: FakePeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A peer whose lanes hang is given up, and asked again when it may have recovered."""
    monkeypatch.setattr(window, "STALL_SECONDS", 0.05)
    monkeypatch.setattr(window, "SILENCE_SECONDS", 0.1)
    monkeypatch.setattr(swarm, "RECOVERY_SECONDS", 0.0)
    awake = threading.Event()

    def hang(piece: Piece, data: bytes) -> bytes:
        if piece.kind is PieceKind.CHUNK:
            awake.wait(10)
        return data

    root = peer.file(noise(2 * MIB))
    peer.mangle = hang
    peer.entries = [wire_entry(root, "film.mkv", size=2 * MIB)]
    dropping = asyncio.ensure_future(first(ben, SourceDropped))
    await asyncio.sleep(0)
    started = await ben.get("mallory/film.mkv")
    dropped = await dropping
    awake.set()
    done = await finished(ben, started.transfer_id)

    assert (dropped.reason, dropped.strikes) == ("silent", 0)
    assert done.state == "done"
