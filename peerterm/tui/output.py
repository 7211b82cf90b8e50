"""Hands text to a terminal from a thread of its own, so that one that stops reading stops nobody else.

Knows of file descriptors only; ``driver`` uses it. What it holds is bounded in bytes.
"""

from __future__ import annotations

import codecs
import os
import signal
import termios
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Callable

STALL_SECONDS = 0.1
"""A terminal that has not taken a text this long after it was sent counts as stalled."""

MAX_QUEUED_BYTES = 1024 * 1024
"""Most that waits for the terminal, or one text; what comes on top is left out, and all must be painted anew."""

PIECE_BYTES = 4096
"""Most that is written at once: what is discarded ends at a piece, and one fits the system's own buffer."""

CANCEL = "\x18"
"""Ends an escape sequence that was cut off (ECMA-48, CAN)."""

_LOOKS = {
    "-": "─━",
    "|": "│┃▏▕║",
    "+": "┌┐└┘├┤┬┴┼╭╮╰╯",
    "=": "═",
    "_": "▁▂",
    "#": "█▓▒░▀▄▇▌▐",
    "*": "•●",
    "o": "○◌",
}
_PLAIN = str.maketrans(
    {char: plain for plain, chars in _LOOKS.items() for char in chars}
    | {"…": ".", "▔": '"', "▲": "^", "▼": "v", "▶": ">", "◀": "<"}
)
"""What looks alike in one cell of any font, for the frames and bars that nobody chooses glyphs for."""


def _unknown(error: UnicodeError) -> tuple[str, int]:
    """Write question marks in as many cells."""
    assert isinstance(error, UnicodeEncodeError)
    return "?" * cell_len(error.object[error.start : error.end]), error.end


codecs.register_error("peerterm-cells", _unknown)


class Output:
    """Writes to a terminal.

    Args:
        fileno: The terminal.
        encoding: ``utf-8`` or ``ascii``.
        on_drained: Called in the thread of the output when everything was taken, after a stall was noticed.
        is_plain: Whether lines and bars are drawn with ASCII characters.
    """

    def __init__(
        self, fileno: int, encoding: str, on_drained: Callable[[], None], *, is_plain: bool = False
    ) -> None:
        self._fileno = fileno
        self._encoding = encoding
        self._is_plain = is_plain
        self._on_drained = on_drained
        self._changed = threading.Condition()
        self._pieces: deque[tuple[float, bytes]] = deque()  # when it was sent; the first is being written
        self._queued = 0
        self._is_noticed = self._is_closed = self._is_gone = False
        self._thread = threading.Thread(target=self._run, name="peerterm-output", daemon=True)
        self._thread.start()

    def write(self, text: str) -> bool:
        """Queue a text; return whether there was room for it: if not, ``on_drained`` is due. Never blocks."""
        data = (text.translate(_PLAIN) if self._is_plain else text).encode(self._encoding, "peerterm-cells")
        now = time.monotonic()
        with self._changed:
            if self._is_gone:
                return False
            if self._pieces and self._queued + len(data) > MAX_QUEUED_BYTES:
                self._is_noticed = True
                return False
            self._pieces.extend((now, data[at : at + PIECE_BYTES]) for at in range(0, len(data), PIECE_BYTES))
            self._queued += len(data)
            self._changed.notify_all()
        return True

    @property
    def is_stalled(self) -> bool:
        """Whether the terminal has not taken what it was sent a while ago; if so, ``on_drained`` is due."""
        with self._changed:
            is_late = bool(self._pieces) and time.monotonic() - self._pieces[0][0] > STALL_SECONDS
            self._is_noticed |= is_late
            return is_late

    def drain(self, seconds: float) -> bool:
        """Wait until everything was taken; return whether it was, in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._pieces, seconds)

    def discard(self) -> None:
        """Forget what the terminal has not taken, here and in the system; only in the main thread."""
        with self._changed:
            while len(self._pieces) > 1:
                self._queued -= len(self._pieces.pop()[1])
        with suppress(termios.error):
            termios.tcflush(self._fileno, termios.TCOFLUSH)
        if self._thread.is_alive():  # a write that waits for room learns of it from a signal only
            signal.signal(signal.SIGURG, lambda *_: None)
            signal.pthread_kill(self._thread.ident or 0, signal.SIGURG)
        self.write(CANCEL)

    def close(self, seconds: float) -> None:
        """Write what is queued and end, or give up: a thread that is stuck ends with the process."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join(seconds)

    def _run(self) -> None:
        while piece := self._first():
            try:
                while piece:
                    piece = piece[os.write(self._fileno, piece) :]
            except OSError:  # the terminal is gone; who reads from it learns of that
                self._is_gone = True
            if self._taken():
                self._on_drained()

    def _first(self) -> bytes:
        """Wait for a piece; empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._pieces or self._is_closed)
            return self._pieces[0][1] if self._pieces else b""

    def _taken(self) -> bool:
        """Forget the first piece, or all if nobody takes them; return whether the end of a stall is to be told."""
        with self._changed:
            while self._pieces:
                self._queued -= len(self._pieces.popleft()[1])
                if not self._is_gone:
                    break
            self._changed.notify_all()
            is_over = self._is_noticed and not self._pieces
            self._is_noticed &= not is_over
            return is_over
