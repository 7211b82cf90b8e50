"""Fixtures of the tests of ``net.media``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.playable import CONTENT, MemoryMedia, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from peerterm.net.media import MediaServer


@pytest.fixture
async def server() -> AsyncIterator[MediaServer]:
    """Return a server that listens."""
    async with serving() as running:
        yield running


@pytest.fixture
def film() -> MemoryMedia:
    """Return a small film that is here whole."""
    return MemoryMedia(CONTENT)
