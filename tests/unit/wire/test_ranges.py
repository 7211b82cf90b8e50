"""Range headers and conditions of requests for media."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from peerterm.wire.ranges import MAX_DIGITS, ByteRange, Verdict, if_range_holds, names_tag, parse_range

TAG = '"0123abcd"'
HUGE = "9" * 6000  # more digits than Python converts


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", ByteRange(0, 1)),
        ("bytes=0-99", ByteRange(0, 100)),
        ("bytes=10-19", ByteRange(10, 20)),
        ("bytes=99-", ByteRange(99, 100)),
        ("bytes=0-", ByteRange(0, 100)),
        ("bytes=-1", ByteRange(99, 100)),
        ("bytes=-100", ByteRange(0, 100)),
        ("bytes=-101", ByteRange(0, 100)),
        ("bytes=50-1000", ByteRange(50, 100)),
        (f"bytes=50-{HUGE}", ByteRange(50, 100)),
        (f"bytes=-{HUGE}", ByteRange(0, 100)),
        (f"bytes={'0' * 6000}7-8", ByteRange(7, 9)),
        ("Bytes=1-2", ByteRange(1, 3)),
        ("bytes=\t 1-2 ", ByteRange(1, 3)),
    ],
)
def test_one_range_is_served(header: str, expected: ByteRange) -> None:
    """Every form of one range within the file is that part of it, cut at its end."""
    assert parse_range(header, 100) == expected


@pytest.mark.parametrize(
    "header",
    ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=-000", f"bytes={HUGE}-", f"bytes={HUGE}-1", "bytes=200-1"],
)
def test_range_outside_the_file_is_unsatisfiable(header: str) -> None:
    """What begins after the end, and no bytes at all, cannot be served."""
    assert parse_range(header, 100) is Verdict.UNSATISFIABLE


@pytest.mark.parametrize(
    "header",
    ["bytes=0-1,5-6", "bytes=0-1, 2-3", "bytes=,", "bytes=0-1,", "bytes=" + ",".join(["0-0"] * 1000), "bytes=a,b"],
)
def test_several_ranges_are_refused(header: str) -> None:
    """However many there are, and whatever they say."""
    assert parse_range(header, 100) is Verdict.UNSATISFIABLE


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=5",
        "bytes=5-2",
        "bytes=--5",
        "bytes=1-2-3",
        "bytes=+1-2",
        "bytes=1_0-20",
        "bytes=0x1-2",
        "bytes=\u0661-\u0662",
        "bytes=a-b",
        "bytes=1 - 2",
        "bytes =1-2",
        "seconds=1-2",
        "0-1",
        "=0-1",
    ],
)
def test_what_is_no_range_is_ignored(header: str | None) -> None:
    """Another unit, and what the grammar does not know, count as no header (RFC 9110, 14.2)."""
    assert parse_range(header, 100) is Verdict.WHOLE


def test_empty_file_has_no_range() -> None:
    """Its last bytes are all of it; nothing begins in it."""
    assert parse_range("bytes=-5", 0) is Verdict.WHOLE
    assert parse_range("bytes=0-", 0) is Verdict.UNSATISFIABLE
    assert parse_range("bytes=-0", 0) is Verdict.UNSATISFIABLE


def naive(first: int | None, last: int | None, size: int) -> ByteRange | Verdict:
    """Say what a range is by listing the file's bytes."""
    every = range(size)
    if first is None and last is None:
        return Verdict.WHOLE
    if first is None:
        assert last is not None
        wanted = [byte for byte in every if byte >= size - last]
        return part(wanted) if wanted or not last else Verdict.WHOLE
    wanted = [byte for byte in every if byte >= first and (last is None or byte <= last)]
    if last is not None and last < first < size:
        return Verdict.WHOLE
    return part(wanted)


def part(wanted: list[int]) -> ByteRange | Verdict:
    return ByteRange(wanted[0], wanted[-1] + 1) if wanted else Verdict.UNSATISFIABLE


positions = st.none() | st.integers(0, 70) | st.integers(10 ** (MAX_DIGITS - 1), 10 ** (MAX_DIGITS + 2))


@given(positions, positions, st.integers(0, 60), st.integers(0, 30))
@example(None, 1, 0, 0)
def test_range_is_what_a_naive_model_says(first: int | None, last: int | None, size: int, zeros: int) -> None:
    """For any positions and size, with any number of leading zeros."""
    texts = ["" if position is None else "0" * zeros + str(position) for position in (first, last)]

    assert parse_range(f"bytes={'-'.join(texts)}", size) == naive(first, last, size)


@given(st.text() | st.from_regex(re.compile(r"bytes=[0-9, -]*"), fullmatch=True), st.integers(0, 2**40))
def test_any_text_is_a_verdict_or_lies_within_the_file(header: str, size: int) -> None:
    """Nothing is raised, and a range is never empty nor reaches beyond the end."""
    found = parse_range(header, size)

    assert isinstance(found, Verdict) or 0 <= found.start < found.stop <= size


def test_content_range_counts_the_last_byte_in() -> None:
    """As RFC 9110, 14.4, writes it."""
    assert ByteRange(0, 1).content_range(7) == "bytes 0-0/7"
    assert ByteRange(2, 7).content_range(7) == "bytes 2-6/7"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, True),
        (TAG, True),
        (f" {TAG}\t", True),
        (f"W/{TAG}", False),
        ('"other"', False),
        (TAG.strip('"'), False),
        ("Sun, 22 Nov 2026 18:00:00 GMT", False),
        ("", False),
    ],
)
def test_range_holds_only_for_the_very_file(header: str | None, *, expected: bool) -> None:
    """If-Range compares strongly (RFC 9110, 13.1.5); a date never holds."""
    assert if_range_holds(header, TAG) is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, False),
        (TAG, True),
        (f"W/{TAG}", True),
        ("*", True),
        (f'"other", W/"more",{TAG}', True),
        ('"other"', False),
        (TAG.strip('"'), False),
        ("", False),
        (f'"{TAG}', False),
    ],
)
def test_client_that_has_the_file_says_so(header: str | None, *, expected: bool) -> None:
    """If-None-Match compares weakly, with any of a list (RFC 9110, 13.1.2)."""
    assert names_tag(header, TAG) is expected
