"""The control server on arbitrary bytes: it drops the client and lives."""

from __future__ import annotations

import asyncio
import logging
import struct
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgpack
from hypothesis import given
from hypothesis import strategies as st

from peerterm.control import server
from peerterm.control.client import RemoteEngine
from peerterm.control.messages import CONTROL_VERSION, Greeting, decode, encode
from peerterm.control.server import ControlServer
from peerterm.errors import ProtocolViolation
from tests.fakes.fake_engine import FakeEngine

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(0, 9), inner, max_size=4),
    max_leaves=12,
)
calls = st.fixed_dictionaries(
    {
        "id": st.integers(-1, 3) | values,
        "method": st.sampled_from(
            ["status", "share", "browse", "search", "events", "get", "log", "stop_", "settings"]
        )
        | values,
        "arguments": st.dictionaries(st.sampled_from(["path", "query", "limit", "lines", "peer", "x"]), values)
        | values,
    }
)
frames = st.tuples(st.integers(0, 255) | st.sampled_from([2, 5, 8]), st.binary() | calls.map(msgpack.packb)).map(
    lambda item: struct.pack("!IB", len(item[1]), item[0]) + item[1]
)
GREETING = encode(Greeting(control_version=CONTROL_VERSION, app_version="0"))


@given(st.integers(0, 255), st.binary(max_size=300) | values.map(msgpack.packb))
def test_any_body_is_a_message_or_a_protocol_violation(kind: int, body: bytes) -> None:
    """Decoding has one failure only."""
    message = None
    with suppress(ProtocolViolation):
        message = decode(kind, body)

    assert message is None or decode(kind, encode(message)[5:]) == message or "nan" in repr(message)


class Bugs(logging.Handler):
    """Collects what the server logs as its own fault."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record.getMessage())


async def answer_after(stream: bytes) -> tuple[str, str, list[str]]:
    """Send bytes to a server and read what it answers; return what the next client is told, and the bugs logged."""
    log, bugs = logging.getLogger(server.__name__), Bugs()
    log.addHandler(bugs)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s"
        async with asyncio.timeout(20), ControlServer(FakeEngine(), path):
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(stream)
            with suppress(OSError):
                writer.write_eof()
                await reader.read()
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            async with await RemoteEngine.connect(path) as remote:
                status = await remote.status()
    log.removeHandler(bugs)
    return status.name, status.state, bugs.seen


@given(st.binary(max_size=400))
def test_arbitrary_bytes_leave_the_server_alive(data: bytes) -> None:
    """Whatever comes before the greeting, the next client is answered."""
    answer = asyncio.run(answer_after(data))

    assert answer == ("fake", "ready", [])


@given(st.lists(frames, max_size=8))
def test_arbitrary_frames_leave_the_server_alive(sent: list[bytes]) -> None:
    """After the greeting, too: calls with any arguments, twice used ids, foreign kinds."""
    answer = asyncio.run(answer_after(GREETING + b"".join(sent)))

    assert answer == ("fake", "ready", [])
