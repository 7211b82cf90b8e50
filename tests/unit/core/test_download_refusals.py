"""Sources that leave, refuse or lose their lane: where their pieces go, and when they are asked again."""

from __future__ import annotations

import pytest

from peerterm.core.download import ChunkHeld, SourceEmptied
from peerterm.core.manifest import CHUNK_BYTES
from peerterm.core.pieces import Refusal
from peerterm.core.window import SILENCE_SECONDS, STALL_SECONDS
from tests.fakes.download_machine import ANN, BOB, MADE, chunks, downloading, finish, joined, proven

pytestmark = pytest.mark.usefixtures("two_chunks_in_flight")


def test_pieces_of_a_leaving_source_are_asked_elsewhere() -> None:
    """When a source leaves, its requests go to others."""
    download = proven(ANN, BOB)
    fetches = download.pump(0.0)
    download.source_left(ANN, 1.0)
    for fetch in fetches:
        if fetch.peer == BOB:
            download.arrived(fetch, None, 1.0)
    events = finish(download, MADE, 1.0)

    assert set(chunks(fetches, ANN)) <= {event.index for event in events if isinstance(event, ChunkHeld)}
    assert not download.sources[ANN].is_present


def test_late_answer_of_a_source_that_left_counts() -> None:
    """Bytes that were accepted are kept, whoever is gone."""
    download = proven(ANN)
    fetch = download.pump(0.0)[0]
    download.source_left(ANN, 1.0)

    assert download.arrived(fetch, None, 2.0) == [ChunkHeld(MADE.root, fetch.piece.index, ANN, CHUNK_BYTES)]
    assert download.arrived(fetch, None, 3.0) == []
    assert download.wasted_bytes == CHUNK_BYTES


def test_answer_to_an_earlier_request_does_not_end_the_present_one() -> None:
    """After leaving and joining again, an old refusal does not touch the new request for the same piece."""
    download = downloading(ANN)
    [old] = download.pump(0.0)
    download.source_left(ANN, 1.0)
    joined(download, ANN, now=2.0)
    [new] = download.pump(2.0)
    download.refused(old, Refusal.NOT_FOUND, 3.0)

    assert new.piece == old.piece
    assert not download.is_idle


@pytest.mark.parametrize("refusal", [Refusal.NOT_FOUND, Refusal.CHANGED])
def test_source_that_has_it_no_more_is_not_asked_again(refusal: Refusal) -> None:
    """Not found, or changed: the content is not asked of this source until it announces it anew."""
    download = proven(ANN)
    events = [event for fetch in download.pump(0.0) for event in download.refused(fetch, refusal, 1.0)]

    assert set(events) == {SourceEmptied(ANN)}
    assert download.pump(1.0) == []

    download.has(ANN, MADE.root, complete=True)

    assert len(download.pump(1.0)) == 2


def test_chunk_not_held_is_asked_elsewhere_only() -> None:
    """A source is not asked again for what it turned out to lack."""
    download = proven(ANN)
    lacking, other = download.pump(0.0)
    download.refused(lacking, Refusal.NOT_HELD, 1.0)
    download.arrived(other, None, 1.0)
    finish(download, MADE, 1.0)

    assert download.is_idle

    joined(download, BOB, now=1.0)
    [fetch] = download.pump(1.0)

    assert (fetch.peer, fetch.piece) == (BOB, lacking.piece)


@pytest.mark.parametrize("refusal", [Refusal.BUSY, Refusal.FAILED, Refusal.LOST])
def test_source_that_cannot_now_is_left_alone_for_a_while(refusal: Refusal) -> None:
    """A busy source is asked again after a second, then after two; the deadline says when."""
    download = proven(ANN)
    for fetch in download.pump(0.0):
        download.refused(fetch, refusal, 10.0)

    assert download.pump(10.5) == []
    assert download.deadline() == 11.0

    download.tick(11.0)
    again = download.pump(11.0)
    download.refused(again[0], refusal, 12.0)

    assert len(again) == 2
    assert download.deadline() == 14.0


def test_what_our_own_disk_refused_is_asked_again() -> None:
    """A fetch returned for our own reasons blames nobody and delays nothing."""
    download = proven(ANN)
    fetch = download.pump(0.0)[0]
    download.returned(fetch, 1.0)

    assert len(download.pump(1.0)) == 1
    assert download.sources[ANN].strikes == 0


def test_lost_lane_is_forgiven_with_the_next_byte() -> None:
    """A source whose lane broke is asked again, and its answer starts the silence anew."""
    download = proven(ANN)
    for fetch in download.pump(0.0):
        download.refused(fetch, Refusal.LOST, 10.0)
    download.tick(11.0)
    first, second = download.pump(11.0)
    download.tick(STALL_SECONDS)
    download.arrived(first, None, 16.0)
    download.arrived(second, None, 17.0)

    assert download.tick(SILENCE_SECONDS) == []
    assert len(download.pump(SILENCE_SECONDS)) == 2
    assert download.deadline() == SILENCE_SECONDS + STALL_SECONDS
