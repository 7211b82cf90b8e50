"""The event bus: order, coalescing, lagging and closing."""

from __future__ import annotations

import pytest

from peerterm.api.events import Event, Notice, PeerChanged, Snapshot
from peerterm.api.views import StatusView
from peerterm.engine import bus as module
from peerterm.engine.bus import Bus
from tests.fakes.fake_engine import make_peer


class Snapshots:
    """Makes snapshots, each with one more peer than the one before."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> Snapshot:
        self.made += 1
        status = StatusView(
            state="ready",
            peer_id="a" * 64,
            name="me",
            port=1,
            version="",
            profile="",
            interfaces=[],
            peers=self.made,
            shares=0,
            transfers=0,
            started_at=0.0,
            pid=1,
        )
        return Snapshot(status=status, peers=[], shares=[], transfers=[])


def notice(text: str) -> Notice:
    return Notice(level="info", text=text)


def changed(name: str, shares: int) -> PeerChanged:
    return PeerChanged(peer=make_peer(name, shares=shares))


async def read(bus: Bus, *events: Event, then_close: bool = True) -> list[Event]:
    """Subscribe, publish, close, and return what the subscriber gets."""
    with bus.subscribe() as subscription:
        for event in events:
            bus.publish(event)
        if then_close:
            bus.close()
        return [event async for event in subscription]


async def test_first_event_is_a_snapshot_that_covers_what_was_published_before_it() -> None:
    """What happened before the reader started is in the snapshot and does not come again."""
    seen = await read(Bus(Snapshots()), notice("earlier"))

    assert [type(event) for event in seen] == [Snapshot]


async def test_events_come_in_order_after_the_snapshot() -> None:
    """Facts arrive one by one, none merged."""
    bus = Bus(Snapshots())
    with bus.subscribe() as subscription:
        events = aiter(subscription)
        await anext(events)
        for text in ("one", "two", "two"):
            bus.publish(notice(text))
        seen = [await anext(events) for _ in range(3)]

    assert seen == [notice("one"), notice("two"), notice("two")]


async def test_newer_state_replaces_the_queued_one_of_the_same_thing() -> None:
    """Of several states of one peer a slow reader gets the newest; other peers and facts are untouched."""
    bus = Bus(Snapshots())
    with bus.subscribe() as subscription:
        events = aiter(subscription)
        await anext(events)
        for event in (changed("anna", 1), notice("x"), changed("ben", 1), changed("anna", 2)):
            bus.publish(event)
        bus.close()
        seen = [event async for event in events]

    assert seen == [changed("anna", 2), notice("x"), changed("ben", 1)]


async def test_subscriber_that_lags_gets_a_new_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue that overflows is dropped; a snapshot of now stands for all that was in it, and the rest follows."""
    monkeypatch.setattr(module, "MAX_QUEUED", 3)
    snapshots = Snapshots()
    bus = Bus(snapshots)
    with bus.subscribe() as subscription:
        events = aiter(subscription)
        await anext(events)
        for number in range(5):
            bus.publish(notice(str(number)))
        again = await anext(events)
        bus.publish(notice("after"))
        after = await anext(events)

    assert isinstance(again, Snapshot)
    assert again.status.peers == 2
    assert after == notice("after")


async def test_slow_subscriber_does_not_hurt_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each subscriber has a queue of its own."""
    monkeypatch.setattr(module, "MAX_QUEUED", 2)
    bus = Bus(Snapshots())
    with bus.subscribe() as slow, bus.subscribe() as quick:
        slow_events, quick_events = aiter(slow), aiter(quick)
        await anext(slow_events)
        await anext(quick_events)
        seen = []
        for number in range(4):
            bus.publish(notice(str(number)))
            seen.append(await anext(quick_events))

        assert seen == [notice(str(number)) for number in range(4)]
        assert isinstance(await anext(slow_events), Snapshot)


async def test_subscriber_of_a_closed_bus_gets_a_snapshot_and_the_end() -> None:
    """Whoever subscribes too late is not left waiting."""
    bus = Bus(Snapshots())
    bus.close()

    seen = await read(bus, then_close=False)

    assert [type(event) for event in seen] == [Snapshot]


async def test_nothing_is_queued_for_who_has_left() -> None:
    """The end of the block ends the subscription."""
    snapshots = Snapshots()
    bus = Bus(snapshots)
    with bus.subscribe() as subscription:
        pass
    bus.publish(notice("late"))
    subscription.close()

    assert [type(event) async for event in subscription] == [Snapshot]
