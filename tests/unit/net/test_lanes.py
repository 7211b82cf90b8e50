"""The asking end of lanes, against honest servers and others."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from peerterm.core.manifest import CHUNK_BYTES
from peerterm.core.pieces import Fetch, Refusal
from peerterm.errors import DiskFull, PeerUnavailable
from peerterm.net import lanes
from peerterm.net.lanes import Accepted, Refused, Rejected, SinkFailed
from peerterm.net.tls_stream import TlsStream
from peerterm.wire.lane import REPLY, REQUEST, decode_request
from tests.fakes.lane_ends import (
    CHUNK,
    CHUNKS,
    HEAD,
    MADE,
    PAGE,
    Asking,
    Contexts,
    Memory,
    Scripted,
    Source,
    answering,
    asking,
    contexts_in,
    dial,
    fetch_of,
    linked,
)

LOST = Refused(Refusal.LOST)


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    """The serving and the asking device."""
    return contexts_in(tmp_path_factory.mktemp("keys"))


async def test_every_kind_of_piece_comes(contexts: Contexts) -> None:
    """Head and page come as bytes, chunks reach the sink; what was sent is counted by peer and piece."""
    sink = Memory()
    source = Source()
    async with linked(contexts, source) as (client, server):
        proofs = await client.ask(fetch_of(HEAD), fetch_of(PAGE))
        results = await client.ask(*CHUNKS, sink=sink)
        await client.lanes.close()
        await server.server.close()
        sent = server.sent

    assert proofs == {MADE.piece(HEAD): Accepted(MADE.head.encode()), MADE.piece(PAGE): Accepted(MADE.digests)}
    assert set(results.values()) == {Accepted(None)}
    assert sink.chunks == {index: MADE.read(MADE.piece(CHUNK, index)) for index in range(4)}
    assert {peer for peer, _, _ in sent} == {contexts[1].peer_id} == set(source.readers)
    assert len(source.readers) == source.closed_readers
    assert sum(count for _, piece, count in sent if piece.kind == CHUNK) == MADE.size


async def test_chunk_without_sink_comes_as_bytes(contexts: Contexts) -> None:
    """A chunk nobody writes, of a folder's listing, is handed over."""
    async with linked(contexts) as (client, _):
        [result] = (await client.ask(CHUNKS[3])).values()

    assert result == Accepted(MADE.read(CHUNKS[3].piece))


async def test_wrong_bytes_are_rejected_and_not_written(contexts: Contexts) -> None:
    """What fails its check never reaches the disk."""
    sink = Memory()
    fetch = Fetch(CHUNKS[0].piece, CHUNKS[0].peer, CHUNK_BYTES, lambda _: False)
    async with linked(contexts) as (client, _):
        [result] = (await client.ask(fetch, sink=sink)).values()

    assert result == Rejected()
    assert sink.chunks == {}


async def test_refusals_are_told_apart(contexts: Contexts) -> None:
    """The source's reason reaches the asker, and the lane lives on."""
    source = Source(Refusal.CHANGED)
    async with linked(contexts, source) as (client, server):
        refused = await client.ask(CHUNKS[0])
        source.refusal = None
        served = await client.ask(CHUNKS[0], sink=Memory())

        assert not server.released.acquire(blocking=False)

    assert list(refused.values()) == [Refused(Refusal.CHANGED)]
    assert list(served.values()) == [Accepted(None)]


async def test_full_disk_is_our_own_failure(contexts: Contexts) -> None:
    """A storage error is reported as such, not as the peer's fault."""
    async with linked(contexts) as (client, _):
        [result] = (await client.ask(CHUNKS[0], sink=Memory(is_full=True))).values()

    assert isinstance(result, SinkFailed)
    assert isinstance(result.error, DiskFull)


async def test_no_more_lanes_than_allowed_are_opened(contexts: Contexts) -> None:
    """A second lane opens when the first is busy; there is no third."""
    dialled = []
    async with answering(contexts) as server:

        def connect() -> TlsStream:
            dialled.append(1)
            return dial(contexts, server.address)

        async with asking(connect) as client:
            await client.ask(CHUNKS[0], sink=Memory())

            assert len(dialled) == 1

            await client.ask(*CHUNKS * 5, sink=Memory())

    assert len(dialled) == 2


@pytest.mark.parametrize("error", [PeerUnavailable("gone"), ConnectionRefusedError()])
async def test_failed_connection_loses_what_was_queued(error: Exception) -> None:
    """If the peer cannot be reached every fetch is lost, and the next one tries again."""

    def connect() -> TlsStream:
        raise error

    async with asking(connect) as client:
        assert list((await client.ask(*CHUNKS)).values()) == [LOST] * 4
        assert list((await client.ask(CHUNKS[0])).values()) == [LOST]


async def test_closing_loses_what_is_outstanding(contexts: Contexts) -> None:
    """``close`` ends lanes that wait for an answer at once; every fetch has its outcome."""
    with Scripted(contexts, lambda stream: stream.read_exactly(memoryview(bytearray(1000)))) as connect:
        client = Asking(connect)
        for fetch in CHUNKS[:2]:
            client.lanes.submit(fetch)
        await client.lanes.close()
        results = [client.outcomes.get_nowait().result for _ in range(2)]

    assert results == [LOST, LOST]


async def test_silent_server_loses_the_lane(contexts: Contexts, monkeypatch: pytest.MonkeyPatch) -> None:
    """No byte within the limit ends the lane."""
    monkeypatch.setattr(lanes, "ANSWER_SECONDS", 0.05)
    with Scripted(contexts, lambda stream: stream.read_exactly(memoryview(bytearray(1000)))) as connect:
        async with asking(connect) as client:
            [result] = (await client.ask(CHUNKS[0])).values()

    assert result == LOST


async def test_idle_lane_closes_and_the_next_fetch_opens_another(
    contexts: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unused lane goes away quietly."""
    monkeypatch.setattr(lanes, "IDLE_SECONDS", 0.01)
    async with linked(contexts) as (client, server):
        await client.ask(CHUNKS[0], sink=Memory())
        await server.ended()
        [result] = (await client.ask(CHUNKS[1], sink=Memory())).values()

        assert client.outcomes.empty()

    assert result == Accepted(None)


@pytest.mark.parametrize(
    ("fetch", "answer"),
    [
        (CHUNKS[3], REPLY.pack(7, 0, 10) + bytes(10)),
        (CHUNKS[3], REPLY.pack(0, 0, 9) + bytes(9)),
        (CHUNKS[3], REPLY.pack(0, 0, 11) + bytes(11)),
        (fetch_of(PAGE), REPLY.pack(0, 0, 5 * 32) + bytes(5 * 32)),
        (CHUNKS[3], REPLY.pack(0, 77, 0)),
        (CHUNKS[3], REPLY.pack(0, 0, 10) + bytes(5)),
        (CHUNKS[3], b""),
    ],
    ids=["other request", "short chunk", "long chunk", "long page", "unknown status", "cut off", "nothing"],
)
async def test_violations_lose_the_lane(contexts: Contexts, fetch: Fetch, answer: bytes) -> None:
    """An answer that does not fit its request ends the lane, and nothing of it is used."""

    def script(stream: TlsStream) -> None:
        request = memoryview(bytearray(REQUEST.size))
        stream.read_exactly(request)

        assert decode_request(request).piece == fetch.piece

        stream.send(answer)

    with Scripted(contexts, script) as connect:
        async with asking(connect) as client:
            [result] = (await client.ask(fetch, sink=Memory())).values()

    assert result == LOST


async def test_bytes_of_unfinished_pieces_are_noticed(contexts: Contexts) -> None:
    """A peer that sends is heard long before a piece is whole."""
    goes_on = threading.Event()
    received = memoryview(bytearray(REQUEST.size))

    def script(stream: TlsStream) -> None:
        stream.read_exactly(received)
        stream.send(REPLY.pack(0, 0, CHUNK_BYTES) + bytes(1000))
        goes_on.wait(10)

    with Scripted(contexts, script) as connect:
        async with asking(connect) as client:
            before = client.lanes.last_byte_at
            start = time.monotonic()
            client.lanes.submit(CHUNKS[0], Memory())
            async with asyncio.timeout(10):
                while not client.lanes.last_byte_at:
                    await asyncio.sleep(0)
            goes_on.set()

            assert before == 0
            assert start < client.lanes.last_byte_at <= time.monotonic()
            assert client.outcomes.empty() or client.outcomes.get_nowait().result == LOST
