"""Properties of manifests, listings and names, whatever the content."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerterm.core.ids import Root
from peerterm.core.listing import MAX_ENTRIES, MAX_MTIME, ListingEntry, decode_listing, encode_listing
from peerterm.core.manifest import (
    CHUNK_BYTES,
    MAX_FILE_BYTES,
    chunk_count,
    chunk_span,
    head_of,
    page_count,
    page_span,
    parse_head,
)
from peerterm.core.names import check_name, landing_name, numbered, part_name
from peerterm.errors import IntegrityError, InvalidName

GIB = 1024 * CHUNK_BYTES
sizes = st.one_of(
    st.integers(0, 3 * GIB),
    st.builds(
        lambda chunks, around: max(0, chunks * CHUNK_BYTES + around), st.integers(0, 3000), st.integers(-2, 2)
    ),
)


def is_valid(name: str) -> bool:
    try:
        check_name(name)
    except InvalidName:
        return False
    return True


names = st.text(min_size=1, max_size=260).filter(is_valid)
roots = st.binary(min_size=32, max_size=32).map(Root)
files = st.builds(
    ListingEntry,
    names,
    st.just("file"),
    st.integers(0, MAX_FILE_BYTES),
    st.just(1),
    roots,
    st.booleans(),
    st.integers(-MAX_MTIME, MAX_MTIME),
)
folders = st.builds(
    ListingEntry,
    names,
    st.just("folder"),
    st.integers(0, 2**63 - 1),
    st.integers(0, MAX_ENTRIES),
    roots,
    st.just(value=False),
    st.just(0),
)
children = st.lists(st.one_of(files, folders), max_size=20, unique_by=lambda entry: entry.name)


@given(sizes)
def test_chunks_tile_the_content(size: int) -> None:
    """Chunks follow one another without gap or overlap from the first byte to the last."""
    end = 0
    for index in range(chunk_count(size)):
        offset, length = chunk_span(size, index)
        assert offset == end
        assert 1 <= length <= CHUNK_BYTES
        end = offset + length

    assert end == size


@given(st.integers(0, MAX_FILE_BYTES))
def test_pages_tile_the_chunks(size: int) -> None:
    """Pages speak of every chunk exactly once, in order."""
    end = 0
    for page in range(page_count(size)):
        first, count = page_span(size, page)
        assert first == end
        end = first + count

    assert end == chunk_count(size)


@given(st.integers(1, 3000 * CHUNK_BYTES))
def test_any_head_parses_to_itself(size: int) -> None:
    """A head survives the way over the wire, and no bit of it may change."""
    head = head_of(size, bytes(32) * chunk_count(size))
    encoded = bytearray(head.encode())

    assert parse_head(head.root, encoded) == head
    for place in (0, 7, len(encoded) - 1):
        encoded[place] ^= 1
        with pytest.raises(IntegrityError):
            parse_head(head.root, encoded)
        encoded[place] ^= 1


@given(children.flatmap(lambda entries: st.tuples(st.just(entries), st.permutations(entries))))
def test_any_folder_round_trips(orders: tuple[list[ListingEntry], list[ListingEntry]]) -> None:
    """A folder's children come back whole and sorted, and equal folders have equal bytes."""
    entries, shuffled = orders

    data = encode_listing(entries)

    assert encode_listing(shuffled) == data
    assert decode_listing(data) == sorted(entries, key=lambda entry: entry.name.encode())


@given(st.binary(max_size=400))
def test_no_bytes_break_the_listing_decoder(data: bytes) -> None:
    """Arbitrary bytes are the canonical listing of what they decode to, or an integrity error."""
    try:
        entries = decode_listing(data)
    except IntegrityError:
        return

    assert encode_listing(entries) == data


@given(children.filter(bool), st.data())
def test_a_changed_listing_is_another_or_none(entries: list[ListingEntry], data: st.DataObject) -> None:
    """Any byte changed gives another valid listing or an integrity error, never a crash or the same entries."""
    encoded = bytearray(encode_listing(entries))
    place = data.draw(st.integers(0, len(encoded) - 1))
    encoded[place] ^= data.draw(st.integers(1, 255))

    try:
        decoded = decode_listing(encoded)
    except IntegrityError:
        return

    assert decoded != sorted(entries, key=lambda entry: entry.name)
    assert all(is_valid(entry.name) for entry in decoded)


@given(names, st.integers(2, 9999), st.booleans())
def test_names_made_from_valid_names_are_valid(name: str, number: int, is_folder: bool) -> None:
    """Landing, numbering and part names all stay within what a disk holds."""
    landed = landing_name(name)

    assert is_valid(landed)
    assert not landed.startswith(".")
    assert is_valid(numbered(landed, number, is_folder=is_folder))
    assert len(part_name(name).encode()) <= 255


@given(st.text(max_size=300))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    """What passes is one component that the disk can hold."""
    if is_valid(text):
        assert "/" not in text
        assert 1 <= len(text.encode()) <= 255


@given(names, names)
def test_part_names_never_collide(one: str, other: str) -> None:
    """Different files are fetched into different part files."""
    assert (part_name(one) == part_name(other)) == (one == other)
