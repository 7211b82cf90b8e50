"""The bounds of messages fit each other and a frame."""

from __future__ import annotations

from peerterm.core.lines import MAX_TEXT
from peerterm.core.talk_messages import MAX_HEADS, MAX_PULLED_BYTES, MAX_WANTS
from peerterm.wire.frame import MAX_LINK_BODY
from peerterm.wire.talk import LINE_BYTES


def test_bounds_fit_a_frame() -> None:
    """The longest line fits an answer, and the fullest message a frame."""
    assert LINE_BYTES + 4 * MAX_TEXT <= MAX_PULLED_BYTES < MAX_LINK_BODY
    assert max(MAX_HEADS, MAX_WANTS) * 128 < MAX_LINK_BODY
