"""How an answer to a player ends before its end: clients that go, sources that fail, bugs, and the close."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING

import pytest

from peerterm.core.manifest import CHUNK_BYTES
from peerterm.errors import NotFound
from peerterm.net import media_http
from peerterm.net.media_http import MAX_HEADER_BYTES
from tests.fakes.playable import CONTENT, LARGE, MemoryMedia, connected, curl, fetched, serving, stalled

if TYPE_CHECKING:
    from peerterm.net.media import MediaServer


# Clients that go, or talk meanwhile


@pytest.mark.parametrize("way", ["close", "reset"])
async def test_client_that_goes_cancels_its_read(server: MediaServer, way: str) -> None:
    """A seek is a new request: nobody waits for the bytes of the former one, and at once."""
    held = MemoryMedia(CONTENT, held_from=CHUNK_BYTES)
    loop = asyncio.get_running_loop()
    async with connected(server.publish(held)) as client:
        client.ask()
        await held.wait(waiting=1)
        await client.head()
        await client.reader.readexactly(CHUNK_BYTES)
        started_at = loop.time()
        if way == "close":
            client.writer.close()
        else:
            client.writer.transport.abort()
        await held.wait(waiting=0, cancelled=1)
        took = loop.time() - started_at

    assert took < 0.5


async def test_client_that_goes_while_it_takes_nothing_is_noticed(server: MediaServer) -> None:
    """Its answer ends, though bytes for it are left; reads do not run far ahead of it."""
    film = MemoryMedia(LARGE)
    with socket.socket() as player:
        player.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        await stalled(player, server.publish(film))
        read_ahead = len(film.reads)
        player.close()
        served = await asyncio.wait_for(fetched(server.publish(film), Range="bytes=0-9"), 5)

    assert read_ahead <= 2
    assert served.status == 206
    assert len(film.reads) == read_ahead + 1


async def test_talk_during_an_answer_is_bounded(server: MediaServer) -> None:
    """Requests sent ahead are few, or the connection ends and the read with it."""
    held = MemoryMedia(CONTENT, held_from=0)
    async with connected(server.publish(held)) as client:
        client.ask()
        await held.wait(waiting=1)
        client.send(b"x" * (MAX_HEADER_BYTES + 1))
        await held.wait(waiting=0, cancelled=1)

    assert held.reads == [(0, CHUNK_BYTES)]


# What goes wrong


async def test_error_mid_body_closes_the_connection(server: MediaServer, caplog: pytest.LogCaptureFixture) -> None:
    """What was verified arrives, and the client sees that the rest is missing; the log says why."""
    caplog.set_level(logging.DEBUG)
    film = MemoryMedia(CONTENT, held_from=CHUNK_BYTES)
    film.error = NotFound("no peer has it any more")
    status, got = await curl("--fail", server.publish(film))

    assert status == 18  # curl: transfer closed with bytes outstanding
    assert got == CONTENT[:CHUNK_BYTES]
    assert "film.mkv: an answer to a player ended early: no peer has it any more" in caplog.messages


@pytest.mark.parametrize("held_from", [0, CHUNK_BYTES])
async def test_bug_is_reported_and_ends_one_connection_only(server: MediaServer, held_from: int) -> None:
    """The loop's handler hears of it; the server goes on."""
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
    film = MemoryMedia(CONTENT, held_from=held_from)
    film.error = ZeroDivisionError("a bug")
    url = server.publish(film)
    status, got = await curl("--fail", url)
    head = await fetched(url, "HEAD")

    assert (status, got) == (18, CONTENT[:held_from])
    assert reported == [film.error]
    assert head.status == 200


async def test_bug_before_an_answer_is_an_error_without_details(
    server: MediaServer, film: MemoryMedia, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client learns that it failed and no more."""
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
    monkeypatch.setattr(media_http, "parse_range", lambda _header, _size: 1 // 0)

    reply = await fetched(server.publish(film))

    assert (reply.status, reply.body) == (500, b"Internal Server Error\n")
    assert [type(error) for error in reported] == [ZeroDivisionError]


async def test_close_cuts_everybody_off() -> None:
    """Reads are cancelled, connections end, the port is free; a second close does nothing."""
    held = MemoryMedia(CONTENT, held_from=0)
    async with serving() as server:
        url = server.publish(held)
        async with connected(url) as reading, connected(url) as idle:
            reading.ask()
            await held.wait(waiting=1)
            await server.close()

            assert (held.waiting, held.cancelled) == (0, 1)
            await reading.rest()
            assert await idle.rest() == b""
        with pytest.raises(ConnectionRefusedError):
            await fetched(url)
