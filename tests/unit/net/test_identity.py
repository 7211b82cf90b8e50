"""The key file: made once, private, never guessed at; ids follow from keys."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import CertificateBuilder, Name, random_serial_number

from peerterm.core.ids import PeerId
from peerterm.errors import AuthFailed, StorageError
from peerterm.net.identity import Identity, peer_id_of, tag
from peerterm.net.tls import device_certificate


def test_identity_is_made_once(tmp_path: Path) -> None:
    """A second start has the first one's id."""
    path = tmp_path / "profile" / "key.pem"

    first, second = Identity.load_or_create(path), Identity.load_or_create(path)

    assert first.peer_id == second.peer_id
    assert re.fullmatch("[0-9a-f]{64}", first.peer_id)


def test_key_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    """The file is PKCS#8 of an Ed25519 key that only its owner may read."""
    old = os.umask(0)
    try:
        Identity.load_or_create(tmp_path / "key.pem")
    finally:
        os.umask(old)

    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    key = load_pem_private_key((tmp_path / "key.pem").read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_key_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    """A key that others may read or write stops the start, and the error says how to close it."""
    path = tmp_path / "key.pem"
    Identity.load_or_create(path)
    path.chmod(mode)

    with pytest.raises(StorageError) as caught:
        Identity.load_or_create(path)

    assert f"chmod 600 {path}" in caught.value.hint


def pem(key: rsa.RSAPrivateKey | Ed25519PrivateKey, password: bytes = b"") -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        b"\0" * 100_000,
        pem(rsa.generate_private_key(65537, 2048)),
        pem(Ed25519PrivateKey.generate(), b"x"),
    ],
    ids=["empty", "garbage", "long", "rsa", "encrypted"],
)
def test_damaged_key_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    """What is no Ed25519 key is neither used nor overwritten: the identity may be in a backup."""
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(StorageError, match="no Ed25519 key"):
        Identity.load_or_create(path)

    assert path.read_bytes() == content


def test_key_that_cannot_be_read_is_a_storage_error(tmp_path: Path) -> None:
    """The system's error is mapped, with the path."""
    (tmp_path / "key.pem").mkdir(mode=0o700)

    with pytest.raises(StorageError, match=r"key\.pem"):
        Identity.load_or_create(tmp_path / "key.pem")


def test_half_written_key_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails while the key is written leaves no file to stumble over."""

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)

    with pytest.raises(StorageError, match="No space left"):
        Identity.load_or_create(tmp_path / "key.pem")

    assert list(tmp_path.iterdir()) == []


def test_certificate_bears_the_id_of_its_key(tmp_path: Path) -> None:
    """Any network's certificate of a device names the same peer."""
    me = Identity.load_or_create(tmp_path / "key.pem")
    networks = [Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()]

    ids = {peer_id_of(device_certificate(me.key.public_key(), net).public_bytes(Encoding.DER)) for net in networks}

    assert ids == {me.peer_id}


def test_other_kinds_of_key_are_refused(tmp_path: Path) -> None:
    """A certificate with a P-256 key proves no id here."""
    network = Ed25519PrivateKey.generate()
    sample = device_certificate(network.public_key(), network)
    certificate = (
        CertificateBuilder()
        .subject_name(Name([]))
        .issuer_name(Name([]))
        .public_key(ec.generate_private_key(ec.SECP256R1()).public_key())
        .serial_number(random_serial_number())
        .not_valid_before(sample.not_valid_before_utc)
        .not_valid_after(sample.not_valid_after_utc)
        .sign(network, None)
    )

    with pytest.raises(AuthFailed, match="Ed25519"):
        peer_id_of(certificate.public_bytes(Encoding.DER))


@pytest.mark.parametrize("data", [b"", b"\x30\x00", b"garbage"])
def test_unreadable_certificate_is_refused(data: bytes) -> None:
    """Bytes that are no certificate fail as authentication."""
    with pytest.raises(AuthFailed):
        peer_id_of(data)


def test_tag_is_short() -> None:
    """The tag is the first 40 bits in base32."""
    assert tag(PeerId("00" * 32)) == "AAAAAAAA"
    assert tag(PeerId("ff" * 5 + "00" * 27)) == "77777777"
