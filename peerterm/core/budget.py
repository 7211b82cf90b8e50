"""How many bytes may pass: a limit in bytes a second that can be changed at any time.

Owns nothing but a balance. Used by ``core.download`` for what is asked of peers and by ``net.throttle`` for what is
sent to them.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

BURST_SECONDS = 0.25
"""How much of what was not used is kept."""

_INSTANT = 1e-6  # seconds; a wait this short is rounding


class Budget:
    """Bytes that may be spent, earned at a steady rate.

    Anything may be spent while the balance is not negative, however large, and the debt is earned back before the
    next: so large and small pieces have the same chance, and none is larger than the budget ever allows.

    Args:
        rate: Bytes per second; 0 for no limit.
        now: The present.
    """

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._balance = 0.0
        self._at = now

    @property
    def rate(self) -> float:
        """Bytes per second; 0 for no limit."""
        return self._rate

    @property
    def ready_at(self) -> float:
        """When something may be spent, if nothing else is before; a time in the past means now."""
        return self._at + max(-self._balance, 0.0) / self._rate if self._rate else 0.0

    def set_rate(self, rate: float, now: float) -> None:
        """Change the limit from now on; a debt stays, in bytes, unless the limit is lifted."""
        self._earn(now)
        self._rate = rate
        self._balance = min(self._balance, rate * BURST_SECONDS) if rate else 0.0

    def delay(self, now: float) -> float:
        """Return the seconds to wait before something may be spent."""
        self._earn(now)
        wait = self.ready_at - self._at
        return wait if wait > _INSTANT else 0.0

    def spend(self, size: int, now: float) -> None:
        """Count bytes that are on their way."""
        self._earn(now)
        if self._rate:
            self._balance -= size

    def give_back(self, size: int, now: float) -> None:
        """Count bytes that were spent and did not come."""
        self.spend(-size, now)
        self._earn(now)

    def _earn(self, now: float) -> None:
        earned = max(now - self._at, 0.0) * self._rate
        self._balance = min(self._balance + earned, self._rate * BURST_SECONDS)
        self._at = max(now, self._at)


class Budgets:
    """Several limits that hold together; none at all limits nothing."""

    def __init__(self, budgets: Iterable[Budget] = ()) -> None:
        self._budgets = tuple(budgets)

    @property
    def rate(self) -> float:
        """The lowest limit in bytes per second; infinity if there is none."""
        return min((budget.rate for budget in self._budgets if budget.rate), default=inf)

    @property
    def ready_at(self) -> float:
        """When all allow something."""
        return max((budget.ready_at for budget in self._budgets), default=0.0)

    def delay(self, now: float) -> float:
        """Return the seconds to wait until all allow something."""
        return max((budget.delay(now) for budget in self._budgets), default=0.0)

    def spend(self, size: int, now: float) -> None:
        """Count bytes against each."""
        for budget in self._budgets:
            budget.spend(size, now)

    def give_back(self, size: int, now: float) -> None:
        """Count bytes that did not come, for each."""
        for budget in self._budgets:
            budget.give_back(size, now)
