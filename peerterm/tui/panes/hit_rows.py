"""What a line of the list of hits says: a content that was found, and who has it.

Pure but for the table it makes; ``SearchPane`` fills it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerterm.core.catalog import type_of
from peerterm.display import counted
from peerterm.tui import format as f
from peerterm.tui.links import link_to, reference_to
from peerterm.tui.widgets.virtual_table import Cell, Column, VirtualTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from peerterm.api.views import PeerView, SearchHit

_COLUMNS = (
    Column("name", "Name", 28, flex=2),
    Column("size", "Size", 6, align="right"),
    Column("peer", "Peer", 12, priority=1),
    Column("path", "Folder", 20, flex=1, priority=2),
    Column("type", "Type", 8, priority=4),
    Column("sources", "Sources", 7, align="right", priority=3),
    Column("modified", "Modified", 10, priority=5),
    Column("root", "Root", 8, priority=6, sortable=False),
)


def hit_table(own_id: Callable[[], str], *, ascii_only: bool) -> VirtualTable[SearchHit]:
    """Return a table of hits, known by their roots; ``own_id`` says which holder is this machine."""

    def cells(hit: SearchHit) -> Sequence[Cell | str]:
        is_here = any(peer.peer_id == own_id() for peer in hit.peers)
        who = "here" if is_here else hit.peers[0].name if hit.peers else "-"
        others = f" +{len(hit.peers) - 1}" if len(hit.peers) > 1 else ""
        return (
            Cell(f"{hit.name}/", "accent") if hit.kind == "folder" else hit.name,
            f.size(hit.size),
            Cell(f"{who}{others}", "good" if is_here else "normal"),
            Cell(hit.path.rpartition("/")[0], "dim"),
            Cell(_type(hit), "dim"),
            str(len(hit.peers)),
            Cell(f.date(hit.mtime), "dim"),
            Cell(hit.root[:8], "dim"),
        )

    return VirtualTable(
        _COLUMNS,
        cells=cells,
        row_id=lambda hit: hit.root,
        search_text=lambda hit: hit.path,
        sort_keys={
            "name": lambda hit: hit.name.casefold(),
            "size": lambda hit: -hit.size,
            "peer": lambda hit: hit.peers[0].name.casefold() if hit.peers else None,
            "path": lambda hit: hit.path.casefold(),
            "type": lambda hit: (_type(hit), hit.name.casefold()),
            "sources": lambda hit: -len(hit.peers),
            "modified": lambda hit: -hit.mtime,
        },
        ascii_only=ascii_only,
    )


def facts_of(hit: SearchHit) -> tuple[str, Sequence[tuple[str, str]]]:
    """Return the name of a hit and all that is known of it, with everyone who has it."""
    return hit.name, [
        ("type", _type(hit) if hit.kind == "file" else f"folder of {counted(hit.files, 'file')}"),
        ("size", f"{f.size(hit.size)}, {hit.size:,} bytes"),
        ("path", hit.path),
        *(("who has it", f"{peer.name}  {peer.peer_id[:8]}") for peer in hit.peers),
        ("modified", f.date(hit.mtime)),
        ("root", hit.root),
        ("sha256", hit.sha256 or "-"),
    ]


def copies_of(hit: SearchHit, peers: Iterable[PeerView]) -> list[tuple[str, str, str]]:
    """Return what names a hit to others: a key, what it is, and the text."""
    path = reference_to(hit.peers[0].peer_id, hit.path, peers) if hit.peers else ""
    return [
        ("l", "link", link_to(hit.root, hit.name, hit.size)),
        ("r", "root", hit.root),
        ("h", "sha256", hit.sha256),
        ("p", "path", path),
        ("n", "name", hit.name),
    ]


def _type(hit: SearchHit) -> str:
    return type_of(hit.name) if hit.kind == "file" else "folder"
