"""What peers are answered: asked over a real link of a real engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import pytest

from peerterm.engine.answering import MAX_PART_ITEMS, Answering
from peerterm.errors import NotFound, NotSupported, PeerRefused, UsageError
from peerterm.wire.messages import (
    Answer,
    BrowseAnswer,
    BrowseRequest,
    FindAnswer,
    FindRequest,
    InterestAnswer,
    InterestRequest,
    LocateAnswer,
    LocateRequest,
    Request,
    SearchAnswer,
    SearchRequest,
)
from tests.fakes.engines import noise, running, shared, until_online, write
from tests.fakes.fake_peer import FakePeer, fake_peer, root_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from peerterm.net.link import Link

A = TypeVar("A", bound=Answer)

FILES = 300
LONG = "n" * 200


class Asker:
    """A peer of an engine that shares a film and a folder of many files with long names."""

    def __init__(self, peer: FakePeer, root: str) -> None:
        self._peer = peer
        self.root = root

    async def parts(self, request: Request, kind: type[A]) -> list[A]:
        """Ask, and return all parts of the answer."""
        parts = [part async for part in self._peer.link.ask(request, timeout=10)]
        assert all(isinstance(part, kind) for part in parts)
        assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
        return cast("list[A]", parts)

    async def error(self, request: Request) -> BaseException | None:
        """Ask, and return what the engine says is wrong."""
        with pytest.raises(PeerRefused) as raised:
            await self.parts(request, Answer)
        return raised.value.__cause__


@pytest.fixture
async def asker(tmp_path: Path) -> AsyncIterator[Asker]:
    for number in range(FILES):
        write(tmp_path / "many" / f"{LONG} {number:03}.txt", noise(8, number))
    async with running(tmp_path, "anna") as anna:
        root = await shared(anna, tmp_path / "many")
        await shared(anna, write(tmp_path / "film.mkv", b"film"))
        async with fake_peer(tmp_path, anna) as peer:
            await until_online(anna, 1)
            yield Asker(peer, root)


async def test_search_is_answered_in_parts_that_fit(asker: Asker) -> None:
    """Every hit comes once, best first, and no part is larger than a frame may be."""
    parts = await asker.parts(SearchRequest(text="nnn", limit=200), SearchAnswer)
    hits = [hit for part in parts for hit in part.hits]

    assert len(parts) > 1
    assert all(len(part.hits) <= MAX_PART_ITEMS for part in parts)
    assert len({tuple(hit.path) for hit in hits}) == 200


async def test_search_without_a_hit_is_one_empty_part(asker: Asker) -> None:
    """The asker is not left waiting."""
    (part,) = await asker.parts(SearchRequest(text="nothing of that name"), SearchAnswer)

    assert part.hits == []


async def test_search_that_cannot_be_meant_is_refused(asker: Asker) -> None:
    """A peer's query is checked as a user's is."""
    assert isinstance(await asker.error(SearchRequest(text="x", kind="poetry")), UsageError)


async def test_content_is_found_by_either_hash(asker: Asker) -> None:
    """The start of a root is enough; what is not here is an empty answer."""
    root = root_of(b"film").hex()
    (part,) = await asker.parts(FindRequest(by="root", prefix=root[:8]), FindAnswer)
    (by_sum,) = await asker.parts(
        FindRequest(by="sha256", prefix=cast("bytes", part.hits[0].sha256).hex()), FindAnswer
    )
    (nothing,) = await asker.parts(FindRequest(by="root", prefix="0" * 64), FindAnswer)

    assert [hit.path for hit in part.hits] == [hit.path for hit in by_sum.hits] == [["film.mkv"]]
    assert nothing.hits == []


async def test_folder_is_browsed_page_by_page(asker: Asker) -> None:
    """A page that does not fit one message is cut, and says that more follow."""
    names: list[str] = []
    more = True
    while more:
        (page,) = await asker.parts(BrowseRequest(path=["many"], after=names[-1] if names else ""), BrowseAnswer)
        names += [entry.path[-1] for entry in page.entries]
        more = page.more

    assert names == [f"{LONG} {number:03}.txt" for number in range(FILES)]
    (shares,) = await asker.parts(BrowseRequest(), BrowseAnswer)
    assert [entry.path for entry in shares.entries] == [["film.mkv"], ["many"]]


@pytest.mark.parametrize("path", [["secret"], ["many", "missing"], ["many", "..", "film.mkv"], ["many", "a/b"]])
async def test_path_that_is_not_offered_is_not_found(asker: Asker, path: list[str]) -> None:
    """Whatever stands in a path, nothing beyond the catalog is seen."""
    assert isinstance(await asker.error(BrowseRequest(path=path)), NotFound)
    assert isinstance(await asker.error(LocateRequest(path=path)), NotFound)


async def test_entry_is_located(asker: Asker) -> None:
    """A path leads to one entry with its root."""
    (file,) = await asker.parts(LocateRequest(path=["film.mkv"]), LocateAnswer)
    (folder,) = await asker.parts(LocateRequest(path=["many"]), LocateAnswer)

    assert (file.entry.root, file.entry.size, file.entry.kind) == (root_of(b"film"), 4, "file")
    assert (folder.entry.root.hex(), folder.entry.files, folder.entry.kind) == (asker.root, FILES, "folder")


async def test_interest_is_answered_for_what_is_here(asker: Asker) -> None:
    """Contents that are not offered are not named."""
    roots = [root_of(b"film"), b"?" * 32, *(root_of(noise(8, number)) for number in range(60))]
    parts = await asker.parts(InterestRequest(roots=list(roots)), InterestAnswer)
    haves = [have for part in parts for have in part.haves]

    assert [have.root for have in haves] == [root for root in roots if root != b"?" * 32]
    assert all(have.complete for have in haves)


class LaterRequest(Request, frozen=True, kw_only=True):
    """What a later version may ask."""


async def test_unknown_request_is_refused_by_name() -> None:
    """The peer learns that this version does not know it."""
    answering = Answering(*[cast("Any", None)] * 4)

    with pytest.raises(NotSupported, match="LaterRequest"):
        await anext(answering.answer(cast("Link", None), LaterRequest()))
