"""Two and three real engines on loopback: what a client of one sees of the others."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from peerterm.api.events import Event, Notice, PeerJoined, PeerLeft, Snapshot
from peerterm.api.views import SearchQuery
from peerterm.config import FileSettings, NodeSettings, Settings
from peerterm.engine.bus import Bus
from peerterm.engine.engine import Engine
from peerterm.errors import (
    AmbiguousReference,
    IntegrityError,
    InvalidName,
    InvalidPath,
    NotFound,
    NotSupported,
    PeerError,
    PortTaken,
    UsageError,
)
from peerterm.paths import Paths
from tests.fakes.engines import network, noise, running, shared, until_online, write
from tests.fakes.fetching import finished, transfer_when
from tests.fakes.gates import gated

if TYPE_CHECKING:
    from pathlib import Path


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
            if reference == root:
                assert [(source.name, source.bytes) for source in got.sources] == [("anna", len(data))]
            else:  # it is here already
                assert got.local_bytes == len(data)
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
        database = anna.services.sharing._store._database
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


async def test_missing_share_at_start_is_a_notice(tmp_path: Path) -> None:
    """The engine starts all the same, shares what is there, and says what is not."""
    film = write(tmp_path / "film.mkv", b"film")
    async with AsyncExitStack() as stack:
        notices: list[str] = []
        publish = Bus.publish

        def note(bus: Bus, event: Event) -> None:
            if isinstance(event, Notice):
                notices.append(event.text)
            publish(bus, event)

        stack.enter_context(pytest.MonkeyPatch.context()).setattr(Bus, "publish", note)
        anna = await stack.enter_async_context(running(tmp_path, "anna", share=(tmp_path / "absent", film)))

        assert [view.name for view in await anna.shares()] == ["film.mkv"]
        assert ["absent" in notice for notice in notices] == [True]


async def test_stopped_engine_ends_its_subscriptions(tmp_path: Path) -> None:
    """A client that asks the engine to stop sees its stream end, and whoever runs the engine returns."""
    async with running(tmp_path, "anna") as anna, asyncio.timeout(10):
        events = aiter(anna.events())
        await anext(events)
        ended = asyncio.ensure_future(anna.run_until_stopped())
        await anna.stop()
        await ended
    async with asyncio.timeout(10):
        rest = [event async for event in events]

    assert not any(isinstance(event, Snapshot) for event in rest)


async def test_broken_service_ends_the_engine_loudly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug is not swallowed: whoever runs the engine gets it."""

    async def break_down(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("peerterm.engine.sharing.Sharing.run", break_down)

    async def run() -> None:
        async with running(tmp_path, "anna") as anna, asyncio.timeout(10):
            await anna.run_until_stopped()

    with pytest.raises(ExceptionGroup) as raised:
        await run()
    assert raised.group_contains(ZeroDivisionError)


async def test_damaged_database_is_set_aside_with_a_notice(tmp_path: Path) -> None:
    """The engine starts with an empty one and keeps its identity; the log says what happened."""
    async with running(tmp_path, "anna") as anna:
        before = (await anna.status()).peer_id
        await shared(anna, write(tmp_path / "film.mkv", b"film"))
    (database,) = (tmp_path / "anna" / "profile").glob("*.db")
    database.write_bytes(b"this is no database" * 1000)
    async with running(tmp_path, "anna") as anna:
        assert (await anna.status()).peer_id == before
        assert (await anna.status()).state == "ready"


async def test_taken_port_ends_the_start_with_an_error(tmp_path: Path) -> None:
    """A port that the user chose and somebody else has is told; nothing is left running."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = Settings(
            node=NodeSettings(name="anna", interfaces=("lo",), port=port),
            files=FileSettings(download_dir=tmp_path),
        )
        engine = Engine(settings, Paths.resolve(str(tmp_path / "profile"), {}))
        with pytest.raises(PortTaken):
            await engine.__aenter__()

    assert len(asyncio.all_tasks()) == 1


async def test_limits_of_the_engine_last(tmp_path: Path) -> None:
    """They hold at once and stand in the configuration; nonsense is refused."""
    async with running(tmp_path, "anna") as anna:
        set_now = await anna.limit(down=5_000_000, up=3_000_000)
        asked = await anna.limit()
        for wrong in ({"down": -1}, {"up": -1}, {"transfer": "abc", "up": 1}):
            with pytest.raises(UsageError):
                await anna.limit(**wrong)
    written = (tmp_path / "anna" / "profile" / "config.toml").read_text()

    assert (set_now.down, set_now.up, set_now.transfer_id) == (5_000_000, 3_000_000, "")
    assert asked == set_now
    assert "5000000" in written
    assert "3000000" in written


async def test_content_that_is_shared_later_is_fetched(tmp_path: Path) -> None:
    """A peer that is online already, and begins to share what somebody waits for, becomes a source."""
    data = noise(3_000_000)
    first, second = write(tmp_path / "a" / "film.mkv", data), write(tmp_path / "c" / "film.mkv", data)
    async with network(tmp_path, "anna", "ben", "carla") as (anna, ben, carla):
        root = await shared(anna, first)
        with gated(anna, 1):
            started = await ben.get(root)
            await transfer_when(ben, started.transfer_id, lambda view: view.bytes > 0)
            await shared(carla, second)
            done = await finished(ben, started.transfer_id)

    assert done.state == "done"
    assert {source.name for source in done.sources if source.bytes} == {"anna", "carla"}
