"""What a peer learns of a private share, by every question it can ask, with and without a grant."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import msgspec
import pytest

from peerterm.api.views import SearchQuery
from peerterm.core.manifest import CHUNK_BYTES
from peerterm.core.pieces import Piece, PieceKind
from peerterm.errors import PeerRefused
from peerterm.wire.codec import encode
from peerterm.wire.lane import REPLY
from peerterm.wire.messages import (
    BrowseRequest,
    FindRequest,
    InterestRequest,
    LocateRequest,
    SearchRequest,
)
from tests.fakes.engines import noise, running, shared, until_online, write
from tests.fakes.fake_peer import fake_peer, root_of
from tests.fakes.lane_asker import LaneAsker
from tests.fakes.linked import contexts_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from peerterm.core.ids import PeerId, Root
    from peerterm.engine.engine import Engine
    from peerterm.store.grants import PrivateShare
    from peerterm.wire.messages import Request
    from tests.fakes.fake_peer import FakePeer

FILM, NOTE = noise(CHUNK_BYTES + 7), b"a note"
FILM_ROOT, NOTE_ROOT = root_of(FILM), root_of(NOTE)
FILM_SUM = hashlib.sha256(FILM).hexdigest()
OFFER, OTHER_OFFER = "0123456789abcdef", "fedcba9876543210"
GRANTED = {"find", "find_by_prefix", "interest", "head", "page", "chunk", "listing"}
"""What is answered otherwise to whom has a grant."""


@dataclass(frozen=True)
class Replies:
    """All that one peer is answered: messages of the link as bytes, answers of the lane as they came."""

    search: list[bytes]
    search_by_hash: list[bytes]
    browse: list[bytes]
    browse_below: list[bytes]
    locate: list[bytes]
    find: list[bytes]
    find_by_prefix: list[bytes]
    find_by_sum: list[bytes]
    interest: list[bytes]
    head: list[bytes]
    page: list[bytes]
    chunk: list[bytes]
    listing: list[bytes]

    def differing(self, other: Replies) -> set[str]:
        """Return the questions that are answered otherwise."""
        return {each.name for each in fields(self) if getattr(self, each.name) != getattr(other, each.name)}


class Stranger:
    """A peer that asks everything."""

    def __init__(self, peer: FakePeer, lane: LaneAsker, peer_id: PeerId) -> None:
        self.peer_id = peer_id
        self._peer = peer
        self._lane = lane

    async def learns(self, folder: Root) -> Replies:
        """Ask for the film, the note and the folder in every way; not often, or the searches are a flood."""
        roots = FILM_ROOT, NOTE_ROOT, folder
        return Replies(
            search=await self._ask(SearchRequest(text="secret")),
            search_by_hash=await self._ask(*(SearchRequest(text=root.hex()) for root in (FILM_ROOT, folder))),
            browse=await self._ask(BrowseRequest()),
            browse_below=await self._ask(BrowseRequest(path=["secret"])),
            locate=await self._ask(LocateRequest(path=["secret"]), LocateRequest(path=["secret", "film.mkv"])),
            find=await self._ask(*(FindRequest(by="root", prefix=root.hex()) for root in roots)),
            find_by_prefix=await self._ask(*(FindRequest(by="root", prefix=root.hex()[:8]) for root in roots)),
            find_by_sum=await self._ask(FindRequest(by="sha256", prefix=FILM_SUM)),
            interest=await self._ask(InterestRequest(roots=list(roots))),
            head=[await self._lane.reply(Piece(root, PieceKind.HEAD, 0)) for root in roots],
            page=[await self._lane.reply(Piece(root, PieceKind.PAGE, 0)) for root in roots],
            chunk=[await self._lane.reply(Piece(root, PieceKind.CHUNK, 0)) for root in (FILM_ROOT, NOTE_ROOT)],
            listing=[await self._lane.reply(Piece(folder, PieceKind.CHUNK, 0))],
        )

    async def _ask(self, *requests: Request) -> list[bytes]:
        return [part for request in requests for part in await self._parts(request)]

    async def _parts(self, request: Request) -> list[bytes]:
        try:
            answers = [part async for part in self._peer.link.ask(request, timeout=10)]
        except PeerRefused as refused:
            return [repr((refused.message, refused.__cause__)).encode()]
        return [encode(msgspec.structs.replace(answer, request=1)) for answer in answers]


@dataclass(frozen=True)
class Scene:
    """An engine with a folder to offer, two peers of it, and what one of them was answered before."""

    anna: Engine
    mallory: Stranger
    eve: Stranger
    path: Path
    root: Root
    before: Replies

    async def offer(self) -> PrivateShare:
        """Make the folder a private share."""
        return await self.anna.services.grants.offer(self.path)

    async def news(self) -> set[str]:
        """Ask everything as mallory; return what is answered otherwise than before there was anything."""
        return self.before.differing(await self.mallory.learns(self.root))


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """Yield anna, who shares something else, and two peers."""
    secret = tmp_path / "files" / "secret"
    write(secret / "film.mkv", FILM)
    write(secret / "note.txt", NOTE)
    async with (
        running(tmp_path, "anna") as anna,
        fake_peer(tmp_path, anna, "mallory") as mallory,
        fake_peer(tmp_path, anna, "eve") as eve,
    ):
        await shared(anna, write(tmp_path / "open.txt", b"open"))
        await until_online(anna, 2)
        probe = await anna.services.grants.offer(secret)
        await anna.services.grants.discard(probe.share_id)
        port = (await anna.status()).port
        keys = [contexts_of(tmp_path, f"{name}.key") for name in ("mallory", "eve")]
        async with LaneAsker(keys[0], port) as lane, LaneAsker(keys[1], port) as other:
            strangers = Stranger(mallory, lane, keys[0].peer_id), Stranger(eve, other, keys[1].peer_id)
            before = await strangers[0].learns(probe.root)
            yield Scene(anna, *strangers, secret, probe.root, before)


async def test_without_a_grant_nothing_is_there(scene: Scene) -> None:
    """An offer to nobody, and one to another peer, change not a byte of any answer."""
    share = await scene.offer()
    assert await scene.news() == set()
    await scene.anna.services.grants.grant(share.share_id, scene.eve.peer_id, OFFER)

    assert await scene.news() == set()


async def test_grant_for_something_else_shows_nothing_of_this(scene: Scene, tmp_path: Path) -> None:
    """Who may have one private share does not learn of another."""
    grants = scene.anna.services.grants
    other = await grants.offer(write(tmp_path / "other.txt", b"other"))
    await grants.grant(other.share_id, scene.mallory.peer_id, OFFER)
    share = await scene.offer()
    await grants.grant(share.share_id, scene.eve.peer_id, OFFER)

    assert await scene.news() == set()


async def test_grant_opens_what_is_asked_for_by_root_alone(scene: Scene) -> None:
    """With a grant it is found by its root and fetched; still nobody searches, browses or locates it."""
    share = await scene.offer()
    await scene.anna.services.grants.grant(share.share_id, scene.mallory.peer_id, OFFER)

    assert await scene.news() == GRANTED
    seen = await scene.mallory.learns(scene.root)
    assert [reply[REPLY.size :] for reply in seen.chunk] == [FILM[:CHUNK_BYTES], NOTE]


async def test_revoked_grant_closes_it_at_once(scene: Scene) -> None:
    """What was served a moment ago on the same lane is absent; another's grant does not change that."""
    grants = scene.anna.services.grants
    share = await scene.offer()
    for stranger in (scene.mallory, scene.eve):
        await grants.grant(share.share_id, stranger.peer_id, OFFER)
    assert await scene.news() == GRANTED
    await grants.revoke(OFFER, scene.mallory.peer_id)

    assert await scene.news() == set()
    assert scene.before.differing(await scene.eve.learns(scene.root)) == GRANTED


async def test_one_of_two_grants_is_enough(scene: Scene) -> None:
    """The end of one offer does not end another of the same share to the same peer."""
    grants = scene.anna.services.grants
    share = await scene.offer()
    for offer_id in (OFFER, OTHER_OFFER):
        await grants.grant(share.share_id, scene.mallory.peer_id, offer_id)
    await grants.revoke(OFFER, scene.mallory.peer_id)

    assert await scene.news() == GRANTED
    await grants.revoke(OTHER_OFFER, scene.mallory.peer_id)
    assert await scene.news() == set()


@pytest.mark.parametrize("everyones", ["secret", "secret/film.mkv", "."])
async def test_what_is_shared_with_everyone_too_stays_everyones(scene: Scene, everyones: str) -> None:
    """A share that equals, lies in or holds a private one is answered the same, whatever becomes of that."""
    grants, folder = scene.anna.services.grants, scene.path.parent
    await shared(scene.anna, folder / everyones)
    listed = await scene.mallory.learns(scene.root)
    assert "chunk" in scene.before.differing(listed)
    share = await scene.offer()
    await grants.grant(share.share_id, scene.eve.peer_id, OFFER)

    assert listed.differing(await scene.mallory.learns(scene.root)) == set()
    await grants.grant(share.share_id, scene.mallory.peer_id, OFFER)
    granted = await scene.mallory.learns(scene.root)
    assert listed.differing(granted) == (GRANTED if everyones == "secret/film.mkv" else set())
    for stranger in (scene.mallory, scene.eve):
        await grants.revoke(OFFER, stranger.peer_id)
    assert listed.differing(await scene.mallory.learns(scene.root)) == set()


async def test_private_share_is_in_no_view_of_its_owner(scene: Scene) -> None:
    """Neither shares nor totals nor the owner's own search and browse know of it."""
    anna = scene.anna
    before = await anna.shares(), await anna.status(), await anna.services.catalog.totals()
    share = await scene.offer()
    await anna.services.grants.grant(share.share_id, scene.mallory.peer_id, OFFER)
    hits = [hit async for hit in anna.search(SearchQuery(text="secret", timeout=0.1))]

    assert (await anna.shares(), await anna.status(), await anna.services.catalog.totals()) == before
    assert hits == []
    assert [entry.name for entry in (await anna.browse("anna")).entries] == ["open.txt"]
