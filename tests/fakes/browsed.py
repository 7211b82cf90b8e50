"""Bob, who has a folder of three pages, and the way into it through the pane of files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.browsable import file
from tests.fakes.fake_engine import make_peer

if TYPE_CHECKING:
    from tests.fakes.browsable import Screen

BOB = make_peer("bob", shares=2, bytes=412_000_000_000)
PAGES = [file(f"{number:06}.jpg") for number in range(1200)]


async def enter(screen: Screen, *rows: str) -> None:
    """Go to the pane of files and into one row after the other."""
    await screen.press("2")
    for row in rows:
        await screen.sees(row)
        screen.app.pane.point_at(row)
        await screen.press("l")
