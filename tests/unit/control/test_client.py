"""The client of the control socket, against servers that misbehave."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

import pytest

from peerterm.control import client
from peerterm.control.client import RemoteEngine
from peerterm.control.messages import CONTROL_VERSION, STREAM_WINDOW, End, Greeting, Item, Result, encode
from peerterm.control.server import ControlServer
from peerterm.errors import ControlError, EngineNotRunning, UsageError, VersionMismatch
from peerterm.wire.frame import encode_frame
from tests.fakes.fake_engine import FakeEngine

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path

GREETING = encode(Greeting(control_version=CONTROL_VERSION, app_version="0"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the socket is."""
    return tmp_path / "control.sock"


@asynccontextmanager
async def serving(path: Path, first: bytes, later: bytes = b"") -> AsyncIterator[None]:
    """Serve fixed bytes: some at once, some after the first call."""
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        writer.write(first)
        received = 0
        while received < 2 and await reader.read(65536):
            received += 1
            if received == 2:
                writer.write(later)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_unix_server(serve, str(path))
    try:
        yield
    finally:
        server.close()
        await asyncio.gather(*tasks)


async def test_missing_socket_means_no_engine(path: Path) -> None:
    """The error says how to start one."""
    with pytest.raises(EngineNotRunning, match="no engine"):
        await RemoteEngine.connect(path)


async def test_socket_without_a_process_means_no_engine(path: Path) -> None:
    """A stale socket is the same as none."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    with pytest.raises(EngineNotRunning):
        await RemoteEngine.connect(path)


async def test_path_that_cannot_be_a_socket_is_an_error(tmp_path: Path) -> None:
    """Too long a path is told apart from an engine that does not run."""
    with pytest.raises(ControlError, match="cannot be reached"):
        await RemoteEngine.connect(tmp_path / ("x" * 200))


async def test_engine_of_another_version_is_named(path: Path) -> None:
    """Both versions and the remedy are told."""
    async with serving(path, encode(Greeting(control_version=99, app_version="9.9"))):
        with pytest.raises(VersionMismatch, match=r"9\.9") as raised:
            await RemoteEngine.connect(path)

    assert "stop" in raised.value.hint


@pytest.mark.parametrize(
    "first", [encode_frame(77, b""), encode(End(id=1)), encode_frame(1, b"\xc1"), b"\xff" * 50]
)
async def test_something_else_on_the_socket_is_an_error(path: Path, first: bytes) -> None:
    """A server that does not greet is refused."""
    async with serving(path, first):
        with pytest.raises(ControlError):
            await RemoteEngine.connect(path)


async def test_silent_engine_is_not_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that hangs is reported."""
    monkeypatch.setattr(client, "GREETING_SECONDS", 0.05)
    async with serving(path, b""):
        with pytest.raises(ControlError, match="does not answer"):
            await RemoteEngine.connect(path)


@pytest.mark.parametrize(
    "later",
    [
        b"",
        encode_frame(77, b""),
        encode(Greeting(control_version=1, app_version="0")),
        encode(Result(id=1, value={"name": 3})),
        encode(Result(id=1, value="\ud800")),
        encode(End(id=1)),
    ],
)
async def test_bad_answer_is_a_control_error(path: Path, later: bytes) -> None:
    """Whatever an engine answers, a call ends with a documented error."""
    async with serving(path, GREETING, later), await RemoteEngine.connect(path) as remote:
        with pytest.raises(ControlError):
            await asyncio.wait_for(remote.status(), 5)


async def read_late(remote: RemoteEngine) -> None:
    """Read a stream only once all of it has come."""
    async for _ in remote.events():
        await remote.wait_closed()


async def test_engine_may_not_send_more_than_the_window(path: Path) -> None:
    """What a client holds is bounded, even if the engine does not keep to it."""
    flood = encode(Item(id=1, value={"event": "notice", "level": "info", "text": ""})) * (STREAM_WINDOW + 9)
    async with serving(path, GREETING, flood), await RemoteEngine.connect(path) as remote:
        with pytest.raises(ControlError, match="more than"):
            await asyncio.wait_for(read_late(remote), 5)


async def test_answers_to_nobody_are_ignored(path: Path) -> None:
    """An answer to a call that was given up is no error."""
    later = encode(End(id=999)) + encode(Result(id=1, value=[]))
    async with serving(path, GREETING, later), await RemoteEngine.connect(path) as remote:
        assert await remote.peers() == []


async def test_calls_fail_once_the_engine_is_gone(path: Path) -> None:
    """Open calls and later ones end with the same error."""
    engine = FakeEngine()
    async with ControlServer(engine, path):
        remote = await RemoteEngine.connect(path)
        events = remote.events()
        await anext(events)
    await remote.wait_closed()

    with pytest.raises(ControlError, match="closed the connection"):
        await anext(events)
    with pytest.raises(ControlError):
        await remote.status()
    await remote.close()


async def test_calls_fail_after_close(path: Path) -> None:
    """A closed client does not wait for answers that cannot come."""
    async with ControlServer(FakeEngine(), path):
        remote = await RemoteEngine.connect(path)
        await remote.close()
        with pytest.raises(ControlError, match="was closed"):
            await remote.status()


async def test_cancelled_call_is_given_up_on_both_sides(path: Path) -> None:
    """The engine stops to work for a call that nobody waits for."""
    engine = FakeEngine()
    async with ControlServer(engine, path), await RemoteEngine.connect(path) as remote:
        events = remote.events()
        await anext(events)
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        async with asyncio.timeout(5):
            while engine.open_streams:
                await remote.status()

    assert engine.open_streams == 0
    assert remote._answers == {}


async def test_abandoned_stream_tells_the_engine(path: Path) -> None:
    """Closing the iterator ends it on the engine's side."""
    engine = FakeEngine()
    async with ControlServer(engine, path), await RemoteEngine.connect(path) as remote:
        events = remote.events()
        await anext(events)
        await cast("AsyncGenerator[Any, None]", events).aclose()
        async with asyncio.timeout(5):
            while engine.open_streams:
                await remote.status()

    assert engine.open_streams == 0


async def test_too_large_an_argument_is_refused_here(path: Path) -> None:
    """The connection is not lost over it."""
    async with ControlServer(FakeEngine(), path), await RemoteEngine.connect(path) as remote:
        with pytest.raises(UsageError, match="too much"):
            await remote.get("x" * 2_000_000)
        status = await remote.status()

    assert status.name == "fake"
