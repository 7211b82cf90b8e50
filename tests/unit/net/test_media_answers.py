"""What players are answered over loopback HTTP: bytes, ranges, headers, types. Clients are sockets and curl."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from peerterm.core.manifest import CHUNK_BYTES
from peerterm.net.media import MediaServer, mime_of
from tests.fakes.playable import CONTENT, FileMedia, MemoryMedia, connected, curl, fetched

if TYPE_CHECKING:
    from pathlib import Path

TAG = f'"{"ab" * 32}"'


async def test_curl_gets_the_file(server: MediaServer, film: MemoryMedia, tmp_path: Path) -> None:
    """Every byte of it, read a chunk at a time."""
    status, _ = await curl("--fail", "-o", str(tmp_path / "got"), server.publish(film))

    assert status == 0
    assert (tmp_path / "got").read_bytes() == CONTENT
    assert film.reads == [(0, CHUNK_BYTES), (CHUNK_BYTES, CHUNK_BYTES), (2 * CHUNK_BYTES, 12_345)]


async def test_curl_resumes(server: MediaServer, film: MemoryMedia, tmp_path: Path) -> None:
    """What is there already is not sent again; no read crosses the border of a chunk."""
    (tmp_path / "got").write_bytes(CONTENT[:1000])

    status, _ = await curl("--fail", "-C", "-", "-o", str(tmp_path / "got"), server.publish(film))

    assert status == 0
    assert (tmp_path / "got").read_bytes() == CONTENT
    assert film.reads[:2] == [(1000, CHUNK_BYTES - 1000), (CHUNK_BYTES, CHUNK_BYTES)]


async def test_file_on_disk_is_sent_whole(server: MediaServer, tmp_path: Path) -> None:
    """Reads in a thread do as well."""
    (tmp_path / "song.flac").write_bytes(CONTENT)
    song = FileMedia(tmp_path / "song.flac")
    reply = await fetched(server.publish(song))
    song.close()

    assert reply.body == CONTENT


async def test_whole_file_has_its_headers(server: MediaServer, film: MemoryMedia) -> None:
    """A player learns that it may seek; a browser, that it may neither guess, keep nor tell."""
    reply = await fetched(server.publish(film))
    date = reply.headers.pop("date")

    assert reply.status == 200
    assert date.endswith(" GMT")
    assert reply.headers == {
        "accept-ranges": "bytes",
        "cache-control": "no-store",
        "content-length": str(len(CONTENT)),
        "content-type": "video/x-matroska",
        "etag": TAG,
        "referrer-policy": "no-referrer",
        "server": "peerterm",
        "x-content-type-options": "nosniff",
    }


async def test_head_is_get_without_the_bytes(server: MediaServer, film: MemoryMedia) -> None:
    """The same headers, and nothing is read; ranges are defined for GET only (RFC 9110, 14.2)."""
    url = server.publish(film)
    get, head, part = (
        await fetched(url),
        await fetched(url, "HEAD"),
        await fetched(url, "HEAD", Range="bytes=0-0"),
    )
    read = len(film.reads)
    async with connected(url) as client:
        client.ask("HEAD", headers={"Connection": "close"})
        await client.head()
        rest = await client.rest()

    assert get.status == head.status == part.status == 200
    assert {**get.headers, "date": ""} == {**head.headers, "date": ""} == {**part.headers, "date": ""}
    assert rest == b""
    assert len(film.reads) == read


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-1048580", 5, 1_048_581),
        (f"bytes={CHUNK_BYTES}-", CHUNK_BYTES, len(CONTENT)),
        ("bytes=-7", len(CONTENT) - 7, len(CONTENT)),
        ("bytes=0-99999999999999999999999999", 0, len(CONTENT)),
    ],
)
async def test_range_is_sent_as_part(
    server: MediaServer, film: MemoryMedia, asked: str, start: int, stop: int
) -> None:
    """The bytes asked for and no others, with their place in the file."""
    reply = await fetched(server.publish(film), Range=asked)

    assert reply.status == 206
    assert reply.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(CONTENT)}"
    assert reply.body == CONTENT[start:stop]
    assert film.reads[0][0] == start


@pytest.mark.parametrize("asked", [f"bytes={len(CONTENT)}-", "bytes=-0", "bytes=0-1,4-5"])
async def test_range_that_cannot_be_sent_is_416(server: MediaServer, film: MemoryMedia, asked: str) -> None:
    """The answer tells the size, and the connection goes on."""
    async with connected(server.publish(film)) as client:
        client.ask(headers={"Range": asked})
        refused = await client.reply()
        client.ask(headers={"Range": "bytes=0-1"})
        served = await client.reply()

    assert (refused.status, refused.headers["content-range"]) == (416, f"bytes */{len(CONTENT)}")
    assert (served.status, served.body) == (206, CONTENT[:2])


async def test_several_lines_of_ranges_are_several_ranges(server: MediaServer, film: MemoryMedia) -> None:
    """Whoever repeats the header gets no more than who joins its values."""
    async with connected(server.publish(film)) as client:
        client.ask(headers={"Range": "bytes=0-1\r\nRange: bytes=4-5"})

        assert (await client.reply()).status == 416


async def test_range_of_a_former_file_is_the_whole_new_one(server: MediaServer, film: MemoryMedia) -> None:
    """If-Range guards a resumed download against another file under the same URL."""
    url = server.publish(film)
    same = await fetched(url, Range="bytes=0-1", If_Range=TAG)
    other = await fetched(url, Range="bytes=0-1", If_Range='"other"')

    assert [same.status, other.status] == [206, 200]
    assert other.body == CONTENT


async def test_client_that_has_the_file_is_told(server: MediaServer, film: MemoryMedia) -> None:
    """If-None-Match with the root is answered without bytes, and nothing is read."""
    reply = await fetched(server.publish(film), If_None_Match=f'"x", W/{TAG}')

    assert (reply.status, reply.headers["etag"], film.reads) == (304, TAG, [])


async def test_empty_file_is_served(server: MediaServer) -> None:
    """It has no byte to begin at."""
    url = server.publish(MemoryMedia(b""))
    whole, part = await fetched(url), await fetched(url, Range="bytes=0-")

    assert (whole.status, whole.headers["content-length"]) == (200, "0")
    assert (part.status, part.headers["content-range"]) == (416, "bytes */0")


async def test_connection_is_kept(server: MediaServer, film: MemoryMedia) -> None:
    """Many requests go over one connection; HTTP/1.0 has one each."""
    async with connected(server.publish(film)) as client:
        for start in range(0, 2000, 20):
            client.ask(headers={"Range": f"bytes={start}-{start + 19}"})
            assert (await client.reply()).body == CONTENT[start : start + 20]
        client.send(f"GET {client.target} HTTP/1.0\r\nHost: {client.host}\r\n\r\n".encode())
        last = await client.reply()

        assert last.body == CONTENT
        assert await client.rest() == b""


async def test_clients_are_served_at_once(server: MediaServer, film: MemoryMedia) -> None:
    """Two curls and the requests of a player that waits elsewhere do not hold each other up."""
    slow = MemoryMedia(CONTENT, name="slow.mp4", held_from=0)
    url, slow_url = server.publish(film), server.publish(slow)
    async with connected(slow_url) as first, connected(slow_url) as second:
        first.ask()
        second.ask(headers={"Range": "bytes=-5"})
        await slow.wait(waiting=2)
        got = await asyncio.gather(*(curl("--fail", url) for _ in range(2)))

    assert got == [(0, CONTENT)] * 2


@pytest.mark.parametrize(
    "name", ["a b.mkv", "50%?#&.mkv", "Größe/ß.mkv", "bad\udcff.mkv", "[1] 'x'.mkv", "%2e.mkv"]
)
async def test_any_name_leads_to_its_file(server: MediaServer, name: str) -> None:
    """The URL is plain ASCII that every client reads alike."""
    url = server.publish(MemoryMedia(b"abc", name=name))

    assert url.isascii()
    assert await curl("--fail", "--globoff", url) == (0, b"abc")


async def test_server_can_listen_at_the_other_loopback() -> None:
    """An IPv6 address stands in brackets."""
    server = MediaServer()
    await server.start("::1")
    url = server.publish(MemoryMedia(b"abc"))
    printed = await curl("--fail", "--globoff", url)
    await server.close()

    assert url.startswith("http://[::1]:")
    assert printed == (0, b"abc")


def test_types_are_those_players_know() -> None:
    """By the extension, in any case; what nobody plays, or a browser would run, is just bytes."""
    assert mime_of("A.MKV") == "video/x-matroska"
    assert [mime_of(f"x.{extension}") for extension in ("mp4", "webm", "mov", "avi")] == [
        "video/mp4",
        "video/webm",
        "video/quicktime",
        "video/x-msvideo",
    ]
    assert [mime_of(f"x.{extension}") for extension in ("mp3", "flac", "ogg", "opus", "m4a")] == [
        "audio/mpeg",
        "audio/flac",
        "audio/ogg",
        "audio/ogg",
        "audio/mp4",
    ]
    assert [mime_of(f"x.{extension}") for extension in ("srt", "ass", "vtt")] == [
        "application/x-subrip",
        "text/x-ssa",
        "text/vtt",
    ]
    assert {mime_of(name) for name in ("mkv", "x", "x.html", "x.svg", "x.js", "x.m3u8", "")} == {
        "application/octet-stream"
    }
