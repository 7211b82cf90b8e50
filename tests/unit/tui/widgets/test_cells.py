"""Texts in their cells: exactly as wide as their place, whatever they hold."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from peerterm.tui.widgets.cells import MAX_TEXT_LINES, fit, steady, wrap


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("abc", 5, "abc  "),
        ("abcdef", 4, "abc…"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日 …"),
        ("e\u0301a\u0301b", 2, "e\u0301…"),
        ("[red]x[/]", 9, "[red]x[/]"),
        ("two\nlines\t", 10, "two lines "),
        ("\u0301\u0302a", 3, "a  "),
        ("🇩🇪 👩🏽\u200d🚀 ❤\ufe0f", 12, "DE 👩🚀 ❤   "),
        ("\U000378ff", 3, "\ufffd  "),
        ("abc", 0, ""),
        ("abc", 1, "…"),
    ],
)
def test_a_text_fills_its_cells(text: str, width: int, shown: str) -> None:
    """Short texts are padded, long ones end in an ellipsis, no glyph is cut in half."""
    assert fit(text, width) == shown


def test_numbers_stand_right() -> None:
    """A text may be padded on its left."""
    assert fit("9.1 GB", 8, align="right") == "  9.1 GB"


def test_ascii_terminals_get_ascii() -> None:
    """Where only ASCII can be shown, nothing else is sent."""
    assert fit("naïve 日本", 12, ascii_only=True) == "na?ve ??    "
    assert fit("abcdef", 4, ascii_only=True) == "abc~"
    assert wrap("é\n" * (MAX_TEXT_LINES + 1), 10, ascii_only=True)[-1] == "~"


@given(st.text(st.characters(), max_size=80), st.integers(0, 30), st.sampled_from(["left", "right"]), st.booleans())
def test_any_text_is_exactly_as_wide_as_its_cells(text: str, width: int, align: str, ascii_only: bool) -> None:
    """Whatever a peer sends takes its cells and no other, and holds nothing a terminal obeys."""
    shown = fit(text, width, align="right" if align == "right" else "left", ascii_only=ascii_only)

    assert cell_len(shown) == width
    assert not {"Cc", "Cf", "Cs", "Zl", "Zp"} & {unicodedata.category(character) for character in shown}
    assert shown.isascii() or not ascii_only


@given(st.text(st.characters(), max_size=80))
def test_what_terminals_measure_differently_is_gone(text: str) -> None:
    """The width of a text is the sum of the widths of its characters."""
    shown = steady(text)

    assert cell_len(shown) == sum(map(cell_len, shown))


@given(st.text(st.characters(), max_size=300), st.integers(2, 40))
def test_wrapped_lines_fit_and_lose_only_blanks(text: str, width: int) -> None:
    """Every line is at most as wide as the log, and together they say what the text said."""
    lines = wrap(text, width)
    said = "".join(steady(paragraph) for paragraph in text.splitlines())

    assert lines
    assert all(cell_len(line) <= width for line in lines)
    if len(lines) < MAX_TEXT_LINES:
        assert "".join(lines).replace(" ", "") == said.replace(" ", "")


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("one two three", 8, ["one two", "three"]),
        ("one\n\ntwo", 8, ["one", "", "two"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("a abcdefghij k", 4, ["a", "abcd", "efgh", "ij k"]),
        ("日本語日本", 5, ["日本", "語日", "本"]),
        ("", 5, [""]),
        ("       ", 5, [""]),
        ("ab \u0301\u0301", 2, ["ab"]),
    ],
)
def test_texts_break_at_words(text: str, width: int, lines: list[str]) -> None:
    """Words stay whole if they can; line ends of the sender are kept."""
    assert [line.strip("\u0301") for line in wrap(text, width)] == lines


def test_a_text_of_line_ends_is_cut() -> None:
    """No message takes more lines than the bound, and says that it was cut."""
    lines = wrap("\n" * 100_000, 80)

    assert len(lines) == MAX_TEXT_LINES
    assert lines[-1] == "…"
