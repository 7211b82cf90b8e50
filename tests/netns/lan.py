"""A LAN on one machine: hosts are network namespaces on a bridge, uplinks may be shaped with ``tbf``."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_numbers = count(os.getpid() % 200)
_pause = threading.Event()  # never set: what is waited for happens in other processes


def can_make_namespaces() -> bool:
    """Whether this process may create network namespaces."""
    return os.geteuid() == 0 and shutil.which("ip") is not None


def run(*command: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a short command and return what it printed."""
    return subprocess.run([str(word) for word in command], check=check, capture_output=True, text=True, timeout=60)


def wait_until(condition: Callable[[], object], timeout: float, what: str = "") -> float:
    """Poll until the condition holds; return the seconds it took.

    Raises:
        AssertionError: It did not hold in time.
    """
    start = time.monotonic()
    while not condition():
        elapsed = time.monotonic() - start
        assert elapsed < timeout, f"not within {timeout} s: {what or condition}"
        _pause.wait(0.02)
    return time.monotonic() - start


def _is_taken(number: int) -> bool:
    """Whether another test process has a LAN of this number."""
    return Path(f"/sys/class/net/ptl{number}").exists()


class Lan:
    """A bridge with ``hosts`` namespaces on it, each with the address 10.97.N.HOST+1 on its interface e0."""

    def __init__(self, hosts: int, *, uplink: str = "", has_ipv4: bool = True, has_ipv6: bool = True) -> None:
        self.number = next(number for each in _numbers if not _is_taken(number := each % 250))
        self.has_ipv4 = has_ipv4
        self.has_ipv6 = has_ipv6
        self.name = f"ptl{self.number}"
        self.hosts = hosts
        self.uplink = uplink
        self.engines: list[Host] = []
        self.processes: list[subprocess.Popen[str]] = []

    def namespace(self, host: int) -> str:
        """Return the name of a host's namespace."""
        return f"{self.name}h{host}"

    def address(self, host: int) -> str:
        """Return a host's IPv4 address."""
        return f"10.97.{self.number}.{host + 1}"

    def __enter__(self) -> Lan:
        run("ip", "link", "add", self.name, "type", "bridge", "mcast_snooping", "0")
        run("ip", "link", "set", self.name, "up")
        for host in range(self.hosts):
            namespace, port = self.namespace(host), f"{self.name}v{host}"
            run("ip", "netns", "add", namespace)
            run("ip", "link", "add", port, "type", "veth", "peer", "name", "e0", "netns", namespace)
            run("ip", "link", "set", port, "master", self.name, "up")
            if not self.has_ipv6:
                switch = "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"
                run("ip", "netns", "exec", namespace, "sh", "-c", switch)
            if self.has_ipv4:
                run("ip", "-n", namespace, "addr", "add", f"{self.address(host)}/24", "brd", "+", "dev", "e0")
            run("ip", "-n", namespace, "link", "set", "e0", "up")
            run("ip", "-n", namespace, "link", "set", "lo", "up")
            if self.uplink:
                run(
                    *("tc", "-n", namespace, "qdisc", "replace", "dev", "e0", "root", "tbf"),
                    *("rate", self.uplink, "burst", "256k", "latency", "50ms"),
                )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()
        for engine in self.engines:
            engine.kill()
        for host in range(self.hosts):
            for pid in run("ip", "netns", "pids", self.namespace(host), check=False).stdout.split():
                with suppress(ProcessLookupError):  # such as an engine that a verb started in the background
                    os.kill(int(pid), signal.SIGKILL)
            run("ip", "netns", "del", self.namespace(host), check=False)
            # The system keeps a namespace, and its cable, while its last packets find no way out.
            run("ip", "link", "del", f"{self.name}v{host}", check=False)
        run("ip", "link", "del", self.name, check=False)

    def cut(self, host: int) -> None:
        """Pull a host's cable."""
        run("ip", "link", "set", f"{self.name}v{host}", "down")

    def join(self, host: int) -> None:
        """Put a host's cable back."""
        run("ip", "link", "set", f"{self.name}v{host}", "up")

    def ip(self, host: int, *words: object) -> str:
        """Run one command of iproute2 on a host; return what it printed."""
        return run("ip", "-n", self.namespace(host), *words).stdout

    def adopt(self, other: Lan, host: int) -> str:
        """Give a host of another LAN an interface e1 on this one; return its address there."""
        namespace, port, address = other.namespace(host), f"{self.name}x{host}", self.address(200 + host)
        run("ip", "link", "add", port, "type", "veth", "peer", "name", "e1", "netns", namespace)
        run("ip", "link", "set", port, "master", self.name, "up")
        other.ip(host, "addr", "add", f"{address}/24", "brd", "+", "dev", "e1")
        other.ip(host, "link", "set", "e1", "up")
        return address

    def stop_flooding(self) -> None:
        """Let the bridge drop every broadcast and multicast, as some access points do; hosts reach each other."""
        macs = [json.loads(self.ip(host, "-j", "link", "show", "e0"))[0]["address"] for host in range(self.hosts)]
        for host in range(self.hosts):
            port = f"{self.name}v{host}"
            run("ip", "link", "set", port, "type", "bridge_slave", "bcast_flood", "off", "mcast_flood", "off")
            for other, mac in enumerate(macs):
                if other != host:
                    to = ("to", self.address(other), "lladdr", mac, "dev", "e0", "nud", "permanent")
                    self.ip(host, "neigh", "replace", *to)

    def host(self, number: int, home: Path, **settings: str) -> Host:
        """Return the host's peerterm, not started yet; settings become ``PEERTERM_*`` variables."""
        host = Host(self, number, home, settings)
        self.engines.append(host)
        return host


@dataclass
class Host:
    """One peerterm on one host: its profile, its engine process and its command line.

    ``prefix`` is a command that every process of this host is started by.
    """

    lan: Lan
    number: int
    home: Path
    settings: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    prefix: tuple[str, ...] = ()
    downloads: Path = field(init=False)

    def __post_init__(self) -> None:
        self.downloads = self.home / "downloads"
        self.home.mkdir(parents=True, exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of this host's processes."""
        settings = {"name": f"host{self.number}", "download_dir": str(self.downloads), **self.settings}
        variables = {f"PEERTERM_{key.upper()}": value for key, value in settings.items()}
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PEERTERM_")}
        return {**inherited, "PEERTERM_HOME": str(self.home / "profile"), **variables}

    def command(self, *words: object) -> list[str]:
        """Return the command that runs peerterm with these words on this host."""
        return [*self.inside(), sys.executable, "-m", "peerterm", *(str(word) for word in words)]

    def inside(self) -> list[str]:
        """Return what a command is put behind to run on this host."""
        return ["ip", "netns", "exec", self.lan.namespace(self.number), *self.prefix]

    def script(self, path: Path, *words: object) -> list[str]:
        """Return the command that runs a Python script on this host."""
        return [*self.inside(), sys.executable, str(path), *(str(word) for word in words)]

    def start(self, *words: object, wait: bool = True, script: Path | None = None) -> Host:
        """Start the engine, or a script that runs one; return when its control socket answers."""
        words = ("--no-ui", *words)
        command = self.script(script, *words) if script else self.command(*words)
        with (self.home / "engine.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        if wait:
            self.run("status", "--wait", "10", "--no-start")
        return self

    def run(self, *words: object, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run one verb on this host."""
        done = subprocess.run(
            self.command(*words), env=self.environment, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert not check or done.returncode == 0, f"{words}: exit {done.returncode}: {done.stderr}{self.log()}"
        return done

    def json(self, *words: object, timeout: float = 120) -> Any:
        """Run one verb with ``--json`` on this host; return its value."""
        return json.loads(self.run(*words, "--json", timeout=timeout).stdout)

    def popen(self, *words: object, script: Path | None = None) -> subprocess.Popen[str]:
        """Start one verb, or a script, on this host and leave it running; it ends with the LAN at the latest."""
        command = self.script(script, *words) if script else self.command(*words)
        process = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.lan.processes.append(process)
        return process

    def watch(self) -> Watcher:
        """Follow the engine's events from now on."""
        return Watcher(self)

    def online(self) -> set[str]:
        """Return the names of the peers this host sees online."""
        return {peer["name"] for peer in self.json("peers") if peer["state"] == "online"}

    def log(self) -> str:
        """Return what the engine printed."""
        path = self.home / "engine.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def stop(self) -> None:
        """Stop the engine cleanly and wait for its end."""
        self.run("stop")
        assert self.process
        self.process.wait(10)

    def kill(self) -> None:
        """End the engine's process at once, if it still runs."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(10)


class Watcher:
    """What ``peerterm events`` prints on one host; it ends with the LAN at the latest."""

    def __init__(self, host: Host) -> None:
        self._path = host.home / f"events-{len(host.lan.processes)}"
        with self._path.open("wb") as file:
            command = host.command("events")
            process = subprocess.Popen(command, env=host.environment, stdout=file, text=True)
        host.lan.processes.append(process)
        self.wait_for("snapshot", 20)

    def seen(self, name: str, /, **fields: object) -> list[dict[str, Any]]:
        """Return the events of this name so far; of those about a peer, the ones in which its fields fit."""
        complete = self._path.read_text().rpartition("\n")[0].splitlines()
        events = [event for event in map(json.loads, complete) if event["event"] == name]
        return [event for event in events if not fields or fields.items() <= event["peer"].items()]

    def wait_for(self, name: str, timeout: float, /, **fields: object) -> dict[str, Any]:
        """Wait for the first such event and return it."""
        wait_until(lambda: self.seen(name, **fields), timeout, f"{name} {fields}")
        return self.seen(name, **fields)[0]
