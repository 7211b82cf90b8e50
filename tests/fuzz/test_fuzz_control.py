"""The control server on arbitrary bytes: it drops the client and lives."""

from __future__ import annotations

import asyncio
import struct
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgpack
from hypothesis import given
from hypothesis import strategies as st

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


async def attack(stream: bytes) -> None:
    """Send bytes to a server, read what it answers, then ask it as an honest client."""
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
            assert status.name == "fake"


@given(st.binary(max_size=400))
def test_arbitrary_bytes_leave_the_server_alive(data: bytes) -> None:
    """Before the greeting."""
    asyncio.run(attack(data))


@given(st.lists(frames, max_size=8))
def test_arbitrary_frames_leave_the_server_alive(sent: list[bytes]) -> None:
    """After the greeting: calls with any arguments, twice used ids, foreign kinds."""
    asyncio.run(attack(GREETING + b"".join(sent)))
