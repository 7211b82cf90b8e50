"""The process of a player: started apart from the terminal, heard out, and surely ended.

Knows nothing of any one player. Called by ``player.mpv`` and ``player.other``.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager, closing, suppress
from io import FileIO
from typing import TYPE_CHECKING

from peerterm.display import clean
from peerterm.errors import PeertermError
from peerterm.player.base import Ending

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

STOP_SECONDS = 2.0
"""How long a player may take to end when it is asked to; then it is killed."""

MAX_LAST_WORDS_BYTES = 4096
"""How much of the end of what a player writes to stderr is kept."""

_PIPE_BYTES = 64 * 1024
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy"})


class PlayerProcess:
    """A process that leads its own group, so that what it starts ends with it when it is stopped."""

    def __init__(self, process: asyncio.subprocess.Process, errors: _Errors) -> None:
        self._process = process
        self._errors = errors

    async def wait(self) -> int:
        """Wait until it has ended, and return its status; the negative number of a signal that ended it.

        Cancel: safe.
        """
        return await self._process.wait()

    async def stop(self) -> None:
        """End it and its group; nothing is done if it has ended by itself.

        Cancel: safe; it is killed at once.
        """
        if self._process.returncode is not None:
            return
        try:
            self._signal(signal.SIGTERM)
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            pass  # it does not listen: the next signal needs no consent
        finally:
            self._signal(signal.SIGKILL)  # also what it left behind
        await self._process.wait()

    def last_words(self) -> str:
        """Return the last whole line it wrote to stderr, safe to show; may be empty."""
        return self._errors.last_line()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):  # macOS: a group of nothing but zombies
            os.killpg(self._process.pid, number)


class _Errors:
    """The end of what comes out of a pipe, which is read all the time lest the writer stands still."""

    def __init__(self, pipe: FileIO) -> None:
        self._pipe = pipe
        self._tail = b""
        os.set_blocking(pipe.fileno(), False)
        asyncio.get_running_loop().add_reader(pipe.fileno(), self._read)

    def last_line(self) -> str:
        self._read()  # what has been written need not have been heard of yet
        text = self._tail.decode(errors="replace").strip()
        if len(self._tail) == MAX_LAST_WORDS_BYTES:
            text = text.partition("\n")[2]  # the first line may have lost its start
        return clean(text.rpartition("\n")[2].strip())

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pipe.fileno())

    def _read(self) -> None:
        data = self._pipe.read(_PIPE_BYTES)
        if data:
            self._tail = (self._tail + data)[-MAX_LAST_WORDS_BYTES:]
        elif data is not None:  # nobody can write any more
            self.close()


@asynccontextmanager
async def running(command: Sequence[str], *, inherited: Sequence[int] = ()) -> AsyncIterator[PlayerProcess]:
    """Run a player without a terminal; if it has not ended when the context is left, it is stopped.

    Args:
        command: The program and its arguments. Whoever uses this machine can read them.
        inherited: File descriptors that stay open in the player.

    Raises:
        PeertermError: The program cannot be started.

    Cancel: safe; it is stopped.
    """
    read_end, write_end = os.pipe()
    with FileIO(read_end) as listening, FileIO(write_end, "w") as told, closing(_Errors(listening)) as errors:
        process = await _start(command, told, inherited)
        told.close()
        player = PlayerProcess(process, errors)
        try:
            yield player
        finally:
            await player.stop()


async def _start(command: Sequence[str], errors: FileIO, inherited: Sequence[int]) -> asyncio.subprocess.Process:
    nowhere = asyncio.subprocess.DEVNULL
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=nowhere,
            stdout=nowhere,
            stderr=errors,
            pass_fds=inherited,
            env=_environment(),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:  # ValueError: an argument holds a NUL
        raise PeertermError(f"{clean(command[0])} cannot be started: {error}") from error


def ending(status: int, message: str) -> Ending:
    """Return how a player ended; a signal that ended it is named if nothing else was said."""
    if status < 0 and not message:
        message = f"ended by {signal.Signals(-status).name}"
    return Ending(status, message)


def _environment() -> dict[str, str]:
    """Return our environment without proxies: one would be asked for the stream, and so be told its token."""
    kept = {name: value for name, value in os.environ.items() if name.lower() not in _PROXIES}
    return kept | {"no_proxy": "127.0.0.1,::1,localhost"}
