"""Prints a line for each TCP or UDP packet that leaves this host by an interface, until it is terminated.

Arguments: the interface. The first line is ``ready``; the others are protocol, destination and its port.
"""

from __future__ import annotations

import socket
import struct
import sys
from ipaddress import ip_address

ETHERNET_BYTES = 14
ALL_PROTOCOLS = 3
IPV4, IPV6 = 0x0800, 0x86DD
NAMES = {6: "tcp", 17: "udp"}


def describe(frame: bytes) -> str:
    """Return what a frame carries, empty if it is neither TCP nor UDP."""
    (kind,) = struct.unpack_from("!H", frame, 12)
    if kind == IPV4:
        protocol, host, start = frame[23], frame[30:34], ETHERNET_BYTES + (frame[14] & 15) * 4
    elif kind == IPV6:
        protocol, host, start = frame[20], frame[38:54], ETHERNET_BYTES + 40
    else:
        return ""
    if protocol not in NAMES:
        return ""
    _, port = struct.unpack_from("!HH", frame, start)
    return f"{NAMES[protocol]} {ip_address(host)} {port}"


with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS)) as sock:
    sock.bind((sys.argv[1], ALL_PROTOCOLS))
    print("ready", flush=True)
    while True:
        data, (_, _, direction, _, _) = sock.recvfrom(65536)
        if direction == socket.PACKET_OUTGOING and (line := describe(data)):
            print(line, flush=True)
