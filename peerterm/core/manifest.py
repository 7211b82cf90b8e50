"""How a content is cut and hashed: chunks, pages, head and root.

::

    chunk    1 MiB of the content (the last may be shorter); its digest is plain SHA-256
    page     the digests of up to 1024 chunks, joined; its hash is SHA-256(page tag + digests)
    head     size (8 bytes, big-endian) + all page hashes
    root     SHA-256(head tag + head): the content's identity

So a root proves a head, a head proves its pages and a page proves its chunks. The tags keep a head, a page and a
chunk from being taken for one another. A content of one chunk is proven by its root and size alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TypeAlias

from peerterm.core.ids import HASH_BYTES, Root
from peerterm.errors import IntegrityError

CHUNK_BYTES = 1024 * 1024
PAGE_CHUNKS = 1024
PAGE_BYTES = PAGE_CHUNKS * HASH_BYTES
MAX_FILE_BYTES = 1024**4
"""Largest content, in bytes: 1 TiB."""

_SIZE_BYTES = 8
_PAGE_TAG = b"peerterm page 1\0"
_HEAD_TAG = b"peerterm head 1\0"

Buffer: TypeAlias = bytes | bytearray | memoryview


def chunk_count(size: int) -> int:
    """Return how many chunks ``size`` bytes make; an empty content has none."""
    return -(-size // CHUNK_BYTES)


def page_count(size: int) -> int:
    """Return how many pages ``size`` bytes make."""
    return -(-chunk_count(size) // PAGE_CHUNKS)


MAX_HEAD_BYTES = _SIZE_BYTES + page_count(MAX_FILE_BYTES) * HASH_BYTES


def chunk_span(size: int, index: int) -> tuple[int, int]:
    """Return where a chunk starts and how many bytes it has.

    Raises:
        IndexError: The content has no such chunk.
    """
    if not 0 <= index < chunk_count(size):
        raise IndexError(f"chunk {index} of a content of {size} bytes")
    offset = index * CHUNK_BYTES
    return offset, min(CHUNK_BYTES, size - offset)


def page_span(size: int, page: int) -> tuple[int, int]:
    """Return the first chunk a page speaks of, and how many.

    Raises:
        IndexError: The content has no such page.
    """
    if not 0 <= page < page_count(size):
        raise IndexError(f"page {page} of a content of {size} bytes")
    first = page * PAGE_CHUNKS
    return first, min(PAGE_CHUNKS, chunk_count(size) - first)


def chunk_digest(data: Buffer) -> bytes:
    """Return the digest by which a page knows a chunk."""
    return hashlib.sha256(data).digest()


def page_hash(digests: Buffer) -> bytes:
    """Return the hash by which a head knows a page: its joined chunk digests, at most ``PAGE_BYTES``."""
    state = hashlib.sha256(_PAGE_TAG)
    state.update(digests)
    return state.digest()


@dataclass(frozen=True, slots=True)
class Head:
    """What a root stands for. Build it with ``head_of``, or with ``parse_head`` from a peer's bytes.

    Attributes:
        size: Bytes of the content, 0 to ``MAX_FILE_BYTES``.
        page_hashes: One for each of its pages, in order.
    """

    size: int
    page_hashes: tuple[bytes, ...]

    def encode(self) -> bytes:
        """Return the bytes that travel, at most ``MAX_HEAD_BYTES``."""
        return self.size.to_bytes(_SIZE_BYTES, "big") + b"".join(self.page_hashes)

    @property
    def root(self) -> Root:
        """The identity of the content."""
        return _root_of(self.encode())

    def accepts_page(self, page: int, data: Buffer) -> bool:
        """Return whether these bytes are the content's page of that number."""
        if not 0 <= page < len(self.page_hashes):
            return False
        _, count = page_span(self.size, page)
        return len(data) == count * HASH_BYTES and page_hash(data) == self.page_hashes[page]


def head_of(size: int, digests: Buffer) -> Head:
    """Return the head of a content of ``size`` bytes whose joined chunk digests are ``digests``."""
    view = memoryview(digests)
    if len(view) != chunk_count(size) * HASH_BYTES:
        raise ValueError(f"{len(view)} bytes of digests for a content of {size} bytes")
    return Head(size, tuple(page_hash(view[at : at + PAGE_BYTES]) for at in range(0, len(view), PAGE_BYTES)))


def parse_head(root: Root, data: Buffer) -> Head:
    """Return the head that a peer sent for ``root``.

    Raises:
        IntegrityError: These bytes are not that content's head.
    """
    encoded = bytes(data[: MAX_HEAD_BYTES + 1])
    if len(encoded) > MAX_HEAD_BYTES or _root_of(encoded) != root:
        raise IntegrityError("a head does not match its root")
    size = int.from_bytes(encoded[:_SIZE_BYTES], "big")
    # Whoever made the root may have hashed nonsense; the root then proves just that nonsense.
    if size > MAX_FILE_BYTES or len(encoded) != _SIZE_BYTES + page_count(size) * HASH_BYTES:
        raise IntegrityError(f"a head of {len(encoded)} bytes cannot describe {size} bytes")
    starts = range(_SIZE_BYTES, len(encoded), HASH_BYTES)
    return Head(size, tuple(encoded[at : at + HASH_BYTES] for at in starts))


def single_chunk_root(size: int, digest: bytes) -> Root:
    """Return the root of a content of one chunk, 1 to ``CHUNK_BYTES`` bytes long."""
    return head_of(size, digest).root


def _root_of(encoded_head: bytes) -> Root:
    return Root(hashlib.sha256(_HEAD_TAG + encoded_head).digest())


EMPTY_ROOT = Head(0, ()).root
"""The root of every empty file."""
