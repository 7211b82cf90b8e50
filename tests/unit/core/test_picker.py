"""Which chunk is chosen; sets of chunks are integers."""

from __future__ import annotations

from random import Random

import pytest

from peerterm.core.picker import Levels, add_source, any_of, expected_at, lowest, pick, rarest, remove_source


def swarm(*sources: int) -> Levels:
    levels: Levels = []
    for chunks in sources:
        add_source(levels, chunks)
    return levels


def test_levels_count_sources() -> None:
    """Level ``n`` holds the chunks that more than ``n`` sources have."""
    assert swarm(0b0111, 0b0011, 0b1001) == [0b1111, 0b0011, 0b0001]
    assert swarm(0b01, 0b10) == [0b11]


def test_a_leaving_source_is_uncounted() -> None:
    """Sources may leave in any order; the last leaves nothing behind."""
    levels = swarm(0b0111, 0b0011, 0b1001)

    remove_source(levels, 0b0011)

    assert levels == [0b1111, 0b0001]

    remove_source(levels, 0b0111)
    remove_source(levels, 0b1001)

    assert levels == []


def test_rarest_candidate_is_chosen() -> None:
    """Among the candidates, one that the fewest sources have is taken."""
    levels = swarm(0b1111, 0b0111, 0b0011)

    assert rarest(0b0111, levels, Random(1)) == 2
    assert rarest(0b0011, levels, Random(1)) in {0, 1}
    assert rarest(0b10011, levels, Random(1)) == 4


def test_ties_fall_at_random() -> None:
    """Equally rare chunks are all chosen in the long run."""
    rng = Random(1)

    assert {rarest(0b1011, [], rng) for _ in range(100)} == {0, 1, 3}


def test_any_of_stays_inside_the_set() -> None:
    """A random member is a member."""
    rng = Random(1)

    assert {any_of(0b1000_0001, rng) for _ in range(100)} == {0, 7}
    assert lowest(0b1000) == 3


def test_earliest_deadline_goes_before_rarity() -> None:
    """A chunk a player waits for is chosen before a rarer one, if it is a candidate."""
    levels = swarm(0b1111, 0b0111)
    deadlines = {0: 5.0, 1: 4.0, 2: 1.0}

    assert pick(0b1011, levels, Random(1), deadlines) == 1
    assert pick(0b1000, levels, Random(1), deadlines) == 3
    assert pick(0b1011, levels, Random(1)) == 3


@pytest.mark.parametrize(("due", "now", "expected"), [(5.0, 3.0, 5.0), (5.0, 5.0, 5.0), (5.0, 7.0, 9.0)])
def test_late_answers_are_expected_as_late_again(due: float, now: float, expected: float) -> None:
    """What is two seconds late is expected in two more."""
    assert expected_at(due, now) == expected
