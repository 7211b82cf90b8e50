"""Fetching what a player reads: windows, deadlines, and who overtakes whom for them."""

from __future__ import annotations

import pytest

from peerterm.core.bitfield import Bitfield
from peerterm.core.download import ENDGAME_SECONDS, ChunkHeld, ContentDone
from peerterm.core.manifest import CHUNK_BYTES, EMPTY_ROOT
from tests.fakes.contents import MadeContent
from tests.fakes.download_machine import (
    ANN,
    BOB,
    MADE,
    chunks,
    downloading,
    finish,
    joined,
    proven,
)

pytestmark = pytest.mark.usefixtures("two_chunks_in_flight")


def test_window_is_all_that_is_asked_for() -> None:
    """Outside of it nothing is; an empty one pauses; to lift it goes on with the rest."""
    download = proven(ANN)
    download.set_window(MADE.root, {2, 5})
    download.set_window(EMPTY_ROOT, {2})
    events = finish(download, MADE)

    assert {event.index for event in events if isinstance(event, ChunkHeld)} == {2, 5}
    assert ContentDone(MADE.root) not in events

    download.set_window(MADE.root, [])

    assert download.pump(1.0) == []
    assert download.deadline() is None

    download.set_window(MADE.root, None)

    assert finish(download, MADE, 1.0)[-1] == ContentDone(MADE.root)


def test_chunk_in_flight_outside_the_window_is_welcome() -> None:
    """What was asked for before a seek is kept when it comes, and given to nobody else meanwhile."""
    download = proven(ANN)
    stale = download.pump(0.0)[0]
    download.set_window(MADE.root, {7})
    joined(download, BOB)
    asked = chunks(download.pump(60.0), BOB)

    assert asked == [7]
    assert download.arrived(stale, None, 61.0) == [ChunkHeld(MADE.root, stale.piece.index, ANN, CHUNK_BYTES)]


def test_urgent_chunk_joins_what_is_in_flight() -> None:
    """While a player waits a source has one chunk in flight, or two of which one is needed now."""
    download = proven(ANN)
    for fetch in download.pump(0.0):
        download.arrived(fetch, None, 1.0)
    rest = [chunk for chunk in range(8) if not (download.held(MADE.root) or Bitfield(8)).has(chunk)]
    download.set_deadlines(MADE.root, {rest[1]: 2.0, rest[2]: 3.0})

    assert chunks(download.pump(1.0), ANN) == [rest[1]]

    download.set_deadlines(MADE.root, {rest[3]: 1.0, rest[4]: 1.0})

    assert chunks(download.pump(1.0), ANN) == [rest[3]]


def test_late_chunk_is_overtaken_before_its_deadline() -> None:
    """When its source has become too slow, a chunk is asked of another in time; nobody else's is."""
    download = proven(ANN)
    download.set_window(MADE.root, {3})
    download.set_deadlines(MADE.root, {3: 5.0})
    slow = download.pump(0.0)
    joined(download, BOB)

    assert chunks(slow, ANN) == [3]
    assert download.pump(0.1) == []

    now = 0.1
    while not (taken := download.pump(now)):
        deadline = download.deadline()

        assert deadline is not None
        assert now < deadline <= now + ENDGAME_SECONDS

        now = deadline

    assert chunks(taken, BOB) == [3]
    assert 2.5 < now < 4.0


def test_slow_source_leaves_the_next_chunk_to_a_fast_one() -> None:
    """It is asked for what it will bring in time, or for nothing; alone it is asked for all."""
    download = proven(ANN)
    for fetch in download.pump(0.0):
        download.arrived(fetch, None, 8.0)  # an eighth of a MiB a second
    rest = [chunk for chunk in range(8) if not (download.held(MADE.root) or Bitfield(8)).has(chunk)]
    joined(download, BOB, now=8.0)
    download.set_window(MADE.root, rest[:4])
    download.set_deadlines(MADE.root, {chunk: 8.0 + 10 * place for place, chunk in enumerate(rest[:4])})
    fetches = download.pump(8.0)

    assert chunks(fetches, ANN) == [rest[2]]
    assert chunks(fetches, BOB) == [rest[0]]

    download.source_left(BOB, 8.0)

    assert chunks(download.pump(8.0), ANN) == [rest[0]]


def test_content_that_is_read_goes_before_those_added_earlier() -> None:
    """A player waits for no queue; when it is gone the order is the old one."""
    first, second = MadeContent.of(100, 1), MadeContent.of(100, 2)
    download = downloading(ANN, made=first)
    download.add_content(second.root, second.size)
    download.has(ANN, second.root, complete=True)
    download.set_deadlines(second.root, {0: 1.0})

    [fetch] = download.pump(0.0)
    download.arrived(fetch, second.proof(fetch.piece), 0.0)

    assert fetch.piece.root == second.root
    assert [each.piece.root for each in download.pump(0.0)] == [first.root]


def test_content_that_is_read_no_more_waits_in_line_again() -> None:
    """Its chunks are fetched as any others."""
    download = proven(ANN)
    download.set_window(MADE.root, [])
    download.set_deadlines(MADE.root, {0: 1.0})

    assert download.pump(0.0) == []

    download.set_window(MADE.root, None)
    download.set_deadlines(MADE.root, {})

    assert finish(download, MADE)[-1] == ContentDone(MADE.root)


def test_source_is_there_until_it_leaves() -> None:
    """Whether anybody can be asked is known even when nobody announced anything."""
    download = downloading()

    assert not download.has_source

    download.source_joined(ANN, 0.0)

    assert download.has_source

    download.source_left(ANN, 1.0)

    assert not download.has_source


def test_chunk_that_is_lost_is_asked_for_again() -> None:
    """What made room in a cache is missing again, and fetched when the window has it."""
    download = proven(ANN)
    download.set_window(MADE.root, {2, 5})
    finish(download, MADE)
    download.lost(MADE.root, 2)
    download.lost(MADE.root, 7)
    download.lost(EMPTY_ROOT, 0)

    assert chunks(download.pump(1.0), ANN) == [2]
    assert download.held(MADE.root) is not None
    assert [chunk for chunk in range(8) if (download.held(MADE.root) or Bitfield(8)).has(chunk)] == [5]
