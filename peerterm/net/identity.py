"""The device key and the ids made from keys. Touches one file, the key file; called by ``engine`` and ``net``."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from peerterm.core.ids import PeerId
from peerterm.errors import AuthFailed, StorageError

if TYPE_CHECKING:
    from pathlib import Path

MAX_KEY_FILE_BYTES = 4096
TAG_CHARACTERS = 8


@dataclass(frozen=True, slots=True)
class Identity:
    """This device: its key, and the id others know it by."""

    key: Ed25519PrivateKey
    peer_id: PeerId

    @classmethod
    def load_or_create(cls, path: Path) -> Identity:
        """Read the key file, or make a key and write it (PKCS#8 in PEM, mode 0600, never over another file).

        Raises:
            StorageError: The file is readable by others, holds no Ed25519 key, or cannot be read or written.
        """
        try:
            key = _load(path) if path.exists() else _create(path)
        except OSError as error:
            raise StorageError(f"key file {path}: {error.strerror}") from error
        return cls(key, peer_id_of_key(key.public_key()))


def peer_id_of_key(key: Ed25519PublicKey) -> PeerId:
    """Return the id that a public key proves."""
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return PeerId(hashlib.sha256(info).hexdigest())


def peer_id_of(certificate_der: bytes) -> PeerId:
    """Return the id of the device a certificate belongs to. TLS has proved that the peer holds its key.

    Raises:
        AuthFailed: The certificate cannot be read or its key is not Ed25519.
    """
    try:
        key = x509.load_der_x509_certificate(certificate_der).public_key()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise AuthFailed("the peer's certificate cannot be read") from error
    if not isinstance(key, Ed25519PublicKey):
        raise AuthFailed("the peer's key is not Ed25519")
    return peer_id_of_key(key)


def tag(peer_id: PeerId) -> str:
    """Return the short form of an id, for display only: it is too short to compare."""
    return base64.b32encode(bytes.fromhex(peer_id)).decode("ascii")[:TAG_CHARACTERS]


def _load(path: Path) -> Ed25519PrivateKey:
    with path.open("rb") as file:
        info = os.fstat(file.fileno())
        if info.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise StorageError(f"key file {path} is open to other users", f"close it with: chmod 600 {path}")
        pem = file.read(MAX_KEY_FILE_BYTES)
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_key(path) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path)
    return key


def _create(path: Path) -> Ed25519PrivateKey:
    key = Ed25519PrivateKey.generate()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink()  # half a key would stop every later start
        raise
    return key


def _no_key(path: Path) -> StorageError:
    return StorageError(
        f"key file {path} holds no Ed25519 key",
        "restore it from a backup, or move it away: this device then becomes a new peer",
    )
