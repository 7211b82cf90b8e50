"""Throws garbage at an engine for some seconds: raw bytes, cut frames and valid frames at the wrong time.

Arguments: host, port, seconds, seed. Prints how many connections and datagrams it made.
"""

from __future__ import annotations

import random
import socket
import ssl
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from peerterm.core.ids import PeerId, Root
from peerterm.core.pieces import Piece, PieceKind
from peerterm.core.presence import Beacon, BeaconKind
from peerterm.net.identity import Identity
from peerterm.net.preamble import Preamble
from peerterm.net.tls import TlsContexts
from peerterm.wire.beacon import encode_beacon
from peerterm.wire.codec import encode
from peerterm.wire.lane import encode_request
from peerterm.wire.messages import (
    BrowseAnswer,
    FindRequest,
    Hello,
    InterestRequest,
    Ping,
    Pong,
    SearchRequest,
    Status,
)

rng = random.Random(int(sys.argv[4]))
HOST, PORT, SECONDS = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
with tempfile.TemporaryDirectory() as folder:
    contexts = TlsContexts.for_identity(Identity.load_or_create(Path(folder) / "key"))

HELLO = encode(Hello(protocol=1, name="garbage", instance=b"12345678", port=47470))
MESSAGES = [
    HELLO,
    encode(Hello(protocol=9, name="future", instance=b"12345678", port=47470)),
    encode(Hello(protocol=1, name="needy", instance=b"12345678", port=1, required=["telepathy"])),
    encode(Ping(nonce=1)),
    encode(Pong(nonce=7)),
    encode(Status(name="\x1b[31mred", shares=1, size=1, seq=1)),
    encode(SearchRequest(request=1, text="a b c d e f g h i j k")),
    encode(SearchRequest(request=1, text='"*" OR x NEAR(')),
    encode(FindRequest(request=2, by="root", prefix="00000000")),
    encode(InterestRequest(request=3, roots=[b"\0" * 32])),
    encode(BrowseAnswer(request=99, entries=[])),
]


def connect(preamble: bytes) -> ssl.SSLSocket:
    """Open a genuine TLS connection to the engine."""
    raw = socket.create_connection((HOST, PORT), 2)
    raw.sendall(preamble)
    raw.settimeout(1)
    return contexts.client.wrap_socket(raw)


def raw_garbage() -> None:
    """Send bytes that are no preamble, no TLS, or stop in the middle."""
    with socket.create_connection((HOST, PORT), 2) as sock:
        start = rng.choice([b"", b"PT1L", b"PT1D", b"PT", b"GET / HTTP/1.1\r\n\r\n"])
        sock.sendall(start + rng.randbytes(rng.randrange(2000)))


def link_garbage() -> None:
    """Send messages in any order, cut, repeated, or drowned in noise, over a genuine link."""
    with connect(Preamble.LINK.value) as link:
        stream = b"".join(rng.choices(MESSAGES, k=rng.randrange(1, 12)))
        if rng.random() < 0.6:
            stream = HELLO + stream
        if rng.random() < 0.3:
            stream = stream[: rng.randrange(len(stream))]
        if rng.random() < 0.3:
            place = rng.randrange(len(stream) + 1)
            stream = stream[:place] + rng.randbytes(rng.randrange(1, 300)) + stream[place:]
        if rng.random() < 0.2:
            stream += b"\xff\xff\xff\xff\x01"
        link.sendall(stream)
        link.recv(rng.choice([1, 4096]))


def lane_garbage() -> None:
    """Send requests for what is not there, and noise, over a genuine lane."""
    with connect(Preamble.LANE.value) as lane:
        piece = Piece(Root(rng.randbytes(32)), rng.choice(list(PieceKind)), rng.randrange(2**32))
        requests = b"".join(encode_request(number, piece) for number in range(rng.randrange(5)))
        lane.sendall(requests + rng.randbytes(rng.randrange(100)))
        lane.recv(4096)


def datagram() -> None:
    """Send a beacon that is noise, damaged, or announces somebody at the sender's closed port."""
    peer = PeerId(rng.randbytes(32).hex())
    kind = rng.choice(list(BeaconKind))
    beacon = bytearray(encode_beacon(Beacon(peer, rng.randbytes(8), rng.randrange(1, 65536), 1, kind)))
    if rng.random() < 0.5:
        beacon[rng.randrange(len(beacon))] ^= 1 << rng.randrange(8)
    if rng.random() < 0.3:
        beacon = bytearray(rng.randbytes(rng.randrange(700)))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(beacon, (HOST, 47470))


made = 0
end = time.monotonic() + SECONDS
while time.monotonic() < end:
    with suppress(OSError):
        rng.choice([raw_garbage, link_garbage, link_garbage, lane_garbage, datagram])()
    made += 1
print(made)
