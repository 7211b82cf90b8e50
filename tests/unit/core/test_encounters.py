from __future__ import annotations

import pytest

from peerterm.core.addresses import Address
from peerterm.core.encounters import SIMULTANEOUS_SECONDS, Link, judge_duplicate
from peerterm.core.ids import PeerId

SMALL, LARGE = PeerId("11" * 32), PeerId("22" * 32)
HERE = Address("10.0.0.1", 1)


def link(*, is_dialer: bool, at: float = 0.0, instance: bytes = b"old") -> Link:
    """Return a link."""
    return Link(HERE, instance, is_dialer, at)


@pytest.mark.parametrize("is_smaller_first", [True, False])
def test_smaller_ids_dial_stays_on_both_sides(is_smaller_first: bool) -> None:
    """Of two dials at once both sides keep the smaller id's, in whatever order they open."""
    seen_by_small = judge_duplicate(
        SMALL, LARGE, link(is_dialer=is_smaller_first), link(is_dialer=not is_smaller_first, at=0.1)
    )
    seen_by_large = judge_duplicate(
        LARGE, SMALL, link(is_dialer=not is_smaller_first), link(is_dialer=is_smaller_first, at=0.1)
    )

    assert seen_by_small is seen_by_large is not is_smaller_first


@pytest.mark.parametrize("is_dialer", [True, False])
def test_newer_link_of_one_dialler_replaces(is_dialer: bool) -> None:
    """Who dials again has lost its link."""
    assert judge_duplicate(SMALL, LARGE, link(is_dialer=is_dialer), link(is_dialer=is_dialer, at=0.1))


def test_new_process_replaces_whoever_dialled() -> None:
    """A link of the old process is dead, even one that the smaller id dialled just now."""
    assert judge_duplicate(SMALL, LARGE, link(is_dialer=True), link(is_dialer=False, at=0.1, instance=b"new"))


def test_late_dial_of_the_larger_id_replaces() -> None:
    """A peer that dials long after the link opened does so because the link is dead at its end."""
    late = link(is_dialer=False, at=SIMULTANEOUS_SECONDS + 1)

    assert judge_duplicate(SMALL, LARGE, link(is_dialer=True), late)
