"""peerterm.core.manifest: the arithmetic of chunks and pages, and the chain of hashes."""

from __future__ import annotations

import hashlib

import pytest

from peerterm.core.ids import Root
from peerterm.core.manifest import (
    CHUNK_BYTES,
    EMPTY_ROOT,
    MAX_FILE_BYTES,
    MAX_HEAD_BYTES,
    PAGE_BYTES,
    PAGE_CHUNKS,
    Head,
    chunk_count,
    chunk_digest,
    chunk_span,
    head_of,
    page_count,
    page_hash,
    page_span,
    parse_head,
    single_chunk_root,
)
from peerterm.errors import IntegrityError

GIB = CHUNK_BYTES * PAGE_CHUNKS


def digests_for(size: int) -> bytes:
    return b"".join(hashlib.sha256(b"%d" % index).digest() for index in range(chunk_count(size)))


@pytest.mark.parametrize(
    ("size", "chunks", "pages"),
    [
        (0, 0, 0),
        (1, 1, 1),
        (CHUNK_BYTES, 1, 1),
        (CHUNK_BYTES + 1, 2, 1),
        (GIB, 1024, 1),
        (GIB + 1, 1025, 2),
        (MAX_FILE_BYTES, 1024 * 1024, 1024),
    ],
)
def test_sizes_are_cut_at_the_boundaries(size: int, chunks: int, pages: int) -> None:
    """A new chunk starts with the byte after a full one, and a new page likewise."""
    assert (chunk_count(size), page_count(size)) == (chunks, pages)


def test_last_chunk_and_page_are_short() -> None:
    """Only the last chunk and the last page have less than the full measure."""
    size = GIB + CHUNK_BYTES + 5

    assert chunk_span(size, 0) == (0, CHUNK_BYTES)
    assert chunk_span(size, 1025) == (GIB + CHUNK_BYTES, 5)
    assert page_span(size, 0) == (0, 1024)
    assert page_span(size, 1) == (1024, 2)


@pytest.mark.parametrize(("size", "index"), [(0, 0), (1, 1), (1, -1), (CHUNK_BYTES, 1)])
def test_no_span_outside_the_content(size: int, index: int) -> None:
    """Asking for a chunk or page that does not exist is a bug, told at once."""
    with pytest.raises(IndexError):
        chunk_span(size, index)
    with pytest.raises(IndexError):
        page_span(size, index)


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, GIB, GIB + 1, 3 * GIB - 1])
def test_head_proves_itself_and_its_pages(size: int) -> None:
    """What one side encodes the other parses, and each page fits only its own number."""
    digests = digests_for(size)
    head = head_of(size, memoryview(digests))
    pages = [digests[at : at + PAGE_BYTES] for at in range(0, len(digests), PAGE_BYTES)]

    assert parse_head(head.root, memoryview(head.encode())) == head
    for number, page in enumerate(pages):
        assert head.accepts_page(number, memoryview(page))
        assert not head.accepts_page(number + 1, page)
        assert not head.accepts_page(number, page[:-1])
        assert not head.accepts_page(number, page[:-1] + bytes([page[-1] ^ 1]))
    assert not head.accepts_page(-1, pages[-1] if pages else b"")


def test_hashes_are_what_the_protocol_says() -> None:
    """The chain can be rebuilt from its description alone."""
    digest = hashlib.sha256(b"hello").digest()
    page = hashlib.sha256(b"peerterm page 1\0" + digest).digest()
    root = hashlib.sha256(b"peerterm head 1\0" + (5).to_bytes(8, "big") + page).digest()

    assert chunk_digest(memoryview(b"hello")) == digest
    assert page_hash(digest) == page
    assert head_of(5, digest).root == root


def test_one_chunk_needs_no_head() -> None:
    """Root, size and bytes prove a content of one chunk; another size or byte does not fit."""
    digest = chunk_digest(b"hello")
    root = head_of(5, digest).root

    assert single_chunk_root(5, digest) == root
    assert single_chunk_root(6, digest) != root
    assert single_chunk_root(5, chunk_digest(b"hellp")) != root


def test_every_empty_content_has_one_root() -> None:
    """Nothing has a fixed identity."""
    assert head_of(0, b"").root == EMPTY_ROOT
    assert len(EMPTY_ROOT) == 32


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 7,
        b"\0" * 9,
        (1).to_bytes(8, "big"),
        (0).to_bytes(8, "big") + b"x" * 32,
        (GIB + 1).to_bytes(8, "big") + b"x" * 32,
        (MAX_FILE_BYTES + 1).to_bytes(8, "big") + b"x" * 32 * 1024,
        b"\xff" * 8 + b"x" * 32,
        b"\xff" * 40,
    ],
    ids=len,
)
def test_nonsense_that_matches_its_root_is_refused(data: bytes) -> None:
    """A liar may hash nonsense into a root; it is refused before anything is made of its size."""
    root = Root(hashlib.sha256(b"peerterm head 1\0" + data).digest())

    with pytest.raises(IntegrityError, match="cannot describe"):
        parse_head(root, data)


def test_head_of_another_content_is_refused() -> None:
    """A head must hash to the root that was asked for."""
    with pytest.raises(IntegrityError, match="does not match"):
        parse_head(EMPTY_ROOT, Head(1, (b"x" * 32,)).encode())


def test_endless_head_is_refused() -> None:
    """More than the longest head is refused though it would hash right."""
    longest = head_of(MAX_FILE_BYTES, bytes(32) * chunk_count(MAX_FILE_BYTES)).encode()
    data = longest + b"x"

    assert len(longest) == MAX_HEAD_BYTES
    with pytest.raises(IntegrityError):
        parse_head(Root(hashlib.sha256(b"peerterm head 1\0" + data).digest()), data)


def test_digests_must_fit_the_size() -> None:
    """A head is never made of too few or too many digests."""
    with pytest.raises(ValueError, match="digests"):
        head_of(CHUNK_BYTES + 1, bytes(32))
