"""How fast a file of this machine leaves over loopback HTTP, against nginx with sendfile."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from statistics import median
from typing import TYPE_CHECKING

from tests.netns.trees import make_file

from .machine import MIB, engines, in_mib, show, warm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SIZE = 1024 * MIB
ROUNDS = 5

NGINX = """
daemon off; worker_processes 1; pid {work}/nginx.pid; error_log {work}/error.log; user root;
events {{ worker_connections 64; }}
http {{
  access_log off; sendfile on; tcp_nopush on; client_body_temp_path {work}/body;
  server {{ listen 127.0.0.1:{port}; root {work}; }}
}}
"""

LARGE_READS = """
import socket, sys
from urllib.parse import urlsplit
url = urlsplit(sys.argv[1])
buffer = memoryview(bytearray(1 << 20))
with socket.create_connection((url.hostname, url.port)) as client:
    client.sendall(f"GET {url.path} HTTP/1.1\\r\\nHost: {url.netloc}\\r\\nConnection: close\\r\\n\\r\\n".encode())
    total = 0
    while count := client.recv_into(buffer):
        total += count
assert total > int(sys.argv[2])
"""

CLIENTS = {
    "curl": ["curl", "--silent", "--fail", "--noproxy", "*", "--output", "/dev/null"],
    "reads of 1 MiB": [sys.executable, "-c", LARGE_READS],
}


@asynccontextmanager
async def nginx(work: Path) -> AsyncIterator[str]:
    """Serve a folder with nginx; return its URL."""
    assert shutil.which("nginx"), "needs nginx"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (work / "nginx.conf").write_text(NGINX.format(work=work, port=port))
    process = subprocess.Popen(["nginx", "-c", work / "nginx.conf"], stderr=subprocess.DEVNULL)
    try:
        async with asyncio.timeout(10):
            while not is_reached(port):
                await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def is_reached(port: int) -> bool:
    """Tell whether something listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def seconds(client: str, url: str) -> float:
    """Fetch a URL; return how long it took, the client's own start included."""
    words = [*CLIENTS[client], url, *([str(SIZE)] if client != "curl" else [])]
    started_at = time.perf_counter()
    process = await asyncio.create_subprocess_exec(*words)
    assert await process.wait() == 0
    return time.perf_counter() - started_at


async def test_endpoint_against_nginx(work: Path) -> None:
    """1 GiB, in turns, the median of five; at least 0.6 of nginx is wanted."""
    film = make_file(work / "film.mkv", SIZE)
    warm(film)
    taken: dict[tuple[str, str], list[float]] = {}
    async with nginx(work) as reference:
        with engines(work, "anna") as (anna,):
            stream = anna.json("stream", anna.json("share", film)[0]["root"], "--print-url")
            urls = {"nginx": f"{reference}/film.mkv", "peerterm": stream["url"]}
            for _ in range(ROUNDS):
                for client in CLIENTS:
                    for name, url in urls.items():
                        taken.setdefault((client, name), []).append(await seconds(client, url))
            assert anna.json("streams")[0]["state"] == "local"
    for client in CLIENTS:
        base = median(taken[client, "nginx"])
        rows = [(name, median(taken[client, name])) for name in urls]
        title = f"1 GiB over loopback HTTP, {client}"
        show(title, [(name, each, in_mib(SIZE, each), base / each) for name, each in rows])

    assert all(len(each) == ROUNDS for each in taken.values())
