"""Peers that lie about names, sizes, folders, bytes or what they have: that is refused, and the engine lives."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from peerterm.api.events import SourceDropped
from peerterm.core.manifest import EMPTY_ROOT
from peerterm.core.names import MAX_DEPTH
from peerterm.core.pieces import Piece, PieceKind, Refusal
from peerterm.errors import IntegrityError
from peerterm.wire.messages import Have, HaveUpdate
from tests.fakes.engines import MIB, first, noise, until_online
from tests.fakes.fake_peer import FakePeer, child, fake_peer, wire_entry
from tests.fakes.fetching import fetched, finished, landed, place, received, transfer_when

if TYPE_CHECKING:
    from pathlib import Path

    from peerterm.core.ids import Root
    from peerterm.engine.engine import Engine

pytestmark = pytest.mark.usefixtures("settled")


@pytest.mark.parametrize("name", ["..", "a/b", "a\0b", "x.peerterm-part", "."])
async def test_listing_with_an_unsafe_name_fails_and_writes_nothing(
    ben: Engine, peer: FakePeer, tmp_path: Path, name: str
) -> None:
    """Its root may be right; it is refused all the same."""
    peer.offer_folder(child(name, peer.file(b"evil"), 4), size=4)
    got = await fetched(ben, "mallory/album")

    assert (got.state, got.error_code) == ("failed", IntegrityError.code)
    assert landed(tmp_path) == []


def hostile_tops(peer: FakePeer) -> dict[str, Root]:
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
    peer.entries = [wire_entry(hostile_tops(peer)[case], "album", size=4, kind="folder")]
    got = await fetched(ben, "mallory/album")

    assert got.state == state, got.error
    assert landed(tmp_path) == (["album"] if state == "done" else [])
    assert (await ben.status()).peers == 1


async def test_file_whose_size_is_a_lie_arrives_as_it_is(ben: Engine, peer: FakePeer, tmp_path: Path) -> None:
    """Of what a holder says of a single file only the root is trusted."""
    peer.offer(b"film", size=10**15)
    got = await fetched(ben, "mallory/film.mkv")

    assert (got.state, got.bytes, got.total) == ("done", 4, 4)
    assert (place(tmp_path) / "film.mkv").read_bytes() == b"film"


async def test_listing_larger_than_any_is_refused_before_it_comes(ben: Engine, peer: FakePeer) -> None:
    """A head that promises gigabytes of names is enough to stop."""
    peer.offer(noise(MIB) * 65, "album", size=4, kind="folder")
    got = await fetched(ben, "mallory/album")

    assert (got.state, got.error_code) == ("failed", IntegrityError.code)
    assert len(peer.chunks()) < 65


async def test_source_of_bad_bytes_is_dropped_and_the_good_ones_kept(
    ben: Engine, peer: FakePeer, tmp_path: Path
) -> None:
    """After three bad chunks the liar is asked no more; an honest peer delivers the rest."""
    data = noise(8 * MIB)

    def flip(piece: Piece, data: bytes) -> bytes:
        return bytes([data[0] ^ 1]) + data[1:] if piece.kind is PieceKind.CHUNK else data

    peer.offer(data)
    peer.mangle = flip
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
    assert (received(done, "mallory"), received(done, "honest")) == (0, len(data))
    assert next(each.state for each in done.sources if each.name == "mallory") == "dropped"
    assert (place(tmp_path) / "film.mkv").read_bytes() == data


@pytest.mark.parametrize("refusal", [Refusal.NOT_FOUND, Refusal.CHANGED, Refusal.NOT_HELD, Refusal.FAILED])
async def test_lying_have_costs_only_a_question(
    ben: Engine, peer: FakePeer, tmp_path: Path, refusal: Refusal
) -> None:
    """A peer that says to have all and gives nothing is not waited for."""
    data = noise(4 * MIB)
    root = peer.offer(data)
    peer.refusals[root] = refusal
    async with fake_peer(tmp_path, ben, "honest") as honest:
        honest.file(data)
        await until_online(ben, 2)
        got = await fetched(ben, "mallory/film.mkv")

    assert got.state == "done"
    assert received(got, "honest") == len(data)


async def test_impossible_have_is_not_believed(
    ben: Engine, peer: FakePeer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Bits that no content can have are logged; the transfer goes on with others."""
    data = noise(2 * MIB)
    root = peer.offer(data)
    peer.haves[root] = [Have(root=root, first=3, bits=b"\xff")]
    with caplog.at_level(logging.WARNING):
        async with fake_peer(tmp_path, ben, "honest") as honest:
            honest.file(data)
            await until_online(ben, 2)
            got = await fetched(ben, "mallory/film.mkv")

    assert got.state == "done"
    assert received(got, "mallory") == 0


async def test_impossible_news_close_the_link(ben: Engine, peer: FakePeer) -> None:
    """A have-update of a chunk that cannot be ends the link of who sent it; the transfer waits."""
    root = peer.offer(noise(2 * MIB))
    peer.refusals[root] = Refusal.BUSY
    started = await ben.get("mallory/film.mkv")
    await transfer_when(ben, started.transfer_id, lambda view: bool(view.sources))
    peer.link.send(HaveUpdate(root=root, chunks=[2**60]))
    closed = await peer.links[0]

    assert closed.code == "protocol"
    assert (await transfer_when(ben, started.transfer_id, lambda view: view.sources[0].state == "gone")).bytes == 0
