"""TLS over a blocking socket, read in gulps of many records; one thread reads and writes it.

``ssl.SSLSocket`` asks the kernel for each record of 16 KiB by itself, twice. At full speed that is a tenth of a
receiver's time, so both ends of a data lane use this instead. See docs/adr/0005.
"""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self, cast

if TYPE_CHECKING:
    from collections.abc import Callable

GULP_BYTES = 512 * 1024
"""Most bytes taken from the socket at once; with what is not decrypted yet, all that a stream ever holds back."""

MAX_UNSENT_BYTES = 64 * 1024
"""Most bytes that are written and not sent."""


def _nothing() -> None:
    pass


class TlsStream:
    """One TLS connection. It owns the socket, which is in blocking mode, and closes it.

    Every method but ``shut_down`` belongs to one thread. Each raises ``OSError``: the connection broke or ended, or
    the socket's timeout passed.

    Attributes:
        tls: The state of TLS; it knows the certificate of the other end.
    """

    def __init__(self, connection: socket.socket, context: ssl.SSLContext, *, server_side: bool = False) -> None:
        self._socket = connection
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._gulp: memoryview | None = None
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side=server_side)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def handshake(self) -> None:
        """Shake hands, within the socket's timeout in all; after that it bounds each wait, as before."""
        timeout = self._socket.gettimeout()
        assert timeout, "whoever is at the other end proves itself in time"
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self._wait_until(deadline, self._flush)
                self._wait_until(deadline, self._take)
            except ssl.SSLError:
                with suppress(OSError):  # tell the other end why, if it still listens
                    self._flush()
                raise
            else:
                self._flush()
                return self._socket.settimeout(timeout)

    def _wait_until(self, deadline: float, work: Callable[[], None]) -> None:
        if (left := deadline - time.monotonic()) <= 0:
            raise TimeoutError("the handshake took too long")
        self._socket.settimeout(left)
        work()

    def set_timeout(self, seconds: float) -> None:
        """Bound each wait for bytes, and each ``send``, from now on."""
        self._socket.settimeout(seconds)

    def read_exactly(
        self, into: memoryview, heard: Callable[[], None] = _nothing, waits: Callable[[], None] = _nothing
    ) -> None:
        """Fill a buffer, calling ``waits`` before each wait for bytes and ``heard`` each time bytes come.

        What was written is sent before the first wait.
        """
        filled = 0
        while filled < len(into):
            try:
                # With a buffer it returns the number of bytes, which its stub does not know.
                count = cast("int", self.tls.read(len(into) - filled, into[filled:]))
            except ssl.SSLWantReadError:
                self._flush()
                waits()
                self._take()
                heard()
            else:
                if not count:
                    raise ConnectionResetError("the lane ended")
                filled += count

    def send(self, data: bytes | memoryview) -> None:
        """Send all of it, and what was written before, within the socket's timeout."""
        self.tls.write(data)  # a memory BIO takes everything
        self._flush()

    def write(self, data: bytes | memoryview) -> None:
        """Let data wait for more; it is sent before the next wait for bytes, or with ``MAX_UNSENT_BYTES``."""
        self.tls.write(data)
        if self._outgoing.pending >= MAX_UNSENT_BYTES:
            self._flush()

    def close(self) -> None:
        """Close the socket; may be called again."""
        self._socket.close()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._socket.sendall(self._outgoing.read())

    def _take(self) -> None:
        if self._gulp is None:
            self._gulp = memoryview(bytearray(GULP_BYTES))
        count = self._socket.recv_into(self._gulp)
        if not count:
            raise ConnectionResetError("the lane ended")
        self._incoming.write(self._gulp[:count])


def shut_down(connection: socket.socket) -> None:
    """Wake a thread that is blocked in the socket's read or write; its call fails or reads the end."""
    with suppress(OSError):  # not connected any more
        connection.shutdown(socket.SHUT_RDWR)
