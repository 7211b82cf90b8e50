"""Order, filter, marks and cursor of rows, against a model that sorts everything each time."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from peerterm.tui.widgets.table_rows import Placement, TableRows, fold


@dataclass(frozen=True)
class File:
    id: str
    name: str
    size: int | None = 0


def table(*rows: File) -> TableRows[File]:
    made: TableRows[File] = TableRows(
        lambda row: row.id, lambda row: row.name, {"name": lambda row: row.name, "size": lambda row: row.size}
    )
    made.replace(rows)
    return made


def ids(rows: TableRows[File]) -> str:
    return "".join(row.id for row in rows.shown())


ABC = [File("a", "Anna", 2), File("b", "Bréa", 3), File("c", "Carol", 1)]


def test_a_new_row_goes_where_it_belongs() -> None:
    """Sorted rows stay sorted when one comes or changes, and the change says from which line to which."""
    rows = table(*ABC)
    rows.sort_by("size")

    assert rows.put(File("d", "Dora", 2)) == Placement(None, 2)
    assert ids(rows) == "cadb"
    assert rows.put(File("c", "Carol", 9)) == Placement(0, 3)
    assert ids(rows) == "adbc"
    assert rows.put(File("a", "Anne", 2)) == Placement(0, 0)


@pytest.mark.parametrize("reverse", [False, True])
def test_rows_without_a_key_come_last(reverse: bool) -> None:
    """What is not known stands behind what is known, in either direction."""
    rows = table(*ABC, File("d", "Dora", None), File("e", "Emil", None))
    rows.sort_by("size", reverse=reverse)

    assert ids(rows)[:3] == ("bac" if reverse else "cab")
    assert set(ids(rows)[3:]) == {"d", "e"}
    assert rows.sort == ("size", reverse)


def test_filter_ignores_case_and_accents() -> None:
    """Every word has to be in the text, in any order."""
    rows = table(*ABC)

    rows.filter("BREA")

    assert ids(rows) == "b"
    assert rows.total == 3
    rows.filter("ol car")
    assert ids(rows) == "c"
    rows.filter("")
    assert ids(rows) == "abc"


def test_the_filter_sees_what_the_screen_shows() -> None:
    """Characters that are not shown do not keep a word from being found."""
    assert fold("in\u200bvoice\x1b İ") == "invoice i"
    assert fold("ﬁle") == "file"


def test_a_hidden_cursor_goes_to_the_next_row() -> None:
    """When the filter hides the row of the cursor, the row after it that is left takes it, else the last."""
    rows = table(*[File(name, name + "x" * (name in "ad")) for name in "abcde"])
    rows.cursor = "b"

    rows.filter("x")

    assert rows.cursor == "d"
    rows.filter("")
    assert rows.cursor == "d"
    rows.cursor = "e"
    rows.filter("x")
    assert rows.cursor == "d"
    rows.filter("nothing like it")
    assert rows.cursor is None
    rows.filter("")
    assert rows.cursor == "a"


def test_a_row_that_changes_may_appear_or_vanish() -> None:
    """A row is held against the filter anew whenever it is put."""
    rows = table(*ABC)
    rows.filter("a")

    assert rows.put(File("a", "Onno")) == Placement(0, None)
    assert rows.put(File("a", "Anna")) == Placement(None, 0)


def test_the_cursor_stays_on_the_line_of_a_row_that_went() -> None:
    """After a removal the next row is under the cursor, after the last one the row before."""
    rows = table(*ABC)
    rows.cursor = "b"

    assert rows.discard("b") == Placement(1, None)
    assert rows.cursor == "c"
    rows.discard("c")
    assert rows.cursor == "a"
    assert rows.discard("nobody") == Placement(None, None)


def test_marks_that_are_hidden_do_not_count() -> None:
    """A verb never acts on a row that cannot be seen; the mark is there again with the row."""
    rows = table(*ABC)
    rows.toggle_mark("c")
    rows.toggle_mark("a")
    rows.toggle_mark("nobody")

    assert rows.marked == ["a", "c"]
    rows.filter("carol")
    assert rows.marked == ["c"]
    assert rows.marked_count == 1
    rows.filter("")
    assert rows.marked_count == 2
    rows.clear_marks()
    assert rows.marked_count == 0


def test_mark_all_marks_all_shown_or_none() -> None:
    """The second time the marks of the shown rows go, those of hidden ones stay."""
    rows = table(*ABC)
    rows.toggle_mark("a")
    rows.filter("r")

    rows.mark_all()
    assert rows.marked == ["b", "c"]

    rows.mark_all()
    assert rows.marked == []
    assert rows.is_marked("a")


def test_many_rows_at_once_are_as_if_put_one_by_one() -> None:
    """A batch that is large orders everything anew, with the same result."""
    batch = [File(str(number), f"n{number % 7}", number % 11) for number in range(600)]
    one_by_one, at_once = table(*ABC), table(*ABC)
    for each in (one_by_one, at_once):
        each.sort_by("size", reverse=True)
    for row in batch:
        one_by_one.put(row)

    assert at_once.put_many(batch) is None
    assert at_once.shown() == one_by_one.shown()
    assert at_once.put_many([batch[0]]) == [Placement(one_by_one.line_of("0"), one_by_one.line_of("0"))]


row_ids = st.sampled_from("abcdefgh")
files = st.builds(File, row_ids, st.sampled_from(["x", "xy", "Ý z", "q"]), st.none() | st.integers(0, 3))


class Naive(RuleBasedStateMachine):
    """Rows in a dict, ordered from the beginning whenever somebody looks."""

    def __init__(self) -> None:
        super().__init__()
        self.real = table()
        self.rows: dict[str, tuple[int, File]] = {}
        self.arrivals = 0
        self.sort: str | None = None
        self.reverse = False
        self.words: list[str] = []
        self.marks: set[str] = set()

    def shown(self) -> list[str]:
        def rank(row_id: str) -> tuple[bool, object, int]:
            arrival, row = self.rows[row_id]
            key = None if self.sort is None else getattr(row, self.sort)
            return ((key is None) ^ self.reverse, key, arrival)

        passing = [i for i, (_, row) in self.rows.items() if all(w in fold(row.name) for w in self.words)]
        return sorted(passing, key=rank, reverse=self.reverse)

    def remember(self, row: File) -> None:
        arrival = self.rows[row.id][0] if row.id in self.rows else self.arrivals
        self.arrivals += row.id not in self.rows
        self.rows[row.id] = (arrival, row)

    def cursor_after(self, before: str | None, line: int | None) -> str | None:
        shown = self.shown()
        if before in shown:
            return before
        return shown[min(line or 0, len(shown) - 1)] if shown else None

    @rule(row=files)
    def put(self, row: File) -> None:
        before, line = self.real.cursor, self.real.cursor_line
        was = self.shown()
        self.remember(row)
        placement = self.real.put(row)

        shown = self.shown()
        assert placement.before == (was.index(row.id) if row.id in was else None)
        assert placement.after == (shown.index(row.id) if row.id in shown else None)
        assert self.real.cursor == self.cursor_after(before, line)

    @rule(row_id=row_ids)
    def discard(self, row_id: str) -> None:
        before, line = self.real.cursor, self.real.cursor_line
        self.rows.pop(row_id, None)
        self.marks.discard(row_id)
        self.real.discard(row_id)

        assert self.real.cursor == self.cursor_after(before, line)

    @rule(rows=st.lists(files, max_size=6, unique_by=lambda row: row.id))
    def replace(self, rows: list[File]) -> None:
        before = self.real.cursor
        self.rows = {row.id: (arrival, row) for arrival, row in enumerate(rows)}
        self.arrivals = len(rows)
        self.marks &= self.rows.keys()
        self.real.replace(rows)

        assert self.real.cursor == before or before not in self.shown()

    @rule(rows=st.lists(files, max_size=6))
    def put_many(self, rows: list[File]) -> None:
        for row in rows:
            self.remember(row)
        self.real.put_many(rows)

    @rule(sort=st.sampled_from([None, "name", "size"]), reverse=st.booleans())
    def sort_by(self, sort: str | None, reverse: bool) -> None:
        before = self.real.cursor
        self.sort, self.reverse = sort, reverse
        self.real.sort_by(sort, reverse=reverse)

        assert self.real.cursor == before

    @rule(text=st.sampled_from(["", "x", "X y", "ý", "none"]))
    def filter(self, text: str) -> None:
        before = self.real.cursor
        self.words = fold(text).split()
        self.real.filter(text)

        assert self.real.cursor == before or before not in self.shown()

    @rule(row_id=row_ids)
    def toggle_mark(self, row_id: str) -> None:
        if row_id in self.rows:
            self.marks ^= {row_id}
        self.real.toggle_mark(row_id)

    @precondition(lambda self: self.rows)
    @rule(data=st.data())
    def move(self, data: st.DataObject) -> None:
        shown = self.shown()
        if shown:
            self.real.cursor = data.draw(st.sampled_from(shown))

    @invariant()
    def same_as_sorting_everything(self) -> None:
        """Order, lines, counts and marks are those of the naive rows."""
        shown = self.shown()

        assert [row.id for row in self.real.shown()] == shown
        assert [self.real.id_at(line) for line in range(len(self.real))] == shown
        assert all(self.real.line_of(row_id) == line for line, row_id in enumerate(shown))
        assert self.real.total == len(self.rows)
        assert self.real.marked == [row_id for row_id in shown if row_id in self.marks]
        assert self.real.marked_count == len(self.real.marked)
        assert (self.real.cursor in shown) if shown else self.real.cursor is None


Naive.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAgainstNaive = Naive.TestCase
