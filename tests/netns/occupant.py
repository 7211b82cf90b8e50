"""Holds a TCP and a UDP port, as another program might, until it is terminated. Argument: the port."""

from __future__ import annotations

import signal
import socket
import sys

PORT = int(sys.argv[1])
with (
    socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True),
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
):
    datagrams.bind(("0.0.0.0", PORT))
    print("ready", flush=True)
    signal.pause()
