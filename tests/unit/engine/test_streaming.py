"""Streams: what players read comes from wherever it is, verified, under addresses that die with the stream."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest

from peerterm.api.events import StreamChanged, StreamRemoved
from peerterm.core.manifest import CHUNK_BYTES
from peerterm.core.pieces import PieceKind
from peerterm.engine import streaming
from peerterm.errors import AmbiguousReference, EngineBusy, NotFound, PeerUnavailable, UsageError
from tests.fakes.engines import (
    PATIENCE,
    eventually,
    first,
    network,
    noise,
    running,
    shared,
    until_online,
    write,
)
from tests.fakes.fake_peer import fake_peer, wire_entry
from tests.fakes.fetching import finished

if TYPE_CHECKING:
    from pathlib import Path

    from peerterm.api.views import StreamView
    from peerterm.engine.engine import Engine
    from tests.fakes.fake_peer import FakePeer

MIB = CHUNK_BYTES
FILM = noise(12 * MIB + 77)


async def read(url: str, first: int | None = None, last: int | None = None) -> bytes:
    """Read a stream as a player does, a part of it if so wanted."""
    headers = {} if first is None else {"Range": f"bytes={first}-{'' if last is None else last}"}
    async with (
        asyncio.timeout(PATIENCE),
        aiohttp.ClientSession() as session,
        session.get(url, headers=headers) as reply,
    ):
        reply.raise_for_status()
        return await reply.read()


async def status_of(url: str) -> int:
    """Return how a request is answered."""
    async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as session, session.get(url) as reply:
        return reply.status


async def only(engine: Engine) -> StreamView:
    """Return the only stream of an engine."""
    (view,) = await engine.streams()
    return view


def offer(peer: FakePeer, data: bytes, name: str = "film.mkv") -> str:
    """Let a peer offer a file; return its root."""
    root = peer.file(data)
    peer.entries.append(wire_entry(root, "share", name, size=len(data)))
    return root.hex()


async def test_film_is_read_from_a_peer(tmp_path: Path) -> None:
    """Nothing of it was here before; all of it is read, and only as much as is read ahead is fetched."""
    async with network(tmp_path, "ada", "ben") as (ada, ben):
        write(tmp_path / "share" / "film.mkv", FILM)
        await shared(ada, tmp_path / "share")
        stream = await ben.stream("ada/share/film.mkv")
        whole = await read(stream.url)
        view = await only(ben)

    assert (stream.name, stream.mime, stream.size, stream.kind) == (
        "film.mkv",
        "video/x-matroska",
        len(FILM),
        "file",
    )
    assert whole == FILM
    assert (view.position, view.bytes) == (len(FILM), len(FILM))
    assert [(source.name, source.bytes, source.state) for source in view.sources] == [("ada", len(FILM), "active")]
    assert not list((tmp_path / "ben").glob("downloads/*"))


async def test_jump_fetches_what_is_read_there(ben: Engine, peer: FakePeer) -> None:
    """The middle of a film is read without what comes before it."""
    data = noise(64 * MIB)
    stream = await ben.stream(offer(peer, data))
    part = await read(stream.url, 40 * MIB + 5, 40 * MIB + 99)
    fetched = {piece.index for piece in peer.served if piece.kind is PieceKind.CHUNK}

    assert part == data[40 * MIB + 5 : 40 * MIB + 100]
    assert 40 in fetched
    assert not fetched & set(range(10, 40))


async def test_folder_is_a_playlist_in_the_order_people_count(tmp_path: Path) -> None:
    """Songs and films of all folders below, with the subtitles beside them; nothing else."""
    async with network(tmp_path, "ada", "ben") as (ada, ben):
        for name in ("10.mp3", "2.mp3", "cover.jpg", "disc 2/1.flac", "film.mkv", "film.de.srt", "empty.mp3"):
            write(tmp_path / "season" / name, b"" if name == "empty.mp3" else noise(100, len(name)))
        await shared(ada, tmp_path / "season")
        stream = await ben.stream("ada/season")
        subtitles = stream.items[3].subtitles
        text = await read(subtitles[0].url)

    assert stream.kind == "folder"
    assert [item.name for item in stream.items] == ["1.flac", "2.mp3", "10.mp3", "film.mkv"] or [
        item.name for item in stream.items
    ] == ["2.mp3", "10.mp3", "1.flac", "film.mkv"]
    assert [(each.name, each.language) for each in subtitles] == [("film.de.srt", "de")]
    assert text == noise(100, len("film.de.srt"))


async def test_next_item_is_fetched_before_it_is_asked_for(tmp_path: Path) -> None:
    """Between two songs nobody waits."""
    async with network(tmp_path, "ada", "ben") as (ada, ben):
        for number in (1, 2):
            write(tmp_path / "album" / f"{number}.mp3", noise(2 * MIB, number))
        await shared(ada, tmp_path / "album")
        stream = await ben.stream("ada/album")
        await read(stream.url)
        second = ben.services.streams._streams[stream.stream_id].items[1].playable
        await eventually(lambda: second.ahead == 2 * MIB)
        view = await only(ben)

    assert [item.is_open for item in view.items] == [True, True]
    assert view.item == 0


async def test_what_is_here_is_read_from_disk(tmp_path: Path) -> None:
    """A file of one's own shares needs no peer."""
    async with running(tmp_path, "ben") as ben:
        write(tmp_path / "share" / "film.mkv", FILM)
        await shared(ben, tmp_path / "share")
        stream = await ben.stream("ben/share/film.mkv")
        whole = await read(stream.url)

    assert stream.state == "local"
    assert whole == FILM


async def test_file_that_changed_under_a_stream_comes_from_a_peer(tmp_path: Path) -> None:
    """What is read is what the root promises, though the file here is another by now."""
    async with network(tmp_path, "ada", "ben") as (ada, ben):
        for name in ("ada", "ben"):
            write(tmp_path / name / "share" / "film.mkv", FILM)
        root = await shared(ada, tmp_path / "ada" / "share" / "film.mkv")
        await shared(ben, tmp_path / "ben" / "share" / "film.mkv")
        stream = await ben.stream(root)
        head = await read(stream.url, 0, 99)
        write(tmp_path / "ben" / "share" / "film.mkv", noise(len(FILM), 9))
        rest = await read(stream.url, 100)

    assert stream.state == "local"
    assert head + rest == FILM


async def test_download_is_read_as_far_as_it_goes_and_hurried(tmp_path: Path) -> None:
    """Nothing is fetched twice because something is watched while it is downloaded."""
    async with network(tmp_path, "ada", "ben") as (ada, ben):
        write(tmp_path / "share" / "film.mkv", FILM)
        root = await shared(ada, tmp_path / "share" / "film.mkv")
        await ben.limit(down=8 * MIB)
        transfer = await ben.get(root)
        await eventually(lambda: ben.services.downloads.runs.download_of(bytes.fromhex(root)) is not None)  # type: ignore[arg-type]
        stream = await ben.stream(root)
        whole = await read(stream.url)
        done = await finished(ben, transfer.transfer_id)

    assert whole == FILM
    assert done.state == "done"
    assert sum(source.bytes for source in done.sources) >= len(FILM) - 2 * MIB
    assert done.wasted_bytes == 0


async def test_what_was_watched_is_not_fetched_again_to_keep_it(
    ben: Engine, peer: FakePeer, tmp_path: Path
) -> None:
    """The download copies from the cache what players read, and fetches the rest."""
    data = noise(48 * MIB)
    stream = await ben.stream(offer(peer, data))
    await read(stream.url, 0, 8 * MIB - 1)
    await eventually(lambda: ben.services.streams.views()[0].rate == 0)
    watched = (await only(ben)).bytes
    kept = await ben.keep(stream.stream_id[:4], str(tmp_path / "kept"))
    done = await finished(ben, kept.transfer_id)
    view = await only(ben)

    assert (tmp_path / "kept" / "film.mkv").read_bytes() == data
    assert done.local_bytes == watched
    assert sum(source.bytes for source in done.sources) == len(data) - watched
    assert view.transfer_id == kept.transfer_id


async def test_peers_get_what_is_cached(tmp_path: Path) -> None:
    """One who watches is a source for others."""
    async with network(tmp_path, "ada", "ben", "eve") as (ada, ben, eve):
        write(tmp_path / "share" / "film.mkv", FILM)
        root = await shared(ada, tmp_path / "share" / "film.mkv")
        await read((await ben.stream(root)).url)
        done = await finished(eve, (await eve.get(root)).transfer_id)

    assert {source.name for source in done.sources} == {"ada", "ben"}


async def test_lie_never_reaches_a_player(ben: Engine, peer: FakePeer, tmp_path: Path) -> None:
    """Of two sources one sends rubbish; what is read is the film."""
    root = offer(peer, FILM)
    async with fake_peer(tmp_path / "other", ben) as liar:
        await until_online(ben, 2)
        liar.give()
        offer(liar, FILM)
        liar.mangle = lambda piece, data: bytes(len(data)) if piece.kind is PieceKind.CHUNK else data
        whole = await read((await ben.stream(root)).url)
        view = await only(ben)

    assert whole == FILM
    assert sum(source.bytes for source in view.sources) == len(FILM)


async def test_reader_waits_while_nobody_has_it_and_goes_on_when_somebody_has(ben: Engine, peer: FakePeer) -> None:
    """A source that leaves ends no player; its return is enough."""
    data = noise(160 * MIB)
    stream = await ben.stream(offer(peer, data))
    await read(stream.url, 0, 99)
    peer.links[-1].cancel()
    await eventually(lambda: not ben.services.peers.links())
    reading = asyncio.create_task(read(stream.url, 120 * MIB, 120 * MIB + 9))
    await eventually(lambda: ben.services.streams.views()[0].state == "waiting")
    await peer.connect(ben)

    assert await reading == data[120 * MIB : 120 * MIB + 10]


async def test_address_dies_with_its_stream(ben: Engine, peer: FakePeer) -> None:
    """Whoever learned it later has nothing of it; clients hear of the end."""
    stream = await ben.stream(offer(peer, FILM))
    assert await status_of(stream.url) == 200
    removed = await first(
        ben, StreamRemoved, after=lambda: asyncio.ensure_future(ben.close_stream(stream.stream_id))
    )

    assert removed.stream_id == stream.stream_id
    assert await status_of(stream.url) == 404
    assert await ben.streams() == []


async def test_two_streams_of_one_film_share_what_comes(ben: Engine, peer: FakePeer) -> None:
    """The second one costs the network nothing, and outlives the first."""
    root = offer(peer, FILM)
    one, other = await ben.stream(root), await ben.stream(root)
    await read(one.url)
    await ben.close_stream(one.stream_id)
    whole = await read(other.url)
    chunks = [piece.index for piece in peer.served if piece.kind is PieceKind.CHUNK]

    assert whole == FILM
    assert sorted(chunks) == list(range(13))
    assert one.url != other.url


async def test_one_content_under_two_names_is_two_items(tmp_path: Path) -> None:
    """Each bears its own name, also in its address."""
    async with running(tmp_path, "ben") as ben:
        for name in ("1.mp3", "2.mp3"):
            write(tmp_path / "album" / name, noise(100))
        await shared(ben, tmp_path / "album")
        stream = await ben.stream("ben/album")
        await ben.close_stream(stream.stream_id)

    assert [item.name for item in stream.items] == ["1.mp3", "2.mp3"]
    assert [item.url.rpartition("/")[2] for item in stream.items] == ["1.mp3", "2.mp3"]


async def test_clients_hear_of_a_stream(ben: Engine, peer: FakePeer) -> None:
    """Its opening is told, and what is read of it."""
    root = offer(peer, FILM)
    opened = await first(ben, StreamChanged, after=lambda: asyncio.ensure_future(ben.stream(root)))
    moved = await first(ben, StreamChanged, after=lambda: asyncio.ensure_future(read(opened.stream.url, 0, 9)))

    assert opened.stream.name == "film.mkv"
    assert moved.stream.stream_id == opened.stream.stream_id


async def test_stream_nobody_reads_ends(ben: Engine, peer: FakePeer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that was forgotten is not open for ever."""
    monkeypatch.setattr(streaming, "IDLE_SECONDS", 0.05)
    await ben.stream(offer(peer, FILM))
    await eventually(lambda: not ben.services.streams.views())

    assert await ben.streams() == []


async def test_too_many_streams_are_refused(ben: Engine, peer: FakePeer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is told with the remedy."""
    monkeypatch.setattr(streaming, "MAX_STREAMS", 1)
    root = offer(peer, FILM)
    await ben.stream(root)

    with pytest.raises(EngineBusy, match="1 streams are open"):
        await ben.stream(root)


async def test_film_nobody_answers_for_is_no_stream(
    ben: Engine, peer: FakePeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks for it hears so, and nothing stays behind."""
    monkeypatch.setattr("peerterm.engine.viewing.OPEN_SECONDS", 0.2)
    root = peer.file(FILM)
    peer.entries.append(wire_entry(root, "share", "film.mkv", size=len(FILM)))
    del peer.contents[root]
    peer.haves[root] = []

    with pytest.raises(PeerUnavailable, match="no peer that has it answers"):
        await ben.stream(root.hex())
    assert await ben.streams() == []


async def test_folder_without_anything_to_play_is_told(tmp_path: Path) -> None:
    """It can be downloaded, not watched."""
    async with running(tmp_path, "ben") as ben:
        write(tmp_path / "papers" / "a.pdf", b"paper")
        await shared(ben, tmp_path / "papers")

        with pytest.raises(UsageError, match="nothing in it can be played"):
            await ben.stream("ben/papers")


async def test_streams_are_found_by_their_first_digits(ben: Engine, peer: FakePeer) -> None:
    """What fits none or several is told."""
    root = offer(peer, FILM)
    await ben.stream(root)
    await ben.stream(root)

    with pytest.raises(NotFound, match="no stream 'zz'"):
        await ben.close_stream("zz")
    with pytest.raises(NotFound, match="no stream ''"):
        await ben.close_stream("")
    ben.services.streams._streams = {f"aa{key}": stream for key, stream in ben.services.streams._streams.items()}
    with pytest.raises(AmbiguousReference, match="fits 2 streams"):
        await ben.close_stream("aa")
    ben.services.streams._streams = {key[2:]: stream for key, stream in ben.services.streams._streams.items()}


async def test_what_made_room_is_fetched_again_when_it_is_read(ben: Engine, peer: FakePeer) -> None:
    """A film larger than the cache is read whole, twice; the cache stays as small as it is."""
    data = noise(24 * MIB)
    ben.services.cache._slots = 8
    stream = await ben.stream(offer(peer, data))
    first, second = await read(stream.url), await read(stream.url)
    chunks = [piece.index for piece in peer.served if piece.kind is PieceKind.CHUNK]

    assert first == second == data
    assert ben.services.cache.held_bytes <= 8 * MIB
    assert len(chunks) >= 24 + 16


async def test_film_that_landed_is_read_though_nobody_is_online(tmp_path: Path) -> None:
    """What was downloaded once and is shared by nobody is still here."""
    async with running(tmp_path, "ben") as ben:
        async with running(tmp_path, "ada") as ada:
            write(tmp_path / "share" / "film.mkv", FILM)
            root = await shared(ada, tmp_path / "share" / "film.mkv")
            await until_online(ben, 1)
            await finished(ben, (await ben.get(root)).transfer_id)
        await eventually(lambda: not ben.services.peers.links())
        stream = await ben.stream(root)
        whole = await read(stream.url)

        with pytest.raises(NotFound):
            await ben.stream("f" * 64)

    assert (stream.state, stream.name) == ("local", "film.mkv")
    assert whole == FILM


async def test_offer_that_contradicts_itself_is_no_stream(
    ben: Engine, peer: FakePeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A head that is not the root's is worth nothing."""
    monkeypatch.setattr("peerterm.engine.viewing.OPEN_SECONDS", 0.5)
    root = offer(peer, FILM)
    peer.mangle = lambda piece, data: data[:-1] if piece.kind is PieceKind.HEAD else data

    with pytest.raises(PeerUnavailable):
        await ben.stream(root)
