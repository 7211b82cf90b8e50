"""Ids have the size of the hash they are made with."""

from __future__ import annotations

import hashlib

from peerterm.core.ids import HASH_BYTES


def test_hashes_are_sha256() -> None:
    """A root, a digest and a peer id are as long as a SHA-256."""
    assert hashlib.sha256().digest_size == HASH_BYTES
