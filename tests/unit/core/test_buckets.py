from __future__ import annotations

from peerterm.core.buckets import KeyedBuckets, TokenBucket


def test_bucket_allows_its_burst_then_its_rate() -> None:
    """A full bucket gives its burst at once and refills with time, never over the burst."""
    bucket = TokenBucket(2.0, 3)

    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.take(100.5)
    assert not bucket.take(100.9)
    assert bucket.take(1000.0, 3)
    assert not bucket.take(1000.0)


def test_refused_take_costs_nothing() -> None:
    """Asking for more than there is leaves what there is."""
    bucket = TokenBucket(1.0, 4)

    assert not bucket.take(1.0, 5)
    assert bucket.take(1.0, 4)


def test_older_clock_neither_fills_nor_drains() -> None:
    """A time before the last one seen counts as that one."""
    bucket = TokenBucket(1.0, 1)
    bucket.take(10.0)

    assert not bucket.take(5.0)
    assert bucket.take(11.0)


def test_keys_do_not_share_tokens() -> None:
    """Each key has its own bucket."""
    buckets = KeyedBuckets(1.0, 1, max_keys=8)

    assert buckets.take("a", 0.0)
    assert not buckets.take("a", 0.0)
    assert buckets.take("b", 0.0)


def test_key_used_longest_ago_is_forgotten() -> None:
    """The table never grows over its bound, and keeps what is in use."""
    buckets = KeyedBuckets(1.0, 1, max_keys=2)
    for key in ("a", "b", "a", "c"):
        buckets.take(key, 0.0)

    assert len(buckets) == 2
    assert not buckets.take("a", 0.0)
    assert buckets.take("b", 0.0)
