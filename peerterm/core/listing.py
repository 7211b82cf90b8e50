"""A folder as a content: the canonical listing of its direct children, whose root is the folder's identity.

A listing is a MessagePack array with one array per child, sorted by name, so equal folders have equal roots. A
child that is a folder is named by the root of its own listing, as in git. A peer's listing is hostile until
``decode_listing`` returned: then every name in it passed ``names.check_name``.
"""

from __future__ import annotations

from itertools import pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from peerterm.core.ids import HASH_BYTES, Root
from peerterm.core.manifest import EMPTY_ROOT, MAX_FILE_BYTES
from peerterm.core.names import MAX_NAME_BYTES, check_name
from peerterm.errors import IntegrityError, InvalidName

if TYPE_CHECKING:
    from collections.abc import Iterable

    from peerterm.core.manifest import Buffer

MAX_ENTRIES = 200_000
"""Most entries of one listing, and of one share in all its levels."""

MAX_LISTING_BYTES = 64 * 1024 * 1024
"""No listing of ``MAX_ENTRIES`` is longer: an entry has at most 327 bytes."""

MAX_MTIME = 2**63 - 1
"""Latest (and, negated, earliest) time that fits a listing, in nanoseconds of Unix time."""

EntryKind: TypeAlias = Literal["file", "folder"]


class ListingEntry(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One child of a folder.

    Attributes:
        name: One component.
        kind: File or folder.
        size: Bytes; of a folder, of all files below it.
        files: Files below a folder, at any depth; 1 for a file.
        root: The file's content, or the folder's own listing.
        executable: Whether a file's owner may run it; false for a folder.
        mtime_ns: When a file was changed, in nanoseconds of Unix time; 0 for a folder.
    """

    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME_BYTES)]
    kind: EntryKind
    size: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    files: Annotated[int, Meta(ge=0, le=MAX_ENTRIES)]
    root: Annotated[Root, Meta(min_length=HASH_BYTES, max_length=HASH_BYTES)]
    executable: bool
    mtime_ns: Annotated[int, Meta(ge=-MAX_MTIME, le=MAX_MTIME)]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Annotated[list[ListingEntry], Meta(max_length=MAX_ENTRIES)])
_by_name = attrgetter("name")


def encode_listing(entries: Iterable[ListingEntry]) -> bytes:
    """Return the canonical bytes of a folder with these children, given in any order."""
    # Python compares text by code point, which is the order of its UTF-8 bytes.
    return _encoder.encode(sorted(entries, key=_by_name))


def decode_listing(data: Buffer) -> list[ListingEntry]:
    """Return a folder's children by name.

    Raises:
        IntegrityError: The bytes are no listing, or not the canonical bytes of theirs.
    """
    if len(data) > MAX_LISTING_BYTES:
        raise IntegrityError(f"a folder listing of {len(data)} bytes; at most {MAX_LISTING_BYTES} are allowed")
    try:
        entries: list[ListingEntry] = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise IntegrityError(f"a folder listing cannot be read: {error}") from error
    for entry in entries:
        _check_entry(entry)
    for before, after in pairwise(entries):
        if before.name >= after.name:
            raise IntegrityError(f"a folder listing names {after.name!a} twice or out of order")
    if _encoder.encode(entries) != data:
        raise IntegrityError("a folder listing is not in canonical form")
    return entries


def _check_entry(entry: ListingEntry) -> None:
    try:
        check_name(entry.name)
    except InvalidName as error:
        raise IntegrityError(f"a folder listing has an unsafe name: {error.message}") from error
    if entry.kind == "folder":
        if entry.root == EMPTY_ROOT:
            raise IntegrityError(f"a folder listing gives the folder {entry.name!a} the root of an empty file")
        if entry.executable or entry.mtime_ns:
            raise IntegrityError(f"a folder listing gives {entry.name!a} what only a file has")
    elif entry.files != 1 or entry.size > MAX_FILE_BYTES:
        raise IntegrityError(f"a folder listing gives {entry.name!a} an impossible size")
