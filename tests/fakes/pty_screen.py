"""A full-screen program on a terminal of its own that a test reads, or leaves unread."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

LOCALE = {"LANG": "C.UTF-8", "LC_ALL": "", "LC_CTYPE": "", "NO_COLOR": "", "SSH_CONNECTION": "", "SSH_TTY": ""}
XTERM = {"TERM": "xterm-256color", "COLORTERM": "truecolor"} | LOCALE
"""A terminal of all colours on this machine."""

LEAVES_SCREEN = b"\x1b[?1049l"

_pause = threading.Event()  # never set: what is waited for happens in another process
_ESCAPES = re.compile(rb"\x1b(\[[0-9;?<>=$]*[a-zA-Z]|\][^\x07]*\x07|[()].|[=>])")


class Screen:
    """A program that has a terminal; it is killed at the end of the context.

    Args:
        command: The program.
        environment: All of its variables; empty ones are left out.
        is_controlling: Whether the system sends it the signals of the terminal.

    Attributes:
        taken: Every byte read from it since ``forget``.
    """

    def __init__(self, command: Sequence[str], environment: dict[str, str], *, is_controlling: bool = True) -> None:
        self._reader, terminal = pty.openpty()
        self.taken = b""
        self.resize(80, 24)
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            ["setsid", *(["--ctty"] if is_controlling else []), *command],
            env={name: value for name, value in environment.items() if value},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        )
        os.close(terminal)

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait(10)
        self.hang_up()

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        fcntl.ioctl(self._reader, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def hang_up(self) -> None:
        """Take the terminal away."""
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1

    def send(self, keys: str) -> None:
        """Type; what the terminal has no room for is not waited for."""
        self.send_bytes(keys.encode())

    def send_bytes(self, data: bytes) -> None:
        """Type what may be no text."""
        os.write(self._reader, data)

    def forget(self) -> None:
        """Forget what was read until now."""
        self.taken = b""

    def read(self, seconds: float) -> None:
        """Read what comes within a time."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and self._read(left):
            pass

    def _read(self, seconds: float) -> bool:
        if select.select([self._reader], [], [], seconds)[0]:
            try:
                self.taken += os.read(self._reader, 65536)
            except OSError:  # the program has ended
                return False
        return True

    @property
    def text(self) -> str:
        """What was read, without its escape sequences."""
        return _ESCAPES.sub(b"", self.taken).decode(errors="replace")

    def wait_for(self, *texts: str, seconds: float = 10) -> float:
        """Read until all these texts came; return when, in seconds since the start."""
        until = time.monotonic() + seconds
        while not all(text in self.text for text in texts):
            left = until - time.monotonic()
            assert left > 0, f"{texts} not within {seconds} s: {self.text[-3000:]}"
            assert self._read(left), f"{texts} not before the end: {self.text[-3000:]}"
        return time.monotonic() - self.started

    def end(self, seconds: float = 5, *, is_read: bool = True) -> int:
        """Wait for the end of the program; return its exit code."""
        until = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < until, f"it runs on after {seconds} s: {self.text[-2000:]}"
            if is_read and self._reader >= 0:
                self._read(0.05)
            else:
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(0.05)
        if self._reader >= 0:
            while select.select([self._reader], [], [], 0)[0] and self._read(0):
                if not select.select([self._reader], [], [], 0.05)[0]:
                    break
        return self.process.returncode

    def process_some(self) -> None:
        """Give the program the time that a person takes between two keys, and read nothing."""
        _pause.wait(0.04)

    @property
    def is_cooked(self) -> bool:
        """Whether the terminal echoes and edits lines, as a shell wants it."""
        modes = termios.tcgetattr(self._reader)[3]
        return bool(modes & termios.ECHO and modes & termios.ICANON and modes & termios.ISIG)

    def kill(self, number: signal.Signals) -> None:
        """Send the program a signal."""
        self.process.send_signal(number)

    def cpu_seconds(self) -> float:
        """Return the processor time that the program has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
