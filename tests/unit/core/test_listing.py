"""peerterm.core.listing: canonical folder listings, and everything that is none."""

from __future__ import annotations

from time import perf_counter

import msgspec
import pytest

from peerterm.core.listing import MAX_ENTRIES, MAX_LISTING_BYTES, ListingEntry, decode_listing, encode_listing
from peerterm.core.manifest import EMPTY_ROOT, MAX_FILE_BYTES
from peerterm.errors import IntegrityError

ROOT = b"r" * 32
FILE: list[object] = ["a", "file", 5, 1, ROOT, False, 17]
FOLDER: list[object] = ["b", "folder", 5, 1, ROOT, False, 0]


def packed(*entries: object) -> bytes:
    return msgspec.msgpack.encode(list(entries))


def changed(entry: list[object], place: int, value: object) -> list[object]:
    return [*entry[:place], value, *entry[place + 1 :]]


def test_listing_is_sorted_by_name_bytes() -> None:
    """Children given in any order come out in the order of their names' UTF-8 bytes."""
    names = ["b", "a", "Z", "ä", "\U0001f600", "\uffee", "a b", "a.b"]
    entries = [ListingEntry(name, "file", 0, 1, EMPTY_ROOT, False, 0) for name in names]

    decoded = decode_listing(encode_listing(entries))

    assert [entry.name for entry in decoded] == sorted(names, key=str.encode)
    assert encode_listing(reversed(entries)) == encode_listing(entries)


def test_both_kinds_round_trip() -> None:
    """A file and a folder come back as they were, from any kind of buffer."""
    data = packed(FILE, FOLDER)

    assert encode_listing(decode_listing(memoryview(data))) == data
    assert decode_listing(packed()) == []


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xc0", id="nil"),
        pytest.param(packed(FILE)[:-1], id="truncated"),
        pytest.param(packed(FILE) + b"\xc0", id="trailing bytes"),
        pytest.param(b"\xdd\xff\xff\xff\xff" + packed(FILE)[1:], id="array length lies"),
        pytest.param(b"\x91" * 5000, id="deep nesting"),
        pytest.param(b"\xdc\x00\x01" + packed(FILE)[1:], id="array length not minimal"),
        pytest.param(packed(FILE).replace(b"\xa1a", b"\xd9\x01a"), id="text length not minimal"),
        pytest.param(packed(FILE).replace(b"\x05\x01", b"\xcc\x05\x01"), id="integer not minimal"),
        pytest.param(packed(FILE).replace(b"\xa1a", b"\xa1\xff"), id="name not UTF-8"),
        pytest.param(packed(FILE).replace(b"\xa1a", b"\xa3\xed\xa0\x80"), id="name with surrogate"),
        pytest.param(packed({"name": "a"}), id="map"),
        pytest.param(packed(FILE, FILE), id="duplicate"),
        pytest.param(packed(FOLDER, FILE), id="unsorted"),
        pytest.param(packed([*FILE, 1]), id="field too many"),
        pytest.param(packed(FILE[:-1]), id="field missing"),
        pytest.param(packed(changed(FILE, 0, "")), id="empty name"),
        pytest.param(packed(changed(FILE, 0, "..")), id="dots"),
        pytest.param(packed(changed(FILE, 0, "a/b")), id="slash"),
        pytest.param(packed(changed(FILE, 0, "a\0")), id="nul"),
        pytest.param(packed(changed(FILE, 0, "x" * 256)), id="long name"),
        pytest.param(packed(changed(FILE, 0, "ü" * 200)), id="name of too many bytes"),
        pytest.param(packed(changed(FILE, 0, "x.peerterm-part")), id="part name"),
        pytest.param(packed(changed(FILE, 0, 7)), id="name is a number"),
        pytest.param(packed(changed(FILE, 1, "link")), id="unknown kind"),
        pytest.param(packed(changed(FILE, 2, -1)), id="negative size"),
        pytest.param(packed(changed(FILE, 2, True)), id="size is a bool"),
        pytest.param(packed(changed(FILE, 2, 5.0)), id="size is a float"),
        pytest.param(packed(changed(FILE, 2, MAX_FILE_BYTES + 1)), id="file too large"),
        pytest.param(packed(changed(FOLDER, 2, 2**63)), id="folder too large"),
        pytest.param(packed(changed(FILE, 3, 2)), id="a file of two files"),
        pytest.param(packed(changed(FOLDER, 3, MAX_ENTRIES + 1)), id="too many files"),
        pytest.param(packed(changed(FILE, 4, b"r" * 31)), id="short root"),
        pytest.param(packed(changed(FILE, 4, b"r" * 33)), id="long root"),
        pytest.param(packed(changed(FILE, 4, "r" * 32)), id="root is text"),
        pytest.param(packed(changed(FILE, 5, 1)), id="bool is a number"),
        pytest.param(packed(changed(FOLDER, 5, True)), id="executable folder"),
        pytest.param(packed(changed(FOLDER, 6, 1)), id="folder with time"),
        pytest.param(packed(changed(FILE, 6, 2**63)), id="time too late"),
        pytest.param(packed(changed(FILE, 6, 1.5)), id="time is a float"),
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    """Whatever is not the canonical form of valid entries is an integrity error with a readable message."""
    with pytest.raises(IntegrityError) as caught:
        decode_listing(data)

    assert caught.value.message.startswith("a folder listing")


def test_too_many_entries_are_refused() -> None:
    """One entry over the limit is refused."""
    entries = [changed(FILE, 0, f"{number:06}") for number in range(MAX_ENTRIES + 1)]

    assert len(decode_listing(packed(*entries[:-1]))) == MAX_ENTRIES
    with pytest.raises(IntegrityError):
        decode_listing(packed(*entries))


def test_too_many_bytes_are_refused_unread() -> None:
    """A longer buffer than any listing is refused before it is looked at."""
    start = perf_counter()

    with pytest.raises(IntegrityError, match="at most"):
        decode_listing(bytes(MAX_LISTING_BYTES + 1))
    assert perf_counter() - start < 1


def test_the_longest_listing_fits_its_limit() -> None:
    """The bound on bytes never refuses what the bound on entries allows."""
    longest = ["x" * 255, "folder", 2**63 - 1, MAX_ENTRIES, ROOT, False, 0]
    widest = len(packed(longest)) - 1 + 8  # a time takes up to 9 bytes, 0 takes one

    assert widest <= 327
    assert 5 + MAX_ENTRIES * 327 <= MAX_LISTING_BYTES


def test_folder_with_the_root_of_an_empty_file_is_refused() -> None:
    """No folder's listing is empty, so nothing could ever be fetched for it."""
    with pytest.raises(IntegrityError, match="root of an empty file"):
        decode_listing(packed(changed(FOLDER, 4, EMPTY_ROOT)))
