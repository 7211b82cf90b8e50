"""What one is offered alone: fetched as anything is, and not served on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from peerterm.core.catalog import CatalogEntry
from peerterm.core.ids import Root, TransferId
from peerterm.engine.order import Order
from peerterm.errors import InvalidName, NotFound
from peerterm.wire.messages import HaveUpdate, InterestAnswer, InterestRequest
from tests.fakes.engines import MIB, eventually, network, noise, running, shared, until_online, write
from tests.fakes.fake_peer import fake_peer, root_of, wire_entry
from tests.fakes.fetching import finished, transfer_when
from tests.fakes.gates import gated

if TYPE_CHECKING:
    from pathlib import Path

    from peerterm.core.ids import PeerId
    from peerterm.engine.engine import Engine
    from peerterm.store.grants import PrivateShare
    from tests.fakes.fake_peer import FakePeer

pytestmark = pytest.mark.usefixtures("settled")

FILM = noise(6 * MIB)
ROOT = root_of(FILM)
SONG = noise(MIB, 1)  # not so small that its chunk waits for others to be sent with it
OFFER = "0123456789abcdef"


async def id_of(engine: Engine) -> PeerId:
    return engine.services.identity.peer_id


async def offered(anna: Engine, ben: Engine, path: Path) -> CatalogEntry:
    """Let anna offer something to ben alone; return what an offer says of it."""
    share = await anna.services.grants.offer(path)
    await anna.services.grants.grant(share.share_id, await id_of(ben), OFFER)
    return entry_of(share)


def entry_of(share: PrivateShare) -> CatalogEntry:
    return CatalogEntry((share.name,), share.kind, share.size, share.files, share.root, is_private=True)


async def has(peer: FakePeer, *roots: Root) -> list[bytes]:
    """Return which contents the engine says to a peer that it has."""
    answer = await peer.link.ask_one(InterestRequest(roots=list(roots)), timeout=10)
    assert isinstance(answer, InterestAnswer)
    return [have.root for have in answer.haves]


async def test_nobody_gets_from_the_recipient_what_he_was_offered(tmp_path: Path) -> None:
    """Neither while it comes in nor in the next engine nor when it has landed."""
    names = "film.mkv", "song.ogg"
    for name, data in zip(names, (FILM, SONG), strict=True):
        write(tmp_path / "album" / name, data)
    async with running(tmp_path, "anna") as anna:
        with gated(anna, 2) as gate:  # one of them for the listing
            async with running(tmp_path, "ben") as ben, fake_peer(tmp_path, ben) as mallory:
                await until_online(ben, 2)
                entry = await offered(anna, ben, tmp_path / "album")
                roots = entry.root, ROOT, root_of(SONG)
                started = await ben.services.downloads.fetch(entry)
                await transfer_when(ben, started.transfer_id, lambda view: view.bytes > 0)
                assert await has(mallory, *roots) == []
            async with running(tmp_path, "ben") as ben, fake_peer(tmp_path, ben) as mallory:
                await until_online(ben, 2)
                assert await has(mallory, *roots) == []
                gate.open()
                done = await finished(ben, started.transfer_id)
                assert await has(mallory, *roots) == []

    assert not [each for each in mallory.heard if isinstance(each, HaveUpdate)]
    assert (done.state, done.name) == ("done", "album")
    assert (tmp_path / "ben" / "downloads" / "album" / "film.mkv").read_bytes() == FILM


async def test_others_cannot_get_it_by_its_root(tmp_path: Path) -> None:
    """Who has no grant finds it neither at the sender nor at the recipient."""
    async with network(tmp_path, "anna", "ben", "carla") as (anna, ben, carla):
        entry = await offered(anna, ben, write(tmp_path / "film.mkv", FILM))
        started = await ben.services.downloads.fetch(entry)
        done = await finished(ben, started.transfer_id)
        with pytest.raises(NotFound):
            await carla.get(ROOT.hex())
        waiting = await carla.services.downloads.fetch(entry)
        view = await transfer_when(carla, waiting.transfer_id, lambda each: each.state == "waiting")

    assert done.state == "done"
    assert view.bytes == 0


async def test_recipient_who_asks_by_root_serves_nothing_on_either(tmp_path: Path) -> None:
    """An ordinary download of what one alone may have is private all the same."""
    async with network(tmp_path, "anna", "ben") as (anna, ben), fake_peer(tmp_path, ben) as mallory:
        await offered(anna, ben, write(tmp_path / "film.mkv", FILM))
        with gated(anna, 2):
            started = await ben.get(ROOT.hex()[:12])
            await transfer_when(ben, started.transfer_id, lambda view: view.bytes > 0)
            seen = await has(mallory, ROOT)

    assert seen == []


async def test_stream_of_it_is_not_served_on(tmp_path: Path) -> None:
    """A player reads it to the end; others are told of nothing."""
    async with network(tmp_path, "anna", "ben") as (anna, ben), fake_peer(tmp_path, ben) as mallory:
        await offered(anna, ben, write(tmp_path / "film.mkv", FILM))
        stream = await ben.stream(ROOT.hex())
        async with aiohttp.ClientSession() as session, session.get(stream.url) as reply:
            data = await reply.read()
        seen = await has(mallory, ROOT)
        with pytest.raises(NotFound):
            await anna.stream(ROOT.hex())

    assert data == FILM
    assert seen == []


async def test_fetch_in_flight_ends_at_a_source_that_revokes(tmp_path: Path) -> None:
    """Not a chunk more comes; what came stays, and goes on when it is offered again."""
    film = write(tmp_path / "film.mkv", FILM)
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        entry, grants = await offered(anna, ben, film), anna.services.grants
        with gated(anna, 2) as gate:
            started = await ben.services.downloads.fetch(entry)
            await transfer_when(ben, started.transfer_id, lambda view: view.bytes == 2 * MIB)
            await grants.revoke(OFFER, await id_of(ben))
            gate.open()
            fetching = ben.services.downloads.transfers[TransferId(started.transfer_id)].fetching
            assert fetching
            await eventually(lambda: fetching.machine.is_idle)
            left = fetching.verified_bytes
            assert await grants._store.shares() == []
            again = await offered(anna, ben, film)
            await ben.pause(started.transfer_id)
            await ben.resume(started.transfer_id)
            done = await finished(ben, started.transfer_id)

    assert left == 2 * MIB
    assert again.root == entry.root
    assert (done.state, done.sources[0].bytes) == ("done", len(FILM))


async def test_fetch_waits_for_whoever_is_offline(tmp_path: Path) -> None:
    """What is known from an offer need not be found first."""
    entry = CatalogEntry(("my film.mkv",), "file", len(FILM), 1, ROOT)
    async with running(tmp_path, "ben") as ben:
        started = await ben.services.downloads.fetch(entry, str(tmp_path / "inbox"))
        await transfer_when(ben, started.transfer_id, lambda view: view.state == "waiting")
        async with running(tmp_path, "anna") as anna:
            await shared(anna, write(tmp_path / "film.mkv", FILM))
            await ben.pause(started.transfer_id)
            await ben.resume(started.transfer_id)
            await until_online(ben, 1)
            done = await finished(ben, started.transfer_id)

    assert (done.state, done.path) == ("done", str(tmp_path / "inbox" / "my film.mkv"))


async def test_fetch_refuses_a_name_that_must_not_reach_a_disk(ben: Engine) -> None:
    """An offer is as hostile as any message."""
    for name in ("..", "a/b", "two\nlines"):
        with pytest.raises(InvalidName):
            await ben.services.downloads.fetch(CatalogEntry((name,), "file", 1, 1, ROOT, is_private=True))

    assert await ben.transfers() == []


async def test_what_anybody_offers_to_everyone_is_not_private(tmp_path: Path) -> None:
    """One holder's word that it is private does not bind those who got it elsewhere."""
    async with (
        running(tmp_path, "ben") as ben,
        fake_peer(tmp_path, ben, "mallory") as mallory,
        fake_peer(tmp_path, ben, "eve") as eve,
    ):
        await until_online(ben, 2)
        mallory.entries = [wire_entry(ROOT, "film.mkv", size=len(FILM), private=True)]
        alone = await ben.services.searching.find(ROOT.hex())
        for peer in (mallory, eve):
            peer.entries = [wire_entry(ROOT, "film.mkv", size=len(FILM), private=peer is mallory)]
        both = await ben.services.searching.find(ROOT.hex())

    # Without eve's answer to the contrary mallory's stands.
    assert (alone.entry.is_private, len(alone.holders)) == (True, 1)
    assert (both.entry.is_private, len(both.holders)) == (False, 2)


def test_public_order_does_not_stand_for_a_private_one(tmp_path: Path) -> None:
    """What others get from us would be what we were given alone."""

    def order(*, is_private: bool) -> Order:
        entry = CatalogEntry(("film.mkv",), "file", 1, 1, ROOT, is_private=is_private)
        return Order("1", ROOT.hex(), entry, tmp_path)  # type: ignore[arg-type]

    private, public = order(is_private=True), order(is_private=False)

    assert not public.covers(private)
    assert private.covers(public)
    assert private.covers(private)
    assert public.covers(public)
