"""The preamble: four bytes, and not one more."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from peerterm.errors import ProtocolViolation
from peerterm.net.preamble import Preamble, read_preamble


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize("preamble", Preamble)
async def test_preamble_is_read_and_nothing_after(
    ends: tuple[socket.socket, socket.socket], preamble: Preamble
) -> None:
    """What follows the preamble stays in the socket, for TLS."""
    ours, theirs = ends
    theirs.sendall(preamble.value + b"hello")

    assert await read_preamble(ours) is preamble
    assert ours.recv(10) == b"hello"


@pytest.mark.parametrize("data", [b"GET ", b"\x16\x03\x01\x00", b"PT1"])
async def test_anything_else_is_refused(ends: tuple[socket.socket, socket.socket], data: bytes) -> None:
    """Another protocol, and a stream that ends, are violations."""
    ours, theirs = ends
    theirs.sendall(data)
    theirs.shutdown(socket.SHUT_WR)

    with pytest.raises(ProtocolViolation):
        await read_preamble(ours)
