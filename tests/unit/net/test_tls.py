"""TLS: who is let in, who is not, and what a certificate says. All handshakes in memory."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from peerterm.errors import AuthFailed
from peerterm.net.identity import Identity
from peerterm.net.tls import OPEN_NETWORK_SEED, TlsContexts, device_certificate, network_certificate
from tests.fakes.raw_tls import shake_by_hand

NETWORK = Ed25519PrivateKey.from_private_bytes(OPEN_NETWORK_SEED)
OTHER_SEED = bytes(32)


def contexts(folder: Path, name: str = "ann", seed: bytes = OPEN_NETWORK_SEED) -> TlsContexts:
    return TlsContexts.for_identity(Identity.load_or_create(folder / name), seed)


def shake(client: ssl.SSLContext, server: ssl.SSLContext) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Carry out a handshake, and one byte each way, so that both sides have judged the other."""
    upward, downward = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(downward, upward)
    theirs = server.wrap_bio(upward, downward, server_side=True)
    waiting = [ours, theirs]
    while waiting:
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                continue
    theirs.write(b"x")
    assert ours.read(1) == b"x"
    return ours, theirs


def load(context: ssl.SSLContext, folder: Path, key: Ed25519PrivateKey, certificate: x509.Certificate) -> None:
    path = folder / "chain.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(secret + certificate.public_bytes(Encoding.PEM))
    context.load_cert_chain(path)


def naive_client() -> ssl.SSLContext:
    """Return a client that trusts anyone and shows no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_members_of_a_network_know_each_other(tmp_path: Path) -> None:
    """Either side reads the other's id from the handshake, over TLS 1.3."""
    ann, bob = contexts(tmp_path, "ann"), contexts(tmp_path, "bob")

    ours, theirs = shake(ann.client, bob.server)

    assert (ann.peer_of(ours), bob.peer_of(theirs)) == (bob.peer_id, ann.peer_id)
    assert ours.version() == "TLSv1.3"


def test_device_does_not_talk_to_itself(tmp_path: Path) -> None:
    """A device that reaches itself notices."""
    ann = contexts(tmp_path)
    ours, _ = shake(ann.client, ann.server)

    with pytest.raises(AuthFailed, match="itself"):
        ann.peer_of(ours)


def test_client_without_certificate_is_refused(tmp_path: Path) -> None:
    """The server insists on a certificate."""
    with pytest.raises(ssl.SSLError, match="CERTIFICATE"):
        shake(naive_client(), contexts(tmp_path).server)


def test_self_signed_certificate_is_refused(tmp_path: Path) -> None:
    """A certificate that its own key signed is of no network."""
    key = Ed25519PrivateKey.generate()
    client = naive_client()
    load(client, tmp_path, key, device_certificate(key.public_key(), key))

    with pytest.raises(ssl.SSLCertVerificationError):
        shake(client, contexts(tmp_path).server)


def test_authority_itself_is_no_device(tmp_path: Path) -> None:
    """The network's own certificate does not serve as a client's."""
    client = naive_client()
    load(client, tmp_path, NETWORK, network_certificate(NETWORK))

    with pytest.raises(ssl.SSLCertVerificationError):
        shake(client, contexts(tmp_path).server)


def test_other_network_is_refused_by_the_client(tmp_path: Path) -> None:
    """A client does not accept a server of another network."""
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(contexts(tmp_path).client, contexts(tmp_path, "bob", OTHER_SEED).server)


def test_other_network_is_refused_by_the_server(tmp_path: Path) -> None:
    """A server does not accept a client of another network that would take any server."""
    key = Ed25519PrivateKey.generate()
    client = naive_client()
    load(
        client,
        tmp_path,
        key,
        device_certificate(key.public_key(), Ed25519PrivateKey.from_private_bytes(OTHER_SEED)),
    )

    with pytest.raises(ssl.SSLCertVerificationError):
        shake(client, contexts(tmp_path).server)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_older_tls_is_refused(tmp_path: Path) -> None:
    """Neither side goes below TLS 1.3."""
    ann = contexts(tmp_path)
    old = naive_client()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    old_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    key = Ed25519PrivateKey.generate()
    load(old_server, tmp_path, key, device_certificate(key.public_key(), NETWORK))
    old_server.maximum_version = ssl.TLSVersion.TLSv1_2

    for client, server in [(old, ann.server), (ann.client, old_server)]:
        with pytest.raises(ssl.SSLError, match=r"(?i)protocol"):
            shake(client, server)


def test_stolen_certificate_is_of_no_use_without_its_key(tmp_path: Path) -> None:
    """A client that shows another's certificate must sign with that key; the same client with the key gets in."""
    bob = contexts(tmp_path, "bob")
    key = Ed25519PrivateKey.generate()
    certificate = device_certificate(key.public_key(), NETWORK).public_bytes(Encoding.DER)

    honest = shake_by_hand(bob.server, certificate, key)
    assert honest.getpeercert(binary_form=True) == certificate
    with pytest.raises(ssl.SSLError, match="BAD_SIGNATURE"):
        shake_by_hand(bob.server, certificate, Ed25519PrivateKey.generate())


@pytest.mark.parametrize("year", [1960, 9990])
def test_certificates_are_not_judged_by_the_clock(tmp_path: Path, year: int) -> None:
    """A certificate that is long over, or not valid for long, is as good as another."""
    ann = contexts(tmp_path)
    key = Ed25519PrivateKey.generate()
    sample = device_certificate(key.public_key(), NETWORK)
    builder = x509.CertificateBuilder().issuer_name(sample.issuer).subject_name(sample.subject)
    builder = builder.public_key(key.public_key()).serial_number(1)
    for extension in sample.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    start = sample.not_valid_before_utc.replace(year=year)
    dated = builder.not_valid_before(start).not_valid_after(start.replace(year=year + 1)).sign(NETWORK, None)
    client = naive_client()
    load(client, tmp_path, key, dated)

    _, theirs = shake(client, ann.server)

    assert theirs.getpeercert(binary_form=True) == dated.public_bytes(Encoding.DER)


def test_strict_verification_passes(tmp_path: Path) -> None:
    """The certificates satisfy OpenSSL's strict reading of RFC 5280."""
    ann, bob = contexts(tmp_path, "ann"), contexts(tmp_path, "bob")
    for context in (ann.client, bob.server):
        context.verify_flags |= ssl.VERIFY_X509_STRICT

    ours, _ = shake(ann.client, bob.server)

    assert ann.peer_of(ours) == bob.peer_id


def test_authority_is_the_same_everywhere_and_useless_elsewhere() -> None:
    """All devices build the same authority; it may sign for .invalid names only, and no further authority."""
    certificate = network_certificate(NETWORK)
    constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)

    assert certificate == network_certificate(Ed25519PrivateKey.from_private_bytes(OPEN_NETWORK_SEED))
    assert constraints.critical
    assert constraints.value.permitted_subtrees == [x509.DNSName("peerterm.invalid")]
    assert basic.critical
    assert basic.value.path_length == 0


def test_device_certificate_names_nobody() -> None:
    """A device's certificate holds its key, both purposes, and nothing that differs by user."""
    key = Ed25519PrivateKey.generate().public_key()
    certificate = device_certificate(key, NETWORK)
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value

    assert certificate.public_key() == key
    assert certificate.subject.rfc4514_string() == "CN=device.peerterm.invalid"
    assert set(purposes) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert (certificate.not_valid_before_utc.year, certificate.not_valid_after_utc.year) == (1970, 9999)


def test_contexts_give_no_tickets_and_trust_only_the_network(tmp_path: Path) -> None:
    """Sessions are not resumed and no system authority is loaded."""
    ann = contexts(tmp_path)

    assert ann.server.num_tickets == 0
    for context in (ann.server, ann.client):
        assert len(context.get_ca_certs()) == 1
        assert context.verify_mode == ssl.CERT_REQUIRED


def test_no_key_stays_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file through which ssl takes the key is gone at once."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    identity = Identity.load_or_create(tmp_path / "ann")

    TlsContexts.for_identity(identity, OPEN_NETWORK_SEED)

    assert [path.name for path in tmp_path.iterdir()] == ["ann"]
