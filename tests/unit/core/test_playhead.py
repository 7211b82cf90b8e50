"""What a player reads becomes what is fetched."""

from __future__ import annotations

import pytest

from peerterm.core.manifest import CHUNK_BYTES
from peerterm.core.playhead import (
    ASSUMED_RATE,
    EDGE_SECONDS,
    MAX_AHEAD_BYTES,
    MAX_RATE,
    MAX_READERS,
    MIN_AHEAD_BYTES,
    MIN_RATE,
    REFRESH_SECONDS,
    Playhead,
)

FILM = 1000 * CHUNK_BYTES
EDGES = {0, 1, 998, 999}
MIB = CHUNK_BYTES


def read(playhead: Playhead, reader: int, start: int, end: int, rate: float, now: float = 0.0) -> float:
    """Take bytes at a steady rate, a chunk at a time; return when it ended."""
    for offset in range(start + MIB, end + 1, MIB):
        now += MIB / rate
        playhead.advance(reader, offset, now)
    return now


def ahead(playhead: Playhead, now: float, brought: float = 0.0) -> set[int]:
    """Return the chunks wanted but for both ends."""
    return set(playhead.wants(now, brought)) - EDGES


def test_nothing_is_wanted_without_readers() -> None:
    """Before the first, and after the last, nobody needs anything."""
    playhead = Playhead(FILM)

    assert playhead.wants(0.0) == {}
    assert playhead.deadline() is None

    playhead.close(playhead.open(0, 0.0))

    assert playhead.wants(1.0) == {}


def test_start_wants_first_byte_then_both_ends_then_what_follows() -> None:
    """At first the head, then the index that may be at the end, then the least to read ahead."""
    playhead = Playhead(FILM)
    playhead.open(0, 10.0)
    wants = playhead.wants(10.0)

    assert sorted(wants, key=lambda chunk: (wants[chunk], chunk)) == [0, 1, 998, 999, 2, 3]
    assert wants[0] == 10.0
    assert wants[999] == 10.0 + EDGE_SECONDS
    assert wants[3] == 10.0 + 3 * MIB / ASSUMED_RATE
    assert playhead.deadline() == 10.0 + REFRESH_SECONDS


@pytest.mark.parametrize("size", [0, 1, MIB, MIB + 1, 3 * MIB])
def test_small_content_is_wanted_whole(size: int) -> None:
    """No chunk that is not there is ever named."""
    playhead = Playhead(size)
    playhead.open(0, 0.0)

    assert set(playhead.wants(0.0)) == set(range(-(-size // MIB)))


def test_deadlines_follow_the_reader() -> None:
    """The chunk it is in is needed now, the others when it gets there."""
    playhead = Playhead(FILM)
    playhead.open(500 * MIB + MIB // 2, 0.0)
    wants = playhead.wants(3.0)

    assert wants[500] == 3.0
    assert wants[501] == 3.0 + MIB / 2 / ASSUMED_RATE
    assert ahead(playhead, 3.0) == {500, 501, 502, 503, 504}


def test_window_grows_with_what_was_read() -> None:
    """Who has only looked gets little ahead, who reads on gets a minute, but never more than the most."""
    playhead = Playhead(FILM)
    reader = playhead.open(100 * MIB, 0.0)
    now = read(playhead, reader, 100 * MIB, 110 * MIB, MIB)

    assert ahead(playhead, now) == set(range(110, 110 + 4 + 20))

    now = read(playhead, reader, 110 * MIB, 200 * MIB, MIB, now)

    assert ahead(playhead, now) == set(range(200, 260))

    now = read(playhead, reader, 200 * MIB, 300 * MIB, 10 * MIB, now)

    assert ahead(playhead, now) == set(range(300, 300 + MAX_AHEAD_BYTES // MIB))


def test_fast_sources_allow_a_smaller_window() -> None:
    """What can be had at a multiple of the film's rate need not be fetched a minute ahead, but half a minute."""
    playhead = Playhead(FILM)
    reader = playhead.open(100 * MIB, 0.0)
    now = read(playhead, reader, 100 * MIB, 200 * MIB, MIB)

    assert [len(ahead(playhead, now, brought * MIB)) for brought in (2, 3, 4, 100)] == [60, 40, 30, 30]


def test_slow_reading_has_the_least_window() -> None:
    """Music of 64 kbit/s needs no more than the least, which is minutes of it."""
    playhead = Playhead(FILM)
    reader = playhead.open(100 * MIB, 0.0)
    now = 0.0
    for step in range(1, 1000):
        now += 1.0
        playhead.advance(reader, 100 * MIB + step * MIB // 128, now)

    assert playhead.rate == pytest.approx(MIN_RATE)
    assert len(ahead(playhead, now)) <= MIN_AHEAD_BYTES // MIB + 1


def test_seek_drops_what_was_wanted() -> None:
    """When one reader closes and another opens far away, only that one counts; its window is small again."""
    playhead = Playhead(FILM)
    reader = playhead.open(100 * MIB, 0.0)
    now = read(playhead, reader, 100 * MIB, 200 * MIB, MIB)
    playhead.close(reader)
    playhead.open(700 * MIB, now)

    assert ahead(playhead, now) == {700, 701, 702, 703}


def test_reader_left_open_gets_one_read_until_it_moves() -> None:
    """A player that keeps its old connection while it seeks is followed at once; if it reads both, both count."""
    playhead = Playhead(FILM)
    old = playhead.open(100 * MIB, 0.0)
    now = read(playhead, old, 100 * MIB, 150 * MIB, MIB)
    playhead.open(700 * MIB, now)
    wants = playhead.wants(now)

    assert ahead(playhead, now) == {150, 700, 701, 702, 703}
    assert wants[700] < wants[150] < wants[701]

    playhead.advance(old, 150 * MIB + 1, now)

    assert set(range(150, 180)) <= ahead(playhead, now)


def test_doubted_reader_gets_all_that_one_read_may_take() -> None:
    """A read of one chunk's length may reach into the next chunk, and would wait for ever for half of it."""
    playhead = Playhead(FILM)
    playhead.open(500 * MIB + 1, 0.0)
    playhead.open(700 * MIB, 0.0)

    assert {500, 501} <= ahead(playhead, 0.0)


def test_readers_share_the_window() -> None:
    """Three players that read at once have a third of the most each."""
    playhead = Playhead(FILM)
    readers = [playhead.open(start * MIB, 0.0) for start in (100, 300, 500)]
    now = 0.0
    for step in range(1, 101):
        now += 0.1
        for place, reader in enumerate(readers):
            playhead.advance(reader, (100 + 200 * place + step) * MIB, now)

    assert len(ahead(playhead, now)) == 3 * (MAX_AHEAD_BYTES // 3 // MIB + 1)


def test_reader_at_the_end_wants_nothing_more() -> None:
    """Only the ends stay wanted."""
    playhead = Playhead(FILM)
    playhead.open(FILM, 0.0)

    assert set(playhead.wants(0.0)) == EDGES


def test_paused_player_keeps_its_rate_and_window() -> None:
    """A pause of an hour counts as ten seconds, so that the window goes on to fill meanwhile."""
    playhead = Playhead(FILM)
    reader = playhead.open(100 * MIB, 0.0)
    now = read(playhead, reader, 100 * MIB, 200 * MIB, MIB)
    before = ahead(playhead, now)

    assert ahead(playhead, now + 3600) == before

    playhead.advance(reader, 201 * MIB, now + 3600)

    assert playhead.rate > 0.7 * MIB


def test_rate_stays_within_its_bounds() -> None:
    """However fast or slow a reader claims to be; a clock that goes back is no rate at all."""
    playhead = Playhead(2**40)
    reader = playhead.open(0, 0.0)
    for step in range(1, 100):
        playhead.advance(reader, step * 2**33, float(step))

    assert playhead.rate == MAX_RATE

    playhead.advance(reader, 2**40, 0.0)

    assert playhead.rate == MAX_RATE


def test_steps_back_and_unknown_readers_do_not_matter() -> None:
    """A reader only moves on; one that was closed or ousted may still report."""
    playhead = Playhead(FILM)
    reader = playhead.open(500 * MIB, 0.0)
    playhead.advance(reader, 400 * MIB, 1.0)
    playhead.advance(99, 400 * MIB, 1.0)
    playhead.close(99)

    assert ahead(playhead, 1.0) == {500, 501, 502, 503}


def test_reader_still_for_longest_makes_room() -> None:
    """More readers than can be are not followed."""
    playhead = Playhead(FILM)
    readers = [playhead.open((100 + 10 * number) * MIB, float(number)) for number in range(MAX_READERS)]
    playhead.advance(readers[0], 101 * MIB, 100.0)
    playhead.open(900 * MIB, 101.0)

    assert not ahead(playhead, 101.0) & {110, 111}
    assert {101, 120, 900} <= ahead(playhead, 101.0)


def test_reader_is_found_by_its_position() -> None:
    """Whoever sees reads only can tell which reader goes on: the newest that stands there."""
    playhead = Playhead(FILM)
    first = playhead.open(5, 0.0)
    second = playhead.open(5, 0.0)

    assert playhead.reader_at(5) == second

    playhead.advance(second, 10, 1.0)

    assert playhead.reader_at(5) == first
    assert playhead.reader_at(10) == second
    assert playhead.reader_at(6) is None
