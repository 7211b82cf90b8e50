"""A transfer seen from outside: what it says of itself, what crosses the cable, and what its part file holds."""

from __future__ import annotations

import json
import threading
import time
from bisect import bisect_left
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from .lan import run, wait_until

if TYPE_CHECKING:
    from types import TracebackType

    from .lan import Host, Lan

MIB = 1 << 20
SAMPLE_SECONDS = 0.05
POLL_SECONDS = 0.3

_never = threading.Event()


def elapse(seconds: float) -> None:
    """Let time pass: faults are a matter of moments here, and no condition marks them."""
    _never.wait(seconds)


def meet(*hosts: Host) -> None:
    """Start engines; return when each sees all others."""
    for host in hosts:
        host.start()
    for host in hosts:
        host.run("peers", "--wait", len(hosts) - 1, "--timeout", "15")


def shape(lan: Lan, host: int, rate: str) -> None:
    """Limit a host's uplink, or open it again with an empty rate."""
    device = ("-n", lan.namespace(host), "qdisc", "replace" if rate else "del", "dev", "e0", "root")
    run("tc", *device, *(("tbf", "rate", rate, "burst", "256k", "latency", "50ms") if rate else ()))


def narrow(lan: Lan, host: int, rate: str) -> None:
    """Limit what reaches a host, where many senders compete for it."""
    device = ("qdisc", "replace", "dev", f"{lan.name}v{host}", "root")
    run("tc", *device, "tbf", "rate", rate, "burst", "256k", "latency", "50ms")


def begin(host: Host, reference: object, *words: object) -> str:
    """Start a transfer, though the disk may stop it at once; return its id."""
    started = host.run("get", reference, "--detach", "--json", *words, check=False)
    assert started.returncode in (0, 6), f"{started.stderr}{host.log()}"
    return str(json.loads(started.stdout)["transfer_id"])


def view(host: Host, transfer_id: str) -> dict[str, Any]:
    """Return what the engine says of a transfer."""
    (row,) = [row for row in host.json("transfers", "--no-start") if row["transfer_id"] == transfer_id]
    return dict(row)


def until(host: Host, transfer_id: str, *states: str, timeout: float) -> dict[str, Any]:
    """Wait until a transfer is in one of these states; return what the engine says of it.

    Raises:
        AssertionError: It is not in time, or it failed.
    """
    deadline = time.monotonic() + timeout
    while (row := view(host, transfer_id))["state"] not in states:
        assert row["state"] != "failed", f"{row}\n{host.log()}"
        assert time.monotonic() < deadline, f"not {states} within {timeout} s: {row}\n{host.log()}"
        elapse(POLL_SECONDS)
    return row


def received(lan: Lan, host: int) -> int:
    """Return how many bytes the network has brought to a host, all headers included."""
    return int(Path(f"/sys/class/net/{lan.name}v{host}/statistics/tx_bytes").read_text())


def until_received(lan: Lan, host: int, size: int, timeout: float = 60) -> None:
    """Wait until the network has brought a host so many bytes more."""
    goal = received(lan, host) + size
    wait_until(lambda: received(lan, host) >= goal, timeout, f"{size} bytes at host {host}")


class Meter:
    """Notes what reaches some hosts, many times a second, while it is entered."""

    def __init__(self, lan: Lan, *hosts: int) -> None:
        self._lan = lan
        self._times: list[float] = []
        self._counts: dict[int, list[int]] = {host: [] for host in hosts}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._note)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def _note(self) -> None:
        while not self._is_over.wait(SAMPLE_SECONDS):
            for host, counts in self._counts.items():
                counts.append(received(self._lan, host))
            self._times.append(time.monotonic())

    def between(self, since: float, until: float, host: int) -> int:
        """Return how many bytes reached a host between two moments of the monotonic clock."""
        wait_until(lambda: self._times and self._times[-1] >= until, 5, "a later sample")
        counts = self._counts[host]
        first, last = (min(bisect_left(self._times, moment), len(counts) - 1) for moment in (since, until))
        return counts[last] - counts[first]

    def rates(self, seconds: int, *hosts: int) -> list[list[int]]:
        """Measure for so many seconds from now; return for each host the bytes that came in each of them."""
        start = time.monotonic()
        moments = [start + second for second in range(seconds)]
        return [[self.between(moment, moment + 1, host) for moment in moments] for host in hosts]


class Progress:
    """Follows what a host's transfers have, event by event; it ends with the LAN at the latest."""

    def __init__(self, host: Host) -> None:
        self.steps: list[tuple[float, int]] = []
        self._process = host.popen("events")
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            event = json.loads(line)
            if event["event"] == "transfer_changed":
                size = event["transfer"]["bytes"]
                if not self.steps or size > self.steps[-1][1]:
                    self.steps.append((time.monotonic(), size))

    def longest_stall(self) -> tuple[float, int]:
        """Return the longest time without a further verified byte, and how many there were when it began."""
        pairs = zip(self.steps, self.steps[1:], strict=False)
        return max(((after[0] - before[0], before[1]) for before, after in pairs), default=(0.0, 0))


def part_of(host: Host) -> Path:
    """Return the only part file of a host."""
    (part,) = host.downloads.glob("*.peerterm-part")
    return part


def chunks_held(part: Path, film: Path) -> dict[int, int]:
    """Return the chunks of a part file that are those of the whole file, with their lengths."""
    if not part.exists():
        return {}
    with part.open("rb") as have, film.open("rb") as want:
        pairs = [(have.read(MIB), want.read(MIB)) for _ in range(-(-film.stat().st_size // MIB))]
    return {index: len(wanted) for index, (found, wanted) in enumerate(pairs) if found == wanted}
