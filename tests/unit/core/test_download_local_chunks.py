"""Chunks that are on this machine already: recalled from a journal, or sought before they are asked for."""

from __future__ import annotations

from random import Random

import pytest

from peerterm.core.bitfield import Bitfield
from peerterm.core.download import ChunkHeld, ContentDone, Download, HeadKnown, LookFor
from peerterm.core.manifest import CHUNK_BYTES
from tests.fakes.contents import MadeContent
from tests.fakes.download_machine import ANN, CHUNK, HEAD, MADE, chunks, finish, joined, small

pytestmark = pytest.mark.usefixtures("two_chunks_in_flight")


def test_recalled_chunks_count_once_the_head_proves_the_size() -> None:
    """A single file is taken up by its journal: the head comes first, then only what is missing."""
    held = Bitfield.from_bytes(8, b"\xfe")
    download = Download(Random(1))

    assert download.add_content(MADE.root, MADE.size, held, is_recalled=True) == []
    assert download.held(MADE.root) is None

    joined(download, ANN)
    [head] = download.pump(0.0)

    assert head.piece == MADE.piece(HEAD)
    assert download.arrived(head, MADE.head.encode(), 1.0) == [HeadKnown(MADE.root, MADE.size)]
    assert download.held(MADE.root) is held
    assert finish(download, MADE, 2.0) == [ChunkHeld(MADE.root, 7, ANN, CHUNK_BYTES), ContentDone(MADE.root)]


def test_recalled_chunks_of_another_size_are_dropped() -> None:
    """If the head contradicts the journal, the content is fetched whole."""
    download = Download(Random(1))
    download.add_content(MADE.root, 3 * CHUNK_BYTES, Bitfield.from_bytes(3, b"\x80"), is_recalled=True)
    joined(download, ANN)
    events = finish(download, MADE)

    assert events[0] == HeadKnown(MADE.root, MADE.size)
    assert sum(isinstance(event, ChunkHeld) for event in events) == 8
    assert events[-1] == ContentDone(MADE.root)


def test_recalled_content_that_lacks_nothing_is_done_at_once() -> None:
    """No source is needed to land what was verified in an earlier run."""
    held = Bitfield.from_bytes(8, b"\xff")

    assert Download(Random(1)).add_content(MADE.root, MADE.size, held, is_recalled=True) == [ContentDone(MADE.root)]


def seeking(made: MadeContent = MADE) -> tuple[Download, LookFor]:
    """Return a machine that waits for a look at what is on this machine, and the call for it."""
    download = Download(Random(1))
    assert download.add_content(made.root, made.size, is_sought=True) == []
    joined(download, ANN, made)
    [call] = [event for event in finish(download, made) if isinstance(event, LookFor)]
    return download, call


def test_sought_chunk_is_not_asked_for_before_it_was_looked_for() -> None:
    """What is found costs nothing, the rest is fetched as soon as that is known."""
    download, call = seeking()

    assert (call.root, call.chunks) == (MADE.root, tuple(range(8)))
    assert download.pump(1.0) == []
    assert download.looked(MADE.root, [0, 1, 2], [1], 1.0) == [ChunkHeld(MADE.root, 1, None, CHUNK_BYTES)]
    assert sorted(chunks(download.pump(1.0), ANN)) == [0, 2]


def test_content_that_is_all_here_is_done_without_a_chunk_fetched() -> None:
    """The last chunk found ends it, and only once."""
    download, _ = seeking()
    events = download.looked(MADE.root, range(8), range(8), 1.0)

    assert [event.index for event in events if isinstance(event, ChunkHeld)] == list(range(8))
    assert events[8:] == [ContentDone(MADE.root)]
    assert download.looked(MADE.root, range(8), range(8), 1.0) == []
    assert download.pump(1.0) == []
    assert download.sources[ANN].verified_bytes == 0


def test_chunks_held_before_are_not_looked_for() -> None:
    """What an earlier run noted needs no look."""
    download = Download(Random(1))
    held = Bitfield.from_bytes(8, b"\xf0")
    download.add_content(MADE.root, MADE.size, held, is_recalled=True, is_sought=True)
    joined(download, ANN)
    [call] = [event for event in finish(download, MADE) if isinstance(event, LookFor)]

    assert call.chunks == (4, 5, 6, 7)


def test_one_chunk_of_claimed_size_is_looked_for_at_once() -> None:
    """Its root tells it, so that no page is needed."""
    [made] = small(1)
    download = Download(Random(1))
    [call] = download.add_content(made.root, made.size, is_sought=True)
    joined(download, ANN, made)

    assert isinstance(call, LookFor)
    assert call.accepts(0, memoryview(made.read(made.piece(CHUNK))))
    assert download.pump(0.0) == []
    assert download.looked(made.root, [0], [0], 0.0) == [
        ChunkHeld(made.root, 0, None, 100),
        ContentDone(made.root),
    ]


def test_one_chunk_of_unknown_size_is_looked_for_with_its_head() -> None:
    """The head tells the size, and the root then tells the chunk."""
    [made] = small(1)
    download = Download(Random(1))

    assert download.add_content(made.root, is_sought=True) == []

    joined(download, ANN, made)
    [head] = download.pump(0.0)
    known, call = download.arrived(head, made.proof(head.piece), 0.0)

    assert known == HeadKnown(made.root, 100)
    assert isinstance(call, LookFor)
    assert download.pump(0.0) == []
    assert download.looked(made.root, [0], [], 0.0) == []
    assert chunks(download.pump(0.0), ANN) == [0]


def test_look_that_ends_after_its_content_changes_nothing() -> None:
    """A content may land or be given up while something is looked for."""
    download, _ = seeking()
    download.remove_content(MADE.root)

    assert download.looked(MADE.root, range(8), range(8), 1.0) == []
