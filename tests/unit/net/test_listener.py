"""The listener: ports, caps before TLS, and that one connection's trouble stays its own."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peerterm.errors import EngineBusy, PortTaken
from peerterm.net import listener as listener_module
from peerterm.net.dialer import connect_lane, dial_link
from peerterm.net.link import Connected
from peerterm.net.listener import Limits, Listener, Slots
from peerterm.net.preamble import Preamble
from tests.fakes.linked import LOOPBACK, Door, contexts_of, listening


async def plain(
    port: int, data: bytes = b"", host: str = LOOPBACK
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect without TLS, and send some bytes."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port, local_addr=(host, 0))
    writer.write(data)
    return reader, writer


async def is_dropped(reader: asyncio.StreamReader) -> bool:
    """Wait for the other side to end a stream; a test's own time limit is the alternative."""
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


def a_listener(folder: Path) -> Listener:
    async def on_link(_: Connected) -> None:
        pass

    return Listener(contexts_of(folder, "bob"), on_link=on_link, on_lane=lambda *_: None)


async def test_link_arrives_with_the_id_of_its_dialler(tmp_path: Path) -> None:
    """The listener hands over a stream, and who is at its other end."""
    ann = contexts_of(tmp_path, "ann")
    async with listening(contexts_of(tmp_path, "bob")) as door:
        dialled = await dial_link(LOOPBACK, door.port, ann)
        connected = await door.links.get()
        dialled.writer.write(b"hello")

        assert await connected.reader.readexactly(5) == b"hello"
        assert connected.peer_id == ann.peer_id
        assert (connected.host, connected.is_dialer) == (LOOPBACK, False)
        dialled.writer.transport.abort()


async def test_lane_is_handed_over_before_tls(tmp_path: Path) -> None:
    """A lane arrives as a blocking socket with which a thread can shake hands."""
    ann, bob = contexts_of(tmp_path, "ann"), contexts_of(tmp_path, "bob")
    async with listening(bob) as door:
        dialling = asyncio.create_task(asyncio.to_thread(connect_lane, LOOPBACK, door.port, ann, bob.peer_id))
        lane, (host, _), release = await door.lanes.get()
        served = await asyncio.to_thread(bob.server.wrap_socket, lane, server_side=True)
        dialled = await dialling

        assert host == LOOPBACK
        assert lane.gettimeout() is None
        assert bob.peer_of(served) == ann.peer_id
        release()
        served.close()
        dialled.close()


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", Preamble.LINK.value + b"not TLS at all, really"])
async def test_stranger_is_dropped_and_others_served(tmp_path: Path, data: bytes) -> None:
    """A client that speaks something else is dropped; the next one gets in."""
    async with listening(contexts_of(tmp_path, "bob")) as door:
        reader, writer = await plain(door.port, data)
        assert await is_dropped(reader)
        writer.close()

        dialled = await dial_link(LOOPBACK, door.port, contexts_of(tmp_path, "ann"))
        assert (await door.links.get()).peer_id
        dialled.writer.transport.abort()


async def refusal(door: Door, context: ssl.SSLContext) -> bytes | OSError:
    """Dial with any context; return what one hears after the handshake."""
    connection = socket.create_connection((LOOPBACK, door.port))
    connection.sendall(Preamble.LINK.value)

    def attempt() -> bytes | OSError:
        with connection:
            try:
                with context.wrap_socket(connection) as tls:
                    return tls.recv(1)
            except OSError as error:
                return error

    return await asyncio.to_thread(attempt)


@pytest.mark.parametrize("stranger", ["no-certificate", "other-network", "old-tls"])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_outsider_never_becomes_a_link(tmp_path: Path, stranger: str) -> None:
    """Whoever TLS does not accept hears nothing and is never handed over."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if stranger == "other-network":
        context = contexts_of(tmp_path, "eve", seed=bytes(32)).client
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if stranger == "old-tls":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with listening(contexts_of(tmp_path, "bob")) as door:
        heard = await refusal(door, context)

        assert isinstance(heard, OSError) or heard == b""
        assert door.links.empty()


async def test_own_device_is_dropped(tmp_path: Path) -> None:
    """A link from this device itself does not arrive."""
    bob = contexts_of(tmp_path, "bob")
    async with listening(bob) as door:
        heard = await refusal(door, bob.client)

        assert isinstance(heard, OSError) or heard == b""
        assert door.links.empty()


async def test_idle_clients_do_not_keep_a_good_one_out(tmp_path: Path) -> None:
    """Fifty clients that say nothing, from the same address, do not delay a link."""
    async with listening(contexts_of(tmp_path, "bob")) as door:
        idle = [await plain(door.port) for _ in range(50)]

        async with asyncio.timeout(1):
            dialled = await dial_link(LOOPBACK, door.port, contexts_of(tmp_path, "ann"))
            assert (await door.links.get()).host == LOOPBACK

        assert await is_dropped(idle[0][0])
        dialled.writer.transport.abort()
        for _, writer in idle:
            writer.close()


async def test_idle_clients_are_dropped_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that does not send its preamble has a deadline."""
    monkeypatch.setattr(listener_module, "PREAMBLE_SECONDS", 0.05)
    async with listening(contexts_of(tmp_path, "bob")) as door:
        reader, writer = await plain(door.port, b"PT1")

        assert await is_dropped(reader)
        writer.close()


async def test_unfinished_handshake_is_dropped_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that begins no TLS after its preamble has a deadline."""
    monkeypatch.setattr(listener_module, "HANDSHAKE_SECONDS", 0.05)
    async with listening(contexts_of(tmp_path, "bob")) as door:
        reader, writer = await plain(door.port, Preamble.LINK.value)

        assert await is_dropped(reader)
        writer.close()


async def test_oldest_unfinished_connection_of_all_makes_room(tmp_path: Path) -> None:
    """When all hosts together have too many unfinished connections, the oldest is dropped."""
    async with listening(contexts_of(tmp_path, "bob"), Limits(unfinished=2)) as door:
        clients = [await plain(door.port, host=f"127.0.0.{number}") for number in (2, 3, 4)]

        assert await is_dropped(clients[0][0])
        assert not clients[1][0].at_eof()
        for _, writer in clients:
            writer.close()


async def test_host_with_too_many_connections_is_refused(tmp_path: Path) -> None:
    """Over the cap for one address a connection is closed at once, until another ends."""
    ann = contexts_of(tmp_path, "ann")
    async with listening(contexts_of(tmp_path, "bob"), Limits(per_loopback=1)) as door:
        dialled = await dial_link(LOOPBACK, door.port, ann)
        await door.links.get()
        reader, writer = await plain(door.port)
        assert await is_dropped(reader)
        writer.close()

        door.leave.set()
        assert await is_dropped(dialled.reader)
        again = await dial_link(LOOPBACK, door.port, ann)
        assert (await door.links.get()).peer_id == ann.peer_id
        again.writer.transport.abort()
        dialled.writer.transport.abort()


async def test_lane_holds_its_slot_until_released(tmp_path: Path) -> None:
    """A lane counts until its thread gives the slot back, which it may do twice."""
    async with listening(contexts_of(tmp_path, "bob"), Limits(total=1)) as door:
        _, first = await plain(door.port, Preamble.LANE.value)
        lane, _, release = await door.lanes.get()
        reader, refused = await plain(door.port, Preamble.LANE.value)
        assert await is_dropped(reader)

        await asyncio.to_thread(release)
        release()
        _, second = await plain(door.port, Preamble.LANE.value)
        next_lane, (host, _), _ = await door.lanes.get()
        assert host == LOOPBACK
        lane.close()
        next_lane.close()
        for writer in (first, refused, second):
            writer.close()


def test_slots_are_counted_by_host() -> None:
    """Loopback has a cap of its own; the total bounds all."""
    slots = Slots(Limits(total=4, per_host=1, per_loopback=2))
    first = slots.take("10.0.0.1")

    assert first is not None
    assert slots.take("10.0.0.1") is None
    assert [slots.take(LOOPBACK) is None for _ in range(3)] == [False, False, True]
    assert slots.take("fe80::1%eth0") is not None
    assert slots.take("10.0.0.2") is None
    slots.release(first)
    assert slots.take("10.0.0.2") is not None


async def test_port_asked_for_and_taken_is_an_error(tmp_path: Path) -> None:
    """The error names the port; nothing stays bound."""
    taken = socket.create_server((LOOPBACK, 0))
    port = taken.getsockname()[1]
    listener = a_listener(tmp_path)

    with taken, pytest.raises(PortTaken, match=str(port)):
        await listener.listen(["127.0.0.2", LOOPBACK], port)

    with socket.socket() as free:
        free.bind(("127.0.0.2", port))
    assert listener.addresses == []


async def test_port_that_needs_rights_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A privileged port is refused with a hint."""

    def denied(_: str, __: int) -> socket.socket:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(listener_module, "_bind", denied)

    with pytest.raises(PortTaken, match="rights"):
        await a_listener(tmp_path).listen([LOOPBACK], 80)


async def test_default_port_gives_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the default port is taken at one address, all addresses share another."""
    taken = socket.create_server(("127.0.0.3", 0))
    taken_port = taken.getsockname()[1]
    monkeypatch.setattr(listener_module, "DEFAULT_PORT", taken_port)
    listener = a_listener(tmp_path)

    with taken:
        port = await listener.listen([LOOPBACK, "127.0.0.2", "127.0.0.3", "::1"])

    assert port == listener.port != taken_port
    assert listener.addresses == [LOOPBACK, "127.0.0.2", "127.0.0.3", "::1"]
    for host in listener.addresses:
        _, writer = await asyncio.open_connection(host, port)
        writer.close()
    await listener.close()


async def test_default_port_is_taken_when_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a wish the well-known port is used."""
    with socket.create_server((LOOPBACK, 0)) as probe:
        port = probe.getsockname()[1]
    monkeypatch.setattr(listener_module, "DEFAULT_PORT", port)
    listener = a_listener(tmp_path)

    assert await listener.listen([LOOPBACK]) == port
    await listener.close()


async def test_no_free_port_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts to find a port for all addresses are bounded."""

    def in_use(_: str, __: int) -> socket.socket:
        raise OSError(errno.EADDRINUSE, "Address already in use")

    monkeypatch.setattr(listener_module, "_bind", in_use)

    with pytest.raises(PortTaken, match="no port"):
        await a_listener(tmp_path).listen([LOOPBACK])


async def test_address_that_is_gone_is_left_out(tmp_path: Path) -> None:
    """An address this machine does not have is skipped, at the start and later, and the rest works."""
    listener = a_listener(tmp_path)

    port = await listener.listen(["192.0.2.1", LOOPBACK, "fe80::1%nosuch"], 0)
    assert listener.addresses == [LOOPBACK]
    await listener.rebind(["192.0.2.1", LOOPBACK])
    assert (listener.addresses, listener.port) == ([LOOPBACK], port)
    await listener.close()


async def test_no_address_at_all_leaves_the_port_open_to_choice(tmp_path: Path) -> None:
    """A start without a usable address succeeds; the first rebind listens."""
    listener = a_listener(tmp_path)
    with socket.create_server((LOOPBACK, 0)) as probe:
        port = probe.getsockname()[1]

    assert await listener.listen(["192.0.2.1"], port) == port
    await listener.rebind([LOOPBACK])
    assert listener.addresses == [LOOPBACK]
    await listener.close()


async def test_rebind_keeps_the_port(tmp_path: Path) -> None:
    """Addresses come and go, the port stays, and links on an old address live on."""
    ann = contexts_of(tmp_path, "ann")
    async with listening(contexts_of(tmp_path, "bob")) as door:
        dialled = await dial_link(LOOPBACK, door.port, ann)
        connected = await door.links.get()
        await door.listener.rebind(["127.0.0.2"])

        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(LOOPBACK, door.port)
        again = await dial_link("127.0.0.2", door.port, ann)
        dialled.writer.write(b"still here")
        assert await connected.reader.readexactly(10) == b"still here"
        dialled.writer.transport.abort()
        again.writer.transport.abort()


async def test_lack_of_descriptors_is_waited_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accepting pauses, longer each time, and goes on when files can be opened again."""
    pauses: list[float] = []
    loop = asyncio.get_running_loop()
    accept = loop.sock_accept
    failures = [OSError(errno.EMFILE, "Too many open files")] * 6

    async def failing(door: socket.socket) -> Any:
        if failures:
            raise failures.pop()
        return await accept(door)

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(loop, "sock_accept", failing)
    monkeypatch.setattr(asyncio, "sleep", pause)
    async with listening(contexts_of(tmp_path, "bob")) as door:
        dialled = await dial_link(LOOPBACK, door.port, contexts_of(tmp_path, "ann"))
        await door.links.get()
        dialled.writer.transport.abort()

    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


async def serve_with(folder: Path, error: Exception) -> tuple[list[dict[str, Any]], bool]:
    """Let the handler of a link fail; return what the loop was told, and whether the next link gets in."""
    told: list[dict[str, Any]] = []
    links: asyncio.Queue[Connected] = asyncio.Queue()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    async def on_link(connected: Connected) -> None:
        links.put_nowait(connected)
        raise error

    listener = Listener(contexts_of(folder, "bob"), on_link=on_link, on_lane=lambda *_: None)
    port = await listener.listen([LOOPBACK], 0)
    for _ in range(2):
        dialled = await dial_link(LOOPBACK, port, contexts_of(folder, "ann"))
        await links.get()
        assert await is_dropped(dialled.reader)
        dialled.writer.transport.abort()
    await listener.close()
    return told, links.empty()


async def test_bug_on_one_link_is_reported_and_spares_the_next(tmp_path: Path) -> None:
    """The loop's exception handler hears of a bug; listening goes on."""
    bug = ZeroDivisionError()

    told, _ = await serve_with(tmp_path, bug)

    assert [context["exception"] for context in told] == [bug, bug]


async def test_peers_fault_on_one_link_is_no_bug(tmp_path: Path) -> None:
    """A documented error that ends a link is logged, not reported."""
    told, _ = await serve_with(tmp_path, EngineBusy("full"))

    assert told == []


async def test_close_ends_links_and_frees_the_port(tmp_path: Path) -> None:
    """After close nothing listens, and links are gone."""
    async with listening(contexts_of(tmp_path, "bob")) as door:
        dialled = await dial_link(LOOPBACK, door.port, contexts_of(tmp_path, "ann"))
        await door.links.get()
        await door.listener.close()

        assert await is_dropped(dialled.reader)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(LOOPBACK, door.port)
        dialled.writer.transport.abort()


@pytest.mark.parametrize(
    ("address", "place"),
    [
        (("10.0.0.1", 5), ("10.0.0.1", 5)),
        (("::1", 5, 0, 0), ("::1", 5)),
        (("fe80::1", 5, 0, 1), ("fe80::1%lo", 5)),
        (("fe80::1%lo", 5, 0, 1), ("fe80::1%lo", 5)),
    ],
)
def test_place_of_a_link_local_peer_has_its_interface(address: Any, place: tuple[str, int]) -> None:
    """An address that means nothing without its interface carries it."""
    name: Callable[[Any], tuple[str, int]] = listener_module._place

    assert name(address) == place
