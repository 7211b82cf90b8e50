"""TLS over a blocking socket: both ends, in threads, over a pair of sockets."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from peerterm.core.manifest import CHUNK_BYTES
from peerterm.net.tls_stream import GULP_BYTES, TlsStream, shut_down
from tests.fakes.lane_ends import Contexts, contexts_in


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    """A serving and an asking device."""
    return contexts_in(tmp_path_factory.mktemp("keys"))


@contextmanager
def streams(contexts: Contexts) -> Iterator[tuple[TlsStream, TlsStream, socket.socket]]:
    """Yield both ends after their handshake, and the socket of the first."""
    left, right = socket.socketpair()
    client = TlsStream(left, contexts[1].client)
    server = TlsStream(right, contexts[0].server, server_side=True)
    with client, server:
        client.set_timeout(10)
        server.set_timeout(10)
        shaking = in_thread(server.handshake)
        client.handshake()
        shaking.result()
        yield client, server, left


def in_thread(work: Callable[[], None]) -> Future[None]:
    """Run something beside the test."""
    with_one = ThreadPoolExecutor(1)
    future = with_one.submit(work)
    with_one.shutdown(wait=False)
    return future


def test_ends_know_each_other(contexts: Contexts) -> None:
    """After the handshake each end has the certificate of the other."""
    with streams(contexts) as (client, server, _):
        found = contexts[1].peer_of(client.tls), contexts[0].peer_of(server.tls)

    assert found == (contexts[0].peer_id, contexts[1].peer_id)


@pytest.mark.parametrize("size", [1, 16 * 1024, 16 * 1024 + 1, CHUNK_BYTES, 3 * GULP_BYTES + 7])
def test_what_is_sent_arrives(contexts: Contexts, size: int) -> None:
    """Bytes come as they were sent, however they were cut, and are heard of while they come."""
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    received = memoryview(bytearray(size))
    heard: list[None] = []
    with streams(contexts) as (client, server, _):
        sending = in_thread(lambda: server.send(data))
        client.read_exactly(received[: size // 3], lambda: heard.append(None))
        client.read_exactly(received[size // 3 :], lambda: heard.append(None))
        sending.result()

    assert received == data
    assert heard


@pytest.mark.parametrize("is_polite", [True, False])
def test_end_of_the_stream_is_an_error(contexts: Contexts, *, is_polite: bool) -> None:
    """Whether TLS says that nothing follows or the connection just ends, less than was wanted is an error."""
    with streams(contexts) as (client, server, _):
        if is_polite:
            with pytest.raises(ssl.SSLWantReadError):
                server.tls.unwrap()
        server.send(b"abc") if not is_polite else server._flush()
        server.close()
        with pytest.raises(OSError, match=r"ended|closed"):
            client.read_exactly(memoryview(bytearray(4)))


def test_other_thread_can_end_a_wait(contexts: Contexts) -> None:
    """``shut_down`` wakes a reader at once, and may come too late."""
    with streams(contexts) as (client, _, raw):
        reading = in_thread(lambda: client.read_exactly(memoryview(bytearray(1))))
        shut_down(raw)
        with pytest.raises(OSError, match="ended"):
            reading.result(5)
    shut_down(raw)


def test_silence_has_a_limit(contexts: Contexts) -> None:
    """Neither reading nor sending waits longer than it may."""
    with streams(contexts) as (client, _, _):
        client.set_timeout(0.05)
        with pytest.raises(TimeoutError):
            client.read_exactly(memoryview(bytearray(1)))
        with pytest.raises(TimeoutError):
            client.send(bytes(64 * CHUNK_BYTES))


def test_failed_handshake_tells_the_other_end(contexts: Contexts) -> None:
    """Who does not know the other's network says so before it hangs up."""
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    stranger.check_hostname = False
    left, right = socket.socketpair()
    with TlsStream(left, stranger) as client, TlsStream(right, contexts[0].server, server_side=True) as server:
        client.set_timeout(5)
        server.set_timeout(5)
        shaking = in_thread(server.handshake)
        with pytest.raises(ssl.SSLCertVerificationError):
            client.handshake()
        with pytest.raises(ssl.SSLError, match="alert"):
            shaking.result(5)
