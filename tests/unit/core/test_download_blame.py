"""Bad bytes and wrong claims: whom the download machine strikes for them, and whom not."""

from __future__ import annotations

from random import Random

import pytest

from peerterm.core.download import (
    ChunkHeld,
    ContentDone,
    ContentImpossible,
    Download,
    HeadKnown,
    SourceDropped,
    SourceStruck,
)
from peerterm.core.manifest import CHUNK_BYTES
from peerterm.core.pieces import Refusal
from tests.fakes.contents import MadeContent
from tests.fakes.download_machine import ANN, BOB, HEAD, chunks, downloading, finish, joined, proven

pytestmark = pytest.mark.usefixtures("two_chunks_in_flight")


def test_three_bad_pieces_drop_a_source() -> None:
    """Each bad piece is a strike; the third is the last, the good bytes stay, and it cannot come back."""
    download = proven(ANN, BOB)
    fetches = download.pump(0.0)
    good, bad = [fetch for fetch in fetches if fetch.peer == ANN]
    download.arrived(good, None, 1.0)
    events = download.rejected(bad, 1.0)
    for fetch in [fetch for fetch in download.pump(1.0) if fetch.peer == ANN]:
        events += download.rejected(fetch, 2.0)
    for fetch in [fetch for fetch in download.pump(2.0) if fetch.peer == ANN]:
        events += download.rejected(fetch, 3.0)
    joined(download, ANN, now=4.0)
    more = download.pump(4.0)

    assert events == [
        SourceStruck(ANN, 1),
        SourceStruck(ANN, 2),
        SourceStruck(ANN, 3),
        SourceDropped(ANN, 3, "bad data"),
    ]
    assert chunks(more, ANN) == []
    assert download.sources[ANN].verified_bytes == CHUNK_BYTES
    assert download.sources[ANN].in_flight_bytes == 0


def test_bad_pieces_after_the_drop_are_not_counted() -> None:
    """A dropped source has exactly three strikes, whatever still comes."""
    download = Download(Random(1))
    files = [MadeContent.unreadable(2, seed) for seed in range(5)]
    for made in files:
        download.add_content(made.root, made.size)
    download.source_joined(ANN, 0.0)
    for made in files:
        download.has(ANN, made.root, complete=True)
    events = [event for fetch in download.pump(0.0) for event in download.rejected(fetch, 1.0)]

    assert len(events) == 4
    assert download.sources[ANN].strikes == 3


def test_bad_chunk_of_claimed_size_is_blamed_once_the_head_proves_the_size() -> None:
    """The claim might be the lie, so the source is struck only when the head has shown that it was not."""
    made = MadeContent.of(100)
    download = downloading(ANN, made=made)
    [chunk] = download.pump(0.0)

    assert download.rejected(chunk, 1.0) == []

    [head] = download.pump(1.0)

    assert head.piece == made.piece(HEAD)
    assert download.arrived(head, made.head.encode(), 2.0) == [HeadKnown(made.root, 100), SourceStruck(ANN, 1)]
    assert finish(download, made, 3.0) == [ChunkHeld(made.root, 0, ANN, 100), ContentDone(made.root)]


def test_good_chunk_of_another_source_proves_the_size_too() -> None:
    """An accepted chunk settles the doubt: the suspect is struck and no head is asked for."""
    made = MadeContent.of(100)
    download = downloading(ANN, BOB, made=made)
    [first] = download.pump(0.0)
    [second] = download.pump(2.0)  # the endgame: the first is late
    download.rejected(first, 2.5)
    events = download.arrived(second, None, 3.0)

    assert events == [
        ChunkHeld(made.root, 0, second.peer, 100),
        SourceStruck(first.peer, 1),
        ContentDone(made.root),
    ]
    assert download.pump(4.0) == []


def test_wrong_claim_makes_the_content_impossible() -> None:
    """If the head contradicts the claimed size nobody is struck: the claim was wrong."""
    made = MadeContent.of(100)
    download = Download(Random(1))
    download.add_content(made.root, 101)
    joined(download, ANN, made)
    [chunk] = download.pump(0.0)
    download.refused(chunk, Refusal.LOST, 1.0)  # an answer of 100 bytes breaks the lane
    download.tick(2.0)
    [head] = download.pump(2.0)
    [event] = download.arrived(head, made.head.encode(), 3.0)

    assert event == ContentImpossible(made.root, "it is not 101 bytes long")
    assert download.pump(4.0) == []
    assert download.sources[ANN].strikes == 0
