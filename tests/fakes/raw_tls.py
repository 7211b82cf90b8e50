"""A TLS 1.3 client in a page, for what no honest library does: sign with a key the certificate does not hold.

RFC 8446 with X25519, AES-128-GCM and Ed25519 only. It checks nothing of the server.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import ssl
from collections.abc import Iterator
from contextlib import suppress

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HANDSHAKE, APPLICATION = 22, 23
CLIENT_HELLO, CERTIFICATE, CERTIFICATE_VERIFY, FINISHED = 1, 11, 15, 20
ED25519 = b"\x08\x07"


def shake_by_hand(context: ssl.SSLContext, certificate: bytes, key: Ed25519PrivateKey) -> ssl.SSLObject:
    """Shake hands with a server in memory, showing one certificate and signing with any key.

    Raises:
        ssl.SSLError: What the server thinks of it.
    """
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(to_server, to_client, server_side=True)
    secret = X25519PrivateKey.generate()
    hello = client_hello(secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    to_server.write(record(HANDSHAKE, hello))
    with suppress(ssl.SSLWantReadError):
        server.do_handshake()
    answer = to_client.read()

    (_, server_hello), *rest = records(answer)
    share = server_hello[server_hello.index(b"\x00\x33\x00\x24\x00\x1d\x00\x20") + 8 :][:32]
    shared = secret.exchange(X25519PublicKey.from_public_bytes(share))
    early = hmac.digest(bytes(32), bytes(32), "sha256")
    handshake = hmac.digest(expand(early, "derived", digest(b"")), shared, "sha256")
    ours = expand(handshake, "c hs traffic", digest(hello + server_hello))
    theirs = Records(expand(handshake, "s hs traffic", digest(hello + server_hello)))
    transcript = hello + server_hello + b"".join(theirs.open(body) for kind, body in rest if kind == APPLICATION)

    entry = len(certificate).to_bytes(3, "big") + certificate + b"\x00\x00"
    shown = message(CERTIFICATE, b"\x00" + len(entry).to_bytes(3, "big") + entry)
    transcript += shown
    signed = b" " * 64 + b"TLS 1.3, client CertificateVerify\x00" + digest(transcript)
    proof = message(CERTIFICATE_VERIFY, ED25519 + b"\x00\x40" + key.sign(signed))
    transcript += proof
    finished = message(FINISHED, hmac.digest(expand(ours, "finished"), digest(transcript), "sha256"))
    to_server.write(Records(ours).seal(shown + proof + finished))
    server.do_handshake()
    return server


class Records:
    """One direction's record protection."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(expand(secret, "key", length=16))
        self._iv = int.from_bytes(expand(secret, "iv", length=12), "big")
        self._number = 0

    def open(self, body: bytes) -> bytes:
        header = bytes([APPLICATION, 3, 3]) + len(body).to_bytes(2, "big")
        return self._cipher.decrypt(self._nonce(), body, header).rstrip(b"\x00")[:-1]

    def seal(self, content: bytes) -> bytes:
        header = bytes([APPLICATION, 3, 3]) + (len(content) + 17).to_bytes(2, "big")
        return header + self._cipher.encrypt(self._nonce(), content + bytes([HANDSHAKE]), header)

    def _nonce(self) -> bytes:
        self._number += 1
        return (self._iv ^ (self._number - 1)).to_bytes(12, "big")


def client_hello(share: bytes) -> bytes:
    extensions = b"".join(
        [
            b"\x00\x2b\x00\x03\x02\x03\x04",  # TLS 1.3 only
            b"\x00\x0a\x00\x04\x00\x02\x00\x1d",  # X25519 only
            b"\x00\x0d\x00\x04\x00\x02" + ED25519,
            b"\x00\x33\x00\x26\x00\x24\x00\x1d\x00\x20" + share,
        ]
    )
    body = b"\x03\x03" + os.urandom(32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00"
    return message(CLIENT_HELLO, body + len(extensions).to_bytes(2, "big") + extensions)


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def record(kind: int, body: bytes) -> bytes:
    return bytes([kind, 3, 1]) + len(body).to_bytes(2, "big") + body


def records(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        end = 5 + int.from_bytes(data[3:5], "big")
        yield data[0], data[5:end]
        data = data[end:]


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def expand(secret: bytes, label: str, context: bytes = b"", length: int = 32) -> bytes:
    """HKDF-Expand-Label for up to 32 bytes."""
    full = b"tls13 " + label.encode()
    info = length.to_bytes(2, "big") + bytes([len(full)]) + full + bytes([len(context)]) + context
    return hmac.digest(secret, info + b"\x01", "sha256")[:length]
