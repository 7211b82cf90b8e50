"""Tests of what is held in equal parts."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from peerterm.core.bitfield import Bitfield
from peerterm.core.chunk_map import ChunkMap
from peerterm.core.manifest import CHUNK_BYTES, chunk_count, chunk_span


def held_of(size: int, *chunks: int) -> Bitfield:
    """Return a have-bitfield of a content."""
    held = Bitfield(chunk_count(size))
    for chunk in chunks:
        held.set(chunk)
    return held


def test_a_part_for_each_chunk_is_the_bitfield() -> None:
    """With as many parts as chunks each part is held or not."""
    size = 11 * CHUNK_BYTES
    shown = ChunkMap(size, 11)
    shown.add(size, held_of(size, 0, 3, 8, 10))

    assert shown.percents == [100, 0, 0, 100, 0, 0, 0, 0, 100, 0, 100]


def test_few_chunks_fill_many_parts() -> None:
    """A chunk is shown as wide as it is."""
    size = 2 * CHUNK_BYTES
    shown = ChunkMap(size, 8)
    shown.add(size, held_of(size, 1))

    assert shown.percents == [0] * 4 + [100] * 4


def test_files_stand_by_their_bytes() -> None:
    """What has landed is whole, what was not begun is empty, what is under way is in part."""
    shown = ChunkMap(8 * CHUNK_BYTES, 4)
    shown.add_whole(2 * CHUNK_BYTES)
    shown.add(4 * CHUNK_BYTES, held_of(4 * CHUNK_BYTES, 0))
    shown.add(2 * CHUNK_BYTES)

    assert shown.percents == [100, 50, 0, 0]


def test_parts_may_end_within_a_file() -> None:
    """A part that holds the end of one file and the start of the next counts both."""
    shown = ChunkMap(300, 2)
    shown.add_whole(100)
    shown.add(0)
    shown.add(200, held_of(200))

    assert shown.percents == [66, 0]


def test_nothing_is_complete() -> None:
    """An empty content has one part, and lacks nothing."""
    shown = ChunkMap(0, 10)
    shown.add_whole(0)

    assert shown.percents == [100]


def test_there_are_no_more_parts_than_bytes() -> None:
    """Every part has at least one byte."""
    shown = ChunkMap(3, 10)
    shown.add_whole(2)

    assert shown.percents == [100, 100, 0]


@given(
    st.lists(st.tuples(st.integers(0, 5 * CHUNK_BYTES), st.integers(0, 31), st.booleans()), max_size=5),
    st.integers(1, 40),
)
def test_parts_agree_with_counting_every_byte(files: list[tuple[int, int, bool]], parts: int) -> None:
    """However files and parts overlap, each part has the share of its bytes that is held."""
    total = sum(size for size, *_ in files)
    shown = ChunkMap(total, parts)
    spans: list[tuple[int, int]] = []  # what is held, from and up to
    at = 0
    for size, mask, is_whole in files:
        chunks = [chunk for chunk in range(chunk_count(size)) if mask >> chunk & 1]
        if is_whole:
            shown.add_whole(size)
            spans.append((at, at + size))
        else:
            shown.add(size, held_of(size, *chunks))
            spans += [(at + start, at + start + length) for start, length in (chunk_span(size, c) for c in chunks)]
        at += size
    count = max(min(parts, total), 1)
    edges = [total * part // count for part in range(count + 1)]
    expected = [
        sum(max(min(end, after) - max(start, before), 0) for start, end in spans) * 100 // (after - before)
        for before, after in pairwise(edges)
        if after > before
    ]

    assert shown.percents == (expected or [100])
