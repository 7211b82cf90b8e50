"""Catalog entries in their three shapes."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from peerterm.api.views import HolderView
from peerterm.core.catalog import CatalogEntry
from peerterm.core.ids import Root
from peerterm.core.manifest import EMPTY_ROOT
from peerterm.engine.convert import from_wire, to_hit, to_view, to_wire
from peerterm.errors import ProtocolViolation

ROOT, FLAT = Root(b"r" * 32), b"f" * 32
FILE = CatalogEntry(("Videos", "a.mkv"), "file", 10, 1, ROOT, FLAT, True, 1_500_000_000, 7)
FOLDER = CatalogEntry(("Videos",), "folder", 10, 3, ROOT, None, False, 0, 8)


@pytest.mark.parametrize("entry", [FILE, FOLDER])
def test_entry_survives_the_wire(entry: CatalogEntry) -> None:
    """What one engine says of an entry is what another one learns."""
    assert from_wire(to_wire(entry)) == entry


@pytest.mark.parametrize("path", [["..", "etc"], ["a/b"], ["a\0"], ["a.peerterm-part"], ["x"] * 64 + ["y"], [""]])
def test_name_that_must_not_reach_a_disk_is_refused(path: list[str]) -> None:
    """No entry with an unsafe path gets past the conversion."""
    with pytest.raises(ProtocolViolation):
        from_wire(replace(to_wire(FILE), path=path))


def test_folder_with_the_root_of_an_empty_file_is_refused() -> None:
    """An empty folder has a listing; no listing is empty."""
    with pytest.raises(ProtocolViolation):
        from_wire(replace(to_wire(FOLDER), root=EMPTY_ROOT))


def test_view_names_the_last_component() -> None:
    """A line of a folder has the time in seconds and the root in hex."""
    view = to_view(FILE)

    assert (view.name, view.kind, view.size, view.root, view.mtime, view.files, view.seq) == (
        "a.mkv",
        "file",
        10,
        ROOT.hex(),
        1.5,
        1,
        7,
    )


def test_hit_lists_its_holders() -> None:
    """A hit has the whole path; a folder has no flat sum."""
    holder = HolderView(peer_id="b" * 64, name="ben")

    assert (to_hit(FILE, [holder]).path, to_hit(FILE, [holder]).peers) == ("Videos/a.mkv", [holder])
    assert to_hit(FILE, []).sha256 == FLAT.hex()
    assert to_hit(FOLDER, []).sha256 == ""
