from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from pathlib import Path

import pytest

from peerterm.core.ids import Root, ShareId
from peerterm.errors import InvalidName, InvalidPath, NotFound
from peerterm.store import shares as module
from peerterm.store.database import Database
from peerterm.store.scanner import FileKey, KnownFile, ScannedEntry, ScanResult, Skipped
from peerterm.store.shares import ScanOutcome, ShareStore

SHARE = ShareId("00000001")
OTHER = ShareId("00000002")
LARGE = 2 * 1024 * 1024


def root_of(text: str) -> Root:
    return Root(hashlib.sha256(text.encode()).digest())


def file(path: str, content: str = "", *, size: int = 10, inode: int = 1, mtime_ns: int = 5) -> ScannedEntry:
    root = root_of(content or path)
    parts = tuple(path.split("/")) if path else ()
    return ScannedEntry(
        parts, "file", size, 1, root, root_of(f"flat {root!r}"), False, mtime_ns, 2**64 - 1, inode, 9
    )


def folder(path: str, content: str) -> ScannedEntry:
    parts = tuple(path.split("/")) if path else ()
    return ScannedEntry(parts, "folder", 20, 2, root_of(content), None, False, 0, 1, 1, 9)


def scan(*entries: ScannedEntry, digests: dict[Root, bytes] | None = None) -> ScanResult:
    listings = {entry.root: b"listing " + entry.root for entry in entries if entry.kind == "folder"}
    return ScanResult(list(entries), [], 0, digests or {}, listings)


@pytest.fixture
async def store(database: Database) -> ShareStore:
    store = ShareStore(database)
    await store.add(SHARE, "Music", Path("/srv/music"), "folder", "everyone")
    return store


async def numbers(database: Database) -> dict[str, int]:
    return dict(await database.fetch_all("SELECT parent || name, seq FROM entries"))


async def tombstones(database: Database) -> list[tuple[object, ...]]:
    return await database.fetch_all("SELECT share_id, share_name, path, seq FROM removed ORDER BY seq")


async def test_shares_are_listed_by_name(store: ShareStore) -> None:
    """A share is there at once, without a root until it is scanned."""
    await store.add(OTHER, "Films", Path("/srv/films"), "folder", "everyone")

    films, music = await store.all()

    assert (films.name, films.path, films.root, films.seq) == ("Films", Path("/srv/films"), None, 0)
    assert (music.share_id, music.name, music.kind, music.visibility) == (SHARE, "Music", "folder", "everyone")
    assert music.added_at > 1_700_000_000


@pytest.mark.parametrize(
    ("name", "path", "error"),
    [
        ("Music", "/other", InvalidName),
        ("Other", "/srv/music", InvalidPath),
        ("Other", "/srv/\udcff", InvalidPath),
    ],
)
async def test_share_that_clashes_is_refused(
    store: ShareStore, name: str, path: str, error: type[Exception]
) -> None:
    """Names and paths are unique, and a path must be text that clients can be told."""
    with pytest.raises(error):
        await store.add(OTHER, name, Path(path), "folder", "everyone")

    assert len(await store.all()) == 1


async def test_share_id_given_twice_is_a_bug(store: ShareStore) -> None:
    """Ids are made by us; two alike are no fault of the user."""
    with pytest.raises(sqlite3.IntegrityError):
        await store.add(SHARE, "Other", Path("/other"), "folder", "everyone")


async def test_first_scan_adds_everything(store: ShareStore) -> None:
    """The share takes root, size and count of its top entry; a folder is numbered after what is in it."""
    outcome = await store.apply_scan(SHARE, scan(folder("", "top"), folder("a", "a"), file("a/x"), file("b")))

    [share] = await store.all()
    assert outcome == ScanOutcome(added=4, changed=0, removed=0, seq=4)
    assert (share.root, share.size, share.files, share.seq) == (root_of("top"), 20, 2, 4)


async def test_folder_is_numbered_after_its_contents(store: ShareStore, database: Database) -> None:
    """Whoever follows the numbers sees a folder change last."""
    await store.apply_scan(SHARE, scan(folder("", "top"), folder("a", "a"), file("a/x"), file("b")))
    found = await numbers(database)

    assert found[""] > found["a"] > found["a/x"]
    assert sorted(found.values()) == [1, 2, 3, 4]


async def test_unchanged_entries_keep_their_number(store: ShareStore, database: Database) -> None:
    """The same scan again changes nothing at all."""
    result = scan(folder("", "top"), file("a"), file("b"))
    await store.apply_scan(SHARE, result)
    before = await numbers(database)

    outcome = await store.apply_scan(SHARE, result)

    assert outcome == ScanOutcome(0, 0, 0, seq=3)
    assert await numbers(database) == before


async def test_only_what_changed_gets_a_new_number(store: ShareStore, database: Database) -> None:
    """A new content gets the next number, its neighbour keeps its own."""
    await store.apply_scan(SHARE, scan(folder("", "top"), file("a"), file("b")))

    outcome = await store.apply_scan(SHARE, scan(folder("", "top 2"), file("a", "new"), file("b")))

    assert outcome == ScanOutcome(0, 2, 0, seq=5)
    assert await numbers(database) == {"": 5, "a": 4, "b": 1}


async def test_other_inode_is_stored_without_a_new_number(store: ShareStore, database: Database) -> None:
    """Peers cannot see an inode; the hash cache must."""
    await store.apply_scan(SHARE, scan(file("", inode=1)))

    outcome = await store.apply_scan(SHARE, scan(file("", inode=2**64 - 1)))

    assert outcome == ScanOutcome(0, 0, 0, seq=1)
    assert list(await store.hash_cache()) == [FileKey(2**64 - 1, 2**64 - 1, 10, 5)]


async def test_removed_entry_leaves_a_tombstone(store: ShareStore, database: Database) -> None:
    """A removal is numbered like any change, before the folders it changed."""
    await store.apply_scan(SHARE, scan(folder("", "top"), file("a"), file("b")))

    outcome = await store.apply_scan(SHARE, scan(folder("", "top 2"), file("b")))

    assert outcome == ScanOutcome(0, 1, 1, seq=5)
    assert await tombstones(database) == [(SHARE, "Music", "a", 4)]
    assert set(await numbers(database)) == {"", "b"}


async def test_returning_entry_takes_its_tombstone_away(store: ShareStore, database: Database) -> None:
    """What is offered again is not removed."""
    both = scan(file("", "1"), file("a"))
    await store.apply_scan(SHARE, both)
    await store.apply_scan(SHARE, scan(file("", "1")))

    outcome = await store.apply_scan(SHARE, both)

    assert outcome == ScanOutcome(1, 0, 0, seq=4)
    assert await tombstones(database) == []


async def test_move_is_a_removal_and_an_addition(store: ShareStore, database: Database) -> None:
    """A moved file keeps its content's digests and needs no new hash."""
    moved = root_of("film")
    before = scan(folder("", "top"), file("a", "film", size=LARGE), digests={moved: b"d" * 64})
    await store.apply_scan(SHARE, before)

    outcome = await store.apply_scan(SHARE, scan(folder("", "top 2"), file("b", "film", size=LARGE)))

    assert outcome == ScanOutcome(1, 1, 1, seq=5)
    assert await database.fetch_all("SELECT root, digests FROM digests") == [(moved, b"d" * 64)]
    assert (await store.hash_cache())[FileKey(2**64 - 1, 1, LARGE, 5)].root == moved


async def test_contents_of_no_entry_are_dropped(store: ShareStore, database: Database) -> None:
    """Digests and listings live as long as one entry, in any share, has their root."""
    film = root_of("film")
    large = file("a", "film", size=LARGE)
    await store.add(OTHER, "Copy", Path("/copy"), "folder", "everyone")
    await store.apply_scan(SHARE, scan(folder("", "top"), large, digests={film: b"d" * 64, root_of("x"): b"x"}))
    await store.apply_scan(OTHER, scan(folder("", "copy"), large))

    await store.apply_scan(SHARE, scan(folder("", "top 2")))
    assert await database.fetch_all("SELECT root FROM digests") == [(film,)]

    await store.apply_scan(OTHER, scan(folder("", "copy 2")))
    assert await database.fetch_all("SELECT root FROM digests") == []
    listings = await database.fetch_all("SELECT root FROM listings")
    assert {row[0] for row in listings} == {root_of("top 2"), root_of("copy 2")}


async def test_removed_share_takes_everything_along(store: ShareStore, database: Database) -> None:
    """One tombstone stands for the whole share; entries, search index and contents are gone."""
    large = file("holiday", size=LARGE)
    await store.apply_scan(SHARE, scan(folder("", "top"), large, file("b"), digests={large.root: b"d" * 64}))
    await store.apply_scan(SHARE, scan(folder("", "top"), large))

    await store.remove(SHARE)
    await store.remove(SHARE)

    assert await store.all() == []
    assert await tombstones(database) == [(SHARE, "Music", "", 5)]
    for table in ("entries", "digests", "listings", "skipped"):
        assert await database.fetch_all(f"SELECT * FROM {table}") == []
    assert await database.fetch_all("SELECT rowid FROM search WHERE search MATCH 'holiday'") == []
    await database.fetch_all("INSERT INTO search (search) VALUES ('integrity-check')")


async def test_share_never_scanned_leaves_no_trace(store: ShareStore, database: Database) -> None:
    """Peers never saw it, so there is nothing to tell them."""
    await store.remove(SHARE)

    assert await tombstones(database) == []
    assert await store.all() == []


async def test_oldest_removals_are_forgotten(
    store: ShareStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of removals is bounded, and the catalog says from where on it is complete."""
    monkeypatch.setattr(module, "MAX_REMOVED", 2)
    await store.apply_scan(SHARE, scan(file("", "1"), *(file(name) for name in "abcd")))

    await store.apply_scan(SHARE, scan(file("", "1")))

    assert [row[3] for row in await tombstones(database)] == [8, 9]
    assert await database.fetch_one("SELECT seq, forgotten FROM catalog") == (9, 7)


async def test_scan_of_a_removed_share_is_refused(store: ShareStore) -> None:
    """A share removed while it was scanned does not come back."""
    await store.remove(SHARE)

    with pytest.raises(NotFound):
        await store.apply_scan(SHARE, scan(folder("", "top")))


async def test_cancelled_scan_changes_nothing(store: ShareStore, database: Database) -> None:
    """Cancelling between two batches leaves the catalog as it was."""
    result = scan(folder("", "top"), *(file(f"{number}") for number in range(5000)))
    task = asyncio.create_task(store.apply_scan(SHARE, result))
    while not database._connection.in_transaction:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await numbers(database) == {}
    assert (await store.apply_scan(SHARE, result)).added == 5001


async def test_share_whose_top_is_gone_is_empty(store: ShareStore, database: Database) -> None:
    """A scan that found nothing takes everything out of the catalog."""
    await store.apply_scan(SHARE, scan(folder("", "top"), file("a")))

    outcome = await store.apply_scan(SHARE, scan())

    [share] = await store.all()
    assert outcome.removed == 2
    assert (share.root, share.files, share.size) == (None, 0, 0)


async def test_single_file_share_tells_its_flat_hash(store: ShareStore) -> None:
    """A share that is one file has its SHA-256, for ``share`` to print."""
    entry = file("", "content")
    await store.apply_scan(SHARE, scan(entry))

    [share] = await store.all()
    assert (share.root, share.sha256) == (entry.root, entry.sha256)


async def test_hash_cache_knows_files_of_all_shares(store: ShareStore) -> None:
    """What any share hashed, no scan hashes again; folders and times before 1970 included or not."""
    await store.add(OTHER, "Films", Path("/films"), "folder", "everyone")
    one, other = file("a", inode=7, mtime_ns=-3), file("b", inode=8)
    await store.apply_scan(SHARE, scan(folder("", "top"), one))
    await store.apply_scan(OTHER, scan(folder("", "films"), other))

    assert await store.hash_cache() == {
        FileKey(2**64 - 1, 7, 10, -3): KnownFile(one.root, one.sha256 or b""),
        FileKey(2**64 - 1, 8, 10, 5): KnownFile(other.root, other.sha256 or b""),
    }


async def test_large_file_without_digests_is_hashed_again(store: ShareStore, database: Database) -> None:
    """A content that could not be served is not taken from the cache, and the next scan restores it."""
    large = file("a", size=LARGE)
    await store.apply_scan(SHARE, scan(folder("", "top"), large))
    assert await store.hash_cache() == {}

    outcome = await store.apply_scan(SHARE, scan(folder("", "top"), large, digests={large.root: b"d" * 64}))

    assert outcome == ScanOutcome(0, 0, 0, seq=2)
    assert len(await store.hash_cache()) == 1


async def test_left_out_files_are_those_of_the_last_scan(store: ShareStore) -> None:
    """Reasons are replaced by each scan, and listed by path."""
    top = folder("", "top")
    for names in (["old"], ["b", "a"]):
        skipped = [Skipped(name, "cannot be read") for name in names]
        await store.apply_scan(SHARE, ScanResult([top], skipped, len(skipped), {}, {top.root: b"top"}))

    assert await store.skipped(SHARE) == [Skipped("a", "cannot be read"), Skipped("b", "cannot be read")]
