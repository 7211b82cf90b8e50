"""Another machine over ``ssh``: its peerterm is asked, its ports are reached, all with one login.

One ``ssh`` holds the connection and may ask for a password on the terminal; the others speak through it
(ControlMaster). What is started here has ended when the connection is left, however that happens.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import socket
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NoReturn, Self

from peerterm.display import clean
from peerterm.errors import PeertermError, PortTaken, UsageError, by_code

if TYPE_CHECKING:
    from asyncio import StreamReader
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator

MAX_ANSWER_BYTES = 16 * 1024 * 1024
CONNECT_SECONDS = 30.0
ALIVE_SECONDS = 15.0
ANSWER_SECONDS = 10.0
STOP_SECONDS = 2.0
POLL_SECONDS = 0.05

_ADDRESS = re.compile(
    r"ssh://((?P<user>\w[\w.+-]*)@)?(?P<host>\w[\w.-]*|\[[0-9a-f:.]+(%\w+)?\])(:(?P<port>[0-9]{1,5}))?/?",
    re.ASCII | re.IGNORECASE,
)
_READ_BYTES = 256 * 1024
_NOT_FOUND = 127
_HOLD = (
    *("-M", "-T", "-o", "ControlPersist=no", "-o", "ClearAllForwardings=yes", "-o", "ForwardAgent=no"),
    *(
        "-o",
        "RemoteCommand=none",
        "-o",
        f"ConnectTimeout={CONNECT_SECONDS:.0f}",
        "-o",
        f"ServerAliveInterval={ALIVE_SECONDS:.0f}",
    ),
)
_SHARE = ("-F", "none", "-o", "ControlMaster=no", "-o", "ProxyCommand=false")  # or it would connect by itself
_DEAF = ("sh", "-c", 'trap "" INT HUP; exec "$@"', "sh")
"""Ctrl+C goes to all programs of a terminal, but the connection is still needed to clean up."""

_UNTIL_LEFT = "cat"
"""What runs there for as long as we do: it ends with its input, so the connection ends even if we are killed."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where to go. ``port`` 0 leaves it to the configuration of ``ssh``, as an empty ``user``."""

    host: str
    user: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``ssh://[USER@]HOST[:PORT]``.

        Raises:
            UsageError: It is not written so.
        """
        found = _ADDRESS.fullmatch(text)
        if found is None or int(found["port"] or 1) not in range(1, 65536):
            raise UsageError(f"{clean(text)!r:.100} is no machine to reach", "write ssh://user@host, or with :port")
        return cls(found["host"].strip("[]"), found["user"] or "", int(found["port"] or 0))

    def __str__(self) -> str:
        return f"{self.user}@{self.host}" if self.user else self.host

    def words(self) -> list[str]:
        """Return the arguments of ``ssh`` that name it."""
        return [*(["-p", str(self.port)] if self.port else []), "--", str(self)]


@asynccontextmanager
async def connected(destination: Destination) -> AsyncIterator[Connection]:
    """Log in; the connection has ended when the context is left.

    Raises:
        PeertermError: There is no ``ssh``, or it does not get there; it has said why on the terminal.

    Cancel: ends it.
    """
    program = shutil.which("ssh")
    if program is None:
        raise PeertermError("ssh is not installed")
    with TemporaryDirectory(prefix="peerterm-") as folder:
        control = Path(folder) / "s"
        path = str(control).replace("%", "%%")
        command = [program, *_HOLD, "-S", path, *destination.words(), _UNTIL_LEFT]
        holder = await asyncio.create_subprocess_exec(*_DEAF, *command, stdin=PIPE, stdout=DEVNULL)
        try:
            while not control.exists():  # ssh tells nobody that it is logged in
                if holder.returncode is not None:
                    raise PeertermError(f"{destination} is not reached: ssh ended with status {holder.returncode}")
                await asyncio.sleep(POLL_SECONDS)
            yield Connection(destination, holder, [program, *_SHARE, "-S", path])
        finally:
            await _end(holder)


class Connection:
    """A login on another machine; made by ``connected``."""

    def __init__(self, destination: Destination, holder: Process, share: list[str]) -> None:
        self._destination = destination
        self._holder = holder
        self._share = share

    async def peerterm(self, *words: str) -> Any:
        """Run a verb there with ``--json``; returns the value that it prints.

        Raises:
            PeertermError: What it failed with.

        Cancel: it is not waited for any more.
        """
        command = shlex.join(["peerterm", *words])
        code, out, err = await self._run(*self._destination.words(), command)
        if code:
            raise self._failure(code, err)
        try:
            return json.loads(_last_line(out))  # a shell's start files may print, too
        except (ValueError, RecursionError) as error:
            raise PeertermError(f"{self._destination}: its peerterm answers with no JSON") from error

    async def forward(self, port: int) -> None:
        """Let a port of this machine's loopback lead to that of the same number there.

        Raises:
            PortTaken: It cannot be had here.
            PeertermError: Nobody answers there.
        """
        hint = f"end what uses it, or run there: ssh {self._destination} peerterm stop"
        taken = PortTaken(f"port {port} of this machine is taken, and the stream is read at no other", hint)
        if not _is_free(port):
            raise taken
        ports = f"127.0.0.1:{port}:127.0.0.1:{port}"
        code, _, err = await self._run("-O", "forward", "-L", ports, *self._destination.words())
        if code:
            raise taken from PeertermError(_last_line(err))
        if not await _is_answered(port):
            raise PeertermError(f"{self._destination} lets nothing through its SSH server", "it may forbid tunnels")

    async def lost(self) -> NoReturn:
        """Wait until the connection breaks.

        Raises:
            PeertermError: It did.

        Cancel: safe.
        """
        status = await self._holder.wait()
        raise PeertermError(f"the connection to {self._destination} broke: ssh ended with status {status}")

    async def _run(self, *words: str) -> tuple[int, bytes, bytes]:
        process = await asyncio.create_subprocess_exec(
            *self._share, *words, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, start_new_session=True
        )
        try:
            out, err = await asyncio.gather(_read(process, process.stdout), _read(process, process.stderr))
            code = await process.wait()
        finally:
            await _end(process)
        if len(out) > MAX_ANSWER_BYTES:
            raise PeertermError(f"{self._destination} says more than {MAX_ANSWER_BYTES} bytes")
        return code, out, err

    def _failure(self, code: int, err: bytes) -> PeertermError:
        """Return what a verb failed with there, as if it had been run here."""
        line = _last_line(err)
        with suppress(ValueError, LookupError, TypeError):
            found = json.loads(line)["error"]
            kind = by_code().get(found["code"], PeertermError)
            return kind(f"{self._destination}: {found['message']}", str(found["hint"]))
        if code == _NOT_FOUND:
            hint = "install it there, where commands over ssh find it, such as /usr/local/bin"
            return PeertermError(f"{self._destination} has no peerterm", hint)
        return PeertermError(f"{self._destination}: {clean(line) or f'ssh ended with status {code}'}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


async def _is_answered(port: int) -> bool:
    """Whether somebody behind a port of this machine's loopback speaks HTTP."""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(f"HEAD / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
                return (await reader.readline()).startswith(b"HTTP/")
            finally:
                writer.close()
    return False


async def _read(process: Process, pipe: StreamReader | None) -> bytes:
    """Return all that a process writes; one that writes too much is killed."""
    assert pipe is not None
    data = b""
    while piece := await pipe.read(_READ_BYTES):
        if len(data) <= MAX_ANSWER_BYTES:
            data += piece
        else:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return data


def _last_line(said: bytes) -> str:
    return said.decode(errors="replace").strip().rpartition("\n")[2]


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    try:
        process.terminate()
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
