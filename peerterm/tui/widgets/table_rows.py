"""Rows of a table: their order, the filter, the marks and the cursor, all by id.

Pure: no Textual import, knows no screen. A line is a place among the rows that are shown, from 0. ``VirtualTable``
asks it what to draw and tells it what the user did.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from peerterm.display import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Row = TypeVar("Row")

_FEW_ROWS = 256
"""So many rows that come together are put in one by one, or an eighth of all; for more all are ordered anew."""


@dataclass(frozen=True, slots=True)
class Placement:
    """The line of a row before and after a change; None where it is not shown."""

    before: int | None
    after: int | None


class _Bare(dict[int, int | None]):
    """Maps every accent to nothing, learning what is one as it is asked."""

    def __missing__(self, code: int) -> int | None:
        self[code] = bare = None if unicodedata.category(chr(code)) == "Mn" else code
        return bare


_BARE = _Bare()


def fold(text: str) -> str:
    """Return a text as search compares it: as shown, without case and accents."""
    if text.isascii() and text.isprintable():
        return text.lower()
    if not text.isprintable():
        text = clean(text)
    return unicodedata.normalize("NFKD", text.casefold()).translate(_BARE)


class TableRows(Generic[Row]):
    """Rows in their order.

    Invariant: the cursor is on a row that is shown, or None if none is; a mark is on a row that exists.
    """

    def __init__(
        self,
        row_id: Callable[[Row], str],
        search_text: Callable[[Row], str],
        sort_keys: Mapping[str, Callable[[Row], object]],
    ) -> None:
        self._row_id = row_id
        self._search_text = search_text
        self._sort_keys = sort_keys
        self._rows: dict[str, Row] = {}
        self._arrivals: dict[str, int] = {}
        self._next_arrival = 0
        self._ranks: dict[str, Any] = self._arrivals  # what the order goes by; arrivals unless sorted
        self._order: list[str] = []  # ids shown, by ascending rank
        self._sort: str | None = None
        self._reverse = False
        self._words: list[str] = []
        self._folded: dict[str, str] = {}
        self._marks: set[str] = set()
        self.cursor: str | None = None

    # What is shown

    def __len__(self) -> int:
        return len(self._order)

    @property
    def total(self) -> int:
        """Rows, those included that the filter hides."""
        return len(self._rows)

    @property
    def sort(self) -> tuple[str | None, bool]:
        """The sort key, None for the order of arrival, and whether it is reversed."""
        return self._sort, self._reverse

    @property
    def is_filtered(self) -> bool:
        """Whether a filter is set."""
        return bool(self._words)

    def id_at(self, line: int) -> str:
        """Return the id of the row on a line."""
        return self._order[-1 - line if self._reverse else line]

    def get(self, row_id: str) -> Row | None:
        """Return a row, shown or not."""
        return self._rows.get(row_id)

    def line_of(self, row_id: str) -> int | None:
        """Return the line of a row; None if it is not shown."""
        if row_id not in self._ranks:
            return None
        place = self._place(row_id)
        if place >= len(self._order) or self._order[place] != row_id:
            return None
        return len(self._order) - 1 - place if self._reverse else place

    def shown(self) -> list[Row]:
        """Return all rows that are shown, in order."""
        ids = reversed(self._order) if self._reverse else self._order
        return [self._rows[row_id] for row_id in ids]

    # Changes

    def replace(self, rows: Iterable[Row]) -> None:
        """Take these rows for all there were; cursor and marks stay where their ids still exist."""
        line = self.cursor_line
        self._rows = {self._row_id(row): row for row in rows}
        self._arrivals = dict(zip(self._rows, range(len(self._rows)), strict=True))
        self._next_arrival = len(self._rows)
        self._folded.clear()
        self._marks &= self._rows.keys()
        self._rank_all()
        self._rebuild(line)

    def put(self, row: Row) -> Placement:
        """Replace the row of this id, or add it where it belongs."""
        row_id = self._row_id(row)
        before = self.line_of(row_id)
        cursor_line = self.cursor_line
        if before is not None:
            del self._order[self._place(row_id)]
        self._store(row_id, row)
        if self._passes(row_id):
            self._order.insert(self._place(row_id), row_id)
        self._settle(cursor_line)
        return Placement(before, self.line_of(row_id))

    def put_many(self, rows: Sequence[Row]) -> list[Placement] | None:
        """Put rows one by one; if they are many, order all rows anew and return None."""
        if len(rows) <= max(_FEW_ROWS, len(self._rows) // 8):
            return [self.put(row) for row in rows]
        line = self.cursor_line
        for row in rows:
            self._store(self._row_id(row), row)
        self._rebuild(line)
        return None

    def discard(self, row_id: str) -> Placement:
        """Remove a row if it is there; the cursor stays on its line."""
        before = self.line_of(row_id)
        cursor_line = self.cursor_line
        if before is not None:
            del self._order[self._place(row_id)]
        for kept in (self._rows, self._arrivals, self._ranks, self._folded):
            kept.pop(row_id, None)
        self._marks.discard(row_id)
        self._settle(cursor_line)
        return Placement(before, None)

    def sort_by(self, key: str | None, *, reverse: bool = False) -> None:
        """Order by a sort key; None is the order of arrival. Rows whose key is None come after all others."""
        self._sort, self._reverse = key, reverse
        self._rank_all()
        self._rebuild(self.cursor_line)

    def filter(self, text: str) -> None:
        """Show only rows that hold every word; a cursor that is hidden goes to the next row shown."""
        words = fold(text).split()
        is_narrower = all(any(old in new for new in words) for old in self._words)
        self._words = words
        self._rebuild(self.cursor_line, self._order if is_narrower else None)

    # Cursor and marks

    @property
    def cursor_line(self) -> int | None:
        """The line of the cursor; None without rows."""
        return None if self.cursor is None else self.line_of(self.cursor)

    @property
    def marked(self) -> list[str]:
        """Ids of marked rows that are shown, in order."""
        marked = [row_id for row_id in self._marks if self._passes(row_id)]
        return sorted(marked, key=self._ranks.__getitem__, reverse=self._reverse)

    @property
    def marked_count(self) -> int:
        """How many marked rows are shown; those that a filter hides keep their mark but do not count."""
        return sum(map(self._passes, self._marks)) if self._words else len(self._marks)

    def is_marked(self, row_id: str) -> bool:
        """Whether a row bears a mark."""
        return row_id in self._marks

    def toggle_mark(self, row_id: str) -> None:
        """Mark a row or take its mark away."""
        if row_id in self._rows:
            self._marks ^= {row_id}

    def mark_all(self) -> None:
        """Mark all rows that are shown; if they all are, take the marks away."""
        if self._marks.issuperset(self._order):
            self._marks.difference_update(self._order)
        else:
            self._marks.update(self._order)

    def clear_marks(self) -> None:
        """Take all marks away, also from rows that the filter hides."""
        self._marks.clear()

    # Order

    def _place(self, row_id: str) -> int:
        return bisect_left(self._order, self._ranks[row_id], key=self._ranks.__getitem__)

    def _rank(self, row_id: str, row: Row) -> object:
        arrival = self._arrivals[row_id]
        if self._sort is None:
            return arrival
        key = self._sort_keys[self._sort](row)
        return ((key is None) ^ self._reverse, key, arrival)

    def _rank_all(self) -> None:
        self._ranks = self._arrivals
        if self._sort is not None:
            self._ranks = {row_id: self._rank(row_id, row) for row_id, row in self._rows.items()}

    def _store(self, row_id: str, row: Row) -> None:
        if row_id not in self._rows:
            self._arrivals[row_id] = self._next_arrival
            self._next_arrival += 1
        self._rows[row_id] = row
        self._folded.pop(row_id, None)
        if self._sort is not None:
            self._ranks[row_id] = self._rank(row_id, row)

    def _rebuild(self, cursor_line: int | None, among: Sequence[str] | None = None) -> None:
        """Order anew what passes the filter; only ``among``, which is in order, if nothing else can pass."""
        self._order = self._passing(self._rows if among is None else among)
        if among is None and self._sort is not None:
            self._order.sort(key=self._ranks.__getitem__)
        if self.cursor is not None and self.cursor in self._rows:
            place = self._place(self.cursor)  # where it would stand, if it is hidden now
            cursor_line = len(self._order) - place if self._reverse else place
        self._settle(cursor_line)

    def _settle(self, line: int | None) -> None:
        if self.cursor is None or self.line_of(self.cursor) is None:
            self.cursor = self.id_at(min(line or 0, len(self._order) - 1)) if self._order else None

    # Filter

    def _passes(self, row_id: str) -> bool:
        return not self._words or bool(self._passing((row_id,)))

    def _passing(self, row_ids: Iterable[str]) -> list[str]:
        passing, known, folded = list(row_ids), self._folded, self._fold
        for word in self._words:
            passing = [row_id for row_id in passing if word in (known.get(row_id) or folded(row_id))]
        return passing

    def _fold(self, row_id: str) -> str:
        folded = self._folded.get(row_id)
        if folded is None:
            folded = self._folded[row_id] = fold(self._search_text(self._rows[row_id]))
        return folded
