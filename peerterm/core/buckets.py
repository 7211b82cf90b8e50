"""Token buckets: how often something may happen, for one thing or for each of many.

Owns nothing but counts. Called by whatever a stranger can trigger: beacons, dials, requests.
"""

from __future__ import annotations

from collections import OrderedDict


class TokenBucket:
    """Allows ``burst`` at once and ``rate`` a second after that. Starts full.

    Args:
        rate: Tokens that come back each second, above 0.
        burst: Most tokens held, at least 1.
    """

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = 0.0

    def take(self, now: float, n: float = 1) -> bool:
        """Take ``n`` tokens if they are there; otherwise take none and return ``False``."""
        if now > self._at:  # a caller's stale clock must not drain the bucket
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
            self._at = now
        if self._tokens < n:
            return False
        self._tokens -= n
        return True


class KeyedBuckets:
    """One bucket a key; of more than ``max_keys`` the one used longest ago is forgotten.

    Whoever can invent keys can therefore have them forgotten: put a common ``TokenBucket`` behind it.
    """

    def __init__(self, rate: float, burst: float, *, max_keys: int) -> None:
        self._rate = rate
        self._burst = burst
        self._max_keys = max_keys
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str, now: float, n: float = 1) -> bool:
        """Take ``n`` tokens of the key's bucket if they are there."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(self._rate, self._burst)
            if len(self._buckets) > self._max_keys:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        return bucket.take(now, n)
