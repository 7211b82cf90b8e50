"""Search, browse and find, asked of honest and of lying peers."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from peerterm.api.views import SearchHit, SearchQuery
from peerterm.errors import AmbiguousReference, NotFound, PeerError, PeerUnavailable, ProtocolViolation, UsageError
from peerterm.wire.messages import SearchRequest
from tests.fakes.engines import network, running, shared, until_online, write
from tests.fakes.fake_peer import FakePeer, fake_peer, root_of, wire_entry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from peerterm.engine.engine import Engine

pytestmark = pytest.mark.usefixtures("settled")

FILM = root_of(b"film")


@pytest.fixture
async def anna(tmp_path: Path) -> AsyncIterator[Engine]:
    async with running(tmp_path, "anna") as engine:
        yield engine


@pytest.fixture
async def peer(anna: Engine, tmp_path: Path) -> AsyncIterator[FakePeer]:
    async with fake_peer(tmp_path, anna) as peer:
        await until_online(anna, 1)
        yield peer


async def hits(engine: Engine, text: str, **query: object) -> list[SearchHit]:
    return [hit async for hit in engine.search(SearchQuery(text=text, **query))]  # type: ignore[arg-type]


async def test_own_shares_are_found_at_once_and_peers_are_added(
    anna: Engine, peer: FakePeer, tmp_path: Path
) -> None:
    """A hit comes again with each further holder."""
    await shared(anna, write(tmp_path / "film.mkv", b"film"))
    peer.entries = [wire_entry(FILM, "x", "same film.mkv", size=4)]
    found = await hits(anna, "film")

    assert [[holder.name for holder in hit.peers] for hit in found] == [["anna"], ["anna", "mallory"]]
    assert {hit.root for hit in found} == {FILM.hex()}
    assert isinstance(peer.asked[0], SearchRequest)


@pytest.mark.parametrize(
    "entry",
    [
        wire_entry(FILM, "..", "etc", "passwd"),
        wire_entry(FILM, "a/../../b"),
        wire_entry(FILM, "film\n.mkv"),
        wire_entry(FILM, "film.mkv.peerterm-part"),
    ],
)
async def test_hostile_name_is_refused_wherever_it_comes(anna: Engine, peer: FakePeer, entry: object) -> None:
    """Not shown in a search, not browsed, not fetched."""
    peer.entries = [wire_entry(FILM, "good.mkv", size=4), entry]  # type: ignore[list-item]

    assert await hits(anna, "film") == []
    with pytest.raises(ProtocolViolation):
        await anna.browse("mallory")
    peer.entries = [entry]  # type: ignore[list-item]
    with pytest.raises(ProtocolViolation):
        await anna.get("mallory/good.mkv")
    with pytest.raises(NotFound):
        await anna.get(FILM.hex())
    assert (await anna.status()).peers == 1


async def test_answer_to_another_question_is_not_believed(anna: Engine, peer: FakePeer) -> None:
    """A peer that answers a find with what was not asked for offers nothing."""
    peer.entries = [
        wire_entry(root_of(b"trap"), "trap.exe", size=4, sha256=hashlib.sha256(b"trap").digest()),
        wire_entry(root_of(b"list"), "folder", size=4, kind="folder", sha256=hashlib.sha256(b"film").digest()),
        wire_entry(root_of(b"sumless"), "sumless", size=4),
    ]

    for reference in (FILM.hex(), f"sha256:{hashlib.sha256(b'film').hexdigest()}"):
        with pytest.raises(NotFound):
            await anna.get(reference)


async def test_start_of_two_roots_is_not_guessed(anna: Engine, peer: FakePeer) -> None:
    """The error names both contents."""
    roots = [FILM, type(FILM)(FILM[:16] + b"x" * 16)]
    peer.entries = [wire_entry(root, f"{number}.mkv", size=4) for number, root in enumerate(roots)]

    with pytest.raises(AmbiguousReference, match=r"0\.mkv.*1\.mkv"):
        await anna.get(FILM.hex()[:16])


async def test_one_peer_that_offers_a_content_twice_is_one_holder(anna: Engine, peer: FakePeer) -> None:
    """Two entries of one root are one content."""
    peer.entries = [wire_entry(FILM, name, size=4) for name in ("a.mkv", "b.mkv")]
    found = await anna.services.searching.find(FILM.hex())

    assert len(found.holders) == 1
    assert found.entry.path == ("a.mkv",)


async def test_content_that_only_this_machine_has_is_not_fetched(anna: Engine, tmp_path: Path) -> None:
    """The error says where it is."""
    root = await shared(anna, write(tmp_path / "film.mkv", b"film"))

    with pytest.raises(NotFound, match="only this machine") as raised:
        await anna.get(root)
    assert "film.mkv" in raised.value.hint


async def test_path_of_a_peer_that_is_away_is_unavailable(anna: Engine, tmp_path: Path) -> None:
    """Known, but not online."""
    async with fake_peer(tmp_path, anna) as peer:
        await until_online(anna, 1)
        await peer.link.close()
        with pytest.raises(PeerError):
            await anna.browse("mallory")
    with pytest.raises(PeerUnavailable):
        await anna.get("mallory/film.mkv")


async def test_own_shares_are_browsed_by_own_name_and_id(anna: Engine, tmp_path: Path) -> None:
    """A folder that is not there is an error there too."""
    await shared(anna, write(tmp_path / "film.mkv", b"film"))
    me = (await anna.status()).peer_id

    for name in ("anna", me):
        assert [entry.name for entry in (await anna.browse(name)).entries] == ["film.mkv"]
    with pytest.raises(NotFound):
        await anna.browse("anna", "nowhere")


async def test_page_limit_is_kept_within_bounds(tmp_path: Path) -> None:
    """A silly limit is brought to a sensible one; an empty page has no next."""
    for name in ("a", "b"):
        write(tmp_path / "share" / name, b"x")
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, tmp_path / "share")
        for limit, count in ((-1, 1), (0, 1), (10**9, 2)):
            page = await ben.browse("anna", "share", limit=limit)
            assert len(page.entries) == count
            assert bool(page.next) == (count == 1)
        end = await ben.browse("anna", "share", after="b")

    assert (end.entries, end.next) == ([], "")


@pytest.mark.parametrize("query", [{"text": ""}, {"text": "x", "kind": "poetry"}, {"text": "x", "min_size": -1}])
async def test_impossible_search_is_refused_before_anybody_is_asked(
    anna: Engine, peer: FakePeer, query: dict[str, object]
) -> None:
    """The user is told; peers are left alone."""
    with pytest.raises(UsageError):
        await hits(anna, **query)  # type: ignore[arg-type]
    assert not peer.asked
