"""The engine that the tests of the pane of files browse."""

from __future__ import annotations

import pytest

from tests.fakes.browsable import BrowsableEngine, file, folder
from tests.fakes.browsed import BOB, PAGES
from tests.fakes.fake_engine import make_peer


@pytest.fixture
def engine() -> BrowsableEngine:
    """An engine that knows bob, who shares two things, and carol, who shares nothing."""
    engine = BrowsableEngine()
    engine.known_peers = [BOB, make_peer("carol", shares=0)]
    engine.folders = {
        (BOB.peer_id, ""): [folder("Photos"), file("movie.mkv", 4_100_000_000)],
        (BOB.peer_id, "Photos"): [folder("2024"), file("B.jpg", 2000), folder("2025"), file("a.jpg", 9000)],
        (BOB.peer_id, "Photos/2024"): [],
        (BOB.peer_id, "Photos/2025"): PAGES,
    }
    return engine
