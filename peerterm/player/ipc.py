"""mpv's JSON IPC on one connected socket: commands with their answers, and what mpv tells unasked.

Knows the framing (https://mpv.io/manual/stable/#json-ipc), not what is said. Called by ``player.mpv`` alone.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

from peerterm.display import clean
from peerterm.errors import PeertermError

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    Command = Sequence[object] | Mapping[str, object]
    Message = dict[str, Any]

REPLY_SECONDS = 10.0
"""How long mpv may take to answer a command."""

MAX_LINE_BYTES = 64 * 1024
"""Longest message of mpv; those that are asked for have a few hundred bytes."""


class MpvIpc:
    """The conversation with one mpv; made by ``connected``.

    Attributes:
        failure: Why mpv is no longer listened to, if that is not because it hung up.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_event: Callable[[Message], None],
        on_close: Callable[[], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._on_event = on_event
        self._on_close = on_close
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._listening = asyncio.create_task(self._listen())
        self.failure: PeertermError | None = None

    async def command(self, command: Command, *, aside: bool = False, seconds: float = REPLY_SECONDS) -> Any:
        """Have mpv do something, and return what it answers.

        Args:
            command: Name and arguments as a list, or all by name as mpv's manual has them.
            aside: Whether mpv takes further commands meanwhile.
            seconds: How long the answer may take.

        Raises:
            PeertermError: mpv refuses, does not answer, or has ended.

        Cancel: safe; mpv may still do it.
        """
        if self._listening.done():
            raise _gone()
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        message = {"command": command, "request_id": number, "async": aside}
        try:
            async with asyncio.timeout(seconds):
                self._writer.write(json.dumps(message).encode() + b"\n")
                await self._writer.drain()
                reply = await answer
        except TimeoutError as error:
            raise PeertermError(f"mpv did not answer within {seconds:g} s") from error
        except OSError as error:
            raise _gone() from error
        finally:
            del self._waiting[number]
        if reply.get("error") != "success":
            raise PeertermError(f"mpv refused: {clean(str(reply.get('error')))}")
        return reply.get("data")

    def hang_up(self) -> None:
        """Say no more, which makes mpv quit; what it still says is heard."""
        self._writer.write_eof()

    async def closed(self) -> None:
        """Wait until mpv has hung up, as it does when it ends.

        Cancel: safe.
        """
        await asyncio.wait([self._listening])
        if not self._listening.cancelled():
            self._listening.result()

    async def close(self) -> None:
        """Listen no more.

        Cancel: safe; the socket is closed all the same.
        """
        self._listening.cancel()
        self._writer.close()
        await asyncio.wait([self._listening])

    async def _listen(self) -> None:
        # All the time, and whatever else waits: mpv spins while nobody reads what it has to say.
        try:
            while message := await _read(self._reader):
                if "event" in message:
                    self._on_event(message)
                elif (answer := self._waiting.get(message.get("request_id", 0))) and not answer.done():
                    answer.set_result(message)
        except PeertermError as error:
            self.failure = error
        finally:
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(_gone())
            self._on_close()


@asynccontextmanager
async def connected(
    end: socket.socket, on_event: Callable[[Message], None], on_close: Callable[[], None]
) -> AsyncIterator[MpvIpc]:
    """Talk with the mpv that has, or will have, the other end of a socket.

    Args:
        end: Ours; closed when the context is left.
        on_event: Called with each event of mpv.
        on_close: Called when mpv is heard no more.
    """
    reader, writer = await asyncio.open_connection(sock=end, limit=MAX_LINE_BYTES)
    ipc = MpvIpc(reader, writer, on_event, on_close)
    try:
        yield ipc
    finally:
        await ipc.close()


async def _read(reader: asyncio.StreamReader) -> Message | None:
    """Return the next message; ``None`` once mpv has hung up."""
    try:
        line = await reader.readline()
    except ConnectionError:
        return None  # it was killed while something was on its way to it
    except ValueError as error:
        raise PeertermError(f"mpv said more than {MAX_LINE_BYTES} bytes at once") from error
    if not line:
        return None
    try:
        message = json.loads(line.decode(errors="replace"))
    except (ValueError, RecursionError) as error:
        raise PeertermError("mpv said what cannot be understood") from error
    if not isinstance(message, dict) or not message:
        raise PeertermError("mpv said what cannot be understood")
    return message


def _gone() -> PeertermError:
    return PeertermError("mpv has ended")
