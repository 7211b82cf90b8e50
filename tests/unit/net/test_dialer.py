"""The dialler: whom it finds, and how it says that it did not."""

from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path

import pytest

from peerterm.core.ids import PeerId
from peerterm.errors import AuthFailed, PeerError, PeerUnavailable
from peerterm.net import dialer
from peerterm.net.dialer import connect_lane, dial_link
from peerterm.net.preamble import Preamble
from peerterm.net.tls import TlsContexts
from tests.fakes.linked import LOOPBACK, contexts_of, listening

NOBODY = PeerId("00" * 32)
OTHER_SEED = bytes(32)


async def dial(kind: str, host: str, port: int, contexts: TlsContexts, expected: PeerId) -> PeerId:
    """Dial as a link or as a lane; return who was found, and hang up."""
    if kind == "link":
        connected = await dial_link(host, port, contexts, expected=expected)
        connected.writer.transport.abort()
        return connected.peer_id
    lane = await asyncio.to_thread(connect_lane, host, port, contexts, expected, 0.5)
    found = contexts.peer_of(lane.tls)
    lane.close()
    return found


class LaneServer:
    """Shakes hands with whatever lane comes, in a thread each."""

    def __init__(self, contexts: TlsContexts) -> None:
        self._server = contexts.server
        self._door = socket.create_server((LOOPBACK, 0))
        self.port: int = self._door.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._door.accept()
        with connection:
            connection.settimeout(5)
            connection.recv(4)
            try:
                with self._server.wrap_socket(connection, server_side=True) as lane:
                    lane.recv(1)
            except OSError:
                return

    def close(self) -> None:
        self._thread.join()
        self._door.close()


@pytest.fixture(params=["link", "lane"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def found_by(kind: str, server: TlsContexts, client: TlsContexts, expected: PeerId) -> PeerId:
    """Dial a server of this kind that bears these contexts."""
    if kind == "link":
        async with listening(server) as door:
            return await dial(kind, LOOPBACK, door.port, client, expected)
    lanes = LaneServer(server)
    try:
        return await dial(kind, LOOPBACK, lanes.port, client, expected)
    finally:
        await asyncio.to_thread(lanes.close)


async def test_peer_expected_is_found(tmp_path: Path, kind: str) -> None:
    """Dialling succeeds where the peer expected answers."""
    bob = contexts_of(tmp_path, "bob")

    assert await found_by(kind, bob, contexts_of(tmp_path, "ann"), bob.peer_id) == bob.peer_id


async def test_other_peer_is_refused(tmp_path: Path, kind: str) -> None:
    """Where somebody else answers, dialling fails before anything is said."""
    with pytest.raises(AuthFailed, match="not AAAAAAAA"):
        await found_by(kind, contexts_of(tmp_path, "bob"), contexts_of(tmp_path, "ann"), NOBODY)


async def test_own_device_is_refused(tmp_path: Path, kind: str) -> None:
    """A device that dials itself notices."""
    ann = contexts_of(tmp_path, "ann")

    with pytest.raises(AuthFailed, match="itself"):
        await found_by(kind, ann, ann, ann.peer_id)


async def test_other_network_is_refused(tmp_path: Path, kind: str) -> None:
    """A peer of another network fails the handshake, and the hint speaks of the code."""
    with pytest.raises(AuthFailed) as caught:
        await found_by(kind, contexts_of(tmp_path, "bob", OTHER_SEED), contexts_of(tmp_path, "ann"), NOBODY)

    assert "network code" in caught.value.hint


async def test_nobody_there_is_said(tmp_path: Path, kind: str) -> None:
    """A port on which nothing listens is named, with a hint."""
    with socket.create_server((LOOPBACK, 0)) as probe:
        port = probe.getsockname()[1]

    with pytest.raises(PeerUnavailable, match=f"{port}: nothing listens") as caught:
        await dial(kind, LOOPBACK, port, contexts_of(tmp_path, "ann"), NOBODY)

    assert caught.value.hint


async def test_silence_is_given_up(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that accepts and says nothing ends in time."""
    monkeypatch.setattr(dialer, "HANDSHAKE_SECONDS", 0.05)
    with socket.create_server((LOOPBACK, 0)) as mute, pytest.raises(PeerUnavailable):
        await dial(kind, LOOPBACK, mute.getsockname()[1], contexts_of(tmp_path, "ann"), NOBODY)


async def test_hanging_up_is_explained(tmp_path: Path, kind: str) -> None:
    """A server that closes during the handshake may have its reasons; the hint names them."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(20)
        writer.close()

    server = await asyncio.start_server(hang_up, LOOPBACK, 0)
    async with server:
        with pytest.raises(PeerUnavailable) as caught:
            await dial(kind, LOOPBACK, server.sockets[0].getsockname()[1], contexts_of(tmp_path, "ann"), NOBODY)

    assert "blocked" in caught.value.hint


async def test_unknown_machine_is_said(tmp_path: Path, kind: str) -> None:
    """An address on an interface that does not exist is a peer that is unavailable."""
    with pytest.raises(PeerUnavailable, match="no such machine"):
        await dial(kind, "fe80::1%nosuch", 1, contexts_of(tmp_path, "ann"), NOBODY)


async def test_address_that_nothing_leads_to_is_said(tmp_path: Path) -> None:
    """The system's reason is passed on where there is no better one."""
    with pytest.raises(PeerUnavailable, match="cannot be reached: Cannot assign"):
        await dial_link(LOOPBACK, 1, contexts_of(tmp_path, "ann"), local_address="192.0.2.1")


async def test_connecting_has_a_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that does not answer at all is given up."""
    loop = asyncio.get_running_loop()

    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(loop, "sock_connect", never)
    monkeypatch.setattr(dialer, "CONNECT_SECONDS", 0.02)

    with pytest.raises(PeerUnavailable, match="does not answer"):
        await dial_link(LOOPBACK, 1, contexts_of(tmp_path, "ann"))


async def test_local_address_is_used(tmp_path: Path) -> None:
    """A dial leaves from the address given."""
    async with listening(contexts_of(tmp_path, "bob")) as door:
        connected = await dial_link(LOOPBACK, door.port, contexts_of(tmp_path, "ann"), local_address="127.0.0.9")

        assert (await door.links.get()).host == "127.0.0.9"
        assert connected.is_dialer
        connected.writer.transport.abort()


async def test_preamble_tells_links_from_lanes(tmp_path: Path) -> None:
    """The first four bytes say what a connection is for."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait(await reader.readexactly(4))
        writer.close()

    server = await asyncio.start_server(listen, LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        for kind in ("link", "lane"):
            with pytest.raises(PeerError):
                await dial(kind, LOOPBACK, port, contexts_of(tmp_path, "ann"), NOBODY)

    assert [await heard.get(), await heard.get()] == [Preamble.LINK.value, Preamble.LANE.value]


async def test_host_without_address_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads nowhere is an error, not a hang."""

    async def nothing(*_: object, **__: object) -> list[object]:
        return []

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nothing)

    with pytest.raises(PeerUnavailable, match="no address"):
        await dial_link("somewhere", 1, contexts_of(tmp_path, "ann"))


async def test_next_address_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host with two addresses is reached at the one that answers."""
    async with listening(contexts_of(tmp_path, "bob")) as door:
        places = [
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.2", door.port)),
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", (LOOPBACK, door.port)),
        ]

        async def both(*_: object, **__: object) -> list[object]:
            return list(places)

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)
        connected = await dial_link("bobs-machine", door.port, contexts_of(tmp_path, "ann"))

        assert connected.peer_id == contexts_of(tmp_path, "bob").peer_id
        connected.writer.transport.abort()
