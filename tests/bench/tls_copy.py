"""The plainest encrypted copy that Python can do: one TLS 1.3 connection on loopback, one thread at each end.

Arguments: source, destination. Verifies no hash; prints the seconds from the first byte to the last one written.
"""

from __future__ import annotations

import socket
import ssl
import sys
import tempfile
import threading
import time
from pathlib import Path

from peerterm.net.identity import Identity
from peerterm.net.tls import TlsContexts

BLOCK_BYTES = 1 << 20


def send(listening: socket.socket, context: ssl.SSLContext, source: Path) -> None:
    """Send a file to whoever connects."""
    raw, _ = listening.accept()
    block = memoryview(bytearray(BLOCK_BYTES))
    with context.wrap_socket(raw, server_side=True) as sock, source.open("rb", buffering=0) as file:
        while size := file.readinto(block):
            sock.sendall(block[:size])


def receive(port: int, context: ssl.SSLContext, destination: Path, size: int) -> float:
    """Write what comes to a file."""
    block = memoryview(bytearray(BLOCK_BYTES))
    raw = socket.create_connection(("127.0.0.1", port))
    with context.wrap_socket(raw) as sock, destination.open("wb", buffering=0) as file:
        started_at = time.perf_counter()
        while size:
            got = sock.recv_into(block)
            file.write(block[:got])
            size -= got
        return time.perf_counter() - started_at


if __name__ == "__main__":
    source_path, destination_path = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        contexts = TlsContexts.for_identity(Identity.load_or_create(Path(folder) / "key"))
        thread = threading.Thread(target=send, args=(server, contexts.server, source_path))
        thread.start()
        print(receive(server.getsockname()[1], contexts.client, destination_path, source_path.stat().st_size))
        thread.join()
