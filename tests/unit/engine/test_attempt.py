"""Attempts: each goes on with what the last one left, and takes from this machine what is here already."""

from __future__ import annotations

import os
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from peerterm.core.pieces import Refusal
from peerterm.engine import fetching
from peerterm.errors import StorageError
from peerterm.store.destination import Destination
from peerterm.store.journal import Journal
from tests.fakes.engines import MIB, noise, running, shared, until_online, write
from tests.fakes.fake_peer import FakePeer, child, fake_peer
from tests.fakes.fetching import chunks_in, fetched, finished, place, transfer_when

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from peerterm.core.ids import Root
    from peerterm.engine.engine import Engine

pytestmark = pytest.mark.usefixtures("settled")

FILM = noise(10 * MIB)


def damage(part: Path, chunks: set[int]) -> None:
    """Change one byte of each of these chunks."""
    with part.open("r+b") as file:
        for index in chunks:
            file.seek(index * MIB + 77)
            file.write(b"\0\0\0\0")


@asynccontextmanager
async def linked(folder: Path, peer: FakePeer) -> AsyncIterator[Engine]:
    """Run ben, linked to the peer."""
    async with running(folder, "ben") as ben:
        await peer.connect(ben)
        await until_online(ben, 1)
        yield ben


async def interrupted(peer: FakePeer, ben: Engine, root: Root, count: int, name: str) -> str:
    """Fetch so many chunks of a content; return the id of the transfer."""
    peer.give(count, of=root)
    started = await ben.get(f"mallory/{name}")
    await transfer_when(ben, started.transfer_id, lambda view: view.bytes >= count * MIB)
    return started.transfer_id


async def test_next_engine_fetches_only_what_is_missing(tmp_path: Path) -> None:
    """What is on disk counts at once, and no chunk comes twice."""
    async with fake_peer(tmp_path) as peer:
        root = peer.offer(FILM)
        async with linked(tmp_path, peer) as ben:
            transfer_id = await interrupted(peer, ben, root, 6, "film.mkv")
        had = chunks_in(place(tmp_path) / "film.mkv.peerterm-part", FILM)
        peer.give()
        async with running(tmp_path, "ben") as again:
            waiting = await transfer_when(again, transfer_id, lambda view: bool(view.bytes))
            await peer.connect(again)
            done = await finished(again, transfer_id)
            asked = peer.chunks(root)

    assert len(had) == 6
    assert (waiting.transfer_id, waiting.bytes) == (transfer_id, 6 * MIB)
    assert set(asked) == set(range(10)) - had
    assert len(asked) == 4
    assert (done.state, done.bytes, done.sources[0].bytes) == ("done", len(FILM), len(FILM))
    assert (place(tmp_path) / "film.mkv").read_bytes() == FILM
    assert sorted(path.name for path in place(tmp_path).iterdir()) == ["film.mkv"]


async def test_only_damaged_chunks_are_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After an end that nobody could note, every chunk is read and must still have its sum."""
    async with fake_peer(tmp_path) as peer:
        root = peer.offer(FILM)
        with monkeypatch.context() as patch:
            patch.setattr(Journal, "mark_clean", refuse)
            async with linked(tmp_path, peer) as ben:
                transfer_id = await interrupted(peer, ben, root, 8, "film.mkv")
                await ben.services.downloads._around.journal.flush()
        part = place(tmp_path) / "film.mkv.peerterm-part"
        had = chunks_in(part, FILM)
        hurt = set(sorted(had)[1:7:2])
        damage(part, hurt)
        peer.give()
        async with linked(tmp_path, peer) as again:
            done = await finished(again, transfer_id)
            asked = peer.chunks(root)

    assert "no clean stop" in caplog.text
    assert (len(had), len(hurt)) == (8, 3)
    assert asked == sorted((set(range(10)) - had) | hurt)
    assert done.state == "done"
    assert (place(tmp_path) / "film.mkv").read_bytes() == FILM


async def refuse(*_: object, **__: object) -> None:
    refuse_now()


def refuse_now(*_: object) -> None:
    raise StorageError("the disk is gone")


async def test_folder_goes_on_with_its_files(tmp_path: Path) -> None:
    """Files that landed are not touched, and one that was on its way goes on where it was."""
    small = [noise(1000, number) for number in range(1, 6)]
    async with fake_peer(tmp_path) as peer:
        root = peer.file(FILM)
        roots = [peer.file(data) for data in small]
        names = [child(f"{number}", each, 1000) for number, each in enumerate(roots)]
        peer.offer_folder(child("film", root, len(FILM)), *names, size=len(FILM) + 5000, files=6)
        async with linked(tmp_path, peer) as ben:
            transfer_id = await interrupted(peer, ben, root, 7, "album")
            await transfer_when(ben, transfer_id, lambda view: view.done_files == 5)
        peer.give()
        part = place(tmp_path) / "album.peerterm-part"
        (part / "3").write_bytes(b"the user was here")
        had = chunks_in(part / "film.peerterm-part", FILM)
        async with linked(tmp_path, peer) as again:
            done = await finished(again, transfer_id)

    album = place(tmp_path) / "album"
    assert peer.chunks(root) == sorted(set(range(10)) - had)
    assert peer.chunks(*roots) == [0]
    assert len(peer.chunks(roots[3])) == 1
    assert (done.state, done.bytes, done.total) == ("done", len(FILM) + 5000, len(FILM) + 5000)
    assert (done.done_files, done.files) == (6, 6)
    assert (album / "film").read_bytes() == FILM
    assert [(album / f"{number}").read_bytes() for number in range(5)] == small


async def test_part_that_is_gone_is_begun_again(ben: Engine, peer: FakePeer, tmp_path: Path) -> None:
    """The journal of a part that the user removed counts for nothing."""
    root = peer.offer(FILM)
    transfer_id = await interrupted(peer, ben, root, 4, "film.mkv")
    await ben.pause(transfer_id)
    (place(tmp_path) / "film.mkv.peerterm-part").unlink()
    peer.give()
    await ben.resume(transfer_id)
    done = await finished(ben, transfer_id)

    assert done.state == "done"
    assert peer.chunks(root) == list(range(10))


@pytest.mark.parametrize("wish", ["resume", "delete"])
async def test_file_in_place_of_the_part_is_left_alone(
    ben: Engine, peer: FakePeer, tmp_path: Path, wish: str
) -> None:
    """Neither going on nor deleting touches what somebody else put there."""
    root = peer.offer(FILM)
    transfer_id = await interrupted(peer, ben, root, 4, "film.mkv")
    await ben.pause(transfer_id)
    part = place(tmp_path) / "film.mkv.peerterm-part"
    os.replace(write(tmp_path / "mine", b"mine"), part)
    peer.give()
    if wish == "resume":
        await ben.resume(transfer_id)
        view = await finished(ben, transfer_id)
        assert (place(tmp_path) / "film.mkv").read_bytes() == FILM
    else:
        view = await ben.cancel(transfer_id, delete=True)

    assert view.state == ("done" if wish == "resume" else "cancelled")
    assert part.read_bytes() == b"mine"


async def test_copied_part_is_gone_on_with(ben: Engine, peer: FakePeer, tmp_path: Path) -> None:
    """A part whose inode number changed, as a restored backup's, is known by the chunks in it."""
    root = peer.offer(FILM)
    transfer_id = await interrupted(peer, ben, root, 4, "film.mkv")
    await ben.pause(transfer_id)
    part = place(tmp_path) / "film.mkv.peerterm-part"
    shutil.copy(part, tmp_path / "copy")
    os.replace(tmp_path / "copy", part)
    peer.give()
    await ben.resume(transfer_id)

    assert (await finished(ben, transfer_id)).state == "done"
    assert len(peer.chunks(root)) == 6


@pytest.mark.parametrize("touched", [False, True])
async def test_file_that_landed_unnoticed_is_done(
    ben: Engine, peer: FakePeer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, touched: bool
) -> None:
    """An engine killed between the last name and the note of it fetches nothing again but what was changed."""
    root = peer.offer(FILM)
    with monkeypatch.context() as patch:
        patch.setattr(Destination, "finish", refuse_now)
        failed = await fetched(ben, "mallory/film.mkv")
    part, film = place(tmp_path) / "film.mkv.peerterm-part", place(tmp_path) / "film.mkv"
    part.rename(film)
    if touched:
        damage(film, {2})
    before = film.read_bytes()
    peer.give()
    await ben.retry(failed.transfer_id)
    done = await finished(ben, failed.transfer_id)

    assert (failed.state, failed.bytes, done.state, done.bytes) == ("failed", len(FILM), "done", len(FILM))
    assert film.read_bytes() == before
    assert peer.chunks(root) == ([2] if touched else [])
    assert done.path == str(place(tmp_path) / ("film (2).mkv" if touched else "film.mkv"))


async def test_file_that_is_shared_here_is_copied(ben: Engine, peer: FakePeer, tmp_path: Path) -> None:
    """Nobody is asked for a chunk, and the copy is as good as what would have come."""
    await shared(ben, write(tmp_path / "mine.mkv", FILM))
    root = peer.offer(FILM)
    done = await fetched(ben, "mallory/film.mkv")

    assert (done.state, done.bytes, done.total, done.local_bytes) == ("done", len(FILM), len(FILM), len(FILM))
    assert peer.chunks(root) == []
    assert (place(tmp_path) / "film.mkv").read_bytes() == FILM


async def test_files_of_a_folder_that_are_here_are_copied(ben: Engine, peer: FakePeer, tmp_path: Path) -> None:
    """Shared or fetched before, at several places or one."""
    await shared(ben, write(tmp_path / "shared", FILM))
    root, other, empty = peer.file(FILM), peer.file(noise(MIB + 5, 9)), peer.file(b"")
    peer.offer_folder(
        child("a", root, len(FILM)),
        child("b", root, len(FILM)),
        child("c", other, MIB + 5),
        child("empty", empty, 0),
        size=1,
        files=4,
    )
    done = await fetched(ben, "mallory/album")
    album = place(tmp_path) / "album"

    assert (done.state, done.local_bytes, done.bytes) == ("done", len(FILM), 2 * len(FILM) + MIB + 5)
    assert peer.chunks(root) == []
    assert peer.chunks(other) == [0, 1]
    assert (album / "a").read_bytes() == (album / "b").read_bytes() == FILM


async def test_changed_folder_costs_its_difference(ben: Engine, peer: FakePeer, tmp_path: Path) -> None:
    """What an earlier get put on this disk is not fetched by the next one."""
    kept, old, new = noise(3 * MIB, 1), noise(2 * MIB, 2), noise(2 * MIB + 1, 3)
    roots = [peer.file(data) for data in (kept, old, new)]
    peer.offer_folder(child("kept", roots[0], len(kept)), child("song", roots[1], len(old)))
    await fetched(ben, "mallory/album")
    peer.give()
    peer.offer_folder(child("kept", roots[0], len(kept)), child("song", roots[2], len(new)))
    done = await fetched(ben, "mallory/album")

    assert (done.state, done.local_bytes) == ("done", len(kept))
    assert peer.chunks(*roots) == peer.chunks(roots[2]) == [0, 1, 2]
    assert (place(tmp_path) / "album (2)" / "song").read_bytes() == new
    assert (place(tmp_path) / "album (2)" / "kept").read_bytes() == kept


@pytest.mark.parametrize("kind", ["file", "folder"])
async def test_file_here_that_is_another_by_now_is_not_trusted(
    ben: Engine, peer: FakePeer, tmp_path: Path, kind: str
) -> None:
    """The bytes are proven, whatever size and time say; then they come from the peer."""
    mine = write(tmp_path / "mine.mkv", FILM)
    await shared(ben, mine)
    before = mine.stat()
    damage(mine, {4})
    os.utime(mine, ns=(before.st_atime_ns, before.st_mtime_ns))
    root = peer.offer(FILM)
    if kind == "folder":
        peer.offer_folder(child("film", root, len(FILM)))
    done = await fetched(ben, "mallory/album" if kind == "folder" else "mallory/film.mkv")
    film = place(tmp_path) / ("album/film" if kind == "folder" else "film.mkv")

    assert (done.state, done.local_bytes, done.bytes) == ("done", 0, len(FILM))
    assert peer.chunks(root) == list(range(10))
    assert film.read_bytes() == FILM


@pytest.mark.parametrize(
    ("pattern", "paths"), [("/*.txt", ["a.txt"]), ("sub/", ["sub", "sub/c.txt"]), ("*.mkv", [])]
)
async def test_only_what_was_chosen_is_fetched(
    ben: Engine, peer: FakePeer, tmp_path: Path, pattern: str, paths: list[str]
) -> None:
    """Files and folders that no pattern chooses do not appear."""
    roots = [peer.file(noise(100, number)) for number in range(1, 4)]
    below = peer.folder(child("c.txt", roots[2], 100))
    children = child("a.txt", roots[0], 100), child("b.bin", roots[1], 100), child("sub", below, 100, "folder")
    peer.offer_folder(*children, size=300, files=3)
    got = await ben.get("mallory/album", only=[pattern])
    done = await finished(ben, got.transfer_id)
    album, count = place(tmp_path) / "album", min(len(paths), 1)

    assert (done.state, done.error) == ("done", "")
    assert sorted(str(path.relative_to(album)) for path in album.rglob("*")) == paths
    assert (done.bytes, len(peer.chunks(*roots))) == (100 * count, count)


async def test_many_files_go_on_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More files than are under way at once, some landed, some not."""
    monkeypatch.setattr(fetching, "MAX_ACTIVE", 4)
    async with fake_peer(tmp_path) as peer:
        roots = [peer.file(noise(50, number)) for number in range(100)]
        children = (child(f"{number:03}", root, 50) for number, root in enumerate(roots))
        peer.offer_folder(*children, size=5000, files=100)
        peer.refusals = dict.fromkeys(roots[40:], Refusal.BUSY)
        async with linked(tmp_path, peer) as ben:
            started = await ben.get("mallory/album")
            await transfer_when(ben, started.transfer_id, lambda view: view.done_files == 40)
        peer.refusals = {}
        peer.give()
        async with linked(tmp_path, peer) as again:
            done = await finished(again, started.transfer_id)

    assert (done.state, done.done_files, done.bytes) == ("done", 100, 5000)
    assert len(peer.chunks(*roots)) == 60
