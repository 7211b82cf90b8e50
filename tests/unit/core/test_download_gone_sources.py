"""What is remembered of sources that left, and what is not."""

from __future__ import annotations

import pytest

from peerterm.core.download import MAX_GONE, ChunkHeld, Download, SourceDropped
from peerterm.core.ids import PeerId
from peerterm.core.pieces import Fetch
from peerterm.core.window import SILENCE_SECONDS
from tests.fakes.download_machine import ANN, BOB, CAT, MADE, downloading, joined, proven

pytestmark = pytest.mark.usefixtures("two_chunks_in_flight")


def pass_by(download: Download, count: int, now: float = 1.0) -> None:
    """Let so many strangers announce the content and leave."""
    for number in range(count):
        stranger = PeerId(f"{number:064x}")
        joined(download, stranger, now=now)
        download.source_left(stranger, now)


def left_with_two_chunks_asked() -> tuple[Download, list[Fetch]]:
    """Return a machine whose source left before it answered, and was forgotten since."""
    download = proven(ANN)
    fetches = download.pump(0.0)
    download.source_left(ANN, 0.0)
    pass_by(download, MAX_GONE)

    assert len(fetches) == 2
    assert ANN not in download.sources

    return download, fetches


def test_strangers_without_number_are_forgotten() -> None:
    """Whoever may call himself by a new name each time takes no more memory than the bound."""
    download = proven(ANN)
    pass_by(download, MAX_GONE + 100)

    assert len(download.sources) == 1 + MAX_GONE


def test_sources_that_fell_silent_are_bounded_too() -> None:
    """However a source went, it counts."""
    download = downloading()
    pass_by(download, MAX_GONE)
    joined(download, ANN, now=2.0)
    download.pump(2.0)

    assert download.has_source
    assert download.tick(2.0 + SILENCE_SECONDS) == [SourceDropped(ANN, 0, "silent")]
    assert not download.has_source
    assert len(download.sources) == MAX_GONE


def test_source_that_gave_something_or_was_struck_is_remembered() -> None:
    """Those who gave least go first, and among them those without strikes."""
    download = proven(ANN, BOB)
    fetches = {fetch.peer: fetch for fetch in download.pump(0.0)}
    download.arrived(fetches[ANN], None, 0.0)
    download.rejected(fetches[BOB], 0.0)
    for peer in (ANN, BOB):
        download.source_left(peer, 0.0)
    pass_by(download, MAX_GONE + 100)

    assert download.sources[ANN].verified_bytes
    assert download.sources[BOB].strikes == 1


def test_late_answer_of_a_forgotten_source_is_welcome() -> None:
    """Its bytes are held, or blamed on nobody, as if it had never been known."""
    download, (right, wrong) = left_with_two_chunks_asked()
    joined(download, CAT, now=2.0)

    assert download.arrived(right, None, 2.0) == [ChunkHeld(MADE.root, right.piece.index, ANN, right.max_bytes)]
    assert download.rejected(wrong, 2.0) == []
    assert ANN not in download.sources
