"""The serving end of lanes: what it answers, and whom it shows out."""

from __future__ import annotations

import socket
import time

import pytest

from peerterm.core.ids import PeerId
from peerterm.core.manifest import CHUNK_BYTES
from peerterm.core.pieces import Refusal
from peerterm.net import lane_server
from peerterm.net.lanes import Accepted, Refused
from peerterm.net.throttle import Throttle
from peerterm.net.tls_stream import TlsStream
from peerterm.net.upload_slots import UploadSlots
from peerterm.wire.lane import REPLY, REQUEST, encode_reply_header, encode_request
from tests.fakes.lane_ends import (
    CHUNK,
    CHUNKS,
    HEAD,
    MADE,
    Contexts,
    Memory,
    answering,
    asking,
    contexts_in,
    dial,
    linked,
)


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    """The serving and the asking device."""
    return contexts_in(tmp_path_factory.mktemp("keys"))


def ask_by_hand(connection: TlsStream) -> bytes:
    connection.send(encode_request(5, MADE.piece(HEAD)))
    expected = encode_reply_header(5, len(MADE.head.encode())) + MADE.head.encode()
    answer = bytearray(len(expected))
    connection.read_exactly(memoryview(answer))

    assert answer.startswith(encode_reply_header(5, len(MADE.head.encode())))

    return bytes(answer[REPLY.size :])


def is_over(stream: TlsStream) -> bool:
    """Whether the server has ended a lane."""
    with pytest.raises(ConnectionResetError):
        stream.read_exactly(memoryview(bytearray(1)))
    return True


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the server impatient."""
    for name in ("HANDSHAKE_SECONDS", "IDLE_SECONDS", "SEND_SECONDS"):
        monkeypatch.setattr(lane_server, name, 0.1)


async def test_blocked_peer_is_not_served(contexts: Contexts) -> None:
    """A peer that is blocked in the middle of a lane gets nothing more."""
    async with linked(contexts) as (client, server):
        await client.ask(CHUNKS[0], sink=Memory())
        server.allowed = False
        [result] = (await client.ask(CHUNKS[1], sink=Memory())).values()
        await server.ended()

    assert result == Refused(Refusal.LOST)


async def test_lanes_over_the_limit_are_closed_at_once(contexts: Contexts) -> None:
    """The cap counts unfinished handshakes."""
    async with answering(contexts, max_lanes=1) as server:
        with socket.create_connection(server.address, timeout=10) as first:
            with socket.create_connection(server.address, timeout=10) as second:
                await server.ended()

                assert second.recv(1) == b""

            first.send(b"no TLS at all, and long enough to be seen as such")
            await server.ended()


async def test_one_peer_has_few_lanes(contexts: Contexts) -> None:
    """A peer over its own cap loses the new lane, not the old one."""
    async with answering(contexts, max_lanes_per_peer=1) as server:
        with dial(contexts, server.address) as first:
            assert ask_by_hand(first) == MADE.head.encode()

            with dial(contexts, server.address) as second:
                await server.ended()

                assert is_over(second)

            assert ask_by_hand(first) == MADE.head.encode()


@pytest.mark.usefixtures("quick")
async def test_silent_guest_is_shown_out(contexts: Contexts) -> None:
    """Neither a handshake that does not start nor a lane without requests is kept."""
    async with answering(contexts) as server:
        with socket.create_connection(server.address, timeout=10) as silent:
            await server.ended()

            assert silent.recv(1) == b""
        with dial(contexts, server.address) as idle:
            await server.ended()

            assert is_over(idle)


@pytest.mark.usefixtures("quick")
async def test_peer_that_does_not_read_loses_its_lane(contexts: Contexts) -> None:
    """An answer that does not leave in time ends the lane, whatever else was asked."""
    async with answering(contexts) as server:
        with dial(contexts, server.address) as greedy:
            greedy.send(b"".join(encode_request(number, MADE.piece(CHUNK)) for number in range(64)))
            await server.ended()

    assert len(server.sent) < 64


async def test_impossible_request_ends_the_lane(contexts: Contexts) -> None:
    """A request that cannot be meant is not answered."""
    async with answering(contexts) as server:
        with dial(contexts, server.address) as connection:
            connection.send(REQUEST.pack(1, 9, 0, MADE.root))
            await server.ended()

            assert is_over(connection)


async def test_closed_server_ends_its_lanes_and_takes_no_more(contexts: Contexts) -> None:
    """``close`` interrupts lanes that wait; what arrives later is closed."""
    async with answering(contexts) as server:
        with dial(contexts, server.address) as connection:
            ask_by_hand(connection)
            await server.server.close()
            await server.ended()

            assert is_over(connection)
        with socket.create_connection(server.address, timeout=10) as late:
            await server.ended()

            assert late.recv(1) == b""


async def test_peer_without_a_slot_is_refused_as_busy(contexts: Contexts) -> None:
    """The lane lives on, and serves once there is a slot."""
    slots = UploadSlots(1)
    assert slots.take(PeerId("b" * 64))
    async with (
        answering(contexts, slots=slots) as server,
        asking(lambda: dial(contexts, server.address)) as client,
    ):
        refused = await client.ask(CHUNKS[0])
        slots.set_limit(2)
        served = await client.ask(CHUNKS[0], sink=Memory())

        assert not server.released.acquire(blocking=False)

    assert list(refused.values()) == [Refused(Refusal.BUSY)]
    assert list(served.values()) == [Accepted(None)]
    assert slots.holders == {PeerId("b" * 64), contexts[1].peer_id}


async def test_slot_is_given_back_with_the_lane(contexts: Contexts) -> None:
    """An answer that does not get out counts as ended."""
    slots = UploadSlots(1)
    async with answering(contexts, slots=slots) as server:
        with dial(contexts, server.address) as greedy:
            greedy.send(b"".join(encode_request(number, MADE.piece(CHUNK)) for number in range(64)))
            greedy.read_exactly(memoryview(bytearray(REPLY.size)))
        await server.ended()

    assert slots._slots._answers == {}


@pytest.mark.usefixtures("quick")
async def test_throttled_answer_takes_its_time_and_keeps_its_lane(contexts: Contexts) -> None:
    """Time spent waiting for the limit is not held against the peer that reads."""
    throttle = Throttle(2 * CHUNK_BYTES)
    sink = Memory()
    async with (
        answering(contexts, throttle=throttle) as server,
        asking(lambda: dial(contexts, server.address)) as client,
    ):
        start = time.monotonic()
        [result] = (await client.ask(CHUNKS[0], sink=sink)).values()
        took = time.monotonic() - start

    assert result == Accepted(None)
    assert 5 * lane_server.SEND_SECONDS > took > 0.4 > 3 * lane_server.SEND_SECONDS


async def test_closing_server_does_not_wait_for_the_limit(contexts: Contexts) -> None:
    """A lane that waits for its share ends with the server."""
    throttle = Throttle(1000)
    async with answering(contexts, throttle=throttle) as server:
        with dial(contexts, server.address) as connection:
            connection.send(encode_request(1, MADE.piece(CHUNK)))
            connection.read_exactly(memoryview(bytearray(REPLY.size)))
            start = time.monotonic()
            await server.server.close()
            await server.ended()

    assert time.monotonic() - start < 5
