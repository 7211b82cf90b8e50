"""peerterm.player.tracking: what mpv's events come to."""

from __future__ import annotations

import asyncio

from peerterm.player.tracking import OBSERVED, Position, Tracker


def changed(tracker: Tracker, name: str, **data: object) -> None:
    tracker.heard({"event": "property-change", "id": 1, "name": name, **data})


def test_every_observed_property_shows() -> None:
    """Each property that is asked for has its place in the position, and leaves it with its value."""
    tracker = Tracker()
    for name in OBSERVED:
        changed(tracker, name, data=3 if name in {"time-pos", "duration"} else True)
    full = tracker.position
    for name in OBSERVED:
        changed(tracker, name)

    assert full == Position(None, 3.0, 3.0, False, True, True, True, True)
    assert tracker.position == Position()


def test_item_is_known_whichever_comes_first() -> None:
    """An item is counted in our order, be it opened before or after mpv's number for it is known."""
    tracker = Tracker()
    tracker.heard({"event": "start-file", "playlist_entry_id": 7})
    unknown = tracker.position.item
    tracker.added(7)
    first = tracker.position.item
    tracker.added(9)
    tracker.heard({"event": "start-file", "playlist_entry_id": 9})

    assert (unknown, first, tracker.position.item) == (None, 0, 1)


def test_start_is_told_anew_for_each_item_and_seek() -> None:
    """A frame of what was before does not count."""
    tracker = Tracker()
    seen = []
    for event in ("playback-restart", "seek", "playback-restart"):
        tracker.heard({"event": event})
        seen.append(tracker.position.is_started)
    tracker.heard({"event": "start-file", "playlist_entry_id": 1})

    assert seen == [True, False, True]
    assert not tracker.position.is_started


def test_failure_is_kept_and_unknown_events_are_not_minded() -> None:
    """Only an end by an error is a failure."""
    tracker = Tracker()
    tracker.heard({"event": "end-file", "reason": "eof", "playlist_entry_id": 1})
    tracker.heard({"event": "audio-reconfig"})
    changed(tracker, "volume", data=50)
    before = tracker.failure
    tracker.heard({"event": "end-file", "reason": "error", "playlist_entry_id": 2, "file_error": "no\x1bdata"})

    assert before is None
    assert tracker.failure == (2, "nodata")
    assert tracker.position == Position()


async def test_slow_reader_gets_the_last_position_and_the_end() -> None:
    """Nothing is queued for who does not read; small steps are not told; the end is."""
    tracker = Tracker()
    positions = tracker.positions()
    first = await anext(positions)
    for step in range(1000):
        changed(tracker, "time-pos", data=step / 100)
    second = await anext(positions)
    waiting = asyncio.ensure_future(anext(positions, None))
    await asyncio.sleep(0)
    changed(tracker, "time-pos", data=second.seconds + 0.1 if second.seconds else 0)
    await asyncio.sleep(0)
    is_quiet = not waiting.done()
    changed(tracker, "pause", data=True)
    third = await waiting
    tracker.over()

    assert first == Position()
    assert second.seconds is not None
    assert 9.5 < second.seconds < 10
    assert is_quiet
    assert third is not None
    assert third.is_paused
    assert [position async for position in positions] == []


async def test_load_is_told_once() -> None:
    """Who waits for something to be opened is woken once for it."""
    tracker = Tracker()
    tracker.heard({"event": "file-loaded"})
    await tracker.loaded()
    again = asyncio.ensure_future(tracker.loaded())
    await asyncio.sleep(0)

    assert not again.done()
    tracker.heard({"event": "file-loaded"})
    await again


async def test_first_opening_is_waited_for() -> None:
    """Or the end, if nothing is ever opened."""
    opened, ended = Tracker(), Tracker()
    waiting = [asyncio.ensure_future(each.begun()) for each in (opened, ended)]
    await asyncio.sleep(0)
    assert not any(each.done() for each in waiting)
    opened.added(1)
    opened.heard({"event": "start-file", "playlist_entry_id": 1})
    ended.over()
    async with asyncio.timeout(1):
        await asyncio.wait(waiting)
        await opened.begun()

    assert all(each.done() for each in waiting)
