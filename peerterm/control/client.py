"""The client's side of the control socket: ``RemoteEngine`` is an ``EngineApi`` whose engine is another process."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, cast

from peerterm import __version__
from peerterm.api.events import Event
from peerterm.api.views import (
    BrowsePage,
    ChunkMapView,
    ConversationView,
    IdentityView,
    LimitsView,
    LogLine,
    MessageView,
    OfferView,
    PeerView,
    SearchHit,
    SearchQuery,
    SettingView,
    ShareView,
    StatusView,
    StreamView,
    TransferView,
)
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
    from_error,
    from_plain,
    to_plain,
)
from peerterm.errors import (
    ControlError,
    EngineNotRunning,
    PeertermError,
    ProtocolViolation,
    UsageError,
    VersionMismatch,
)
from peerterm.wire.frame import FrameDecoder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

READ_BYTES = 256 * 1024
Value = TypeVar("Value")


class RemoteEngine:
    """An engine reached through its socket. Made by ``connect``; close it, or use it in ``async with``.

    Every method may raise what the engine raised, or ``ControlError`` when the connection ends.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.engine_version = ""
        self.is_new = False  # whether this client started it
        self._reader = reader
        self._writer = writer
        self._decoder = FrameDecoder(max_body=MAX_SERVER_BODY)
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Queue[Message]] = {}
        self._lost: PeertermError | None = None
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def connect(cls, path: Path) -> Self:
        """Connect to the engine that listens at ``path``.

        Raises:
            EngineNotRunning: Nothing listens there.
            VersionMismatch: The engine speaks another version of the control protocol.
            ControlError: It does not answer.
        """
        try:
            async with asyncio.timeout(GREETING_SECONDS):
                reader, writer = await asyncio.open_unix_connection(str(path))
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise EngineNotRunning("no engine runs on this profile", "start one: peerterm --no-ui") from error
        except (OSError, TimeoutError) as error:
            raise ControlError(f"the engine cannot be reached: {error}", "is it of another user?") from error
        engine = cls(reader, writer)
        try:
            await engine._greet()
        except BaseException:
            writer.close()
            raise
        return engine

    async def _greet(self) -> None:
        try:
            async with asyncio.timeout(GREETING_SECONDS):
                await self._send(Greeting(control_version=CONTROL_VERSION, app_version=__version__))
                received: list[Message] = []
                while not received:
                    received = await self._receive()
        except TimeoutError as error:
            raise ControlError("the engine does not answer", "it hangs: kill its process") from error
        greeting = received[0]
        if isinstance(greeting, Error):
            raise from_error(greeting)
        if not isinstance(greeting, Greeting):
            raise ControlError("the engine does not greet", "is it a peerterm?")
        if greeting.control_version != CONTROL_VERSION:
            raise VersionMismatch(
                f"the engine that runs is peerterm {greeting.app_version}, this is {__version__}",
                "stop the engine (kill its process), then run this again",
            )
        self.engine_version = greeting.app_version
        self._reading = asyncio.get_running_loop().create_task(self._read(received[1:]))

    async def __aenter__(self) -> Self:
        """Use the connection."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connection."""
        await self.close()

    async def close(self) -> None:
        """Close the connection; the engine cancels what is open on it. The engine itself goes on.

        Cancel: safe; it is closed all the same.
        """
        if self._lost is None:
            self._end(ControlError("the connection to the engine was closed"))
        self._writer.close()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        with suppress(OSError):  # the engine may have closed it first
            await self._writer.wait_closed()

    async def wait_closed(self) -> None:
        """Return once the engine closed the connection."""
        if self._reading is not None:
            await asyncio.wait([self._reading])

    async def _read(self, received: list[Message]) -> None:
        """Hand every message to the call it answers, until the connection ends; then end all calls."""
        try:
            while True:
                for message in received:
                    self._deliver(message)
                received = await self._receive()
        except PeertermError as error:
            self._end(error)

    def _end(self, lost: PeertermError) -> None:
        self._lost = lost
        for number, answers in self._answers.items():
            answers.put_nowait(Error(id=number, code=lost.code, message=lost.message, hint=lost.hint))

    def _deliver(self, message: Message) -> None:
        if not isinstance(message, Result | Item | End | Error):
            raise ControlError("the engine sent what no engine sends")
        answers = self._answers.get(message.id)
        if answers is None:
            return  # of a call that was given up
        if answers.qsize() > STREAM_WINDOW:
            raise ControlError("the engine sent more than was asked for")
        answers.put_nowait(message)

    async def _receive(self) -> list[Message]:
        try:
            data = await self._reader.read(READ_BYTES)
            if not data:
                raise ControlError("the engine closed the connection", "see why: peerterm log")
            return [decode(frame.kind, frame.body) for frame in self._decoder.feed(data)]
        except OSError as error:
            raise ControlError(f"the connection to the engine failed: {error}", "see why: peerterm log") from error
        except ProtocolViolation as error:
            raise ControlError(f"the engine sent nonsense: {error.message}", "see why: peerterm log") from error

    async def _send(self, message: Message) -> None:
        if self._lost is not None:
            raise self._lost
        frame = encode(message)
        if len(frame) > MAX_CLIENT_BODY:
            raise UsageError("too much to send to the engine at once")
        self._writer.write(frame)
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._writer.drain()
        except (OSError, TimeoutError) as error:
            raise ControlError("the engine does not read", "see why: peerterm log") from error

    async def _open(self, method: str, arguments: dict[str, Any]) -> tuple[int, asyncio.Queue[Message]]:
        number = next(self._numbers)
        answers: asyncio.Queue[Message] = asyncio.Queue()  # bounded by _deliver
        self._answers[number] = answers
        try:
            await self._send(Call(id=number, method=method, arguments=to_plain(arguments)))
        except BaseException:
            self._give_up(number)
            raise
        return number, answers

    def _give_up(self, number: int) -> None:
        """Forget a call, and tell the engine unless it has ended; never waits."""
        if self._answers.pop(number, None) is not None and self._lost is None and not self._writer.is_closing():
            self._writer.write(encode(Cancel(id=number)))

    async def _call(self, method: str, kind: type[Value], /, **arguments: Any) -> Value:
        number, answers = await self._open(method, arguments)
        try:
            answer = await answers.get()
            del self._answers[number]
        finally:
            self._give_up(number)
        match answer:
            case Result(value=value):
                return cast("Value", _read_value(value, kind))
            case Error():
                raise from_error(answer)
            case _:
                raise ControlError("the engine answered a call with a stream")

    async def _stream(self, method: str, kind: Any, /, **arguments: Any) -> AsyncIterator[Any]:
        number, answers = await self._open(method, arguments)
        used = 0
        try:
            while True:
                match await answers.get():
                    case Item(value=value):
                        used += 1
                        if used >= STREAM_WINDOW // 2:
                            await self._send(More(id=number, count=used))
                            used = 0
                        yield _read_value(value, kind)
                    case Error() as error:
                        del self._answers[number]
                        raise from_error(error)
                    case _:
                        del self._answers[number]
                        return
        finally:
            self._give_up(number)

    async def status(self) -> StatusView:
        """See ``EngineApi.status``, as for all that follow."""
        return await self._call("status", StatusView)

    async def stop(self) -> None:
        """Ask the engine to end; ``wait_closed`` tells when it has let go of its clients."""
        await self._call("stop", type(None))

    async def identity(self) -> IdentityView:
        """Return who this machine is."""
        return await self._call("identity", IdentityView)

    async def share(self, path: str, name: str = "", visibility: str = "everyone") -> ShareView:
        """Offer a file or folder."""
        return await self._call("share", ShareView, path=path, name=name, visibility=visibility)

    async def shares(self) -> list[ShareView]:
        """Return all shares."""
        return await self._call("shares", list[ShareView])

    async def unshare(self, share: str) -> ShareView:
        """Stop offering a share."""
        return await self._call("unshare", ShareView, share=share)

    async def rescan(self, share: str = "") -> list[ShareView]:
        """Look for changes in shares."""
        return await self._call("rescan", list[ShareView], share=share)

    async def peers(self) -> list[PeerView]:
        """Return all known peers."""
        return await self._call("peers", list[PeerView])

    async def browse(self, peer: str, path: str = "", after: str = "", limit: int = 500) -> BrowsePage:
        """List a folder of a peer's shares."""
        return await self._call("browse", BrowsePage, peer=peer, path=path, after=after, limit=limit)

    def search(self, query: SearchQuery) -> AsyncIterator[SearchHit]:
        """Ask this machine and all online peers."""
        return self._stream("search", SearchHit, query=query)

    async def get(self, reference: str, directory: str = "", only: list[str] | None = None) -> TransferView:
        """Queue a download of a reference."""
        return await self._call("get", TransferView, reference=reference, directory=directory, only=only)

    async def transfers(self) -> list[TransferView]:
        """Return running and finished transfers."""
        return await self._call("transfers", list[TransferView])

    async def pause(self, transfer: str) -> TransferView:
        """Stop a transfer until it is resumed."""
        return await self._call("pause", TransferView, transfer=transfer)

    async def resume(self, transfer: str) -> TransferView:
        """Let a paused transfer go on."""
        return await self._call("resume", TransferView, transfer=transfer)

    async def retry(self, transfer: str) -> TransferView:
        """Queue a transfer again that failed or was cancelled."""
        return await self._call("retry", TransferView, transfer=transfer)

    async def prioritise(self, transfer: str, priority: int) -> TransferView:
        """Place a transfer in the queue."""
        return await self._call("prioritise", TransferView, transfer=transfer, priority=priority)

    async def move(self, transfer: str, where: Literal["first", "up", "down", "last"]) -> TransferView:
        """Give a transfer another place in the queue."""
        return await self._call("move", TransferView, transfer=transfer, where=where)

    async def limit(self, transfer: str = "", *, down: int | None = None, up: int | None = None) -> LimitsView:
        """Set rate limits, or read them."""
        return await self._call("limit", LimitsView, transfer=transfer, down=down, up=up)

    async def cancel(self, transfer: str, *, delete: bool = False) -> TransferView:
        """End a transfer."""
        return await self._call("cancel", TransferView, transfer=transfer, delete=delete)

    async def clear(self, transfer: str = "") -> int:
        """Forget a download that ended, or all that ended."""
        return await self._call("clear", int, transfer=transfer)

    async def chunk_map(self, transfer: str, cells: int) -> ChunkMapView:
        """Return which parts of a download are held."""
        return await self._call("chunk_map", ChunkMapView, transfer=transfer, cells=cells)

    async def stream(self, reference: str) -> StreamView:
        """Let players on the engine's machine read something while it comes in."""
        return await self._call("stream", StreamView, reference=reference)

    async def streams(self) -> list[StreamView]:
        """Return the open streams."""
        return await self._call("streams", list[StreamView])

    async def close_stream(self, stream: str) -> StreamView:
        """End a stream."""
        return await self._call("close_stream", StreamView, stream=stream)

    async def keep(self, stream: str, directory: str = "") -> TransferView:
        """Download what is read."""
        return await self._call("keep", TransferView, stream=stream, directory=directory)

    async def say(self, conversation: str, text: str, kind: str = "text") -> MessageView:
        """Say something."""
        return await self._call("say", MessageView, conversation=conversation, text=text, kind=kind)

    async def messages(self, conversation: str, limit: int = 100, before: str = "") -> list[MessageView]:
        """Return lines of a conversation."""
        return await self._call(
            "messages", list[MessageView], conversation=conversation, limit=limit, before=before
        )

    async def conversations(self) -> list[ConversationView]:
        """Return all conversations."""
        return await self._call("conversations", list[ConversationView])

    async def join(self, room: str) -> ConversationView:
        """Become a member of a room."""
        return await self._call("join", ConversationView, room=room)

    async def leave(self, room: str) -> ConversationView:
        """Leave a room."""
        return await self._call("leave", ConversationView, room=room)

    async def mute(self, conversation: str, *, is_muted: bool = True) -> ConversationView:
        """Mute a conversation, or not."""
        return await self._call("mute", ConversationView, conversation=conversation, is_muted=is_muted)

    async def read(self, conversation: str) -> ConversationView:
        """Note that all is read."""
        return await self._call("read", ConversationView, conversation=conversation)

    async def send(self, peers: list[str], paths: list[str]) -> list[OfferView]:
        """Offer files and folders to some peers and nobody else."""
        return await self._call("send", list[OfferView], peers=peers, paths=paths)

    async def offers(self) -> list[OfferView]:
        """Return what was offered, by us or to us."""
        return await self._call("offers", list[OfferView])

    async def accept(self, offer: str, directory: str = "", items: list[int] | None = None) -> OfferView:
        """Fetch what a peer offers."""
        return await self._call("accept", OfferView, offer=offer, directory=directory, items=items)

    async def decline(self, offer: str) -> OfferView:
        """Refuse what a peer offers."""
        return await self._call("decline", OfferView, offer=offer)

    async def withdraw(self, offer: str) -> OfferView:
        """Take back an offer of ours."""
        return await self._call("withdraw", OfferView, offer=offer)

    async def settings(self) -> list[SettingView]:
        """Return every setting as the running engine has it."""
        return await self._call("settings", list[SettingView])

    async def log(self, lines: int = 100) -> list[LogLine]:
        """Return the newest lines of the log."""
        return await self._call("log", list[LogLine], lines=lines)

    def events(self) -> AsyncIterator[Event]:
        """Yield a ``Snapshot`` and then every event."""
        return self._stream("events", Event)


def _read_value(value: object, kind: Any) -> Any:
    try:
        return from_plain(value, kind)
    except ProtocolViolation as error:
        raise ControlError(
            f"the engine answered in another version's terms: {error.message}", "stop it: peerterm stop"
        ) from error
