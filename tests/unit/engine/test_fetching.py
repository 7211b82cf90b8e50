"""What the fetching of contents adds up to."""

from __future__ import annotations

import pytest

from peerterm.core.bitfield import Bitfield
from peerterm.core.manifest import CHUNK_BYTES
from peerterm.engine.fetching import bytes_of


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([], 0),
        ([0], CHUNK_BYTES),
        ([2], 5),
        ([1, 2], CHUNK_BYTES + 5),
        ([0, 1, 2], 2 * CHUNK_BYTES + 5),
    ],
)
def test_last_chunk_counts_with_its_own_length(chunks: list[int], expected: int) -> None:
    """Held bytes are exact, to the last."""
    held = Bitfield(3)
    for chunk in chunks:
        held.set(chunk)

    assert bytes_of(held, 2 * CHUNK_BYTES + 5) == expected


def test_empty_content_holds_nothing() -> None:
    """It has no chunk, so none can be the last."""
    assert bytes_of(Bitfield(0), 0) == 0
