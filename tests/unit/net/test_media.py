"""Loopback HTTP for players: who is answered, and within which bounds (``docs/threats.md``)."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import socket
import subprocess
import sys
import tracemalloc
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from peerterm.core.manifest import CHUNK_BYTES
from peerterm.errors import EngineBusy, NotFound
from peerterm.net import media, media_http
from peerterm.net.media import MediaServer
from peerterm.net.media_http import MAX_CONNECTIONS, MAX_HEADER_BYTES
from tests.fakes.playable import CONTENT, LARGE, MemoryMedia, connected, curl, fetched, stalled

if TYPE_CHECKING:
    from tests.fakes.playable import Client


# Who is answered


def expected_status(host: str, origin: str | None, site: str | None, method: str, token: str) -> int:
    """Say which answer a combination deserves; the first fault decides."""
    if host != "own":
        return 421
    if origin is not None or site in ("same-site", "cross-site"):
        return 403
    if method not in ("GET", "HEAD"):
        return 405
    return 200 if token == "right" else 404


async def test_only_the_right_combination_answers(server: MediaServer, film: MemoryMedia) -> None:
    """Host, Origin, Sec-Fetch-Site, method and token in every combination: one wrong, and there are no bytes."""
    url = server.publish(film)
    own, right = urlsplit(url).netloc, urlsplit(url).path
    port = own.rpartition(":")[2]
    hosts = {"own": own, "name": f"localhost:{port}", "rebound": f"evil.example:{port}", "bare": "127.0.0.1"}
    hosts |= {"other": f"127.0.0.1:{int(port) ^ 1}", "dotted": f"127.0.0.1.:{port}"}
    origins = (None, "null", "https://evil.example", f"http://{own}")
    sites = (None, "none", "same-origin", "same-site", "cross-site")
    methods = ("GET", "HEAD", "POST", "OPTIONS", "DELETE")
    targets = {"right": right, "wrong": f"/{'A' * 22}/film.mkv", "none": "/film.mkv"}
    wrong = []
    answered = 0
    for host, origin, site, method, token in itertools.product(hosts, origins, sites, methods, targets):
        reply = await fetched(url, method, targets[token], Host=hosts[host], Origin=origin, Sec_Fetch_Site=site)
        status = expected_status(host, origin, site, method, token)
        answered += status == 200
        leaks = [name for name in reply.headers if name.startswith("access-control")]
        if reply.status != status or leaks or (status != 200 and CONTENT[:16] in reply.body):
            wrong.append((host, origin, site, method, token, reply))

    assert wrong == []
    assert answered == 6


async def test_request_without_host_is_refused(server: MediaServer, film: MemoryMedia) -> None:
    """HTTP/1.0 allows it, the server does not; two of them are no HTTP."""
    url = server.publish(film)
    async with connected(url) as old, connected(url) as double:
        old.send(f"GET {old.target} HTTP/1.0\r\n\r\n".encode())
        double.ask(headers={"Host": f"{double.host}\r\nHost: {double.host}"})

        assert (await old.reply()).status == 421
        assert (await double.reply()).status == 400


@pytest.mark.parametrize(("kind", "status"), [("video", 200), ("audio", 200), ("empty", 403), ("document", 403)])
async def test_page_may_show_media_but_not_read_it(
    server: MediaServer, film: MemoryMedia, kind: str, status: int
) -> None:
    """A video element of a page that was given the URL plays; scripts, frames and links of other sites do not."""
    reply = await fetched(server.publish(film), Sec_Fetch_Site="cross-site", Sec_Fetch_Dest=kind)

    assert reply.status == status
    assert reply.headers["x-content-type-options"] == "nosniff"


async def test_refused_method_is_told_which_are_served(server: MediaServer, film: MemoryMedia) -> None:
    """405 carries Allow (RFC 9110, 15.5.6)."""
    reply = await fetched(server.publish(film), "POST")

    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("header", ["Content-Length", "Transfer-Encoding"])
async def test_request_with_a_body_is_refused(server: MediaServer, film: MemoryMedia, header: str) -> None:
    """The body is not waited for."""
    async with connected(server.publish(film)) as client:
        client.ask(headers={header: "5" if header == "Content-Length" else "chunked"})

        assert (await client.reply()).status == 400
        assert await client.rest() == b""


@pytest.mark.parametrize(
    "change",
    [
        "{0}x",
        "{0}/",
        "{0}?x=1",
        "/{1}",
        "/{1}/",
        "/{1}/other.mkv",
        "/{1}/film.srt",
        "/{1}/../{1}/film.mkv",
        "/{2}/film.mkv",
        "/{1}x/film.mkv",
        "//{1}/film.mkv",
        "http://127.0.0.1{0}",
        "http://evil.example/{1}/film.mkv",
        "/",
        "/%",
        "/ü/film.mkv",
    ],
)
async def test_any_other_target_leads_nowhere(server: MediaServer, film: MemoryMedia, change: str) -> None:
    """Neither a neighbour of the file, nor part of a token, nor another server."""
    url = server.publish(film)
    path = urlsplit(url).path
    token = path.split("/")[1]

    reply = await fetched(url, target=change.format(path, token, token[:-1]))

    assert reply.status in (400, 404)
    assert film.reads == []


async def test_tokens_are_long_and_differ(server: MediaServer, film: MemoryMedia) -> None:
    """128 random bits each, also for the same media."""
    urls = [server.publish(film) for _ in range(50)]
    tokens = {urlsplit(url).path.split("/")[1] for url in urls}

    assert len(tokens) == 50
    assert {len(token) for token in tokens} == {22}


async def test_token_dies_with_its_stream(server: MediaServer, film: MemoryMedia) -> None:
    """Who reads is cut off, who asks again gets 404; other streams go on. Twice does no harm."""
    held = MemoryMedia(LARGE, held_from=CHUNK_BYTES)
    url, other = server.publish(held), server.publish(film)
    async with connected(url) as client:
        client.ask()
        await held.wait(waiting=1)
        server.withdraw(url)
        server.withdraw(url)
        await held.wait(waiting=0, cancelled=1)
        await client.rest()
    gone, there = await fetched(url), await fetched(other)

    assert [gone.status, there.status] == [404, 200]


async def test_published_media_are_bounded(
    server: MediaServer, film: MemoryMedia, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more is refused, until one is withdrawn."""
    monkeypatch.setattr(media, "MAX_PUBLISHED", 2)
    first, _ = server.publish(film), server.publish(film)
    with pytest.raises(EngineBusy):
        server.publish(film)
    server.withdraw(first)

    assert server.publish(film) != first


async def test_log_never_holds_a_token(server: MediaServer, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever happens to a request: served, refused, broken, cut off, failed."""
    caplog.set_level(logging.DEBUG)
    film = MemoryMedia(CONTENT, held_from=CHUNK_BYTES)
    film.error = NotFound("gone")
    url = server.publish(film)
    token = urlsplit(url).path.split("/")[1]
    replies = [
        await fetched(url, "HEAD"),
        await fetched(url, Host="evil.example"),
        await fetched(url, Range="bytes=9-1,2-"),
        await fetched(url, f"GET {token}"),
        await fetched(url, Cookie=token * 500),
    ]
    await curl(url)
    async with connected(url) as client:
        client.send(f"GET /{token}/\x00 HTTP/1.1\r\n{token}\r\n\r\n".encode())
        replies.append(await client.reply())
    server.withdraw(url)
    replies.append(await fetched(url))

    assert [reply.status for reply in replies] == [200, 421, 416, 400, 400, 400, 404]
    assert caplog.records
    assert token not in caplog.text
    assert all(token.encode() not in reply.body for reply in replies)


# Bounds


async def test_thousand_ranges_cost_nothing(server: MediaServer, film: MemoryMedia) -> None:
    """They are refused in the memory that one takes; more of them than fit a header are no request."""
    url = server.publish(film)
    many = "bytes=" + ",".join(f"{number}-{number}" for number in range(1000))
    await fetched(url, Range="bytes=-0")
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    reply = await fetched(url, Range=many)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    longer = await fetched(url, Range=many + many[5:].replace("bytes=", ","))

    assert reply.status == 416
    assert peak - before < 1024 * 1024
    assert longer.status == 400
    assert film.reads == []


async def test_long_header_is_refused_before_it_ends(server: MediaServer, film: MemoryMedia) -> None:
    """Whoever sends more than 8 KiB gets 400, however it is cut, and is not read further; a little less passes."""
    url = server.publish(film)
    just_fits = await fetched(url, "HEAD", Cookie="x" * (MAX_HEADER_BYTES - 200))
    async with connected(url) as client:
        client.send(f"GET {client.target} HTTP/1.1\r\nHost: {client.host}\r\n".encode())
        for number in range(MAX_HEADER_BYTES // 128):
            client.send(f"X-{number:04}: {'x' * 119}\r\n".encode())

        refused = await client.reply()

    assert just_fits.status == 200
    assert refused.status == 400


async def test_many_headers_are_refused(server: MediaServer, film: MemoryMedia) -> None:
    """However short they are."""
    reply = await fetched(server.publish(film), **{f"X{number}": "" for number in range(media_http.MAX_HEADERS)})

    assert reply.status == 400


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/9.9\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
)
async def test_what_is_no_http_is_refused(server: MediaServer, film: MemoryMedia, garbage: bytes) -> None:
    """With 400 and the end of the connection."""
    async with connected(server.publish(film)) as client:
        client.send(garbage)

        assert (await client.reply()).status == 400
        assert await client.rest() == b""


@pytest.mark.parametrize("begun", ["", "GET /", "after an answer", "drip"])
async def test_request_has_a_deadline(
    server: MediaServer, film: MemoryMedia, monkeypatch: pytest.MonkeyPatch, begun: str
) -> None:
    """A connection that is idle, or sends its request too slowly, is closed: at first and after an answer."""
    monkeypatch.setattr(media_http, "HEADER_SECONDS", 0.2)
    loop = asyncio.get_running_loop()
    async with connected(server.publish(film)) as client:
        if begun == "after an answer":
            client.ask("HEAD")
            assert (await client.reply(bodiless=True)).status == 200
        started_at = loop.time()
        if begun == "drip":
            client.send(b"GET / HTTP/1.1\r\nX: ")
            dripping = asyncio.create_task(drip(client))
            rest = await client.rest()
            dripping.cancel()
        else:
            client.send(begun.encode() if begun == "GET /" else b"")
            rest = await client.rest()
        took = loop.time() - started_at

    assert rest == b""
    assert 0.1 < took < 3


async def drip(client: Client) -> None:
    """Send a byte now and then."""
    while True:
        client.send(b"x")
        await asyncio.sleep(0.02)


async def test_slow_answer_is_no_slow_request(
    server: MediaServer, film: MemoryMedia, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline of requests does not end an answer that waits for bytes."""
    monkeypatch.setattr(media_http, "HEADER_SECONDS", 0.1)
    held = MemoryMedia(CONTENT, held_from=0)
    async with connected(server.publish(held)) as client, connected(server.publish(film)) as idle:
        client.ask()
        await held.wait(waiting=1)
        await idle.rest()
        await idle.rest()

        assert (held.waiting, held.cancelled) == (1, 0)


async def test_idle_connection_makes_room(server: MediaServer, film: MemoryMedia) -> None:
    """Of more than 16 connections the oldest that gets no answer is dropped: idle clients lock nobody out."""
    url = server.publish(film)
    async with AsyncExitStack() as stack:
        idle = [await stack.enter_async_context(connected(url)) for _ in range(MAX_CONNECTIONS)]
        idle[0].ask("HEAD")
        await idle[0].reply(bodiless=True)
        late = await stack.enter_async_context(connected(url))
        late.ask(headers={"Range": "bytes=0-9"})
        served = await late.reply()
        dropped = await idle[0].rest()
        idle[1].ask("HEAD")
        kept = await idle[1].reply(bodiless=True)

    assert served.body == CONTENT[:10]
    assert dropped == b""
    assert kept.status == 200


async def test_seventeenth_connection_is_refused_while_all_are_answered(server: MediaServer) -> None:
    """It is closed at once; when a client leaves there is room again."""
    held = MemoryMedia(CONTENT, held_from=CHUNK_BYTES)
    url = server.publish(held)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(url)) for _ in range(MAX_CONNECTIONS)]
        for client in clients:
            client.ask()
        await held.wait(waiting=MAX_CONNECTIONS)
        refused, _ = await curl("--fail", url)
        clients[0].writer.transport.abort()
        await held.wait(waiting=MAX_CONNECTIONS - 1, cancelled=1)
        served = await fetched(url, Range="bytes=0-9")

    assert refused in (52, 56)  # curl: nothing was answered, or the connection was reset
    assert served.body == CONTENT[:10]


async def test_client_that_stalls_for_long_is_dropped(
    server: MediaServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its bytes are dropped too; a paused player asks again. Nothing about it is an error."""
    monkeypatch.setattr(media_http, "STALL_SECONDS", 0.2)
    url = server.publish(MemoryMedia(LARGE))
    with socket.socket() as player:
        player.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        await stalled(player, url)
        (stream,) = server._streams.values()
        (task,) = stream.tasks
        await asyncio.wait([task], timeout=5)
        received = await asyncio.to_thread(everything_of, player)

    assert task.done()
    assert received < CHUNK_BYTES
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def everything_of(player: socket.socket) -> int:
    """Count the bytes until the other end closes."""
    player.settimeout(5)
    return sum(len(data) for data in iter(lambda: player.recv(CHUNK_BYTES), b""))


# Starting


async def test_only_loopback_is_listened_at() -> None:
    """No mistake of a caller opens it to the network."""
    with pytest.raises(AssertionError):
        await MediaServer().start("0.0.0.0")


def test_aiohttp_is_loaded_by_the_first_start_only() -> None:
    """An engine that plays nothing does not pay for it."""
    script = "import sys, peerterm.net.media; print('aiohttp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)

    assert done.stdout == "False\n"
