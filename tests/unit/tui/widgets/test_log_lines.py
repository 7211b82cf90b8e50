"""Wrapped lines of a log, their rows and their bound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from peerterm.tui.widgets.log_lines import MIN_TEXT_CELLS, LogLine, LogLines


def lines_of(width: int = 30, *texts: str, max_lines: int = 100, prefix: tuple[int, ...] = ()) -> LogLines:
    made = LogLines(prefix, max_lines=max_lines, ascii_only=False)
    made.set_width(width)
    made.extend([LogLine(text, line_id=text) for text in texts])
    return made


def texts(lines: LogLines) -> list[str]:
    return [row.text for row in lines.rows]


def test_a_resize_wraps_anew() -> None:
    """The same lines take more rows on a narrower screen, and fewer on a wider one."""
    lines = lines_of(30, "one two three", "four")

    lines.set_width(8)
    assert texts(lines) == ["one two", "three", "four"]
    assert [row.is_first for row in lines.rows] == [True, False, True]

    lines.set_width(30)
    assert texts(lines) == ["one two three", "four"]


def test_a_hidden_log_wraps_nothing() -> None:
    """Without a width every line is one row, so that filling it costs nothing."""
    lines = LogLines((), max_lines=10, ascii_only=False)
    lines.extend([LogLine("word " * 100)])

    assert len(lines.rows) == 1


def test_the_oldest_lines_go() -> None:
    """Beyond its bound the log forgets, and says how many rows that were."""
    lines = lines_of(8, "one two three", "four", max_lines=2)

    assert lines.extend([LogLine("five")]) == 2
    assert texts(lines) == ["four", "five"]
    assert lines.extend([LogLine(str(number)) for number in range(9)]) == 2
    assert texts(lines) == ["7", "8"]


def test_older_lines_come_before_and_never_push_newer_out() -> None:
    """Of older lines the newest that fit are taken."""
    lines = lines_of(8, "new", max_lines=3)

    assert lines.prepend([LogLine("oldest"), LogLine("one two three"), LogLine("old")]) == (2, 3)
    assert texts(lines) == ["one two", "three", "old", "new"]
    assert lines.prepend([LogLine("none fits")]) == (0, 0)


def test_a_line_is_replaced_and_removed_by_its_id() -> None:
    """A receipt changes its own line only; the newest of one id is meant."""
    lines = lines_of(8, "a", "b", "c")

    assert lines.replace(LogLine("one two three", line_id="b")) == (1, 1, 2)
    assert texts(lines) == ["a", "one two", "three", "c"]
    assert lines.discard("b") == (1, 2)
    assert texts(lines) == ["a", "c"]
    assert lines.replace(LogLine("x", line_id="b")) is None
    assert lines.discard("") is None
    assert len(lines) == 2


def test_fixed_columns_give_way_to_the_text() -> None:
    """The text keeps its least width; the first columns go first."""
    lines = lines_of(60, prefix=(5, 10))

    assert lines.columns() == [(0, 5), (1, 10)]
    assert lines.indent == 17
    lines.set_width(MIN_TEXT_CELLS + 16)
    assert lines.columns() == [(1, 10)]
    lines.set_width(MIN_TEXT_CELLS)
    assert lines.indent == 0


@given(st.lists(st.text(max_size=40), max_size=12), st.integers(2, 30))
def test_every_row_knows_its_line(given_texts: list[str], width: int) -> None:
    """Rows of a line follow each other, and a row leads back to its line."""
    lines = lines_of(width, *given_texts)

    for row, shown in enumerate(lines.rows):
        index, into = lines.line_at(row)
        assert lines.lines[index] is shown.line
        assert lines.first_row(index) + into == row
        assert shown.is_first == (into == 0)
    assert lines.line_at(len(lines.rows)) == (max(len(lines) - 1, 0), 0)
