"""Rows of a table: their order, the filter, the marks and the cursor, all by id.

What a filter needs of a row is prepared when the row comes, a little each time: a key waits for none of it.

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
        self._order: list[str] = []  # all ids, by ascending rank
        self._shown = self._order  # those of them that the filter lets through; without one the same list
        self._sort: str | None = None
        self._reverse = False
        self._words: list[str] = []
        self._folded: dict[str, str] = {}
        self._marks: set[str] = set()
        self.cursor: str | None = None

    # What is shown

    def __len__(self) -> int:
        return len(self._shown)

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
        return self._shown[-1 - line if self._reverse else line]

    def get(self, row_id: str) -> Row | None:
        """Return a row, shown or not."""
        return self._rows.get(row_id)

    def line_of(self, row_id: str) -> int | None:
        """Return the line of a row; None if it is not shown."""
        if row_id not in self._ranks:
            return None
        place = self._place(row_id, self._shown)
        if place >= len(self._shown) or self._shown[place] != row_id:
            return None
        return len(self._shown) - 1 - place if self._reverse else place

    def shown(self) -> list[Row]:
        """Return all rows that are shown, in order."""
        ids = reversed(self._shown) if self._reverse else self._shown
        return [self._rows[row_id] for row_id in ids]

    # Changes

    def replace(self, rows: Iterable[Row]) -> None:
        """Take these rows for all there were; cursor and marks stay where their ids still exist."""
        line = self.cursor_line
        self._rows = {self._row_id(row): row for row in rows}
        self._arrivals = dict(zip(self._rows, range(len(self._rows)), strict=True))
        self._next_arrival = len(self._rows)
        self._folded = {row_id: fold(self._search_text(row)) for row_id, row in self._rows.items()}
        self._marks &= self._rows.keys()
        self._rank_all()
        self._rebuild(line)

    def put(self, row: Row) -> Placement:
        """Replace the row of this id, or add it where it belongs."""
        row_id = self._row_id(row)
        before = self.line_of(row_id)
        cursor_line = self.cursor_line
        self._take_out(row_id)
        self._store(row_id, row)
        self._order.insert(self._place(row_id, self._order), row_id)
        if self._words and self._passes(row_id):
            self._shown.insert(self._place(row_id, self._shown), row_id)
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
        self._take_out(row_id)
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
        cursor_line, among = self.cursor_line, self._shown if is_narrower else self._order
        self._words = words
        self._show(among, cursor_line)

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
        if self._marks.issuperset(self._shown):
            self._marks.difference_update(self._shown)
        else:
            self._marks.update(self._shown)

    def clear_marks(self) -> None:
        """Take all marks away, also from rows that the filter hides."""
        self._marks.clear()

    # Order

    def _place(self, row_id: str, among: Sequence[str]) -> int:
        return bisect_left(among, self._ranks[row_id], key=self._ranks.__getitem__)

    def _take_out(self, row_id: str) -> None:
        """Take a row out of the order, if it is there, while its rank is still the one it stands by."""
        if row_id in self._rows:
            if self._words and self._passes(row_id):
                del self._shown[self._place(row_id, self._shown)]
            del self._order[self._place(row_id, self._order)]

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
        self._folded[row_id] = fold(self._search_text(row))
        if self._sort is not None:
            self._ranks[row_id] = self._rank(row_id, row)

    def _rebuild(self, cursor_line: int | None) -> None:
        """Order all rows anew."""
        self._order = list(self._rows)
        if self._sort is not None:
            self._order.sort(key=self._ranks.__getitem__)
        self._show(self._order, cursor_line)

    def _show(self, among: list[str], cursor_line: int | None) -> None:
        """Show what of these rows, which are in order, passes the filter; no other row can."""
        folded = self._folded
        for word in self._words:
            among = [row_id for row_id in among if word in folded[row_id]]
        self._shown = among
        if self.cursor is not None and self.cursor in self._rows:
            place = self._place(self.cursor, self._shown)  # where it would stand, if it is hidden now
            cursor_line = len(self._shown) - place if self._reverse else place
        self._settle(cursor_line)

    def _settle(self, line: int | None) -> None:
        if self.cursor is None or self.line_of(self.cursor) is None:
            self.cursor = self.id_at(min(line or 0, len(self._shown) - 1)) if self._shown else None

    def _passes(self, row_id: str) -> bool:
        return all(word in self._folded[row_id] for word in self._words)
