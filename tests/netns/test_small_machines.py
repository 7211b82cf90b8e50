"""What peerterm costs a machine that has little: time to start, processor and memory while nothing happens."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from .lan import Lan, wait_until

if TYPE_CHECKING:
    from .lan import Host

RUNS = 5
VERSION_SECONDS = 0.15
READY_SECONDS = 0.8
IDLE_SHARE = 0.01
IDLE_SECONDS = 20.0
IDLE_BYTES = 96 << 20
TICKS = os.sysconf("SC_CLK_TCK")


def test_version_is_told_at_once() -> None:
    """``peerterm --version`` takes less than 0.15 s, its process's start included."""
    seconds = []
    for _ in range(RUNS):
        started_at = time.perf_counter()
        subprocess.run([sys.executable, "-m", "peerterm", "--version"], check=True, capture_output=True)
        seconds.append(time.perf_counter() - started_at)

    print(f"\npeerterm --version: median {median(seconds):.3f} s of {sorted(round(each, 3) for each in seconds)}")
    assert median(seconds) < VERSION_SECONDS


def seconds_to_ready(host: Host) -> float:
    """Start an engine; return how long it took until its control socket took a connection and greeted."""
    path = str(host.home / "profile" / "run" / "control.sock")

    def is_ready() -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            try:
                client.connect(path)
            except OSError:
                return False
            return bool(client.recv(1))

    started_at = time.perf_counter()
    host.start(wait=False)
    wait_until(is_ready, 10, host.log())
    return time.perf_counter() - started_at


def test_engine_is_ready_soon(work: Path) -> None:
    """``peerterm --no-ui`` answers on its socket less than 0.8 s after it was started."""
    with Lan(1) as lan:
        host = lan.host(0, work / "host0")
        first = seconds_to_ready(host)
        seconds = []
        for _ in range(RUNS):
            host.stop()
            seconds.append(seconds_to_ready(host))

        print(f"\n--no-ui ready: median {median(seconds):.3f} s of {sorted(round(each, 3) for each in seconds)}")
        print(f"the first time, with a new key and database: {first:.3f} s")
        assert median(seconds) < READY_SECONDS


def processor_seconds(pid: int) -> float:
    """Return the processor time a process has used, its threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_bytes(pid: int) -> int:
    """Return the memory a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_idle_engine_costs_next_to_nothing(work: Path) -> None:
    """An engine with four peers and nothing to do uses less than 1 % of a core over 20 s, and little memory."""
    with Lan(5) as lan:
        hosts = [lan.host(number, work / f"host{number}").start() for number in range(5)]
        for host in hosts:
            host.run("peers", "--wait", "4", "--timeout", "10")
        pids = [host.process.pid for host in hosts if host.process]
        before = [processor_seconds(pid) for pid in pids]
        since = time.monotonic()
        wait_until(lambda: time.monotonic() - since >= IDLE_SECONDS, IDLE_SECONDS + 1)
        seconds = time.monotonic() - since
        shares = [(processor_seconds(pid) - start) / seconds for pid, start in zip(pids, before, strict=True)]
        memory = [resident_bytes(pid) for pid in pids]

        print(f"\nidle with 4 peers: {', '.join(f'{share:.2%}' for share in shares)} of a core")
        print(f"resident: {', '.join(f'{each / (1 << 20):.0f} MiB' for each in memory)}")
        assert median(shares) < IDLE_SHARE
        assert median(memory) < IDLE_BYTES
