"""What the download machine asks, of whom and in which order, until a content is done."""

from __future__ import annotations

from random import Random

import pytest

from peerterm.core.bitfield import Bitfield
from peerterm.core.content import MAX_CHUNKS
from peerterm.core.download import ChunkHeld, ContentDone, ContentImpossible, Download, HeadKnown
from peerterm.core.ids import Root
from peerterm.core.manifest import CHUNK_BYTES, EMPTY_ROOT
from peerterm.core.pieces import Refusal
from peerterm.errors import ProtocolViolation
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


def test_content_is_fetched_head_page_chunks() -> None:
    """From one source a content comes whole, with one event for each fact."""
    download = downloading(ANN)
    events = finish(download, MADE)

    assert events[0] == HeadKnown(MADE.root, MADE.size)
    assert events[-1] == ContentDone(MADE.root)
    assert {event.index for event in events if isinstance(event, ChunkHeld)} == set(range(8))
    assert download.sources[ANN].verified_bytes == MADE.size
    assert download.is_idle
    assert download.wasted_bytes == 0


def test_empty_content_is_done_at_once() -> None:
    """Nothing is asked for an empty file, known as such by size or by root."""
    download = Download(Random(1))

    assert download.add_content(EMPTY_ROOT, 0) == [ContentDone(EMPTY_ROOT)]
    assert download.add_content(EMPTY_ROOT) == [ContentDone(EMPTY_ROOT)]


@pytest.mark.parametrize(("root", "size"), [(EMPTY_ROOT, 5), (MADE.root, 0)])
def test_empty_content_with_a_contradiction_is_impossible(root: Root, size: int) -> None:
    """A claim that contradicts the root of emptiness is refused at once."""
    [event] = Download(Random(1)).add_content(root, size)

    assert isinstance(event, ContentImpossible)


def test_content_held_from_an_earlier_run_is_done_at_once() -> None:
    """If nothing is missing, nothing is asked."""
    held = Bitfield.from_bytes(8, b"\xff")
    download = Download(Random(1))

    assert download.add_content(MADE.root, MADE.size, held) == [ContentDone(MADE.root)]

    joined(download, ANN)

    assert download.pump(0.0) == []


def test_held_is_live() -> None:
    """The bitfield to serve from grows as chunks are held; it is unknown while the size is."""
    download = Download(Random(1))
    download.add_content(MADE.root)

    content = download.content(MADE.root)

    assert content is not None
    assert download.held(MADE.root) is content.held is None
    assert download.held(EMPTY_ROOT) is None
    assert download.content(EMPTY_ROOT) is None

    joined(download, ANN)
    finish(download, MADE)
    held = download.held(MADE.root)

    assert held is not None
    assert held.is_complete


def test_small_files_are_asked_in_order_of_adding() -> None:
    """One-chunk files of known size cost one request each, 64 at a time, first added first."""
    download = Download(Random(1))
    files = small(100)
    for made in files:
        download.add_content(made.root, made.size)
    download.source_joined(ANN, 0.0)
    for made in reversed(files):
        download.has(ANN, made.root, complete=True)

    asked = [fetch.piece for fetch in download.pump(0.0)]

    assert asked == [made.piece(CHUNK) for made in files[:64]]


def test_window_bounds_what_is_in_flight() -> None:
    """An unmeasured source gets 2 MiB."""
    download = proven(ANN)

    assert len(download.pump(0.0)) == 2
    assert download.pump(0.0) == []
    assert download.sources[ANN].in_flight_bytes == 2 * CHUNK_BYTES


def test_sources_take_turns() -> None:
    """Equal sources share the chunks, none twice."""
    fetches = proven(ANN, BOB, CAT).pump(0.0)

    assert [len(chunks(fetches, peer)) for peer in (ANN, BOB, CAT)] == [2, 2, 2]
    assert len({fetch.piece for fetch in fetches}) == 6


def test_rarest_chunk_is_asked_first() -> None:
    """A chunk that fewer partial sources have goes first."""
    download = proven(ANN)
    for peer, bits in ((BOB, b"\xfb"), (CAT, b"\xfb")):
        download.source_joined(peer, 0.0)
        download.has(peer, MADE.root, bits=bits)

    assert chunks(download.pump(0.0), ANN)[0] == 5


def test_deadlines_come_first() -> None:
    """What a player waits for is asked before the rest."""
    download = proven(ANN)
    download.set_deadlines(MADE.root, {6: 1.0, 3: 2.0})
    download.set_deadlines(EMPTY_ROOT, {6: 1.0})

    [urgent] = download.pump(0.0)
    download.arrived(urgent, None, 0.5)

    assert urgent.piece.index == 6
    assert chunks(download.pump(0.5), ANN) == [3]


def test_only_announced_chunks_are_asked() -> None:
    """A partial source is asked for what it has, and for more once it announces more."""
    download = proven(ANN)
    download.source_left(ANN, 0.0)
    download.source_joined(BOB, 0.0)
    download.has(BOB, MADE.root, bits=b"\x80")

    assert chunks(download.pump(0.0), BOB) == [0]

    download.has_more(BOB, MADE.root, [7])

    assert chunks(download.pump(0.0), BOB) == [7]


def test_announcements_out_of_place_are_ignored() -> None:
    """Peers that are not sources and contents not fetched do not matter."""
    download = downloading()
    download.has(ANN, MADE.root, complete=True)
    download.source_joined(ANN, 0.0)
    download.has(ANN, EMPTY_ROOT, complete=True)
    download.has_more(ANN, EMPTY_ROOT, complete=True)
    download.has_nothing(ANN, EMPTY_ROOT)
    download.source_left(BOB, 0.0)
    download.has(ANN, MADE.root)

    assert download.pump(0.0) == []


def test_impossible_announcements_are_violations() -> None:
    """A peer that announces what cannot exist breaks the protocol."""
    download = downloading(ANN)

    with pytest.raises(ProtocolViolation):
        download.has(ANN, MADE.root, first=3, bits=b"\1")
    with pytest.raises(ProtocolViolation):
        download.has_more(ANN, MADE.root, [MAX_CHUNKS])


def test_removed_content_is_forgotten() -> None:
    """What still comes for a removed content is wasted and harms nobody."""
    download = proven(ANN)
    good, bad = download.pump(0.0)
    download.remove_content(MADE.root)
    download.remove_content(MADE.root)

    assert download.arrived(good, None, 1.0) == []
    assert download.rejected(bad, 1.0) == []
    assert download.wasted_bytes == 2 * CHUNK_BYTES
    assert download.is_idle
    assert download.pump(1.0) == []
    assert download.sources[ANN].strikes == 0


def test_refusal_for_a_removed_content_is_harmless() -> None:
    """A late *not held* for a content that is gone changes nothing."""
    download = proven(ANN)
    for fetch in download.pump(0.0):
        download.remove_content(MADE.root)
        download.refused(fetch, Refusal.NOT_HELD, 1.0)

    assert download.is_idle
