"""Looks for chunks on this machine: what a killed engine left, and earlier versions of what is fetched."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from peerterm.core.content import LookFor
from peerterm.core.manifest import chunk_digest
from peerterm.engine import seeking
from peerterm.engine.plan import Place, WantedFile
from peerterm.engine.seeking import Looked, Seeking
from peerterm.errors import StorageError
from peerterm.store.destination import Destination
from peerterm.store.journal import Journal
from peerterm.store.partfile import PartFile, chunk_sum
from peerterm.store.stream_cache import StreamCache
from tests.fakes.engines import MIB, PATIENCE, network, noise, running, shared, until_online, write
from tests.fakes.fake_peer import FakePeer, child, fake_peer, root_of
from tests.fakes.fetching import chunks_in, fetched, finished, partly_fetched, place, transfer_when

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from peerterm.engine.engine import Engine

pytestmark = pytest.mark.usefixtures("settled")

OLD = noise(20 * MIB + 7)
NEW = OLD[: 5 * MIB] + noise(MIB, 9) + OLD[6 * MIB :]


async def until_noted(engine: Engine, name: str, count: int) -> None:
    """Wait until so many finished downloads of a name are in the database, which takes up to a second."""

    async def noted() -> int:
        records = await engine.services.downloads.transfers._store.history(100)
        return sum(record.state == "done" and record.name == name for record in records)

    async with asyncio.timeout(PATIENCE):
        while await noted() < count:
            await asyncio.sleep(0.01)


# Earlier versions


async def test_changed_file_moves_only_what_changed(tmp_path: Path) -> None:
    """Of 20 MiB with one chunk changed, one comes over the wire when the file is fetched again."""
    async with network(tmp_path, "ann", "ben") as (ann, ben):
        film = write(tmp_path / "film.mkv", OLD)
        await shared(ann, film)
        first = await fetched(ben, "ann/film.mkv")
        before = (await ben.transfers())[0]
        write(film, NEW)
        await ann.rescan((await ann.shares())[0].share_id)
        await shared(ann, film)
        again = await fetched(ben, "ann/film.mkv")

    assert (first.state, first.local_bytes, before.sources[0].bytes) == ("done", 0, len(OLD))
    assert (again.state, again.bytes, again.local_bytes) == ("done", len(NEW), len(NEW) - MIB)
    assert [source.bytes for source in again.sources] == [MIB]
    assert (place(tmp_path) / "film (2).mkv").read_bytes() == NEW
    assert (place(tmp_path) / "film.mkv").read_bytes() == OLD


async def test_changed_file_of_a_folder_moves_only_what_changed(
    ben: Engine, peer: FakePeer, tmp_path: Path
) -> None:
    """It is compared with the one at its place in the folder that was fetched last."""
    versions = [OLD, NEW, NEW[: 6 * MIB]]
    roots = [peer.file(data) for data in versions]
    views = []
    for number, (root, data) in enumerate(zip(roots, versions, strict=True)):
        await until_noted(ben, "album", number)
        below = peer.folder(child("film", root, len(data)))
        peer.offer_folder(child("sub", below, len(data), "folder"), size=len(data))
        views.append(await fetched(ben, "mallory/album"))

    assert peer.chunks(roots[0]) == list(range(21))
    assert peer.chunks(roots[1]) == [5]
    assert peer.chunks(roots[2]) == []
    assert [view.state for view in views] == ["done"] * 3
    assert [view.local_bytes for view in views] == [0, len(NEW) - MIB, 6 * MIB]
    assert (place(tmp_path) / "album (2)" / "sub" / "film").read_bytes() == NEW
    assert (place(tmp_path) / "album (3)" / "sub" / "film").read_bytes() == NEW[: 6 * MIB]


@pytest.mark.parametrize("where", ["share", "elsewhere", "unknown"])
async def test_earlier_version_is_found_by_its_name(
    ben: Engine, peer: FakePeer, tmp_path: Path, where: str
) -> None:
    """In a share, where an earlier get put it, or in the download folder for whatever reason."""
    if where == "share":
        await shared(ben, write(tmp_path / "film.mkv", OLD))
    elif where == "elsewhere":
        peer.offer(OLD)
        await fetched(ben, "mallory/film.mkv", str(tmp_path / "elsewhere"))
        await until_noted(ben, "film.mkv", 1)
    else:
        write(place(tmp_path) / "film.mkv", OLD)
    root = peer.offer(NEW)
    done = await fetched(ben, "mallory/film.mkv")

    assert peer.chunks(root) == [5]
    assert (done.state, done.local_bytes) == ("done", len(NEW) - MIB)


@pytest.mark.parametrize("size", [3 * MIB + 5, 30 * MIB])
async def test_version_of_another_length_gives_its_whole_chunks(
    ben: Engine, peer: FakePeer, tmp_path: Path, size: int
) -> None:
    """A log that grew, or a file that was cut: what is at the same place counts."""
    write(place(tmp_path) / "film.mkv", (OLD + noise(10 * MIB, 3))[:size])
    root = peer.offer(OLD)
    done = await fetched(ben, "mallory/film.mkv")

    assert peer.chunks(root) == (list(range(3, 21)) if size < len(OLD) else [20])
    assert done.local_bytes == (3 * MIB if size < len(OLD) else 20 * MIB)


async def test_version_that_is_another_file_is_given_up(
    ben: Engine, peer: FakePeer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some chunks in a row that differ, the rest is not read."""
    monkeypatch.setattr(seeking, "BATCH_CHUNKS", 2)
    monkeypatch.setattr(seeking, "MAX_MISSES", 6)
    write(place(tmp_path) / "film.mkv", OLD[:MIB] + noise(9 * MIB, 4) + OLD[10 * MIB :])
    root = peer.offer(OLD)
    done = await fetched(ben, "mallory/film.mkv")

    assert peer.chunks(root) == list(range(1, 21))
    assert (done.state, done.local_bytes) == ("done", MIB)


async def test_found_chunks_are_noted_as_fetched_ones(tmp_path: Path) -> None:
    """What was copied counts at once when the transfer goes on, though the version is gone by then."""
    version = write(place(tmp_path) / "film.mkv", OLD)
    async with fake_peer(tmp_path) as peer:
        root = peer.offer(NEW)
        peer.give(0, of=root)
        async with running(tmp_path, "ben") as ben:
            await peer.connect(ben)
            await until_online(ben, 1)
            started = await partly_fetched(ben, "mallory/film.mkv", len(NEW) - MIB)
        version.unlink()
        peer.give()
        async with running(tmp_path, "ben") as again:
            await peer.connect(again)
            done = await finished(again, started.transfer_id)

    assert set(peer.chunks(root)) == {5}
    assert (done.state, done.bytes, done.sources[0].bytes) == ("done", len(NEW), MIB)
    assert version.read_bytes() == NEW


# What a killed engine left

BIG = OLD[: 20 * MIB]


async def refuse(*_: object, **__: object) -> None:
    raise StorageError("the disk is gone")


@pytest.mark.parametrize("kind", ["file", "folder"])
async def test_chunks_that_nobody_noted_are_not_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A journal that was not written costs nothing: what lies in the part is proven by its digest."""
    small = [noise(900, number) for number in (1, 2, 3)]
    async with fake_peer(tmp_path) as peer:
        root, roots = peer.offer(BIG), [peer.file(data) for data in small]
        if kind == "folder":
            children = [child(str(number), each, 900) for number, each in enumerate(roots)]
            peer.offer_folder(child("film", root, len(BIG)), *children, size=len(BIG) + 2700, files=4)
        with monkeypatch.context() as patch:
            patch.setattr(Journal, "mark_clean", refuse)
            patch.setattr(Journal, "flush", refuse)
            async with running(tmp_path, "ben") as ben:
                await peer.connect(ben)
                await until_online(ben, 1)
                peer.give(7, of=root)
                started = await ben.get("mallory/album" if kind == "folder" else "mallory/film.mkv")
                count = 7 * MIB + 2700 * (kind == "folder")
                await transfer_when(ben, started.transfer_id, lambda view: view.bytes >= count)
        part = place(tmp_path) / ("album.peerterm-part/film" if kind == "folder" else "film.mkv")
        had = chunks_in(part.with_name(part.name + ".peerterm-part"), BIG)
        peer.give()
        async with running(tmp_path, "ben") as again:
            await peer.connect(again)
            done = await finished(again, started.transfer_id)

    film = place(tmp_path) / ("album/film" if kind == "folder" else "film.mkv")
    assert len(had) == 7
    assert set(peer.chunks(root)) == set(range(20)) - had
    assert peer.chunks(*roots) == []
    assert (done.state, done.local_bytes) == ("done", 0)
    assert film.read_bytes() == BIG


# Piece by piece


FILM = noise(5 * MIB + 3, 5)
ROOT = root_of(FILM)
FILE = WantedFile(ROOT, len(FILM), [Place((), executable=False, mtime_ns=0)])


def is_chunk(index: int, data: memoryview) -> bool:
    return chunk_digest(data) == chunk_digest(FILM[index * MIB : (index + 1) * MIB])


def call_for(*chunks: int) -> LookFor:
    return LookFor(ROOT, chunks, is_chunk)


@pytest.fixture
def part(tmp_path: Path) -> Iterator[PartFile]:
    destination = Destination.open(tmp_path, "film", "file")
    yield destination.file((), len(FILM))
    destination.close()


async def looks(seeking: Seeking, part: PartFile, *calls: LookFor) -> list[Looked]:
    """Return what comes of some calls."""
    looked: list[Looked] = []
    is_all = asyncio.Event()
    wanted = sum(len(call.chunks) for call in calls)

    def take(result: Looked) -> None:
        looked.append(result)
        if sum(len(each.chunks) for each in looked) == wanted:
            is_all.set()

    def fail(error: Exception) -> None:
        raise error

    run = asyncio.create_task(seeking.run(take, fail))
    for call in calls:
        seeking.look_for(call, FILE, part)
    done, _ = await asyncio.wait([run, asyncio.create_task(is_all.wait())], return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    run.cancel()
    return [each for each in looked if each.chunks]


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[StreamCache]:
    """Yield a cache of streams with nothing in it."""
    cache = StreamCache(tmp_path, 8 * MIB, lambda *_: None)
    yield cache
    cache.close()


@pytest.mark.parametrize(
    ("versions", "is_resumed", "size", "expected"),
    [
        (0, False, None, False),
        (1, False, None, True),
        (1, False, MIB, False),
        (1, False, MIB + 1, True),
        (0, True, MIB, True),
        (0, True, None, True),
    ],
)
def test_look_must_promise_something(
    tmp_path: Path, cache: StreamCache, versions: int, is_resumed: bool, size: int | None, expected: bool
) -> None:
    """Without candidates nothing waits for a look."""
    assert Seeking([tmp_path] * versions, cache, is_resumed=is_resumed).is_worth_while(ROOT, size) == expected


async def test_chunks_that_cannot_be_here_do_not_wait(part: PartFile, cache: StreamCache) -> None:
    """Holes of the part are told before anything is read; then what was read, with its sum."""
    for index in (1, 5):
        part.write_chunk(index, memoryview(FILM)[index * MIB : (index + 1) * MIB])
    part.write_chunk(3, memoryview(noise(MIB, 6)))
    first, second = await looks(Seeking([], cache, is_resumed=True), part, call_for(*range(6)))

    assert (set(first.chunks), first.unnoted, first.copied) == ({0, 2, 4}, {}, {})
    assert list(second.chunks) == [1, 3, 5]
    assert second.unnoted == {index: chunk_sum(FILM[index * MIB : (index + 1) * MIB]) for index in (1, 5)}
    assert second.copied == {}


async def test_little_is_read_of_a_part_without_holes(
    part: PartFile, cache: StreamCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the disk knows no holes, a bound ends the reading."""
    monkeypatch.setattr(seeking, "MAX_UNNOTED", 3)
    for index in range(6):
        part.write_chunk(index, memoryview(FILM)[index * MIB : (index + 1) * MIB])
    seeker = Seeking([], cache, is_resumed=True)
    looked = await looks(seeker, part, call_for(0, 1), call_for(2, 3), call_for(4, 5))

    assert sorted(index for each in looked for index in each.unnoted) == [0, 1, 2]


async def test_part_is_asked_before_versions_and_each_only_for_the_rest(
    part: PartFile, cache: StreamCache, tmp_path: Path
) -> None:
    """Two versions that differ give what each has."""
    part.write_chunk(0, memoryview(FILM)[:MIB])
    one = write(tmp_path / "one", FILM[: 2 * MIB] + bytes(MIB) + FILM[3 * MIB : 4 * MIB])
    other = write(tmp_path / "other", bytes(2 * MIB) + FILM[2 * MIB :])
    [looked] = await looks(Seeking([one, other, tmp_path], cache, is_resumed=True), part, call_for(*range(6)))

    assert list(looked.unnoted) == [0]
    assert sorted(looked.copied) == [1, 2, 3, 4, 5]
    assert part.read_chunk(4) == FILM[4 * MIB : 5 * MIB]


async def test_disk_that_refuses_a_found_chunk_ends_the_look(
    part: PartFile, cache: StreamCache, tmp_path: Path
) -> None:
    """The error is the transfer's; the version is not to blame."""
    version = write(tmp_path / "version", FILM)
    (tmp_path / "film.peerterm-part").unlink()

    with pytest.raises(StorageError, match="No such file"):
        await looks(Seeking([version], cache, is_resumed=False), part, call_for(0))


async def test_forgotten_content_starts_with_fresh_candidates(
    part: PartFile, cache: StreamCache, tmp_path: Path
) -> None:
    """What was given up for one content may serve it when it is wanted anew."""
    version = write(tmp_path / "version", FILM)
    seeker = Seeking([version], cache, is_resumed=False)
    [first] = await looks(seeker, part, call_for(2))
    version.unlink()
    [second] = await looks(seeker, part, call_for(3))
    seeker.forget(ROOT)
    write(version, FILM)
    [third] = await looks(seeker, part, call_for(4))

    assert (list(first.copied), list(second.copied), list(third.copied)) == ([2], [], [4])


async def test_what_a_stream_left_in_the_cache_counts(part: PartFile, cache: StreamCache) -> None:
    """Chunks of the cache are told first and taken; one that is not what it should be is not."""
    cache.write(ROOT, 1, memoryview(FILM)[MIB : 2 * MIB])
    cache.write(ROOT, 4, memoryview(noise(MIB, 6)))
    seeker = Seeking([], cache, is_resumed=False)
    is_worth_while = seeker.is_worth_while(ROOT, len(FILM))
    first, second = await looks(seeker, part, call_for(*range(6)))

    assert is_worth_while
    assert set(first.chunks) == {0, 2, 3, 5}
    assert second.copied == {1: chunk_sum(FILM[MIB : 2 * MIB])}
    assert part.read_chunk(1) == FILM[MIB : 2 * MIB]
