"""The sanitiser against hostile text, and how amounts read."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from peerterm.display import (
    MAX_CLEAN_CHARACTERS,
    clean,
    counted,
    human_bytes,
    human_rate,
    human_seconds,
    short_id,
    some,
)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("plain name.txt", "plain name.txt"),
        ("naïve 日本語", "naïve 日本語"),
        ("\x1b[31mred\x1b]52;c;eA==\x07", "[31mred]52;c;eA=="),
        ("\x9b31m\x90q\x9d", "31mq"),
        ("a\x00\x7f\x08b", "ab"),
        ("\u202egpj.exe", "gpj.exe"),
        ("\u2066a\u2069\u200e\u061c", "a"),
        ("a\u200b\u200c\u2060\ufeffb", "ab"),
        ("a\u200db", "ab"),
        ("\u3164\u2800\u115f\u1160\uffa0x\u00ad\u034f", "x"),
        ("a\U000e0041\U000e007fb\U000e0100", "ab"),
        ("two\nlines\r\n\ttab\u2028x\x85y", "two lines   tab x y"),
        ("a" + "\u0301" * 50, "a" + "\u0301" * 4),
        ("bad\udcffbyte", "bad\ufffdbyte"),
        ("a\ufe0fb", "ab"),
        ("\ufe0fa", "a"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
        ("❤\ufe0f\u200d🔥", "❤\ufe0f\u200d🔥"),
        ("👩\u200dx", "👩x"),
        ("👩\u200d", "👩"),
        ("👩\u200d\u200d👩", "👩\u200d👩"),
        ("", ""),
    ],
)
def test_hostile_text_becomes_harmless(hostile: str, shown: str) -> None:
    """What could move the cursor, hide or reorder is gone; what can be read stays."""
    assert clean(hostile) == shown


@given(st.text(st.characters(), max_size=200))
def test_nothing_unprintable_survives(text: str) -> None:
    """Whatever comes in, no control, format or surrogate character comes out, and no line ends."""
    shown = clean(text)

    assert not {"Cc", "Cs", "Zl", "Zp"} & {unicodedata.category(c) for c in shown}
    assert all(unicodedata.category(c) != "Cf" or c == "\u200d" for c in shown)
    assert clean(shown) == shown
    shown.encode()


@given(st.text(st.characters(), max_size=60), st.integers(0, 40))
def test_cut_text_fits_its_cells(text: str, width: int) -> None:
    """A wide character is never cut in half, and never exceeds the column."""
    shown = clean(text, width=width)

    assert cell_len(shown) <= width


def test_cut_text_says_that_it_was_cut() -> None:
    """Short text stays, long text ends in an ellipsis."""
    assert clean("abcdef", width=6) == "abcdef"
    assert clean("abcdefg", width=6) == "abcde…"
    assert clean("日本語", width=5) == "日本…"
    assert clean("abc", width=0) == ""


def test_endless_text_is_looked_at_in_part() -> None:
    """The cost of one text is bounded."""
    assert len(clean("é" * (MAX_CLEAN_CHARACTERS + 5))) == MAX_CLEAN_CHARACTERS


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1500, "1.5 kB"), (2_000_000, "2.0 MB")]
)
def test_bytes_read_well(size: int, text: str) -> None:
    """Amounts have a unit."""
    assert human_bytes(size) == text
    assert human_rate(float(size)) == text + "/s"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"), (-1, "-"), (float("nan"), "-"), (float("inf"), "-"), (0.44, "0.4 s"), (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"), (125, "2 min 5 s"), (12_000, "3 h 20 min"), (90_000, "1 d 1 h"),
    ],
)  # fmt: skip
def test_durations_read_well(seconds: float | None, text: str) -> None:
    """Two units are enough; what is no duration is a dash."""
    assert human_seconds(seconds) == text


def test_counts_and_lists_read_well() -> None:
    """One is singular; a long list ends in a number."""
    assert [counted(n, "file") for n in (0, 1, 2)] == ["0 files", "1 file", "2 files"]
    assert [some(list("abcde")[:n], 3) for n in (0, 1, 3, 5)] == ["", "a", "a, b, c", "a, b, c and 2 more"]


def test_short_id_is_what_one_types() -> None:
    """Eight digits."""
    assert short_id("a1b2c3d4e5f6") == "a1b2c3d4"
