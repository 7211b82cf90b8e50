"""What a line of the list of files says: a peer that shares something, or an entry of a folder.

Pure but for the table it makes; ``FilesPane`` fills it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from peerterm.api.views import EntryView, PeerView
from peerterm.core.catalog import type_of
from peerterm.display import counted
from peerterm.tui import format as f
from peerterm.tui.widgets.virtual_table import Cell, Column, VirtualTable

if TYPE_CHECKING:
    from collections.abc import Sequence

FileRow: TypeAlias = PeerView | EntryView

_COLUMNS = (
    Column("name", "Name", 20, flex=1),
    Column("size", "Size", 6, align="right"),
    Column("type", "Type", 14, priority=1),
    Column("modified", "Modified", 10, priority=2),
    Column("root", "Root", 8, priority=3, sortable=False),
)


def file_table(*, ascii_only: bool) -> VirtualTable[FileRow]:
    """Return a table of peers or entries, which are known by their names: folders first, whatever the order."""
    table: VirtualTable[FileRow] = VirtualTable(
        _COLUMNS,
        cells=_cells,
        row_id=lambda row: row.peer_id if isinstance(row, PeerView) else row.name,
        search_text=lambda row: row.name,
        sort_keys={
            "name": lambda row: (is_last(row), row.name.casefold()),
            "size": lambda row: (is_last(row), -size_of(row)),
            "type": lambda row: (is_last(row), type_text(row), row.name.casefold()),
            "modified": lambda row: (is_last(row), -_mtime(row)),
        },
        ascii_only=ascii_only,
    )

    def is_last(row: FileRow) -> bool:
        """Keep files behind folders also while the order is turned round."""
        return _is_file(row) != table.sorting[1]

    return table


def size_of(row: FileRow) -> int:
    """Return the bytes of a row."""
    return row.bytes if isinstance(row, PeerView) else row.size


def type_text(row: FileRow) -> str:
    """Say what a row is: the type of a file, or how much a folder or peer holds."""
    if isinstance(row, PeerView):
        return counted(row.shares, "share")
    return type_of(row.name) if row.kind == "file" else f"{row.files:,} file{'s' * (row.files != 1)}"


def facts_of(row: FileRow, where: str) -> tuple[str, Sequence[tuple[str, str]]]:
    """Return the name of a row and all that is known of it."""
    if isinstance(row, PeerView):
        return row.name, [
            ("shares", f"{counted(row.shares, 'share')}, {f.size(row.bytes)}"),
            ("address", row.address or "-"),
            ("id", row.peer_id),
        ]
    return row.name, [
        ("type", type_text(row)),
        ("size", f"{f.size(row.size)}, {row.size:,} bytes"),
        ("modified", f.date(row.mtime)),
        ("where", where),
        ("root", row.root or "not known yet"),
    ]


def _is_file(row: FileRow) -> bool:
    return isinstance(row, EntryView) and row.kind == "file"


def _mtime(row: FileRow) -> float:
    return 0.0 if isinstance(row, PeerView) else row.mtime


def _cells(row: FileRow) -> Sequence[Cell | str]:
    digits = row.peer_id if isinstance(row, PeerView) else row.root
    end = "" if isinstance(row, PeerView) else "/"
    return (
        row.name if _is_file(row) else Cell(f"{row.name}{end}", "accent"),
        f.size(size_of(row)),
        Cell(type_text(row), "dim"),
        Cell(f.date(_mtime(row)), "dim"),
        Cell(digits[:8], "dim"),
    )
