"""One control link: drives a ``wire.session`` over a TLS stream.

Owns the stream, the outbox and the tasks of one link. It decides nothing about peers: the engine hands it a
``Handler`` and awaits ``run``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from msgspec.structs import replace

from peerterm.errors import (
    PeerRefused,
    PeertermError,
    PeerUnavailable,
    ProtocolViolation,
    by_code,
)
from peerterm.net.identity import tag
from peerterm.net.outbox import Outbox
from peerterm.wire.messages import Answer, Failure, Hello, Message, Request
from peerterm.wire.requests import MAX_ASKED
from peerterm.wire.session import (
    MAX_REASON,
    Answered,
    CloseCode,
    Closed,
    Opened,
    Received,
    Requested,
    Session,
    SessionEvent,
    State,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Coroutine

    from peerterm.core.ids import PeerId

READ_BYTES = 64 * 1024
MAX_ANSWERING = 16
"""Requests handled at once; the rest wait, as many as the session lets in."""
MAX_ERROR_CODE = 32

T = TypeVar("T")

_log = logging.getLogger("peerterm.net.link")


@dataclass(frozen=True, slots=True)
class Connected:
    """A TLS stream to a device that has proved its id. Whoever holds it closes it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    peer_id: PeerId
    host: str
    port: int  # of the stream, not where the peer listens
    is_dialer: bool  # whether this side dialled


class Handler(Protocol):
    """What the engine does with what a peer says."""

    def answer(self, link: Link, request: Request) -> AsyncGenerator[Answer, None]:
        """Yield the parts of an answer with the request's id, the last one ``done``.

        Raises:
            PeertermError: Sent to the peer as a ``Failure``.
        """
        ...

    def received(self, link: Link, message: Message) -> None:
        """Take a message that wants no answer. Must not block.

        Raises:
            ProtocolViolation: The message cannot be meant; the link ends.
        """
        ...


class Link:
    """One control link. It lives while ``run`` runs, once.

    Attributes:
        peer_id: Who is at the other end; proved by TLS.
        host: Their IP address.
        local_host: Ours, on this link.
        port: Their end of the stream.
    """

    def __init__(self, connected: Connected, hello: Hello) -> None:
        self.peer_id = connected.peer_id
        self.host = connected.host
        self.port = connected.port
        self.local_host: str = connected.writer.get_extra_info("sockname")[0]
        self._reader = connected.reader
        self._writer = connected.writer
        self._session = Session(hello, is_dialer=connected.is_dialer, now=time.monotonic())
        self._hello: Hello | None = None
        self._closed: Closed | None = None
        self._opened_or_closed = asyncio.Event()
        self._is_over = asyncio.Event()
        self._hurry = asyncio.Event()  # the session's deadline may have moved to an earlier time
        self._outbox = Outbox(connected.writer)
        self._answers: dict[int, asyncio.Queue[Answer | None]] = {}
        self._asking = asyncio.Semaphore(MAX_ASKED)
        self._answering = asyncio.Semaphore(MAX_ANSWERING)
        self._handler: Handler
        self._group: asyncio.TaskGroup
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_dialer(self) -> bool:
        """Whether this side dialled."""
        return self._session.is_dialer

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent now."""
        return self._session.state is State.OPEN

    @property
    def hello(self) -> Hello:
        """The peer's HELLO. Only after ``opened``."""
        assert self._hello is not None
        return self._hello

    @property
    def rtt(self) -> float | None:
        """Seconds that the newest ping took; ``None`` before the first."""
        return self._session.rtt

    async def run(self, handler: Handler) -> Closed:
        """Carry the link until it ends; return why it did.

        Raises:
            ExceptionGroup: A bug, ours or the handler's. What a peer does never raises.

        Cancel: safe; the stream is dropped without a word. Call ``close`` first to say why.
        """
        self._handler = handler
        try:
            async with asyncio.TaskGroup() as self._group:
                self._outbox.put(self._session.start())
                self._start(self._read())
                self._start(self._write())
                await self._keep_time()
                for task in self._tasks:
                    task.cancel()
        finally:
            self._perform(self._session.end("this side dropped the link"))
            self._writer.transport.abort()
            self._is_over.set()
        assert self._closed is not None
        return self._closed

    async def opened(self) -> Hello:
        """Wait for the peer's HELLO, and return it.

        Raises:
            PeerUnavailable: The link ended before.

        Cancel: safe.
        """
        await self._opened_or_closed.wait()
        if self._hello is None:
            raise self._unavailable()
        return self._hello

    def send(self, message: Message) -> None:
        """Tell the peer something that wants no answer; dropped when the link is not open. Never blocks."""
        if self.is_open:
            self._session.send(message)
            self._flush()

    def ping(self) -> None:
        """Find out soon whether the peer lives; if not, the link ends."""
        if self.is_open:
            self._session.ping(time.monotonic())
            self._flush()

    def drop(self) -> None:
        """End the link at once and without a word, because nothing gets through any more."""
        self._writer.transport.abort()

    async def close(self, code: CloseCode = CloseCode.BYE, reason: str = "") -> None:
        """Say why and end the link; returns when ``run`` has. Not for use from within the handler.

        Cancel: safe; the link ends all the same.
        """
        self._perform(self._session.close(code, reason, time.monotonic()))
        await self._is_over.wait()

    async def ask(self, request: Request, timeout: float) -> AsyncGenerator[Answer, None]:
        """Ask the peer, and yield the parts of its answer as they come.

        Args:
            request: Its id is replaced by one of this link, so one request can be asked of many.
            timeout: Seconds for all of it, from now.

        Raises:
            PeerRefused: The peer answered with a ``Failure``; ``__cause__`` is the error it names.
            PeerUnavailable: The link ended, or time was up.

        Cancel: safe; the late answer is ignored. So does closing the generator early (``contextlib.aclosing``).
        """
        asked = None
        deadline = time.monotonic() + timeout
        await self._by(deadline, self._asking.acquire())
        try:
            await self._by(deadline, self._ready())
            asked = replace(request, request=self._session.new_request_id())
            parts = self._answers[asked.request] = asyncio.Queue()  # the session bounds the parts
            self._session.ask(asked)
            self._flush()
            is_done = False
            while not is_done:
                part = await self._by(deadline, parts.get())
                if part is None:
                    raise self._unavailable()
                if isinstance(part, Failure):
                    raise self._refused(part) from by_code().get(part.code, PeertermError)(part.reason)
                is_done = part.done
                yield part
        finally:
            self._asking.release()
            if asked is not None:
                del self._answers[asked.request]
                self._session.forget(asked.request)

    async def ask_one(self, request: Request, timeout: float) -> Answer:
        """Ask the peer and return its answer, which must have a single part.

        Raises:
            ProtocolViolation: The answer has several parts.
            PeerRefused, PeerUnavailable: As ``ask`` does.

        Cancel: safe.
        """
        async with aclosing(self.ask(request, timeout)) as parts:
            part = await anext(parts)
        if not part.done:
            raise ProtocolViolation(f"{self._name()} answered in several parts")
        return part

    # Tasks of the link.

    async def _read(self) -> None:
        while self._session.state is not State.CLOSED:
            try:
                data = await self._reader.read(READ_BYTES)
            except OSError as error:  # resets, and everything TLS
                self._perform(self._session.end(f"connection broke: {error}"))
                return
            if data:
                self._perform(self._session.receive(data, time.monotonic()))
            else:
                self._perform(self._session.end("the peer ended the connection"))

    async def _write(self) -> None:
        try:
            await self._outbox.drain()
        except TimeoutError:
            self._perform(self._session.end("the peer does not read"))
        except OSError as error:
            self._perform(self._session.end(f"connection broke: {error}"))

    async def _keep_time(self) -> None:
        """Tell the session the time whenever it wants to know, until it is closed."""
        while (deadline := self._session.deadline()) is not None:
            self._hurry.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(deadline - time.monotonic()):
                    await self._hurry.wait()
            self._perform(self._session.tick(time.monotonic()))

    async def _answer(self, request: Request) -> None:
        async with self._answering:
            try:
                async with aclosing(self._handler.answer(self, request)) as parts:
                    async for part in parts:
                        await self._reply(part)
            except PeertermError as error:
                code, reason = error.code[:MAX_ERROR_CODE], error.message[:MAX_REASON]
                await self._reply(Failure(request=request.request, code=code, reason=reason))
            assert not (self.is_open and self._session.is_answering(request.request)), "the answer has no end"

    async def _reply(self, part: Answer) -> None:
        await self._outbox.room()
        if self.is_open:
            self._session.answer(part)
            self._flush()

    # Between the session and the tasks.

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _perform(self, events: list[SessionEvent]) -> None:
        self._flush()
        for event in events:
            match event:
                case Opened(hello):
                    self._hello = hello
                    self._opened_or_closed.set()
                case Received(message):
                    self._deliver(message)
                case Requested(request):
                    self._start(self._answer(request))
                case Answered(request_id, answer, _):
                    self._answers[request_id].put_nowait(answer)
                case Closed():
                    self._on_closed(event)
        if self._session.state in (State.CLOSING, State.CLOSED):
            self._hurry.set()

    def _deliver(self, message: Message) -> None:
        try:
            self._handler.received(self, message)
        except ProtocolViolation as violation:
            now = time.monotonic()
            self._perform(self._session.close(CloseCode.PROTOCOL, violation.message, now))

    def _on_closed(self, closed: Closed) -> None:
        _log.info("%s: closed (%a): %a", self._name(), str(closed.code), closed.reason)
        self._closed = closed
        self._opened_or_closed.set()
        for parts in self._answers.values():
            parts.put_nowait(None)

    def _flush(self) -> None:
        if data := self._session.data_to_send():
            self._outbox.put(data)
            if self._outbox.is_overfull:
                self._perform(self._session.end("the peer does not read"))

    async def _ready(self) -> None:
        """Wait until a request can be sent."""
        await self.opened()
        await self._outbox.room()
        if not self.is_open:
            raise self._unavailable()

    async def _by(self, deadline: float, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                return await work
        except TimeoutError as error:
            raise PeerUnavailable(f"{self._name()} did not answer in time") from error

    # What is said about it.

    def _name(self) -> str:
        return self._hello.name if self._hello else f"{tag(self.peer_id)} at {self.host}"

    def _unavailable(self) -> PeerUnavailable:
        assert self._closed is not None
        why = "left" if self._closed.code == CloseCode.BYE else f"closed the link ({self._closed.code})"
        if self._hello is None and self._closed.code == CloseCode.LOST:
            return PeerUnavailable(
                f"{self._name()} ended the connection before its HELLO",
                "it may use another network code, or have blocked this device",
            )
        return PeerUnavailable(
            f"{self._name()} {why}" if self._closed.by_peer else f"the link to {self._name()} ended"
        )

    def _refused(self, failure: Failure) -> PeerRefused:
        return PeerRefused(f"{self._name()} refused: {failure.reason or failure.code}")
