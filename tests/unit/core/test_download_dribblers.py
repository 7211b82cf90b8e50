"""Sources that are never silent and never done."""

from __future__ import annotations

import pytest

from peerterm.core.content import MAX_ASKED
from peerterm.core.download import ContentDone, Download
from peerterm.core.pieces import Fetch
from peerterm.core.window import SILENCE_SECONDS, STALL_SECONDS
from tests.fakes.contents import MadeContent
from tests.fakes.download_machine import ANN, BOB, CAT, downloading, joined

pytestmark = pytest.mark.usefixtures("two_chunks_in_flight")

ONE = MadeContent.unreadable(1)
DRIBBLERS = (ANN, BOB)


def dribbled(download: Download, start: float, seconds: float) -> list[Fetch]:
    """Let bytes of every answer come now and then, but never the last; return what is asked for meanwhile."""
    fetches: list[Fetch] = []
    steps = int(seconds / (STALL_SECONDS - 1)) + 1
    for now in (start + seconds * step / steps for step in range(1, steps + 1)):
        for peer in DRIBBLERS:
            download.heard(peer, now)

        assert download.tick(now) == []

        fetches += download.pump(now)
    return fetches


def held_up() -> Download:
    """Return a machine whose only chunk is asked of as many dribblers as may be, while an honest source waits."""
    download = downloading(*DRIBBLERS, made=ONE)
    fetches = download.pump(0.0) + download.pump(2.0)

    assert {fetch.peer for fetch in fetches} == set(DRIBBLERS)
    assert len(fetches) == MAX_ASKED

    joined(download, CAT, ONE)
    return download


def test_piece_that_is_dribbled_is_asked_of_a_third_source() -> None:
    """However many bytes come, two sources hold a piece no longer than silent ones could."""
    download = held_up()

    assert dribbled(download, 1.0, SILENCE_SECONDS - 2) == []

    [fetch] = dribbled(download, SILENCE_SECONDS - 1, 5.0)

    assert fetch.peer == CAT
    assert download.arrived(fetch, None, SILENCE_SECONDS + 5)[-1] == ContentDone(ONE.root)


def test_dribbler_is_not_asked_again_for_what_it_dribbles() -> None:
    """Nor does it lose what it is asked for: its answer counts if it is the first that comes."""
    download = downloading(ANN, made=ONE)
    [fetch] = download.pump(0.0)

    assert dribbled(download, 0.0, 3 * SILENCE_SECONDS) == []
    assert download.arrived(fetch, None, 200.0)[-1] == ContentDone(ONE.root)
