"""One run of a command of the user: told something on stdin, heard out, and surely ended.

No shell is between, and nothing of what it is told stands in its arguments or its environment. Called by
``engine.hooks``.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from io import FileIO
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

from peerterm.display import clean

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

COMMAND_SECONDS = 10.0
"""How long a command may take; then it and whatever it started is killed."""

MAX_OUTPUT_BYTES = 2048
"""How much of the beginning of what a command writes is kept; the rest is read and dropped."""

_READ_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended: its status, ``None`` if it took too long; what it wrote, safe to show on one line."""

    status: int | None
    output: str


async def run_command(command: Sequence[str], told: bytes, environment: Mapping[str, str]) -> Outcome:
    """Run a command to its end, and to that of whatever has its output.

    Args:
        command: The program and its arguments; it leads a process group of its own.
        told: What it can read on stdin. That is a file without a name, so whether it is read changes nothing.
        environment: All variables it gets.

    Raises:
        OSError: It cannot be started.

    Cancel: safe; the group is killed.
    """
    with await asyncio.to_thread(_file_of, told) as stdin:
        async with _pipe() as (output, written):
            process = await asyncio.create_subprocess_exec(
                *command, stdin=stdin, stdout=written, stderr=written, env=environment, start_new_session=True
            )
            written.close()
            kept, status = bytearray(), None
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(COMMAND_SECONDS):
                        await _listen(output, kept)
                        status = await process.wait()
            finally:
                with suppress(ProcessLookupError, PermissionError):  # macOS: a group of nothing but zombies
                    os.killpg(process.pid, signal.SIGKILL)  # also what it left behind
                await process.wait()
    return Outcome(status, clean(kept.decode(errors="replace").strip()))


def _file_of(data: bytes) -> IO[bytes]:
    file = TemporaryFile()  # noqa: SIM115 - the caller closes it
    file.write(data)
    file.seek(0)
    return file


@asynccontextmanager
async def _pipe() -> AsyncIterator[tuple[asyncio.StreamReader, FileIO]]:
    """Make a pipe for what a command writes.

    It is not one that asyncio makes for a process: waiting for that would wait for all who hold its pipe, too.
    """
    read_end, write_end = os.pipe()
    with FileIO(write_end, "w") as written:
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, FileIO(read_end))
        with closing(transport):
            yield reader, written


async def _listen(output: asyncio.StreamReader, kept: bytearray) -> None:
    """Read until nobody can write any more."""
    while data := await output.read(_READ_BYTES):
        kept += data[: MAX_OUTPUT_BYTES - len(kept)]
