"""The engine's side of the control socket. It is handed an ``EngineApi`` and serves nothing else.

Each client is one task with one task a call. A client that sends what it must not is dropped; the engine and
other clients go on. Everything held for a client is bounded: its calls, the items of its streams, its unread bytes.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, Self, cast

from peerterm import __version__
from peerterm.control.messages import (
    CONTROL_VERSION,
    GREETING_SECONDS,
    MAX_CLIENT_BODY,
    MAX_SERVER_BODY,
    SEND_SECONDS,
    STREAM_WINDOW,
    Call,
    Cancel,
    End,
    Error,
    Greeting,
    Item,
    Message,
    More,
    Result,
    decode,
    encode,
    methods,
    read_arguments,
    to_error,
    to_plain,
)
from peerterm.errors import EngineBusy, PeertermError, ProtocolViolation, StorageError, UsageError
from peerterm.logs import event
from peerterm.wire.frame import FrameDecoder

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine
    from pathlib import Path

    from peerterm.api.engine import EngineApi

MAX_CLIENTS = 16
MAX_CALLS = 32
"""Open calls of one client."""

END_SECONDS = 1.0
"""How long calls may take to end by themselves, such as streams, when the engine has stopped."""

READ_BYTES = 64 * 1024
BACKLOG = 16
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid

_log = logging.getLogger(__name__)


class ControlServer:
    """Serves an engine on a Unix socket while its ``async with`` block runs.

    The caller holds the profile's lock: a socket file found here is stale and is replaced.
    """

    def __init__(self, engine: EngineApi, path: Path) -> None:
        self._engine = engine
        self._path = path
        self._clients: dict[asyncio.Task[None], _Client] = {}
        self._came = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            StorageError: The socket cannot be made.
        """
        try:
            listening = _listen(self._path)
        except OSError as error:
            raise StorageError(f"{self._path}: {error.strerror}", "choose another --profile DIR") from error
        self._server = await asyncio.start_unix_server(self._accept, sock=listening)
        return self

    async def __aexit__(self, broken: type[BaseException] | None, *_: object) -> None:
        """Drop all clients and remove the socket; unless the engine broke, streams that end now are ended first."""
        assert self._server is not None
        self._server.close()
        calls = [call for client in self._clients.values() for call in client.calls]
        if calls and broken is None:
            await asyncio.wait(calls, timeout=END_SECONDS)
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    async def wait_alone(self, seconds: float) -> None:
        """Return once no client has been attached for so long.

        Cancel: safe.
        """
        with suppress(TimeoutError):
            while True:
                while self._clients:
                    await asyncio.wait(self._clients)
                self._came.clear()
                async with asyncio.timeout(seconds):
                    await self._came.wait()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        refusal = _refusal(writer.get_extra_info("socket"), len(self._clients))
        if refusal:
            event(_log, logging.WARNING, "control client refused", reason=refusal)
            writer.write(encode(Error(id=0, code=EngineBusy.code, message=refusal)))
            writer.close()
            return
        served = _Client(self._engine, reader, writer)
        client = asyncio.get_running_loop().create_task(served.run())
        self._clients[client] = served
        self._came.set()
        client.add_done_callback(self._forget)

    def _forget(self, client: asyncio.Task[None]) -> None:
        del self._clients[client]
        if not client.cancelled() and (bug := client.exception()) is not None:
            _log.error("a call failed for a reason that is a bug; its client was dropped", exc_info=bug)


def _listen(path: Path) -> socket.socket:
    """Bind a socket that only this user can connect to, from its first moment on."""
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listening.bind(str(path))
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    finally:
        os.umask(before)
    return listening


def _refusal(connection: socket.socket, clients: int) -> str:
    """Return why a new client is not served; empty if it is."""
    if hasattr(socket, "SO_PEERCRED"):  # elsewhere the folder's mode alone keeps others out
        found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _, uid, _ = _CREDENTIALS.unpack(found)
        if uid != os.getuid():
            return f"user {uid} may not control this engine"
    return "the engine has too many clients" if clients >= MAX_CLIENTS else ""


class _Gone(Exception):
    """The client closed, broke the protocol or stopped reading."""


class _Client:
    """One client: reads its calls, runs each as a task, and writes what they return."""

    def __init__(self, engine: EngineApi, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._engine = engine
        self._reader = reader
        self._writer = writer
        self._decoder = FrameDecoder(max_body=MAX_CLIENT_BODY)
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._credits: dict[int, asyncio.Semaphore] = {}
        self._write_lock = asyncio.Lock()

    @property
    def calls(self) -> list[asyncio.Task[None]]:
        """What runs for it now."""
        return list(self._calls.values())

    async def run(self) -> None:
        """Serve until the client goes; its open calls are cancelled then."""
        try:
            async with asyncio.TaskGroup() as group:
                await self._serve(group)
        except* _Gone as gone:
            event(_log, logging.DEBUG, "control client left", reason=gone.exceptions[0])
        finally:
            self._writer.close()

    async def _serve(self, group: asyncio.TaskGroup) -> None:
        await self._send(Greeting(control_version=CONTROL_VERSION, app_version=__version__))
        greeted = False
        while True:
            for message in await self._receive(None if greeted else GREETING_SECONDS):
                if not greeted:
                    if not isinstance(message, Greeting) or message.control_version != CONTROL_VERSION:
                        raise _Gone("no greeting of this version")
                    greeted = True
                else:
                    await self._handle(message, group)

    async def _receive(self, seconds: float | None) -> list[Message]:
        try:
            async with asyncio.timeout(seconds):
                data = await self._reader.read(READ_BYTES)
            if not data:
                raise _Gone("closed")
            return [decode(frame.kind, frame.body) for frame in self._decoder.feed(data)]
        except (OSError, TimeoutError, ProtocolViolation) as error:
            raise _Gone(str(error)) from error

    async def _handle(self, message: Message, group: asyncio.TaskGroup) -> None:
        match message:
            case Call(id=number) if number in self._calls:
                raise _Gone("a call's id is used twice")
            case Call(id=number) if len(self._calls) >= MAX_CALLS:
                await self._send(to_error(number, EngineBusy("too many calls at once", "wait for one to end")))
            case Call(id=number):
                self._credits[number] = asyncio.Semaphore(STREAM_WINDOW)
                self._calls[number] = group.create_task(self._run(message))
                self._calls[number].add_done_callback(lambda _: self._forget(number))
            case More(id=number, count=count) if 1 <= count <= STREAM_WINDOW:
                for _ in range(count if number in self._credits else 0):
                    self._credits[number].release()
            case Cancel(id=number):
                if number in self._calls:
                    self._calls[number].cancel()
            case _:
                raise _Gone("a message that no client sends")

    async def _run(self, call: Call) -> None:
        """Answer one call; ends quietly when cancelled."""
        try:
            method = methods().get(call.method)
            if method is None:
                raise UsageError(f"the engine knows no {call.method!r:.100}", "is it of another version?")
            arguments = read_arguments(method, call.arguments)
            target: Any = getattr(self._engine, call.method)
            if method.is_stream:
                await self._stream(call.id, target(**arguments))
            else:
                awaited: Coroutine[Any, Any, object] = target(**arguments)
                await self._send(Result(id=call.id, value=to_plain(await awaited)))
        except PeertermError as error:
            await self._send(to_error(call.id, error))

    def _forget(self, number: int) -> None:
        del self._calls[number], self._credits[number]

    async def _stream(self, number: int, stream: object) -> None:
        async with aclosing(cast("AsyncGenerator[object, None]", stream)) as items:
            async for item in items:
                await self._credits[number].acquire()
                await self._send(Item(id=number, value=to_plain(item)))
        await self._send(End(id=number))

    async def _send(self, message: Message) -> None:
        """Write one message.

        Raises:
            EngineBusy: It is larger than a client takes.
            _Gone: The client does not read, or is gone.

        Cancel: The message may have been written.
        """
        frame = encode(message)
        if len(frame) > MAX_SERVER_BODY:
            raise EngineBusy("the answer is too large to send", "ask for less at once")
        async with self._write_lock:
            self._writer.write(frame)
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await self._writer.drain()
            except (OSError, TimeoutError) as error:
                raise _Gone("does not read") from error
