"""The download machine within its budgets: what is asked, asked twice and given back."""

from __future__ import annotations

import pytest

from peerterm.core.budget import Budget
from peerterm.core.manifest import CHUNK_BYTES
from peerterm.core.pieces import Refusal
from tests.fakes.contents import MadeContent
from tests.fakes.download_machine import ANN, BOB, MADE, downloading, joined, proven

pytestmark = pytest.mark.usefixtures("two_chunks_in_flight")


def test_budget_bounds_what_is_asked() -> None:
    """A piece is asked once its budgets are out of debt; the deadline says when, and a new rate holds at once."""
    own, whole = Budget(0, 0.0), Budget(0, 0.0)
    download = proven(ANN, budgets=(own, whole))
    whole.set_rate(CHUNK_BYTES, 1.0)
    [fetch] = download.pump(1.0)
    download.arrived(fetch, None, 1.1)

    assert download.pump(1.5) == []
    assert download.deadline() == whole.ready_at

    own.set_rate(CHUNK_BYTES / 2, 1.5)
    [fetch] = download.pump(whole.ready_at)
    download.arrived(fetch, None, 2.5)

    assert download.pump(3.5) == []
    assert download.deadline() == own.ready_at

    own.set_rate(0, 3.5)

    assert download.deadline() == whole.ready_at
    assert len(download.pump(3.5)) == 1


def test_low_limit_keeps_one_piece_in_flight() -> None:
    """A source is not asked for more than a second of the limit brings, but always for one piece."""
    budget = Budget(0, 0.0)
    download = proven(ANN, budgets=(budget,))
    budget.set_rate(CHUNK_BYTES / 2, 1.0)
    [fetch] = download.pump(100.0)

    assert download.pump(200.0) == []

    download.arrived(fetch, None, 200.0)

    assert len(download.pump(200.0)) == 1


def test_what_did_not_come_costs_nothing() -> None:
    """A short head and a refusal are given back to the budget; a broken lane is not, for bytes may have come."""
    budget = Budget(CHUNK_BYTES, 0.0)
    download = downloading(ANN, budgets=(budget,))
    [head] = download.pump(0.0)

    assert budget.delay(0.0) > 0.03

    download.arrived(head, MADE.head.encode(), 0.0)

    assert budget.delay(0.0) < 0.0001

    [page] = download.pump(1.0)
    download.arrived(page, MADE.digests, 1.0)
    [fetch] = download.pump(10.0)
    download.refused(fetch, Refusal.BUSY, 10.0)

    assert budget.delay(10.0) == 0

    [fetch] = download.pump(20.0)
    download.refused(fetch, Refusal.LOST, 20.0)

    assert budget.delay(20.0) == pytest.approx(0.75)


def test_endgame_keeps_to_the_budget() -> None:
    """What is asked twice is spent twice."""
    made = MadeContent.of(100)
    budget = Budget(10, 0.0)
    download = downloading(ANN, made=made, budgets=(budget,))
    download.pump(0.0)
    joined(download, BOB, made)

    assert download.pump(9.0) == []
    assert [fetch.peer for fetch in download.pump(10.1)] == [BOB]
    assert budget.delay(10.1) > 9
