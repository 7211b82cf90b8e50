"""Between the three shapes of a catalog entry: stored, on the wire, and shown to clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerterm.api.views import EntryView, HolderView, SearchHit
from peerterm.core.catalog import CatalogEntry
from peerterm.core.ids import Root
from peerterm.core.manifest import EMPTY_ROOT
from peerterm.core.names import check_path
from peerterm.errors import InvalidName, ProtocolViolation
from peerterm.wire.messages import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable


def to_wire(entry: CatalogEntry) -> Entry:
    """Return an entry of our catalog as peers get it."""
    return Entry(
        path=list(entry.path),
        kind=entry.kind,
        size=entry.size,
        files=entry.files,
        root=entry.root,
        sha256=entry.sha256,
        executable=entry.executable,
        mtime_ns=entry.mtime_ns,
        seq=entry.seq,
        private=entry.is_private,
    )


def from_wire(entry: Entry) -> CatalogEntry:
    """Return a peer's entry as a value of ours.

    Raises:
        ProtocolViolation: Its path has a name that must not reach a disk, or it cannot exist.
    """
    try:
        check_path(tuple(entry.path))
    except InvalidName as error:
        raise ProtocolViolation(f"a peer offers an unsafe name: {error.message}") from error
    if entry.kind == "folder" and entry.root == EMPTY_ROOT:
        raise ProtocolViolation("a peer offers a folder with the root of an empty file")
    return CatalogEntry(
        path=tuple(entry.path),
        kind=entry.kind,
        size=entry.size,
        files=entry.files,
        root=Root(entry.root),
        sha256=entry.sha256,
        executable=entry.executable,
        mtime_ns=entry.mtime_ns,
        seq=entry.seq,
        is_private=entry.private,
    )


def to_view(entry: CatalogEntry) -> EntryView:
    """Return an entry as a line of its folder."""
    return EntryView(
        name=entry.path[-1],
        kind=entry.kind,
        size=entry.size,
        root=entry.root.hex(),
        mtime=entry.mtime_ns / 1e9,
        files=entry.files,
        seq=entry.seq,
    )


def to_hit(entry: CatalogEntry, holders: Iterable[HolderView]) -> SearchHit:
    """Return an entry as a search hit."""
    return SearchHit(
        name=entry.path[-1],
        path="/".join(entry.path),
        kind=entry.kind,
        size=entry.size,
        root=entry.root.hex(),
        sha256=entry.sha256.hex() if entry.sha256 else "",
        mtime=entry.mtime_ns / 1e9,
        files=entry.files,
        peers=list(holders),
    )
