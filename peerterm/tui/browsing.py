"""Where in the network's shares the user is, where the cursor was elsewhere, and how that is written above a list.

Pure. ``FilesPane`` keeps its place here; both lists of contents write their heading with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len

from peerterm.tui.widgets.cells import fit, steady

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_REMEMBERED = 200
"""Most places whose cursor is remembered; the one left longest ago is forgotten first."""

_GAP = 3


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of a peer; without a path its shares, without a peer the list of peers.

    Attributes:
        peer_id: Whose folder it is.
        path: Components joined by ``/``, the share's name first.
    """

    peer_id: str = ""
    path: str = ""

    @property
    def above(self) -> Place:
        """The place that lists this one; the list of peers lists itself."""
        return Place(self.peer_id, self.path.rpartition("/")[0]) if self.path else Place()

    @property
    def name(self) -> str:
        """What this place is called in the list above it: a folder's name, or a peer's id."""
        return self.path.rpartition("/")[2] or self.peer_id

    def below(self, name: str) -> Place:
        """Return the place of a folder in this one."""
        return Place(self.peer_id, f"{self.path}/{name}" if self.path else name)


class Trail:
    """On which row the cursor was in the places visited last."""

    def __init__(self) -> None:
        self._rows: dict[Place, str] = {}

    def remember(self, place: Place, row_id: str) -> None:
        """Note where the cursor is in a place that is being left."""
        self._rows.pop(place, None)
        self._rows[place] = row_id
        if len(self._rows) > MAX_REMEMBERED:
            del self._rows[next(iter(self._rows))]

    def row_at(self, place: Place) -> str:
        """Return where the cursor was; empty if that is not known."""
        return self._rows.get(place, "")


def heading(where: str, facts: Sequence[str], width: int, *, ascii_only: bool = False) -> str:
    """Write a line of ``width`` cells: where the user is on the left, facts on the right.

    Of a path that is too long its first folders are left out. Facts are ours and always whole.
    """
    right = (" " * _GAP).join(facts)
    room = max(width - cell_len(right) - _GAP, 0)
    left = _shortened(steady(where, ascii_only=ascii_only), room, "..." if ascii_only else "…")
    left = fit(left, min(cell_len(left), room), ascii_only=ascii_only)
    return f" {left}{' ' * max(width - 2 - cell_len(left) - cell_len(right), 1)}{right}"


def _shortened(where: str, room: int, ellipsis: str) -> str:
    peer, separator, path = where.partition(":/")
    folders = path.split("/")
    while cell_len(where) > room and len(folders) > 2:  # the last one is empty, behind the closing slash
        folders = folders[1:]
        where = f"{peer}{separator}{ellipsis}/{'/'.join(folders)}"
    return where
