"""Two and three real engines on loopback: what a client of one sees of the others."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import pytest

from peerterm.api.events import PeerJoined, PeerLeft, Snapshot
from peerterm.api.views import SearchQuery
from peerterm.errors import (
    AmbiguousReference,
    IntegrityError,
    InvalidName,
    InvalidPath,
    NotFound,
    NotSupported,
    PeerError,
    UsageError,
)
from tests.fakes.engines import finished, network, running, shared, transfer_when, until_online

if TYPE_CHECKING:
    from pathlib import Path

    from peerterm.engine.engine import Engine


def write(path: Path, data: bytes) -> Path:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def noise(size: int, seed: int = 0) -> bytes:
    """Return bytes that look random."""
    return hashlib.shake_256(seed.to_bytes(8, "big")).digest(size)


async def hits(engine: Engine, text: str, kind: str = "any") -> dict[str, set[str]]:
    """Search and return the holders' names by the name of each hit, as they stand in the end."""
    found = {hit.root: hit async for hit in engine.search(SearchQuery(text=text, kind=kind))}
    return {hit.name: {holder.name for holder in hit.peers} for hit in found.values()}


async def test_engines_on_one_machine_meet_and_part(tmp_path: Path) -> None:
    """Each sees the other join within a second and leave at once, as events after a snapshot."""
    async with running(tmp_path, "anna") as anna:
        seen = []
        async with asyncio.timeout(10):
            async with running(tmp_path, "ben"):
                await until_online(anna, 1)
            async for event in anna.events():
                seen.append(event)
                if not (await anna.status()).peers:
                    break

        assert isinstance(seen[0], Snapshot)
        assert [view.name for view in await anna.peers()] == ["ben"]
        assert (await anna.peers())[0].state == "offline"


async def test_join_and_leave_are_events(tmp_path: Path) -> None:
    """A subscriber hears of a peer that comes and of its clean leave."""
    async with running(tmp_path, "anna") as anna, asyncio.timeout(10):
        events = aiter(anna.events())
        await anext(events)
        async with running(tmp_path, "ben"):
            joined = await anext(events)
        left = await anext(events)
        while not isinstance(left, PeerLeft):
            left = await anext(events)

        assert isinstance(joined, PeerJoined)
        assert joined.peer.name == "ben"
        assert left.reason == "bye"


async def test_file_is_found_by_every_name_it_has(tmp_path: Path) -> None:
    """Root, its start, flat SHA-256, link and path all lead to the same bytes."""
    data = noise(3_000_000)
    film = write(tmp_path / "share" / "Größe 1.mkv", data)
    flat = hashlib.sha256(data).hexdigest()
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        root = await shared(anna, film)
        references = [root, root[:12], f"sha256:{flat}", f"peerterm:{root}?name=x", "anna/Größe 1.mkv"]
        for reference in references:
            got = await finished(ben, (await ben.get(reference)).transfer_id)

            assert got.state == "done", got.error
            assert (tmp_path / "ben" / "downloads" / got.path.rpartition("/")[2]).read_bytes() == data
            assert got.sources[0].name == "anna"
            assert got.sources[0].bytes == len(data)
        assert await hits(ben, "grosse") == {"Größe 1.mkv": {"anna"}}
        assert await hits(ben, flat) == {"Größe 1.mkv": {"anna"}}


async def test_folder_arrives_as_it_is(tmp_path: Path) -> None:
    """Names, empty folders and files, duplicates, modes and times survive."""
    top = tmp_path / "share" / "album"
    write(top / "one.ogg", noise(100_000))
    write(top / "again" / "one.ogg", noise(100_000))
    write(top / "run me", b"#!/bin/sh\n").chmod(0o755)
    write(top / "nothing", b"")
    (top / "empty" / "inside").mkdir(parents=True)
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, top)
        got = await finished(ben, (await ben.get("anna/album")).transfer_id)
        place = tmp_path / "ben" / "downloads" / "album"

        assert got.state == "done", got.error
        assert got.path == str(place)
        assert (got.files, got.done_files, got.bytes) == (4, 4, got.total)
        assert sorted(path.relative_to(place) for path in place.rglob("*")) == sorted(
            path.relative_to(top) for path in top.rglob("*")
        )
        for path in top.rglob("*"):
            arrived = place / path.relative_to(top)
            if path.is_file():
                assert arrived.read_bytes() == path.read_bytes()
                assert arrived.stat().st_mtime_ns == path.stat().st_mtime_ns
                assert arrived.stat().st_mode & 0o100 == path.stat().st_mode & 0o100
        again = await finished(ben, (await ben.get("anna/album")).transfer_id)
        assert again.path == f"{place} (2)"


async def test_both_holders_are_one_hit_and_both_deliver(tmp_path: Path) -> None:
    """The same bytes under two names are one hit with two holders; a download uses both."""
    data = noise(20_000_000)
    async with network(tmp_path, "anna", "ben", "carla") as (anna, ben, carla):
        root = await shared(anna, write(tmp_path / "a" / "film.mkv", data))
        assert await shared(ben, write(tmp_path / "b" / "same film.mkv", data)) == root

        (found,) = (await hits(carla, "film", "video")).values()
        got = await finished(carla, (await carla.get(root)).transfer_id)

        assert found == {"anna", "ben"}
        assert got.state == "done"
        assert sum(source.bytes for source in got.sources) == len(data)
        assert all(source.bytes for source in got.sources)


async def test_rescan_shows_peers_what_changed(tmp_path: Path) -> None:
    """After a rescan the new file is found, the old one is not, and what stayed keeps its sequence number."""
    top = tmp_path / "share"
    write(top / "old.txt", b"old")
    write(top / "same.txt", b"same")
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, top)
        before = {entry.name: entry.seq for entry in (await ben.browse("anna", "share")).entries}
        (top / "old.txt").unlink()
        write(top / "new.txt", b"new")
        await shared(anna, top)
        after = {entry.name: entry.seq for entry in (await ben.browse("anna", "share")).entries}

        assert set(after) == {"new.txt", "same.txt"}
        assert after["same.txt"] == before["same.txt"]
        assert after["new.txt"] > max(before.values())
        assert not await hits(ben, "old")


async def test_browse_pages_through_a_folder(tmp_path: Path) -> None:
    """Pages follow one another without a gap; one's own shares are browsed by one's own name."""
    for number in range(25):
        write(tmp_path / "share" / f"{number:02}.txt", bytes([number]))
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, tmp_path / "share")
        names, after = [], ""
        while True:
            page = await ben.browse("anna", "share", after, 10)
            names += [entry.name for entry in page.entries]
            if not (after := page.next):
                break

        assert names == [f"{number:02}.txt" for number in range(25)]
        assert [entry.name for entry in (await anna.browse("anna")).entries] == ["share"]
        with pytest.raises(PeerError):
            await ben.browse("anna", "share/nowhere")
        with pytest.raises(NotFound):
            await ben.browse("nobody")


async def test_unshared_content_is_gone_at_once(tmp_path: Path) -> None:
    """Nothing of an unshared folder is listed, found or served, not even by its root."""
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        root = await shared(anna, write(tmp_path / "secret.txt", b"secret"))
        await finished(ben, (await ben.get(root)).transfer_id)
        await anna.unshare("secret.txt")

        assert not (await ben.browse("anna")).entries
        assert not await hits(ben, "secret")
        with pytest.raises(NotFound):
            await ben.get(root)


async def test_changed_file_is_never_served_as_the_old_one(tmp_path: Path) -> None:
    """A file that changed since it was indexed brings no wrong byte; the transfer waits."""
    film = write(tmp_path / "film.mkv", noise(5_000_000))
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        root = await shared(anna, film)
        film.write_bytes(noise(5_000_000, seed=1))
        started = await ben.get(root)
        waiting = await transfer_when(ben, started.transfer_id, lambda view: bool(view.sources))

        assert waiting.state in ("connecting", "running", "waiting")
        assert waiting.bytes == 0
        cancelled = await ben.cancel(started.transfer_id, delete=True)
        assert cancelled.state == "cancelled"
        assert not list((tmp_path / "ben" / "downloads").iterdir())


async def test_bad_requests_get_clear_errors(tmp_path: Path) -> None:
    """Every slip of a user has an error of its own, and the engine goes on."""
    folder = tmp_path / "share"
    write(folder / "a.txt", b"a")
    write(tmp_path / "other" / "share" / "b.txt", b"b")
    link = tmp_path / "link"
    link.symlink_to(folder)
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, folder)
        for path in ("/no/such/path", "relative", str(link), "/dev/null"):
            with pytest.raises(InvalidPath):
                await anna.share(path)
        with pytest.raises(NotSupported):
            await anna.share(str(folder), visibility="known")
        with pytest.raises(InvalidName):
            await anna.share(str(folder), name="another")
        with pytest.raises(InvalidName):
            await anna.share(str(tmp_path / "other" / "share"), name="share")
        assert (await anna.share(str(tmp_path / "other" / "share"))).name == "share (2)"
        with pytest.raises(NotFound):
            await anna.unshare("nothing")
        with pytest.raises(NotFound):
            await ben.get("0123456789abcdef")
        with pytest.raises(NotFound):
            await ben.cancel("0123")
        for reference in ("", "xyz", "sha256:12", "peerterm:12", "abcd"):
            with pytest.raises(UsageError):
                await ben.get(reference)
        with pytest.raises(InvalidPath):
            await ben.get("anna/share", "relative")
        with pytest.raises(InvalidPath):
            await ben.get("anna/share", str(folder / "a.txt"))
        with pytest.raises(PeerError):
            await ben.get("anna/share/missing")

        assert (await anna.status()).state == "ready"


async def test_ambiguous_share_is_refused(tmp_path: Path) -> None:
    """A name that fits the id of one share and the name of another is not guessed."""
    async with running(tmp_path, "anna") as anna:
        first = await anna.share(str(write(tmp_path / "a.txt", b"a")))
        await anna.share(str(write(tmp_path / first.share_id[:4], b"b")))

        with pytest.raises(AmbiguousReference):
            await anna.unshare(first.share_id[:4])


async def test_flat_sum_that_lies_fails_and_keeps_nothing(tmp_path: Path) -> None:
    """A peer that offers another file under a flat SHA-256 is found out before the file gets its name."""
    wanted = hashlib.sha256(b"what I want").digest()
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, write(tmp_path / "trap.exe", noise(2_500_000)))
        database = anna._sharing._store._database
        async with database.transaction() as connection:
            await connection.execute("UPDATE entries SET sha256 = ?", (wanted,))
        got = await finished(ben, (await ben.get(f"sha256:{wanted.hex()}")).transfer_id)

        assert got.state == "failed"
        assert got.error_code == IntegrityError.code
        assert not list((tmp_path / "ben" / "downloads").iterdir())


async def test_shares_outlive_a_restart(tmp_path: Path) -> None:
    """A new engine on the profile offers the same shares at once, under the same ids."""
    folder = tmp_path / "share"
    write(folder / "a.txt", b"a")
    async with running(tmp_path, "anna") as anna:
        root = await shared(anna, folder)
        before = (await anna.shares())[0]
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        after = (await anna.shares())[0]
        got = await finished(ben, (await ben.get(root)).transfer_id)

        assert (after.share_id, after.root, after.name) == (before.share_id, root, before.name)
        assert got.state == "done"


async def test_unfinished_download_is_taken_up_after_a_restart(tmp_path: Path) -> None:
    """What ran when the engine stopped is fetched by the next engine, unasked."""
    film = write(tmp_path / "film.mkv", noise(5_000_000))
    async with running(tmp_path, "anna") as anna:
        root = await shared(anna, film)
        async with running(tmp_path, "ben") as ben:
            await until_online(ben, 1)
            film.rename(tmp_path / "away.mkv")
            await ben.get(root)
        (tmp_path / "away.mkv").rename(film)
        async with running(tmp_path, "ben") as ben, asyncio.timeout(20):
            async for _ in ben.events():
                if (tmp_path / "ben" / "downloads" / "film.mkv").exists():
                    break

        assert (tmp_path / "ben" / "downloads" / "film.mkv").read_bytes() == film.read_bytes()


async def test_identity_settings_and_log_are_told(tmp_path: Path) -> None:
    """A client learns who the engine is, what it is set to, and what it has logged."""
    async with running(tmp_path, "anna") as anna:
        me = await anna.identity()
        settings = {setting.name: setting.value for setting in await anna.settings()}

        assert me.peer_id == (await anna.status()).peer_id
        assert me.link.startswith(f"peerterm:peer/{me.peer_id}?at=")
        assert settings["node.name"] == "anna"
        assert isinstance(await anna.log(5), list)


async def test_folder_of_many_folders_arrives(tmp_path: Path) -> None:
    """More sub-folders and files than may be under way at once, some of them equal, all arrive."""
    top = tmp_path / "share" / "many"
    for number in range(300):
        write(top / f"folder {number}" / "same" / "file", b"same")
        write(top / f"folder {number}" / "own", number.to_bytes(2, "big"))
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, top)
        got = await finished(ben, (await ben.get("anna/many")).transfer_id)
        place = tmp_path / "ben" / "downloads" / "many"

        assert got.state == "done", got.error
        assert got.done_files == got.files == 600
        assert sum(1 for path in place.rglob("*") if path.is_file()) == 600


async def test_long_search_and_path_do_not_break_the_link(tmp_path: Path) -> None:
    """What cannot be asked is refused here; blanks are not sent; the peer stays online."""
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await shared(anna, write(tmp_path / "film.mkv", b"film"))

        assert await hits(ben, " " * 300 + "film") == {"film.mkv": {"anna"}}
        with pytest.raises(UsageError):
            await hits(ben, "x" * 300)
        for path in ("x" * 300, "/".join("x" * 70)):
            with pytest.raises(UsageError):
                await ben.browse("anna", path)
            with pytest.raises(UsageError):
                await ben.get(f"anna/{path}")
        assert (await ben.status()).peers == 1
