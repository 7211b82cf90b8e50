"""How long strangers can make a lane's handshake last."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from peerterm.net.tls_stream import TlsStream
from tests.fakes.lane_ends import Contexts, contexts_in

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 0.3


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    """A serving and an asking device."""
    return contexts_in(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def dribbler() -> Iterator[socket.socket]:
    """The other end of a socket on which a long greeting comes, one byte long before each timeout."""
    ours, theirs = socket.socketpair()
    is_over = threading.Event()

    def dribble() -> None:
        with suppress(OSError):
            for byte in b"\x16\x03\x01\x3f\xff\x01\x00\x3f\xfb\x03\x03" + bytes(0x3FF0):
                theirs.send(bytes([byte]))
                if is_over.wait(SECONDS / 6):
                    return

    thread = threading.Thread(target=dribble)
    thread.start()
    with ours, theirs:
        yield ours
        is_over.set()
        thread.join()


def test_handshake_is_bounded_however_it_is_fed(contexts: Contexts, dribbler: socket.socket) -> None:
    """The timeout holds for the whole handshake, so a byte now and then does not keep a lane."""
    stream = TlsStream(dribbler, contexts[0].server, server_side=True)
    stream.set_timeout(SECONDS)
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        stream.handshake()

    assert SECONDS * 0.9 <= time.monotonic() - start < SECONDS * 4


def test_timeout_bounds_each_wait_again_afterwards(contexts: Contexts) -> None:
    """What is left of the handshake's time does not bound what follows."""
    left, right = socket.socketpair()
    client = TlsStream(left, contexts[1].client)
    server = TlsStream(right, contexts[0].server, server_side=True)
    with client, server:
        for stream in (client, server):
            stream.set_timeout(10)
        shaking = threading.Thread(target=server.handshake)
        shaking.start()
        client.handshake()
        shaking.join()

        assert left.gettimeout() == right.gettimeout() == 10
