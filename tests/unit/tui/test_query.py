"""The line a search is typed in, and the lines before."""

from __future__ import annotations

import pytest

from peerterm.api.views import SearchQuery
from peerterm.errors import UsageError
from peerterm.tui.query import MAX_HISTORY, History, letters, parse_line, values_of, with_values


def test_words_are_what_no_filter_is() -> None:
    """A colon alone makes no filter."""
    assert parse_line("  live at:home  1998 ") == SearchQuery(text="live at:home 1998")


def test_hash_is_a_word() -> None:
    """A published sum can be looked for as it is written."""
    assert parse_line(f"sha256:{'a' * 64}").text == f"sha256:{'a' * 64}"


@pytest.mark.parametrize(("term", "kind"), [("type:video", "video"), ("TYPE:Vid", "video"), ("type:fi", "file")])
def test_type_may_be_shortened(term: str, kind: str) -> None:
    """As long as one type only begins like that, in any case."""
    assert parse_line(f"a {term}").kind == kind


def test_last_type_counts() -> None:
    """One search is for one type."""
    assert parse_line("a type:video type:audio").kind == "audio"


@pytest.mark.parametrize(
    ("terms", "least", "most"),
    [
        ("size:>10M", 10_000_000, None),
        ("size:>=10M", 10_000_000, None),
        ("size:<2GiB", 0, 2 * 2**30),
        ("size:>10M size:<2G", 10_000_000, 2_000_000_000),
        ("size:<2G size:<1G size:>1 size:>5", 5, 1_000_000_000),
        ("size:10k..20k", 10_000, 20_000),
    ],
)
def test_sizes_bound_from_both_sides(terms: str, least: int, most: int | None) -> None:
    """Every size term holds, whatever their order."""
    query = parse_line(f"{terms} a")

    assert (query.min_size, query.max_size) == (least, most)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("", "type a word"),
        ("type:video", "type a word"),
        ("a type:", "type: is no type"),
        ("a type:a", "type:a is no type"),
        ("a type:film", "type:film is no type"),
        ("a size:10M", "neither least nor most"),
        ("a size:", "neither least nor most"),
        ("a size:>big", "size:>big: a size must be bytes"),
        ("a size:1..x", "must be bytes"),
        ("a size:>2G size:<1G", "no size lies between"),
    ],
)
def test_fault_is_told_with_a_way_out(line: str, fault: str) -> None:
    """What cannot be meant is refused, and a hint says how to write it."""
    with pytest.raises(UsageError, match=fault) as error:
        parse_line(line)

    assert error.value.hint


def test_values_can_be_read_and_replaced() -> None:
    """Dialogs change the line itself, so that what is searched for is always to be seen."""
    line = "a type:video b size:>1M SIZE:<2M"

    assert values_of(line, "size") == [">1M", "<2M"]
    assert with_values(line, "size", [">5M"]) == "a type:video b size:>5M"
    assert with_values(line, "type", []) == "a b size:>1M SIZE:<2M"


def test_letters_leave_blanks_out() -> None:
    """Two words of one letter are two letters."""
    assert letters(parse_line("a b type:video")) == 2


def test_history_goes_back_and_forth() -> None:
    """What was being typed comes after the newest line, and nothing after that."""
    history = History()
    history.add("one")
    history.add("two  words ")

    assert [history.older("typing"), history.older("two words"), history.older("one")] == ["two words", "one", None]
    assert [history.newer(), history.newer(), history.newer()] == ["two words", "typing", None]


def test_history_skips_what_stands_there_already() -> None:
    """Up right after a search shows the search before it."""
    history = History()
    history.add("one")
    history.add("two")

    assert history.older("two") == "one"


def test_history_keeps_a_line_once_and_not_for_ever() -> None:
    """A line that comes again becomes the newest; the oldest go."""
    history = History()
    for number in range(MAX_HISTORY + 5):
        history.add(str(number))
    history.add("50")
    history.add("  ")
    shown = []
    while (line := history.older("")) is not None:
        shown.append(line)

    assert shown[:2] == ["50", str(MAX_HISTORY + 4)]
    assert shown.count("50") == 1
    assert len(shown) == MAX_HISTORY
