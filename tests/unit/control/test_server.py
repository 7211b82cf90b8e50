"""The server of the control socket, met with raw bytes and with its own client."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import stat
import struct
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest

from peerterm.api.events import Notice, Snapshot
from peerterm.control import server
from peerterm.control.client import RemoteEngine
from peerterm.control.messages import (
    CONTROL_VERSION,
    STREAM_WINDOW,
    Call,
    Cancel,
    Error,
    Greeting,
    Item,
    Message,
    More,
    Result,
    decode,
    encode,
)
from peerterm.control.server import MAX_CALLS, MAX_CLIENTS, ControlServer
from peerterm.errors import EngineBusy, StorageError
from peerterm.wire.frame import FrameDecoder, encode_frame
from tests.fakes.fake_engine import FakeEngine, make_hit

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path

GREETING = encode(Greeting(control_version=CONTROL_VERSION, app_version="0"))


class Raw:
    """A client that sends what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._decoder = FrameDecoder(max_body=1 << 24)
        self._received: list[Message] = []

    async def next(self) -> Message | None:
        """Return the next message; ``None`` when the server closed."""
        async with asyncio.timeout(5):
            while not self._received:
                data = await self.reader.read(65536)
                if not data:
                    return None
                self._received += [decode(frame.kind, frame.body) for frame in self._decoder.feed(data)]
        return self._received.pop(0)

    async def ended(self) -> bool:
        """Read on until the server closes."""
        while await self.next() is not None:
            pass
        return True


@asynccontextmanager
async def raw(path: Path, first: bytes = GREETING) -> AsyncIterator[Raw]:
    """Connect without a client; the server's greeting is taken."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    client = Raw(reader, writer)
    writer.write(first)
    try:
        assert isinstance(await client.next(), Greeting)
        yield client
    finally:
        writer.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the socket is."""
    return tmp_path / "control.sock"


@pytest.fixture
async def engine(path: Path) -> AsyncIterator[FakeEngine]:
    """Serve a fake engine."""
    fake = FakeEngine()
    async with ControlServer(fake, path):
        yield fake


async def settles(condition: Any) -> None:
    """Let the loop run until a condition holds."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def test_socket_is_of_this_user_only(engine: FakeEngine, path: Path) -> None:
    """Nobody else may even connect."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_socket_is_gone_after_the_server(path: Path) -> None:
    """A clean end leaves no stale socket."""
    async with ControlServer(FakeEngine(), path):
        pass

    assert not path.exists()


async def test_stale_socket_is_replaced(path: Path) -> None:
    """A socket that a dead engine left is no obstacle."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with ControlServer(FakeEngine(), path), await RemoteEngine.connect(path) as remote:
        status = await remote.status()

    assert status.name == "fake"


async def test_umask_is_restored(path: Path) -> None:
    """Binding changes the process only for a moment."""
    before = os.umask(0o022)
    os.umask(before)
    async with ControlServer(FakeEngine(), path):
        during = os.umask(before)
        os.umask(before)

    assert during == before


async def test_folder_that_is_missing_is_a_storage_error(tmp_path: Path) -> None:
    """The error names the socket."""
    with pytest.raises(StorageError, match="absent"):
        async with ControlServer(FakeEngine(), tmp_path / "absent" / "s"):
            pass


@pytest.mark.skipif(os.getuid() != 0, reason="only root can act as another user")
async def test_other_user_is_refused(engine: FakeEngine, path: Path) -> None:
    """Even a user whom the file system lets through is turned away."""
    path.chmod(0o666)
    for folder in path.parents:
        if folder.is_relative_to("/tmp/") and folder.stat().st_uid == os.getuid():
            folder.chmod(folder.stat().st_mode | 0o011)
    script = (
        "import os,socket,sys; os.setgid(65534); os.setuid(65534); s=socket.socket(socket.AF_UNIX);"
        f"s.connect({str(path)!r}); sys.stdout.buffer.write(s.recv(9999))"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=subprocess.PIPE)
    answer, _ = await process.communicate()

    (frame,) = FrameDecoder(max_body=9999).feed(answer)
    refusal = decode(frame.kind, frame.body)
    assert isinstance(refusal, Error)
    assert "65534" in refusal.message


def test_refusal_names_a_foreign_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check reads the connection's credentials, not what a client says."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        allowed = server._refusal(ours, 0)
        monkeypatch.setattr(os, "getuid", lambda: 4242)
        refused = server._refusal(ours, 0)

    assert allowed == ""
    assert "may not control" in refused


def test_systems_without_credentials_rely_on_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the option does not exist the mode of the folder must do."""
    monkeypatch.delattr(socket, "SO_PEERCRED")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert server._refusal(ours, 0) == ""


async def test_too_many_clients_are_refused(engine: FakeEngine, path: Path) -> None:
    """One more than allowed is told so; the others go on."""
    clients = [await RemoteEngine.connect(path) for _ in range(MAX_CLIENTS)]
    with pytest.raises(EngineBusy):
        await RemoteEngine.connect(path)
    status = await clients[0].status()
    for client in clients:
        await client.close()

    assert status.name == "fake"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        encode_frame(1, b"\xc1"),
        struct.pack("!IB", 0xFFFFFFFF, 2),
        encode(Call(id=1, method="status", arguments={})),
        encode(Greeting(control_version=99, app_version="9")),
        GREETING + encode_frame(2, b"nonsense"),
        GREETING + encode(Result(id=1, value=None)),
        GREETING + GREETING,
        GREETING + encode(More(id=1, count=STREAM_WINDOW + 1)),
        GREETING + encode(More(id=1, count=-1)),
        GREETING + encode(Call(id=1, method="events", arguments={})) * 2,
    ],
)
async def test_bad_client_is_dropped_and_the_engine_lives(engine: FakeEngine, path: Path, sent: bytes) -> None:
    """Only the client that broke the rules is disconnected."""
    async with raw(path, sent) as client:
        ended = await client.ended()
    async with await RemoteEngine.connect(path) as remote:
        status = await remote.status()

    assert ended
    assert status.name == "fake"


async def test_client_that_does_not_greet_is_dropped(
    engine: FakeEngine, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silence is not waited for without end."""
    monkeypatch.setattr(server, "GREETING_SECONDS", 0.01)
    async with raw(path, b"") as client:
        assert await client.ended()


@pytest.mark.parametrize("method", ["__class__", "peer_joined", "run_until_stopped", ""])
async def test_methods_outside_the_contract_cannot_be_called(engine: FakeEngine, path: Path, method: str) -> None:
    """The socket reaches nothing but the contract."""
    async with raw(path) as client:
        client.writer.write(encode(Call(id=1, method=method, arguments={})))
        answer = await client.next()

    assert isinstance(answer, Error)
    assert answer.code == "usage"


async def test_wrong_arguments_are_answered_with_an_error(engine: FakeEngine, path: Path) -> None:
    """The connection stays usable."""
    async with raw(path) as client:
        client.writer.write(encode(Call(id=1, method="browse", arguments={"peer": 1})))
        first = await client.next()
        client.writer.write(encode(Call(id=1, method="status", arguments={})))
        second = await client.next()

    assert isinstance(first, Error)
    assert first.code == "protocol"
    assert isinstance(second, Result)


async def test_slow_client_holds_the_stream_back(engine: FakeEngine, path: Path) -> None:
    """The engine sends no more than the window, and goes on as it is granted more."""
    engine.hits = [make_hit(f"{n:03}") for n in range(STREAM_WINDOW * 2)]
    call = Call(id=1, method="search", arguments={"query": {"text": "x"}})
    async with raw(path) as client:
        client.writer.write(encode(call))
        for _ in range(STREAM_WINDOW):
            assert isinstance(await client.next(), Item)
        client.writer.write(encode(Call(id=2, method="status", arguments={})))
        after_window = await client.next()
        client.writer.write(encode(More(id=1, count=1)))
        after_more = await client.next()

    assert isinstance(after_window, Result)
    assert isinstance(after_more, Item)


async def test_cancel_ends_a_stream(engine: FakeEngine, path: Path) -> None:
    """The engine's iterator is closed, wherever it waits."""
    async with raw(path) as client:
        client.writer.write(encode(Call(id=1, method="events", arguments={})))
        assert isinstance(await client.next(), Item)
        client.writer.write(encode(Cancel(id=1)))
        await settles(lambda: engine.open_streams == 0)
        client.writer.write(encode(Cancel(id=1)) + encode(Call(id=1, method="status", arguments={})))
        answer = await client.next()

    assert isinstance(answer, Result)


async def test_call_cancelled_before_it_began_frees_its_id(engine: FakeEngine, path: Path) -> None:
    """A call and its cancellation may come in one packet."""
    async with raw(path) as client:
        call = Call(id=1, method="events", arguments={})
        client.writer.write(encode(call) + encode(Cancel(id=1)))
        client.writer.write(encode(Call(id=2, method="status", arguments={})))
        first = await client.next()
        client.writer.write(encode(call))
        second = await client.next()

    assert isinstance(first, Result)
    assert isinstance(second, Item)


async def test_client_that_dies_cancels_its_calls(engine: FakeEngine, path: Path) -> None:
    """Nothing goes on for a client that is gone."""
    async with raw(path) as client:
        client.writer.write(encode(Call(id=1, method="events", arguments={})))
        assert isinstance(await client.next(), Item)
    await settles(lambda: engine.open_streams == 0)

    assert engine.open_streams == 0


async def test_too_many_calls_are_refused_one_by_one(engine: FakeEngine, path: Path) -> None:
    """A client cannot make the engine hold calls without end."""
    async with raw(path) as client:
        for number in range(MAX_CALLS + 1):
            client.writer.write(encode(Call(id=number, method="events", arguments={})))
        answers = [await client.next() for _ in range(MAX_CALLS + 1)]

    refused = [answer for answer in answers if isinstance(answer, Error)]
    assert [answer.code for answer in refused] == ["engine_busy"]


async def test_client_that_does_not_read_is_dropped(
    engine: FakeEngine, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written for a client is bounded in time."""
    monkeypatch.setattr(server, "SEND_SECONDS", 0.05)
    engine.hits = [make_hit("x" * 1_000_000)]
    async with raw(path) as client:
        for number in range(8):
            client.writer.write(encode(Call(id=number, method="search", arguments={"query": {"text": "x"}})))
        async with await RemoteEngine.connect(path) as remote:
            async with asyncio.timeout(5):
                while engine.open_streams or not engine.asked:
                    await remote.status()

    assert len(engine.asked) == 8


async def test_answer_that_is_too_large_is_an_error(
    engine: FakeEngine, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client is told, instead of being sent a frame that it must refuse."""
    monkeypatch.setattr(server, "MAX_SERVER_BODY", 100)
    async with await RemoteEngine.connect(path) as remote:
        with pytest.raises(EngineBusy, match="too large"):
            await remote.settings()


class BuggyEngine(FakeEngine):
    """Has a bug."""

    async def stop(self) -> None:
        """Fail in a way that no contract names."""
        raise ZeroDivisionError


async def test_bug_in_a_call_is_logged_and_the_server_lives(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A bug is not hidden, costs one client its connection, and nobody else anything."""
    async with ControlServer(BuggyEngine(), path), await RemoteEngine.connect(path) as other:
        async with raw(path) as client:
            with caplog.at_level(logging.ERROR):
                client.writer.write(encode(Call(id=1, method="stop", arguments={})))
                ended = await client.ended()
                await settles(lambda: bool(caplog.records))
        status = await other.status()

    assert ended
    assert status.name == "fake"
    assert "ZeroDivisionError" in caplog.text


async def test_streams_run_beside_calls(engine: FakeEngine, path: Path) -> None:
    """A subscription does not hold up other calls of the same client."""
    async with await RemoteEngine.connect(path) as remote:
        events = remote.events()
        first = await anext(events)
        for number in range(STREAM_WINDOW * 3):
            engine.announce(Notice(level="info", text=str(number)))
        status = await remote.status()
        texts = [cast("Notice", await anext(events)).text for _ in range(STREAM_WINDOW * 3)]
        await cast("AsyncGenerator[Any, None]", events).aclose()

    assert isinstance(first, Snapshot)
    assert status.name == "fake"
    assert texts == [str(number) for number in range(STREAM_WINDOW * 3)]
