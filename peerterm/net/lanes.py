"""The receiving side of data lanes: threads that ask one peer for pieces, judge them and pass them to the disk.

A lane is one thread with one blocking TLS socket. The thread never touches the engine: it posts each fetch's
outcome to the event loop. Called by ``engine.downloading``.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from peerterm.core.pieces import PieceKind, Refusal
from peerterm.errors import PeertermError, ProtocolViolation, StorageError
from peerterm.net.priority import give_way
from peerterm.net.tls_stream import shut_down
from peerterm.wire.lane import MAX_REPLY_BYTES, REPLY, ReplyHeader, decode_reply_header, encode_request

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from peerterm.core.ids import PeerId
    from peerterm.core.pieces import Fetch, PieceSink
    from peerterm.net.tls_stream import TlsStream

    Connect = Callable[[Callable[[socket.socket], None]], TlsStream]

ANSWER_SECONDS = 15.0
"""Longest wait for the next byte of an answer, or for room to send requests."""

IDLE_SECONDS = 60.0
"""An unused lane closes after this time; before the server's own limit."""

MAX_UNPOSTED = 32
"""Most outcomes a lane keeps to itself while more answers are here already."""

_NUMBERS = 2**32

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The bytes are right. A chunk went to its sink, which gave ``chunk_sum``; what has no sink is in ``data``."""

    data: bytes | None
    chunk_sum: bytes = b""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The bytes are not what the root promises."""


@dataclass(frozen=True, slots=True)
class Refused:
    """No bytes came."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class SinkFailed:
    """The bytes are right, but this machine could not keep them."""

    error: StorageError


Result: TypeAlias = Accepted | Rejected | Refused | SinkFailed


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a fetch. Every fetch that is submitted has exactly one."""

    fetch: Fetch
    result: Result


@dataclass(frozen=True, slots=True)
class _Job:
    fetch: Fetch
    sink: PieceSink | None


class PeerLanes:
    """All lanes to one peer. Its methods belong to the event loop's thread.

    Args:
        peer: Whom the lanes reach.
        connect: Returns a stream after the TLS handshake and the lane preamble, to this peer and no other. Blocks,
            within limits of its own; called in lane threads. Gives its socket to its argument as soon as it is
            connected, so that ``close`` can shut it down meanwhile. Raises ``PeertermError`` or ``OSError``.
        loop: Where ``on_outcome`` is called.
        on_outcome: Takes each outcome, in no certain order.
        lanes: Most lanes open at once.

    Attributes:
        last_byte_at: When the peer last sent something on a lane, in seconds of ``time.monotonic``; 0 if never.
    """

    def __init__(
        self,
        peer: PeerId,
        connect: Connect,
        *,
        loop: asyncio.AbstractEventLoop,
        on_outcome: Callable[[Outcome], None],
        lanes: int = 2,
    ) -> None:
        self.peer = peer
        self._connect = connect
        self._loop = loop
        self._on_outcome = on_outcome
        self._max_lanes = lanes
        self.last_byte_at = 0.0
        self._lanes: list[_Lane] = []
        self._is_closed = False

    def submit(self, fetch: Fetch, sink: PieceSink | None = None) -> None:
        """Ask for a piece on the least loaded lane. The caller bounds what is in flight."""
        assert not self._is_closed, "submitted to closed lanes"
        job = _Job(fetch, sink)
        lane = self._least_loaded()
        if lane is None or not lane.submit(job):  # there is none, or it ended just now
            name = f"lane-to-{self.peer[:8]}"
            self._lanes.append(_Lane(name, self._connect, self._post, self._heard, job))

    def _least_loaded(self) -> _Lane | None:
        """Return the lane to use, or ``None`` when one more is to be opened."""
        self._lanes = [lane for lane in self._lanes if not lane.is_ended]
        usable = [lane for lane in self._lanes if not lane.is_stopping]
        lane = min(usable, key=lambda lane: lane.queued_bytes, default=None)
        if lane is None or (lane.queued_bytes and len(usable) < self._max_lanes):
            return None
        return lane

    def forget(self, is_unwanted: Callable[[Fetch], bool]) -> None:
        """End each lane that would bring only what is not wanted any more; its fetches are ``LOST``.

        On a lane that is to bring something wanted too, the rest comes all the same.
        """
        for lane in self._lanes:
            fetches = lane.fetches()
            if fetches and all(map(is_unwanted, fetches)):
                lane.stop()

    def _post(self, outcomes: list[Outcome]) -> None:
        self._loop.call_soon_threadsafe(self._deliver, outcomes)

    def _deliver(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            self._on_outcome(outcome)

    def _heard(self) -> None:
        self.last_byte_at = time.monotonic()

    async def close(self) -> None:
        """End all lanes; fetches not answered by then have the outcome ``LOST``.

        Waits for the threads: at once for those that read, write or shake hands, as long as TCP takes for those
        that connect. Cancel: the lanes end all the same, unwatched.
        """
        self._is_closed = True
        for lane in self._lanes:
            lane.stop()
        for lane in self._lanes:
            await asyncio.to_thread(lane.thread.join)


class _Lane:
    """One lane. ``_waiting`` and ``_sent`` together hold every job without an outcome.

    Invariant: once ``is_ended`` is set under the lock, no job is taken and none is left behind.
    """

    def __init__(
        self,
        name: str,
        connect: Connect,
        post: Callable[[list[Outcome]], None],
        heard: Callable[[], None],
        first: _Job,
    ) -> None:
        self._connect = connect
        self._post = post
        self._heard = heard
        self._changed = threading.Condition()
        self._waiting = deque([first])
        self._sent: deque[tuple[int, _Job]] = deque()
        self._outcomes: list[Outcome] = []
        self._next_number = 0
        self._socket: socket.socket | None = None
        self.is_stopping = False
        self.is_ended = False
        self.queued_bytes = first.fetch.max_bytes
        self.thread = threading.Thread(target=self._run, name=name)
        self.thread.start()

    def submit(self, job: _Job) -> bool:
        """Take a job, unless the lane has ended."""
        with self._changed:
            if self.is_ended:
                return False
            self._waiting.append(job)
            self.queued_bytes += job.fetch.max_bytes
            self._changed.notify()
            return True

    def fetches(self) -> list[Fetch]:
        """Return what is still to come."""
        with self._changed:
            return [job.fetch for job in self._jobs()]

    def _jobs(self) -> list[_Job]:
        return [job for _, job in self._sent] + list(self._waiting)

    def stop(self) -> None:
        """Make the thread end soon, from any thread."""
        with self._changed:
            self.is_stopping = True
            self._changed.notify()
            if self._socket is not None:
                shut_down(self._socket)

    def _run(self) -> None:
        give_way()
        try:
            with self._connect(self._adopt) as stream:
                stream.set_timeout(ANSWER_SECONDS)
                self._exchange(stream)
        except (OSError, PeertermError) as error:
            _log.info("%s lost: %s", self.thread.name, error)
        finally:
            self._end()

    def _adopt(self, connection: socket.socket) -> None:
        with self._changed:
            self._socket = connection
            if self.is_stopping:
                shut_down(connection)

    def _exchange(self, stream: TlsStream) -> None:
        read = partial(stream.read_exactly, heard=self._heard, waits=self._post_all)
        header = memoryview(bytearray(REPLY.size))
        buffer = memoryview(bytearray(MAX_REPLY_BYTES))
        while self._send_requests(stream):
            read(header)
            number, job = self._sent[0]
            result = _receive(read, decode_reply_header(header), number, job, buffer)
            with self._changed:
                self._sent.popleft()
                self.queued_bytes -= job.fetch.max_bytes
            self._outcomes.append(Outcome(job.fetch, result))
            if len(self._outcomes) >= MAX_UNPOSTED or not self._sent:
                self._post_all()

    def _post_all(self) -> None:
        """Let the event loop have what is known; to wake it for each small file alone is dear."""
        if self._outcomes:
            self._post(self._outcomes)
            self._outcomes = []

    def _send_requests(self, stream: TlsStream) -> bool:
        """Send all requests that wait; return whether an answer is to be read, after waiting for a job if idle."""
        with self._changed:
            while not (self._waiting or self._sent or self.is_stopping):
                if not self._changed.wait(IDLE_SECONDS) and not self._waiting:
                    self.is_ended = True  # at once: a job taken from here on would be lost
                    return False
            if self.is_stopping:
                return False
            requests = b""
            while self._waiting:
                job = self._waiting.popleft()
                requests += encode_request(self._next_number, job.fetch.piece)
                self._sent.append((self._next_number, job))
                self._next_number = (self._next_number + 1) % _NUMBERS
        if requests:
            stream.send(requests)
        return True

    def _end(self) -> None:
        with self._changed:
            self.is_ended = True
            self._socket = None
            left = self._jobs()
        self._outcomes += [Outcome(job.fetch, Refused(Refusal.LOST)) for job in left]
        self._post_all()


def _receive(
    read: Callable[[memoryview], None], reply: ReplyHeader, number: int, job: _Job, buffer: memoryview
) -> Result:
    fetch = job.fetch
    if reply.number != number:
        raise ProtocolViolation(f"answer to request {reply.number}, not to {number}")
    if reply.refusal is not None:
        return Refused(reply.refusal)
    is_chunk = fetch.piece.kind == PieceKind.CHUNK
    if reply.length > fetch.max_bytes or (is_chunk and reply.length < fetch.max_bytes):
        raise ProtocolViolation(f"answer of {reply.length} bytes, {fetch.max_bytes} were asked for")
    data = buffer[: reply.length]
    read(data)
    if not fetch.accepts(data):
        return Rejected()
    if job.sink is None or not is_chunk:
        return Accepted(bytes(data))
    try:
        return Accepted(None, job.sink.write_chunk(fetch.piece.index, data))
    except StorageError as error:
        return SinkFailed(error)
