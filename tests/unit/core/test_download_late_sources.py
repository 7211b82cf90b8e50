"""Sources that are slow, late or silent: who takes over from them, and when they are dropped."""

from __future__ import annotations

import pytest

from peerterm.core.download import ENDGAME_SECONDS, ChunkHeld, ContentDone, Event, SourceDropped
from peerterm.core.manifest import CHUNK_BYTES
from peerterm.core.pieces import Refusal
from peerterm.core.window import SILENCE_SECONDS, STALL_SECONDS
from tests.fakes.contents import MadeContent
from tests.fakes.download_machine import (
    ANN,
    BOB,
    CAT,
    CHUNK,
    MADE,
    chunks,
    downloading,
    finish,
    joined,
    proven,
    small,
)

pytestmark = pytest.mark.usefixtures("two_chunks_in_flight")


def test_silent_source_is_relieved_then_dropped() -> None:
    """After 15 s its pieces go elsewhere and it gets no more; after 45 s it is given up."""
    download = proven(ANN)
    stuck = chunks(download.pump(0.0), ANN)

    assert download.deadline() == STALL_SECONDS
    assert download.tick(STALL_SECONDS) == []
    assert download.sources[ANN].is_stalled

    joined(download, BOB, now=STALL_SECONDS)
    events = finish(download, MADE, STALL_SECONDS)

    assert set(stuck) <= {event.index for event in events if isinstance(event, ChunkHeld)}
    assert download.deadline() == SILENCE_SECONDS
    assert download.tick(SILENCE_SECONDS) == [SourceDropped(ANN, 0, "silent")]
    assert download.deadline() is None


def test_stalled_source_that_answers_is_used_again() -> None:
    """An answer ends the stall; what was asked elsewhere meanwhile is wasted, not an error."""
    download = proven(ANN)
    fetches = download.pump(0.0)
    download.tick(STALL_SECONDS)
    joined(download, BOB, now=STALL_SECONDS)
    finish(download, MADE, STALL_SECONDS)

    assert download.arrived(fetches[0], None, 20.0) == []
    assert download.wasted_bytes == CHUNK_BYTES
    assert not download.sources[ANN].is_stalled


def test_source_that_owes_only_removed_contents_stalls_too() -> None:
    """Silence is silence, whatever was asked; before the limit it is nothing."""
    download = proven(ANN)
    download.pump(0.0)
    download.remove_content(MADE.root)
    download.tick(STALL_SECONDS - 1)

    assert not download.sources[ANN].is_stalled

    download.tick(STALL_SECONDS)

    assert download.sources[ANN].is_stalled
    assert download.tick(SILENCE_SECONDS) == [SourceDropped(ANN, 0, "silent")]


def test_slow_source_is_not_silent() -> None:
    """Bytes of unfinished pieces count: a source that needs minutes for a piece is kept, and used again at once."""
    download = proven(ANN)
    download.pump(0.0)
    download.tick(STALL_SECONDS)

    assert download.sources[ANN].is_stalled

    download.heard(ANN, 14.0)

    assert not download.sources[ANN].is_stalled

    for second in range(20, 200, 10):
        download.heard(ANN, second - 1.0)
        download.heard(ANN, 1.0)

        assert download.tick(float(second)) == []
        assert not download.sources[ANN].is_stalled

    download.heard(BOB, 200.0)

    assert BOB not in download.sources


def test_source_whose_lanes_only_break_is_silent() -> None:
    """A frozen peer accepts lanes that lead nowhere: 45 s after its last byte it is given up all the same."""
    download = proven(ANN)
    now = 0.0
    events: list[Event] = []
    while not events:
        for fetch in download.pump(now):
            download.refused(fetch, Refusal.LOST, now + 3.0)
        deadline = download.deadline()

        assert deadline is not None
        assert deadline > now

        now = deadline
        events = download.tick(now)

    assert events == [SourceDropped(ANN, 0, "silent")]
    assert now == SILENCE_SECONDS


def test_idle_source_takes_over_what_is_late() -> None:
    """In the endgame a piece that is late elsewhere is asked once more, never a third time."""
    made = MadeContent.of(100)
    download = downloading(ANN, made=made)
    [first] = download.pump(0.0)
    joined(download, BOB, made)

    assert download.pump(0.0) == []  # not late yet
    assert download.deadline() == ENDGAME_SECONDS
    assert download.pump(0.05) == []

    [second] = download.pump(2.0)
    joined(download, CAT, made, now=2.0)

    assert (second.peer, second.piece) == (BOB, first.piece)
    assert download.pump(3.0) == []

    assert download.arrived(second, None, 4.0)[-1] == ContentDone(made.root)
    assert download.arrived(first, None, 5.0) == []
    assert download.wasted_bytes == 100


def test_idle_source_takes_over_only_what_it_has() -> None:
    """Of two late pieces a source is asked for the one it announced, and a third source for none."""
    first, second = small(2)
    download = downloading(ANN, made=first)
    download.add_content(second.root, second.size)
    download.has(ANN, second.root, complete=True)
    download.pump(0.0)
    joined(download, BOB, second)
    [fetch] = download.pump(5.0)
    joined(download, CAT, second, now=5.0)

    assert (fetch.peer, fetch.piece) == (BOB, second.piece(CHUNK))
    assert download.pump(5.2) == []
