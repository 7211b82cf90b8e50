"""The bookkeeping of one source."""

from __future__ import annotations

from peerterm.core.content import Content
from peerterm.core.ids import PeerId, Root
from peerterm.core.source import MAX_STRIKES, Source

ANN = PeerId("a" * 64)


def content(order: int) -> Content:
    return Content(Root(bytes([order]) * 32), order, 10)


def test_contents_wait_in_order_of_preference() -> None:
    """The queue is ordered by preference and holds each content once."""
    source = Source(ANN)
    for order in (3, 1, 2, 1):
        source.push(content(order))

    roots = []
    while (root := source.first_root) is not None:
        roots.append(root[0])
        source.pop()

    assert roots == [1, 2, 3]


def test_content_can_wait_again() -> None:
    """What was taken out of the queue may come back."""
    source = Source(ANN)
    source.push(content(1))
    source.pop()
    source.push(content(1))

    assert source.first_root == content(1).root


def test_source_is_usable_when_present_ready_and_answering() -> None:
    """Absent, backed-off and stalled sources are not used."""
    source = Source(ANN)

    assert source.is_usable(10.0)

    source.patience.back_off(10.0)

    assert not source.is_usable(10.5)
    assert source.is_usable(11.0)

    source.patience.is_stalled = True

    assert not source.is_usable(11.0)

    source.reset()
    source.is_present = False

    assert not source.is_usable(11.0)


def test_reset_keeps_counts_and_strikes() -> None:
    """What a source did is remembered when it leaves."""
    source = Source(ANN)
    source.strikes, source.verified_bytes = MAX_STRIKES, 7
    source.roots.add(content(1).root)
    source.push(content(1))
    source.reset()

    assert source.is_banned
    assert source.stats().verified_bytes == 7
    assert (source.first_root, source.roots) == (None, set())
