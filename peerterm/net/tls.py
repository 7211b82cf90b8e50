"""Certificates and TLS contexts: who may talk on a network.

Each network has a certificate authority whose key follows from a seed; every device signs its own certificate
with it. So the handshake proves two things, membership (the seed) and identity (the device key), and needs no
trust store. The seed of the open network is public: there, membership proves nothing. Identity is read from the
certificate afterwards (``net.identity.peer_id_of``).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from peerterm.errors import DialledSelf
from peerterm.net.identity import peer_id_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from peerterm.core.ids import PeerId
    from peerterm.net.identity import Identity

OPEN_NETWORK_SEED = hashlib.sha256(b"peerterm open network, protocol 1").digest()

_DOMAIN = "peerterm.invalid"  # RFC 6761: exists nowhere, so the authority is of no use against anyone
_ISSUER = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"network.{_DOMAIN}")])
_SUBJECT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"device.{_DOMAIN}")])
_FIRST_DAY = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LAST_DAY = dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, which ssl does not name


@dataclass(frozen=True, slots=True)
class TlsContexts:
    """What this device needs to accept and to dial on one network."""

    server: ssl.SSLContext
    client: ssl.SSLContext
    peer_id: PeerId

    @classmethod
    def for_identity(cls, identity: Identity, seed: bytes = OPEN_NETWORK_SEED) -> TlsContexts:
        """Return the contexts of a device on the network of a 32-byte seed."""
        network_key = Ed25519PrivateKey.from_private_bytes(seed)
        authority = network_certificate(network_key)
        device = device_certificate(identity.key.public_key(), network_key)
        server = _context(ssl.PROTOCOL_TLS_SERVER, authority)
        server.num_tickets = 0  # sessions are not resumed: each handshake proves the key
        client = _context(ssl.PROTOCOL_TLS_CLIENT, authority)
        _load_device(identity.key, device, server, client)
        return cls(server, client, identity.peer_id)

    def peer_of(self, tls: ssl.SSLObject | ssl.SSLSocket) -> PeerId:
        """Return who is at the other end of a finished handshake.

        Raises:
            AuthFailed: Its key is not Ed25519 (``DialledSelf``: it is this device itself).
        """
        certificate = tls.getpeercert(binary_form=True)
        assert certificate is not None  # both contexts require one
        peer_id = peer_id_of(certificate)
        if peer_id == self.peer_id:
            raise DialledSelf("that is this device itself")
        return peer_id


def network_certificate(network_key: Ed25519PrivateKey) -> x509.Certificate:
    """Return the authority's certificate; the same bytes on every device of the network."""
    public = network_key.public_key()
    usage = _key_usage(key_cert_sign=True)
    return (
        _builder(_ISSUER, public, serial=1)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.NameConstraints([x509.DNSName(_DOMAIN)], None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(network_key, None)
    )


def device_certificate(device: Ed25519PublicKey, network_key: Ed25519PrivateKey) -> x509.Certificate:
    """Return a device's certificate for one network. It names nobody: the key is the identity."""
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    authority = network_key.public_key()
    return (
        _builder(_SUBJECT, device, serial=x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(device), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False)
        .sign(network_key, None)
    )


def _builder(subject: x509.Name, key: Ed25519PublicKey, *, serial: int) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(_ISSUER)
        .subject_name(subject)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(_FIRST_DAY)
        .not_valid_after(_LAST_DAY)
    )


def _key_usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _context(protocol: int, authority: x509.Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # peers have no names, only keys
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= _NO_CHECK_TIME  # a clock may be years off
    context.load_verify_locations(cadata=authority.public_bytes(Encoding.DER))
    return context


def _load_device(key: Ed25519PrivateKey, certificate: x509.Certificate, *contexts: ssl.SSLContext) -> None:
    """Give the contexts their certificate. ssl reads files only: the key lies there briefly, and encrypted."""
    password = secrets.token_hex(16)
    encryption = BestAvailableEncryption(password.encode())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption) + certificate.public_bytes(Encoding.PEM)
    with tempfile.TemporaryDirectory(prefix="peerterm-") as folder:  # mode 0700
        path = Path(folder) / "device.pem"
        path.write_bytes(pem)
        for context in contexts:
            context.load_cert_chain(path, password=password)
