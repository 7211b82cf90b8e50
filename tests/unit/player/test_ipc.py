"""peerterm.player.ipc: answers find their command, and none is waited for without end."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from peerterm.errors import PeertermError
from peerterm.player.ipc import MpvIpc, connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Pair:
    """Both ends of a conversation."""

    def __init__(self, ipc: MpvIpc, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.ipc = ipc
        self.reader = reader
        self.writer = writer

    async def asked(self) -> dict[str, Any]:
        message = json.loads(await self.reader.readline())
        assert isinstance(message, dict)
        return message

    def say(self, **message: object) -> None:
        self.writer.write(json.dumps(message).encode() + b"\n")


@asynccontextmanager
async def talking(heard: list[dict[str, Any]] | None = None) -> AsyncIterator[Pair]:
    ours, theirs = socket.socketpair()
    closed = asyncio.Event()
    reader, writer = await asyncio.open_connection(sock=theirs)
    async with connected(ours, (heard if heard is not None else []).append, closed.set) as ipc:
        yield Pair(ipc, reader, writer)
        writer.close()
        await writer.wait_closed()
        await ipc.closed()
    async with asyncio.timeout(5):
        await closed.wait()


async def test_answers_find_their_commands() -> None:
    """Answers may come in another order than the commands, with events between."""
    heard: list[dict[str, Any]] = []
    async with talking(heard) as pair:
        one = asyncio.create_task(pair.ipc.command(["get_property", "a"]))
        two = asyncio.create_task(pair.ipc.command({"name": "b"}, aside=True))
        first, second = await pair.asked(), await pair.asked()
        pair.say(request_id=second["request_id"], error="success", data="second")
        pair.say(event="seek")
        pair.say(request_id=999, error="success")
        pair.say(request_id=first["request_id"], error="success", data="first")
        answers = await one, await two

    assert answers == ("first", "second")
    assert (first["command"], first["async"]) == (["get_property", "a"], False)
    assert (second["command"], second["async"]) == ({"name": "b"}, True)
    assert heard == [{"event": "seek"}]


async def test_refusal_is_an_error() -> None:
    """What mpv refuses with is said."""
    async with talking() as pair:
        command = asyncio.create_task(pair.ipc.command(["seek", 1]))
        pair.say(request_id=(await pair.asked())["request_id"], error="property unavailable")
        with pytest.raises(PeertermError, match="mpv refused: property unavailable"):
            await command


async def test_answer_that_does_not_come_is_not_waited_for() -> None:
    """A command has its time; an answer that comes later is for nobody."""
    async with talking() as pair:
        with pytest.raises(PeertermError, match=r"mpv did not answer within 0\.05 s"):
            await pair.ipc.command(["late"], seconds=0.05)
        pair.say(request_id=(await pair.asked())["request_id"], error="success")


async def test_open_commands_fail_when_mpv_ends() -> None:
    """Who waits is told at once, and later commands fail without being sent."""
    async with talking() as pair:
        command = asyncio.create_task(pair.ipc.command(["seek", 1]))
        await pair.asked()
        pair.writer.close()
        with pytest.raises(PeertermError, match="mpv has ended"):
            await command
        with pytest.raises(PeertermError, match="mpv has ended"):
            await pair.ipc.command(["seek", 2])

    assert pair.ipc.failure is None


async def test_hanging_up_is_heard_on_the_other_side() -> None:
    """The player quits when it reads the end; what it says until then arrives."""
    heard: list[dict[str, Any]] = []
    async with talking(heard) as pair:
        pair.ipc.hang_up()
        end = await pair.reader.read()
        pair.say(event="end-file")

    assert end == b""
    assert heard == [{"event": "end-file"}]


async def test_socket_is_closed_however_often_one_is_cancelled() -> None:
    """As when a program ends while it ends its player."""
    ours, theirs = socket.socketpair()
    began = asyncio.Event()

    async def talk() -> None:
        async with connected(ours, lambda _: None, lambda: None) as ipc:
            kept.append(ipc)  # else the socket would be closed by Python, which warns of that
            began.set()
            await asyncio.Event().wait()

    kept: list[MpvIpc] = []
    reader, writer = await asyncio.open_connection(sock=theirs)
    talking = asyncio.create_task(talk())
    await began.wait()
    talking.cancel()
    await asyncio.sleep(0)
    talking.cancel()
    await asyncio.wait([talking])
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
