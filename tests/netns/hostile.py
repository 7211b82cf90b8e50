"""Runs peerterm with one fault: every file called ``evil`` is offered under a name that no honest peer sends.

Which one says the name of the file's folder. Lies in answers to search, find, browse and locate, and in listings.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec

from peerterm.__main__ import main
from peerterm.core.listing import encode_listing as honest_encode
from peerterm.engine import answering
from peerterm.engine.convert import to_wire as honest_to_wire
from peerterm.store import scanner

if TYPE_CHECKING:
    from collections.abc import Iterable

    from peerterm.core.catalog import CatalogEntry
    from peerterm.core.listing import ListingEntry
    from peerterm.wire.messages import Entry

NAMES = {
    "up": "..",
    "path": "../../../stolen",
    "escape": "\x1b]0;owned\x07\x1b[2J",
    "bidi": "gpj.\u202eexe",
    "long": "x" * 300,
    "newline": "a\nperfectly: fine",
}
"""Folder name -> what the file in it is called to others. That file has as many bytes as its place here."""

SIZES = dict(enumerate(NAMES.values(), start=1))


def to_wire(entry: CatalogEntry) -> Entry:
    """Return the entry as peers get it, with a lie for a name."""
    sent = honest_to_wire(entry)
    if entry.path[-1] == "evil":
        sent = msgspec.structs.replace(sent, path=[*sent.path[:-1], NAMES[sent.path[-2]]])
    return sent


def encode_listing(entries: Iterable[ListingEntry]) -> bytes:
    """Return a listing in which the file ``evil`` has its lie for a name."""
    lying = [
        msgspec.structs.replace(entry, name=SIZES[entry.size]) if entry.name == "evil" else entry
        for entry in entries
    ]
    return honest_encode(lying)


if __name__ == "__main__":
    answering.to_wire = to_wire  # type: ignore[attr-defined]
    scanner.encode_listing = encode_listing  # type: ignore[attr-defined]
    sys.exit(main())
