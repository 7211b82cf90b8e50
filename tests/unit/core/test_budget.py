"""The budget of bytes, on a virtual clock."""

from __future__ import annotations

from math import inf

import pytest

from peerterm.core.budget import BURST_SECONDS, Budget, Budgets


def spent(budget: Budget | Budgets, start: float, end: float, size: int) -> int:
    """Spend as soon as it is allowed; return the bytes from start to end."""
    total, now = 0, start
    while (now := now + budget.delay(now)) < end:
        budget.spend(size, now)
        total += size
    return total


def test_nothing_is_limited_without_a_rate() -> None:
    """Rate 0 allows everything at once."""
    budget = Budget(0, 5.0)
    budget.spend(10**12, 5.0)
    budget.give_back(10**12, 5.0)

    assert budget.delay(5.0) == 0
    assert budget.ready_at <= 5.0


@pytest.mark.parametrize("size", [1, 1000, 5000])
def test_rate_holds_whatever_the_size(size: int) -> None:
    """Small and large pieces add up to the rate; the last may overshoot by itself."""
    assert spent(Budget(1000, 0.0), 0.0, 100.0, size) == pytest.approx(100_000, abs=size)


def test_unused_time_allows_a_short_burst() -> None:
    """After idling no more than a quarter second's worth is there at once."""
    budget = Budget(1000, 0.0)

    assert spent(budget, 500.0, 501.0, 10) == 1000 + 1000 * BURST_SECONDS


def test_new_rate_holds_at_once() -> None:
    """A limit that is set, raised or lowered holds from that moment, and a debt is paid at the new rate."""
    budget = Budget(0, 0.0)
    budget.spend(10**9, 1.0)
    budget.set_rate(1000, 2.0)

    assert spent(budget, 2.0, 12.0, 10) == 10_000

    budget.spend(5000, 12.0)
    budget.set_rate(100_000, 12.0)

    assert budget.delay(12.0) == pytest.approx(0.05)

    budget.set_rate(0, 12.0)

    assert budget.delay(12.0) == 0


def test_lower_rate_shrinks_what_was_saved() -> None:
    """A burst saved at a high rate is not spent at a low one."""
    budget = Budget(1_000_000, 0.0)
    budget.set_rate(100, 10.0)

    assert spent(budget, 10.0, 11.0, 1) == 125


def test_what_did_not_come_is_given_back() -> None:
    """Bytes given back can be spent again, but do not add to the burst."""
    budget = Budget(1000, 0.0)
    budget.spend(1000, 0.0)
    budget.give_back(1000, 0.0)

    assert budget.delay(0.0) == 0

    budget.give_back(10**6, 0.0)

    assert spent(budget, 0.0, 1.0, 10) == 1250


def test_moment_of_readiness_is_one() -> None:
    """At ``ready_at`` something may be spent, whatever rounding does."""
    for rate in (1, 3, 7.7, 10**6, 1e10):
        budget = Budget(rate, 1e6)
        budget.spend(12345, 1e6)

        assert budget.delay(1e6) > 0
        assert budget.delay(budget.ready_at) == 0


def test_older_time_counts_as_the_latest() -> None:
    """Threads that come with a clock read before the lock lose nothing."""
    budget = Budget(1000, 10.0)
    budget.spend(500, 10.0)

    assert budget.delay(9.0) == 0.5


def test_lowest_of_several_budgets_counts() -> None:
    """All must allow, each is charged, and one without a limit does not matter."""
    own, whole = Budget(500, 0.0), Budget(1000, 0.0)
    budgets = Budgets((own, whole, Budget(0, 0.0)))

    assert budgets.rate == 500
    assert spent(budgets, 0.0, 10.0, 10) == 5000

    budgets.spend(500, 10.0)

    assert budgets.ready_at == 11.0
    assert own.ready_at == 11.0
    assert whole.delay(10.0) == pytest.approx(0.25)

    budgets.give_back(500, 10.0)

    assert budgets.delay(10.0) == 0


def test_no_budget_limits_nothing() -> None:
    """Without budgets everything is allowed."""
    assert (Budgets().rate, Budgets().ready_at, Budgets().delay(1.0)) == (inf, 0.0, 0.0)
