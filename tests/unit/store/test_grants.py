"""Private shares and grants in the database: kept whole, read by share, gone without a trace."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from peerterm.core.catalog import CatalogEntry
from peerterm.core.ids import PeerId, Root, ShareId
from peerterm.core.manifest import CHUNK_BYTES, EMPTY_ROOT, chunk_digest
from peerterm.errors import NotFound
from peerterm.store.catalog import CatalogReader
from peerterm.store.database import Database
from peerterm.store.grants import DigestsLost, Grant, GrantStore, PrivateContent, PrivateShare
from peerterm.store.reading import SharedFile
from peerterm.store.scanner import FileKey, KnownFile, ScannedEntry, ScanResult
from peerterm.store.shares import ShareStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SHARE, OTHER = ShareId("00000001"), ShareId("00000002")
ANNA, BEN = PeerId("a" * 64), PeerId("b" * 64)
OFFER = "0123456789abcdef"
LARGE = 2 * CHUNK_BYTES
BIG_INODE = 2**64 - 1


def root_of(text: str) -> Root:
    return Root(hashlib.sha256(text.encode()).digest())


TOP, SMALL, FILM = root_of("top"), root_of("small"), root_of("film")
LISTING = b"the listing of the top"


def file(path: str, root: Root, size: int, inode: int = BIG_INODE) -> ScannedEntry:
    parts = tuple(path.split("/")) if path else ()
    return ScannedEntry(parts, "file", size, 1, root, root_of(f"flat {root!r}"), False, -5, 7, inode, 9)


def album(*, inode: int = BIG_INODE, digests: dict[Root, bytes] | None = None) -> ScanResult:
    """Return a scan of a folder with a small, a large and an empty file."""
    top = ScannedEntry((), "folder", LARGE + 10, 3, TOP, None, False, 0, 7, 1, 9)
    files = [
        file("small.txt", SMALL, 10, inode),
        file("films/film.mkv", FILM, LARGE, inode),
        file("none", EMPTY_ROOT, 0),
    ]
    known = {FILM: b"digests of the film"} if digests is None else digests
    return ScanResult([top, *files], [], 0, known, {TOP: LISTING})


def private(share_id: ShareId = SHARE) -> PrivateShare:
    return PrivateShare(share_id, "album", Path("/srv/album"), "folder", TOP, LARGE + 10, 3)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "state.db")
    yield database
    await database.close()


@pytest.fixture
async def store(database: Database) -> GrantStore:
    """Return a store that has one private share."""
    store = GrantStore(database)
    await store.add(private(), album())
    return store


async def rows(database: Database) -> int:
    """Return how many rows there are of anything private."""
    tables = "private_shares", "private_entries", "private_contents", "grants"
    counts = [await database.fetch_all(f"SELECT count(*) FROM {table}") for table in tables]
    return sum(count for [(count,)] in counts)


async def test_private_share_is_read_back(store: GrantStore) -> None:
    """What was added is there, and nobody may have it."""
    assert await store.shares() == [private()]
    assert await store.grants() == []


async def test_contents_are_found_where_they_lie(store: GrantStore) -> None:
    """A listing is kept whole; files have digests and a place; the empty file has no digests."""

    def at(path: str, size: int) -> tuple[SharedFile, ...]:
        return (SharedFile(Path("/srv/album") / path, size, -5, BIG_INODE, 7),)

    found = {root: await store.content([SHARE], root) for root in (TOP, SMALL, FILM, EMPTY_ROOT, root_of("other"))}

    assert found == {
        TOP: PrivateContent(len(LISTING), chunk_digest(LISTING), listing=LISTING),
        SMALL: PrivateContent(10, root_of(f"flat {SMALL!r}"), at("small.txt", 10)),
        FILM: PrivateContent(LARGE, b"digests of the film", at("films/film.mkv", LARGE)),
        EMPTY_ROOT: PrivateContent(0, b"", at("none", 0)),
        root_of("other"): None,
    }


async def test_only_the_shares_named_are_looked_into(store: GrantStore) -> None:
    """A content of another private share is not there."""
    await store.add(private(OTHER), album())

    assert await store.content([], FILM) is None
    assert await store.content([ShareId("00000003")], FILM) is None
    assert await store.present([ShareId("00000003")], [FILM]) == set()
    assert await store.find([ShareId("00000003")], FILM.hex(), 9) == []
    assert await store.present([SHARE, OTHER], [FILM, TOP, root_of("other")]) == {FILM, TOP}


async def test_content_is_found_by_the_start_of_its_root(store: GrantStore) -> None:
    """Its path begins with the share's name; a content of two shares is one entry, and the answer is bounded."""
    await store.add(private(OTHER), album())
    (film,) = await store.find([SHARE, OTHER], FILM.hex()[:8], 9)
    (top,) = await store.find([SHARE], TOP.hex(), 9)

    assert film == CatalogEntry(
        ("album", "films", "film.mkv"),
        "file",
        LARGE,
        1,
        FILM,
        root_of(f"flat {FILM!r}"),
        mtime_ns=-5,
        is_private=True,
    )
    assert (top.path, top.kind, top.files) == (("album",), "folder", 3)
    assert len(await store.find([SHARE], "", 9)) == 4
    assert len(await store.find([SHARE], "", 2)) == 2


async def test_catalog_knows_nothing_of_it(store: GrantStore, database: Database) -> None:
    """Not even its totals and its number change."""
    del store
    reader = CatalogReader(database)
    totals = await reader.totals()

    assert (totals.shares, totals.files, totals.size, totals.seq) == (0, 0, 0, 0)
    assert await reader.digests(FILM) is None
    assert await reader.listing(TOP) is None
    assert await reader.size_of(SMALL) is None
    assert await ShareStore(database).all() == []


async def test_share_lives_as_long_as_a_grant(store: GrantStore, database: Database) -> None:
    """The last grant takes along all that was kept; what another share needs stays."""
    await store.add(private(OTHER), album())
    grants = [Grant(SHARE, ANNA, OFFER), Grant(SHARE, BEN, OFFER), Grant(OTHER, ANNA, OFFER)]
    for grant in [*grants, grants[0]]:
        await store.grant(grant)
    assert await store.grants() == grants
    await store.revoke(ANNA, OFFER)

    assert [share.share_id for share in await store.shares()] == [SHARE]
    assert await store.grants() == [grants[1]]
    assert await store.content([SHARE], FILM) is not None
    await store.revoke(ANNA, OFFER)
    await store.revoke(BEN, "another offer")
    assert await store.grants() == [grants[1]]
    await store.revoke(BEN, OFFER)
    assert await rows(database) == 0


async def test_share_with_a_grant_is_not_removed(store: GrantStore, database: Database) -> None:
    """Only what nobody may have is."""
    await store.add(private(OTHER), album())
    await store.grant(Grant(SHARE, ANNA, OFFER))
    await store.remove_unused(SHARE, OTHER, ShareId("00000003"))

    assert [share.share_id for share in await store.shares()] == [SHARE]
    await store.revoke(ANNA, OFFER)
    assert await rows(database) == 0


async def test_grant_of_what_is_not_there_is_refused(store: GrantStore) -> None:
    """A share that was removed meanwhile cannot be granted."""
    with pytest.raises(NotFound, match="00000002"):
        await store.grant(Grant(OTHER, ANNA, OFFER))

    assert await store.grants() == []


async def test_digests_of_hashes_that_were_known_are_taken_over(store: GrantStore, database: Database) -> None:
    """A scan that hashed nothing anew still leads to digests: those of everyone's share, or of a private one."""
    shares, song = ShareStore(database), root_of("song")
    await shares.add(ShareId("00000009"), "everyone's", Path("/srv/music"), "folder", "everyone")
    top = ScannedEntry((), "folder", LARGE, 1, root_of("music"), None, False, 0, 7, 1, 9)
    known = ScanResult([top, file("song", song, LARGE)], [], 0, {song: b"digests of the song"}, {})
    await shares.apply_scan(ShareId("00000009"), known)
    await store.add(private(OTHER), ScanResult([file("", song, LARGE)], [], 0, {}, {}))
    third = ShareId("00000003")
    await store.add(private(third), album(digests={}))
    await shares.remove(ShareId("00000009"))

    for share_id, root, digests in ((OTHER, song, b"digests of the song"), (third, FILM, b"digests of the film")):
        content = await store.content([share_id], root)
        assert content
        assert content.digests == digests


async def test_digests_that_got_lost_keep_the_share_out(store: GrantStore, database: Database) -> None:
    """What could not be served is not kept, not even in part."""
    await store.remove_unused(SHARE)
    with pytest.raises(DigestsLost):
        await store.add(private(), album(digests={}))

    assert await rows(database) == 0


async def test_files_that_moved_to_another_inode_are_noted(store: GrantStore) -> None:
    """The share is confirmed where it is now; one that was removed meanwhile stays removed."""
    await store.grant(Grant(SHARE, ANNA, OFFER))
    assert await store.confirm(SHARE, album(inode=3, digests={}))
    assert not await store.confirm(SHARE, album(inode=3, digests={}))
    assert not await store.confirm(OTHER, album())
    content = await store.content([SHARE], FILM)

    assert content
    assert [place.inode for place in content.files] == [3]
    assert content.digests == b"digests of the film"
    assert await store.grants() == [Grant(SHARE, ANNA, OFFER)]
    assert [share.share_id for share in await store.shares()] == [SHARE]


async def test_nothing_is_missing_while_files_are_confirmed(store: GrantStore) -> None:
    """Whoever asks just then is not told that there is nothing."""
    confirming = asyncio.create_task(store.confirm(SHARE, album(inode=3)))
    answers = 0
    while not confirming.done():
        content = await store.content([SHARE], FILM)
        assert content
        assert content.files
        assert await store.present([SHARE], [FILM]) == {FILM}
        answers += 1

    assert await confirming
    assert answers > 1


async def test_hashes_of_private_files_are_known_to_the_next_scan(store: GrantStore) -> None:
    """Nothing is read twice."""
    cache = await store.hash_cache()

    assert cache[FileKey(7, BIG_INODE, LARGE, -5)] == KnownFile(FILM, root_of(f"flat {FILM!r}"))
