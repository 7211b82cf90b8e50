"""One download and its sources: from whom it takes, whom it waits for, and what its user sees of that."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from peerterm.api.events import SourceDropped
from peerterm.core import window
from peerterm.core.bitfield import Bitfield
from peerterm.core.pieces import Piece, PieceKind
from peerterm.engine import swarm
from peerterm.engine import transfer as module
from peerterm.wire.messages import Have, HaveUpdate
from tests.fakes.engines import MIB, first, network, noise, running, shared, until_online, write
from tests.fakes.fake_peer import FakePeer, fake_peer
from tests.fakes.fetching import fetched, finished, partly_fetched, place, received, transfer_when
from tests.fakes.gates import gated

if TYPE_CHECKING:
    from pathlib import Path

    from peerterm.engine.engine import Engine

pytestmark = pytest.mark.usefixtures("settled")


async def test_peer_that_leaves_and_returns_lets_the_transfer_finish(tmp_path: Path) -> None:
    """While its only source is away a transfer waits with what it has; it goes on by itself."""
    data = noise(8 * MIB)
    film = write(tmp_path / "film.mkv", data)
    async with running(tmp_path, "ben") as ben:
        async with running(tmp_path, "anna") as anna:
            await shared(anna, film)
            await until_online(ben, 1)
            with gated(anna, 3):
                started = await partly_fetched(ben, "anna/film.mkv", 3 * MIB)
        alone = await transfer_when(ben, started.transfer_id, lambda view: view.sources[0].state == "gone")
        async with running(tmp_path, "anna"):
            done = await finished(ben, started.transfer_id)

    assert alone.bytes == 3 * MIB
    assert (done.state, done.error) == ("done", "")
    assert (place(tmp_path) / "film.mkv").read_bytes() == data


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

    assert received(partial, "ben") == 4 * MIB
    assert received(partial, "anna") == 0
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
    assert received(done, "anna") + received(done, "ben") == len(data)


async def test_partial_holder_is_asked_only_for_what_it_has(ben: Engine, tmp_path: Path) -> None:
    """What it lacks comes from the others."""
    data = noise(6 * MIB)
    bits = Bitfield(6)
    for chunk in (0, 1, 2):
        bits.set(chunk)
    async with fake_peer(tmp_path, ben, "half") as half, fake_peer(tmp_path, ben, "whole") as whole:
        await until_online(ben, 2)
        root = half.offer(data)
        whole.file(data)
        half.haves[root] = [Have(root=root, bits=bits.to_bytes())]
        got = await fetched(ben, "half/film.mkv")

    assert got.state == "done"
    assert set(half.chunks()) <= {0, 1, 2}
    assert received(got, "whole") >= 3 * MIB


async def test_content_that_is_gone_is_waited_for(ben: Engine, peer: FakePeer) -> None:
    """A source that offers it no longer is not asked; when it has it again, it is."""
    data = noise(2 * MIB)
    root = peer.offer(data)
    peer.haves[root] = [Have(root=root)]
    started = await ben.get("mallory/film.mkv")
    await transfer_when(ben, started.transfer_id, lambda view: bool(view.sources))
    peer.link.send(HaveUpdate(root=root, gone=True))
    assert not peer.served
    peer.link.send(HaveUpdate(root=root, complete=True))

    assert (await finished(ben, started.transfer_id)).state == "done"


async def test_transfer_without_a_source_is_connecting_then_waiting(
    ben: Engine, peer: FakePeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user sees that nothing moves, and for how long it has been so."""
    root = peer.offer(noise(2 * MIB))
    peer.haves[root] = []
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

    peer.offer(noise(2 * MIB))
    peer.mangle = hang
    dropping = asyncio.ensure_future(first(ben, SourceDropped))
    await asyncio.sleep(0)
    started = await ben.get("mallory/film.mkv")
    dropped = await dropping
    awake.set()
    done = await finished(ben, started.transfer_id)

    assert (dropped.reason, dropped.strikes) == ("silent", 0)
    assert done.state == "done"
