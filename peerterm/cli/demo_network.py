"""The network of ``peerterm demo``: engines of this machine that meet nobody else and leave nothing behind.

They speak on the loopback interface only, find each other on a UDP port that no other engine uses, and keep
everything in one temporary folder. Each ends when this process does, whatever ends it. Called by ``demo``.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import tomlkit

from peerterm.cli import demo_content
from peerterm.control.launch import START_SECONDS, environment, wait_ready
from peerterm.errors import ConfigError, ControlError, EngineNotRunning, StorageError
from peerterm.paths import MAX_SOCKET_PATH_BYTES, Paths

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN = "you"
"""The machine that the full-screen program shows."""

JOIN_SECONDS = 6.0
"""After this time one more machine joins, and fetches something."""

END_SECONDS = 10.0
"""How long an engine may take to end before it is killed."""

_GUESTS = {"carla": f"{OWN}/Postcards"}
_LONGEST_ROOM = MAX_SOCKET_PATH_BYTES - len("/peerterm-12345678/carla/run/control.sock")
_UP_LIMIT = "800k"  # so that a download can be watched


@dataclass(frozen=True, slots=True)
class Machine:
    """One engine of the network.

    Attributes:
        name: What the others see it as.
        home: Its profile.
        address: Where its peers reach it, HOST:PORT.
        joins_later: Whether it is not there from the start.
    """

    name: str
    home: Path
    address: str
    joins_later: bool
    process: subprocess.Popen[bytes]

    @property
    def paths(self) -> Paths:
        """The files of its profile."""
        return Paths.resolve(str(self.home), os.environ)

    async def until_ready(self) -> None:
        """Wait until the engine answers.

        Raises:
            ControlError: It does not start.
        """
        until = time.monotonic() + START_SECONDS
        while self.process.poll() is None and time.monotonic() < until:
            with suppress(EngineNotRunning):
                await (await wait_ready(self.paths, seconds=0.1)).close()
                return
        said = (self.home / "start.log").read_text(errors="replace").strip().replace("\n", "; ")
        raise ControlError(f"{self.name}, an engine of the demo, does not start: {said or 'it does not say why'}")


@contextmanager
def network() -> Iterator[list[Machine]]:
    """Run the machines while the block runs; nothing of them is left afterwards.

    Raises:
        StorageError: There is no room for their files.
        ConfigError: There is no loopback interface.
    """
    names = list(demo_content.SHARED)
    with tempfile.TemporaryDirectory(prefix="peerterm-", dir=_room()) as folder, ExitStack() as stack:
        discovery_port, *ports = _free_ports(len(names))
        lifeline, held = os.pipe()
        stack.callback(os.close, lifeline)
        machines: list[Machine] = []
        stack.callback(_end, machines)
        stack.callback(os.close, held)  # first of all
        for name, port in zip(names, ports, strict=True):
            home = Path(folder, name)
            try:
                _prepare(home, port, discovery_port)
                machines.append(_start(home, port, lifeline))
            except OSError as error:
                raise StorageError(
                    f"{home}: {error.strerror}", "choose another temporary folder: TMPDIR"
                ) from error
        yield machines


def _room() -> str:
    """Return the folder for temporary files; if its path is too long for the engines' sockets, ``/tmp``."""
    folder = os.path.realpath(tempfile.gettempdir())
    return folder if len(os.fsencode(folder)) <= _LONGEST_ROOM else "/tmp"  # noqa: S108 - mkdtemp keeps it private


def _prepare(home: Path, port: int, discovery_port: int) -> None:
    shares = demo_content.write(home / "shared", home.name)
    node = {"name": home.name, "port": port, "discovery_port": discovery_port, "interfaces": [_loopback()]}
    files = {"download_dir": str(home / "downloads"), "share": [str(share) for share in shares]}
    transfers = {"up_limit": _UP_LIMIT, "min_free": 0}
    text = tomlkit.dumps({"node": node, "files": files, "transfers": transfers})
    (home / "config.toml").write_text(text)


def _start(home: Path, port: int, lifeline: int) -> Machine:
    """Start an engine that hears nothing of our terminal, and of the user's settings."""
    wanted = _GUESTS.get(home.name, "")
    seconds = JOIN_SECONDS if wanted else 0.0
    with (home / "start.log").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "peerterm.cli.demo_peer", str(home), str(seconds), wanted],
            stdin=lifeline,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            cwd=home,
            env={name: value for name, value in environment().items() if not name.startswith("PEERTERM_")},
            start_new_session=True,
        )
    return Machine(home.name, home, f"127.0.0.1:{port}", bool(wanted), process)


def _end(machines: list[Machine]) -> None:
    """Wait for engines whose lifeline is cut; they remove their folders."""
    until = time.monotonic() + END_SECONDS
    for machine in machines:
        try:
            machine.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            machine.process.kill()
            machine.process.wait()


def _free_ports(count: int) -> list[int]:
    """Return a UDP port, and so many TCP ports, that nobody uses now."""
    with ExitStack() as stack:
        kinds = [socket.SOCK_DGRAM] + [socket.SOCK_STREAM] * count
        sockets = [stack.enter_context(socket.socket(socket.AF_INET, kind)) for kind in kinds]
        for each in sockets:
            each.bind(("", 0))
        return [each.getsockname()[1] for each in sockets]


def _loopback() -> str:
    """Return the name of the loopback interface: ``lo`` or ``lo0``.

    Raises:
        ConfigError: It has no address.
    """
    for name, addresses in psutil.net_if_addrs().items():
        if any(address.address == "127.0.0.1" for address in addresses):
            return name
    raise ConfigError("this machine has no loopback interface", "bring it up: ip link set lo up")
