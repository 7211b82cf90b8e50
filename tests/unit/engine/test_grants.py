"""Private shares: indexed, granted, revoked and taken up by the next engine."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from peerterm.config import FileSettings
from peerterm.core.ids import PeerId, ShareId
from peerterm.core.manifest import CHUNK_BYTES
from peerterm.core.pieces import PieceRefused
from peerterm.engine import grants as module
from peerterm.engine import scanning
from peerterm.engine.granted import Granted
from peerterm.engine.grants import Grants
from peerterm.errors import EngineBusy, InvalidName, InvalidPath, NotFound, SourceChanged, StorageError
from peerterm.store.database import Database
from peerterm.store.grants import Grant, GrantStore
from peerterm.store.scanner import FileKey, KnownFile, Scan, ScanResult
from peerterm.store.shares import ShareStore
from tests.fakes.engines import noise, running, shared, write
from tests.fakes.fake_peer import root_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection
    from pathlib import Path

    from peerterm.core.ids import Root
    from peerterm.engine.engine import Engine
    from peerterm.engine.reading import SharedContent
    from peerterm.store.grants import PrivateShare
    from peerterm.store.reading import SharedFile
    from peerterm.store.scanner import ScanProgress

BEN, CARLA = PeerId("b" * 64), PeerId("c" * 64)
OFFER, OTHER_OFFER = "0123456789abcdef", "fedcba9876543210"
FILM = noise(2 * CHUNK_BYTES + 5)


@pytest.fixture
async def anna(tmp_path: Path) -> AsyncIterator[Engine]:
    async with running(tmp_path, "anna") as engine:
        yield engine


@pytest.fixture
def grants(anna: Engine) -> Grants:
    return anna.services.grants


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write(tmp_path / "film.mkv", FILM)


async def content(engine: Engine, root: Root, peer: PeerId = BEN) -> SharedContent | None:
    """Return what a lane of a peer gets of a content."""
    offers = engine.services.uploads.offers_to(peer)
    try:
        return await asyncio.to_thread(offers.shared, root)
    except PieceRefused:
        return None


async def kept(engine: Engine) -> list[PrivateShare]:
    """Return the private shares that are kept."""
    return await _store(engine).shares()


def _store(engine: Engine) -> GrantStore:
    return engine.services.grants._store


async def test_file_is_indexed_under_its_name(grants: Grants, film: Path) -> None:
    """A single file has its own root, and counts as one."""
    share = await grants.offer(film)

    assert (share.name, share.kind, share.root, share.size, share.files) == (
        "film.mkv",
        "file",
        root_of(FILM),
        len(FILM),
        1,
    )
    assert share.path == film


async def test_folder_leaves_out_what_a_share_does(grants: Grants, tmp_path: Path) -> None:
    """Hidden files within it stay at home; a hidden file that is named itself does not."""
    write(tmp_path / "album" / "song.ogg", b"song")
    hidden = write(tmp_path / "album" / ".bashrc", b"hidden")
    folder, alone = await grants.offer(tmp_path / "album"), await grants.offer(hidden)

    assert (folder.kind, folder.files, folder.size) == ("folder", 1, 4)
    assert (alone.name, alone.files, alone.size) == (".bashrc", 1, 6)


async def test_what_cannot_be_shared_cannot_be_offered(anna: Engine, grants: Grants, tmp_path: Path) -> None:
    """The user is told why, and nothing is kept."""
    (tmp_path / "link").symlink_to(tmp_path)
    for path in (tmp_path / "missing", tmp_path / "link"):
        with pytest.raises(InvalidPath):
            await grants.offer(path)
    with pytest.raises(InvalidPath, match="absolute"):
        await grants.offer((tmp_path / "film").relative_to(tmp_path))
    with pytest.raises(InvalidName):
        await grants.offer(write(tmp_path / "two\nlines", b"x"))

    assert await kept(anna) == []


async def test_progress_is_told_while_the_scan_runs(
    grants: Grants, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever offers sees how far it is."""
    told: list[ScanProgress] = []
    was_told, run = threading.Event(), Scan.run
    monkeypatch.setattr(scanning, "PROGRESS_SECONDS", 0.01)

    def held_back(self: Scan) -> ScanResult:
        assert was_told.wait(10)
        return run(self)

    def on_progress(progress: ScanProgress) -> None:
        told.append(progress)
        was_told.set()

    monkeypatch.setattr(Scan, "run", held_back)
    share = await grants.offer(film, on_progress)

    assert share.size == len(FILM)
    assert told[0].done_bytes == 0


async def test_cancelled_scan_leaves_nothing(
    anna: Engine, grants: Grants, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that hashes has ended, and nothing is kept."""
    started, ended, run = asyncio.Event(), threading.Event(), Scan.run
    loop = asyncio.get_running_loop()

    def until_cancelled(self: Scan) -> ScanResult:
        loop.call_soon_threadsafe(started.set)
        try:
            while True:
                self._meter.check()
                if ended.wait(0.001):
                    return run(self)
        finally:
            ended.set()

    monkeypatch.setattr(Scan, "run", until_cancelled)
    offering = asyncio.create_task(grants.offer(film))
    await started.wait()
    offering.cancel()
    await asyncio.wait([offering])

    assert offering.cancelled()
    assert ended.is_set()
    assert await kept(anna) == []


async def test_cancel_that_comes_too_late_leaves_nothing(
    anna: Engine, grants: Grants, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share that was kept this very moment is removed again."""
    add = GrantStore.add

    async def added_then_cancelled(self: GrantStore, share: PrivateShare, result: ScanResult) -> None:
        await add(self, share, result)
        raise asyncio.CancelledError

    monkeypatch.setattr(GrantStore, "add", added_then_cancelled)
    with pytest.raises(asyncio.CancelledError):
        await grants.offer(film)

    assert await kept(anna) == []


async def test_hashes_without_digests_are_not_trusted(
    anna: Engine, grants: Grants, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a share is removed just while its hashes are reused, the file is hashed after all."""
    status = film.stat()
    key = FileKey(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)

    async def stale() -> dict[FileKey, KnownFile]:
        return {key: KnownFile(root_of(FILM), b"s" * 32)}

    monkeypatch.setattr(grants._shares, "hash_cache", stale)
    share = await grants.offer(film)
    await grants.grant(share.share_id, BEN, OFFER)
    found = await content(anna, root_of(FILM))

    assert found
    assert len(found.digests) == 3 * 32


async def test_hashes_of_everyones_shares_are_reused(
    anna: Engine, grants: Grants, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is shared already is offered without reading it; that end of sharing does not end the offer."""
    await shared(anna, film)
    with monkeypatch.context() as patch:
        patch.setattr("peerterm.store.scanner.hash_file", None)
        share = await grants.offer(film)
    await grants.grant(share.share_id, BEN, OFFER)
    await anna.unshare("film.mkv")
    found = await content(anna, root_of(FILM))

    assert found
    assert [file.path for file in found.files] == [film]
    assert await content(anna, root_of(FILM), CARLA) is None


async def test_path_is_offered_any_number_of_times(anna: Engine, grants: Grants, film: Path) -> None:
    """Each is a share of its own, and ends alone."""
    first, second = await grants.offer(film), await grants.offer(film)
    await grants.grant(first.share_id, BEN, OFFER)
    await grants.grant(second.share_id, CARLA, OTHER_OFFER)
    await grants.revoke(OFFER, BEN)

    assert first.share_id != second.share_id
    assert [share.share_id for share in await kept(anna)] == [second.share_id]
    assert await content(anna, root_of(FILM), CARLA)


async def test_offer_of_several_things_is_revoked_as_a_whole(anna: Engine, grants: Grants, tmp_path: Path) -> None:
    """All that was granted by it ends, for that peer alone."""
    shares = [await grants.offer(write(tmp_path / name, name.encode())) for name in "xy"]
    for share in shares:
        await grants.grant(share.share_id, BEN, OFFER)
    await grants.grant(shares[0].share_id, CARLA, OFFER)
    await grants.revoke(OFFER, BEN)

    assert [await content(anna, share.root) for share in shares] == [None, None]
    assert await content(anna, shares[0].root, CARLA)
    assert [share.name for share in await kept(anna)] == ["x"]


async def test_discarded_share_is_gone_unless_somebody_may_have_it(
    anna: Engine, grants: Grants, film: Path
) -> None:
    """To discard is for what was not granted after all."""
    granted, left = await grants.offer(film), await grants.offer(film)
    await grants.grant(granted.share_id, BEN, OFFER)
    for share in (granted, left, left):
        await grants.discard(share.share_id)

    assert [share.share_id for share in await kept(anna)] == [granted.share_id]
    with pytest.raises(NotFound) as raised:
        await grants.grant(left.share_id, BEN, OFFER)
    assert raised.value.hint == "offer it again"
    with pytest.raises(NotFound):
        await grants.grant(ShareId("unknown"), BEN, OFFER)


async def test_grants_are_bounded(grants: Grants, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever offers more is told to withdraw some."""
    monkeypatch.setattr(module, "MAX_GRANTS", 1)
    share = await grants.offer(film)
    await grants.grant(share.share_id, BEN, OFFER)

    with pytest.raises(EngineBusy, match="1 things") as raised:
        await grants.grant(share.share_id, CARLA, OFFER)
    assert "withdraw" in raised.value.hint


async def test_revoked_counts_at_once_even_if_the_disk_refuses(
    anna: Engine, grants: Grants, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The peer gets nothing more; to revoke again makes it last."""
    share = await grants.offer(film)
    await grants.grant(share.share_id, BEN, OFFER)
    assert await content(anna, share.root)
    with monkeypatch.context() as patch:

        async def refuse(*_: object) -> None:
            raise StorageError("the disk refuses")

        patch.setattr(GrantStore, "revoke", refuse)
        with pytest.raises(StorageError):
            await grants.revoke(OFFER, BEN)

    assert await content(anna, share.root) is None
    assert len(await kept(anna)) == 1
    await grants.revoke(OFFER, BEN)
    assert await kept(anna) == []


async def test_grant_that_crosses_its_end_does_not_outlive_it(
    anna: Engine, grants: Grants, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A grant still being kept when its offer is withdrawn is withdrawn too."""
    share, other = await grants.offer(film), await grants.offer(film)
    await grants.grant(other.share_id, CARLA, OTHER_OFFER)
    began, may_go_on, grant = asyncio.Event(), asyncio.Event(), GrantStore.grant

    async def slow(self: GrantStore, wanted: Grant) -> None:
        began.set()
        await may_go_on.wait()
        await grant(self, wanted)

    monkeypatch.setattr(GrantStore, "grant", slow)
    granting = asyncio.create_task(grants.grant(share.share_id, BEN, OFFER))
    await began.wait()
    revoking = asyncio.create_task(grants.revoke(OFFER, BEN))
    await asyncio.sleep(0)
    may_go_on.set()
    await asyncio.gather(granting, revoking)

    assert await content(anna, share.root) is None
    assert [share.share_id for share in await kept(anna)] == [other.share_id]


@dataclass(frozen=True)
class Kept:
    """What one engine after the other makes of a database."""

    grants: Grants
    granted: Granted
    store: GrantStore
    changes: list[None]
    moves: list[tuple[Collection[PeerId], Collection[Root]]]

    async def file(self, root: Root) -> SharedFile:
        """Return where the one file of a root is said to be, to whom it was granted."""
        found = await self.granted.content(BEN, root)
        assert found
        return found.files[0]


@asynccontextmanager
async def taken_up(folder: Path) -> AsyncIterator[Kept]:
    """Take up the grants of a database; no peer is near, and nobody knows of any offer."""
    database = await Database.open(folder / "state.db")
    store, changes = GrantStore(database), list[None]()
    moves: list[tuple[Collection[PeerId], Collection[Root]]] = []
    granted = Granted(store)
    settings = FileSettings(download_dir=folder, scan_threads=1)
    grants = Grants(
        store,
        granted,
        ShareStore(database),
        settings,
        on_changed=lambda: changes.append(None),
        on_moved=lambda peers, roots: moves.append((peers, roots)),
    )
    try:
        await grants.load()
        yield Kept(grants, granted, store, changes, moves)
    finally:
        await database.close()


async def test_next_engine_takes_up_what_was_granted(tmp_path: Path, film: Path) -> None:
    """Grants are in force from the start; what nobody may have is forgotten."""
    async with taken_up(tmp_path) as first:
        share = await first.grants.offer(film)
        await first.grants.grant(share.share_id, BEN, OFFER)
        await first.grants.offer(write(tmp_path / "other.txt", b"never granted"))
    async with taken_up(tmp_path) as second:
        assert await second.store.shares() == [share]
        assert list(second.granted) == [Grant(share.share_id, BEN, OFFER)]
        assert await second.granted.content(BEN, share.root)
        assert await second.granted.content(CARLA, share.root) is None
        await second.grants.revoke(OFFER, BEN)
    async with taken_up(tmp_path) as third:
        assert await third.store.shares() == []
        assert len(third.granted) == 0


async def test_file_on_a_disk_with_another_number_is_found_again(tmp_path: Path, film: Path) -> None:
    """The next engine notes where it is now, forgets where it was said to be, and tells who was refused it."""
    async with taken_up(tmp_path) as first:
        share = await first.grants.offer(film)
        await first.grants.grant(share.share_id, BEN, OFFER)
        async with first.store._database.transaction() as connection:
            await connection.execute("UPDATE private_entries SET device = 1, inode = 1")
    async with taken_up(tmp_path) as second:
        before = await second.file(share.root)
        await second.grants.run()
        after = await second.file(share.root)

    assert (before.device, before.inode) == (1, 1)
    assert (after.device, after.inode) == (film.stat().st_dev, film.stat().st_ino)
    assert second.changes
    assert second.moves == [({BEN}, {share.root})]


async def test_file_where_it_was_is_no_news(tmp_path: Path, film: Path) -> None:
    """Nobody is told of it."""
    async with taken_up(tmp_path) as first:
        share = await first.grants.offer(film)
        await first.grants.grant(share.share_id, BEN, OFFER)
    async with taken_up(tmp_path) as second:
        await second.grants.run()

    assert not second.changes
    assert not second.moves


@pytest.mark.parametrize("change", ["missing", "changed"])
async def test_promise_is_kept_when_the_file_is_not_what_it_was(tmp_path: Path, film: Path, change: str) -> None:
    """It is still offered under its root, and read again once the file is back."""
    async with taken_up(tmp_path) as first:
        share = await first.grants.offer(film)
        await first.grants.grant(share.share_id, BEN, OFFER)
    away = film.rename(tmp_path / "away")
    if change == "changed":
        write(film, b"another film")
    async with taken_up(tmp_path) as second:
        await second.grants.run()
        found = await second.file(share.root)
        with pytest.raises(SourceChanged):
            found.open()
        away.rename(film)
        with found.open() as file:
            data = bytes(file.read_chunk(0, bytearray(CHUNK_BYTES)))

    assert data == FILM[:CHUNK_BYTES]
    assert not second.changes


async def test_look_for_files_bears_a_disk_that_refuses(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that refuses costs nothing but the look."""

    async def refuse(*_: object) -> None:
        raise StorageError("the disk refuses")

    async with taken_up(tmp_path) as kept_here:
        share = await kept_here.grants.offer(film)
        await kept_here.grants.grant(share.share_id, BEN, OFFER)
        monkeypatch.setattr(GrantStore, "confirm", refuse)
        await kept_here.grants.run()
        with (await kept_here.file(share.root)).open() as file:
            data = bytes(file.read_chunk(2, bytearray(CHUNK_BYTES)))

    assert data == FILM[2 * CHUNK_BYTES :]
