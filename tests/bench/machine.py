"""What every benchmark needs: engines on loopback, other programs to compare with, and a table to print."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MIB = 1 << 20
ROOT = Path(__file__).parents[2]


@dataclass
class Engine:
    """One engine on loopback, in a process of its own."""

    home: Path
    name: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of the engine and of its verbs."""
        settings = {
            "PEERTERM_HOME": str(self.home / "profile"),
            "PEERTERM_NAME": self.name,
            "PEERTERM_INTERFACE": "lo",
            "PEERTERM_DOWNLOAD_DIR": str(self.home / "downloads"),
        }
        return {**os.environ, **settings, "PYTHONPATH": str(ROOT)}

    def start(self) -> None:
        """Start the engine; return when it answers."""
        self.home.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "peerterm", "--no-ui"]
        with (self.home / "engine.log").open("ab") as log:
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        self.run("status", "--wait", "15", "--no-start")

    def run(self, *words: object) -> str:
        """Run one verb; return what it printed on stdout."""
        command = [sys.executable, "-m", "peerterm", *(str(word) for word in words)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{words}: exit {done.returncode}: {done.stderr}"
        return done.stdout

    def json(self, *words: object) -> Any:
        """Run one verb with ``--json``; return its value."""
        return json.loads(self.run(*words, "--json"))

    def end(self) -> None:
        """End the engine's process."""
        if self.process:
            self.process.terminate()
            self.process.wait(10)


@contextmanager
def engines(work: Path, *names: str) -> Iterator[list[Engine]]:
    """Run engines that all see each other."""
    made = [Engine(work / name, name) for name in names]
    try:
        for engine in made:
            engine.start()
        for engine in made:
            engine.run("peers", "--wait", len(made) - 1, "--timeout", "20")
        yield made
    finally:
        for engine in made:
            engine.end()


def timed(do: Callable[[], object]) -> float:
    """Do something; return the seconds it took."""
    started_at = time.perf_counter()
    do()
    return time.perf_counter() - started_at


def openssl_seconds(path: Path) -> float:
    """Return how long ``openssl dgst -sha256`` takes for a file that is in memory."""
    assert shutil.which("openssl"), "needs openssl"
    return timed(lambda: subprocess.run(["openssl", "dgst", "-sha256", path], check=True, capture_output=True))


def warm(path: Path) -> None:
    """Bring a file into memory, so that what is measured is not the disk."""
    with path.open("rb") as file:
        while file.read(16 * MIB):
            pass


def show(title: str, rows: Sequence[tuple[str, float, str, float]]) -> None:
    """Print what was measured: what, seconds, amount a second, and its ratio to the first row."""
    print(f"\n\n{title}\n{'':34}{'seconds':>9}{'rate':>16}{'ratio':>8}")
    for name, seconds, rate, ratio in rows:
        print(f"{name:34}{seconds:9.2f}{rate:>16}{ratio:8.2f}")


def in_mib(size: int, seconds: float) -> str:
    """Write a rate in MiB a second."""
    return f"{size / MIB / seconds:,.0f} MiB/s"
