"""Draws the pictures of the documents: ``python -m tests.fakes.pictures FOLDER``. The same bytes at every run."""

from __future__ import annotations

import asyncio
import math
import os
import re
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from peerterm.tui.model import Changes
from peerterm.tui.panes.transfer_details import TransferDetails
from tests.fakes.browsable import program
from tests.fakes.pictured import WORD, PicturedEngine, id_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.fakes.browsable import Screen

WIDE, NARROW = (120, 36), (80, 24)
FONTS = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


@dataclass(frozen=True, slots=True)
class Picture:
    """A screen.

    Attributes:
        show: Brings it about, and returns when everything is on it.
        size: Columns and rows.
    """

    show: Callable[[Screen], Awaitable[None]]
    size: tuple[int, int] = WIDE


async def _peers(screen: Screen) -> None:
    await screen.sees("3 peers online", "carla", "nas")


async def _files(screen: Screen) -> None:
    screen.app.browse(id_of("anna"), "Pictures/Summer 2024")
    await screen.sees("IMG_2100", "12 entries")
    await screen.press("j", "j", "space", "space", "j", "space")
    await screen.sees("3 marked")


async def _search(screen: Screen) -> None:
    await screen.press("3", "slash", *WORD, "enter")
    await screen.sees("anna +1", "9 hits")


async def _transfers(screen: Screen) -> None:
    await screen.press("4")
    await screen.sees("7 transfers")
    pane = screen.app.pane
    film = next(view for view in screen.app.model.transfers.values() if len(view.sources) > 1)
    for second in range(61):  # a minute, of which the screen would else have seen but a moment
        rate = film.rate * (1 + 0.2 * math.sin(second / 4) - 0.6 * math.exp(-second / 6))
        pane.query_one(TransferDetails).note(replace(film, rate=rate), second)
    pane.show(Changes(everything=True))
    if screen.app.size == WIDE:
        await screen.sees("avg", "of 800")


async def _shares(screen: Screen) -> None:
    await screen.press("6")
    await screen.sees("4 shares", "Videos")


async def _chat(screen: Screen) -> None:
    engine = screen.app.attachment.engine
    assert isinstance(engine, PicturedEngine)
    engine.chatter()
    await screen.press("5")
    await screen.sees("tonight", "msg 1 (ben)")


async def _inbox(screen: Screen) -> None:
    engine = screen.app.attachment.engine
    assert isinstance(engine, PicturedEngine)
    engine.hand_over()
    await screen.press("I")
    await screen.sees("1 offer to answer")


async def _help(screen: Screen) -> None:
    await screen.press("question_mark")
    await screen.sees("Keys in Peers")


PICTURES = {
    "peers": Picture(_peers),
    "files": Picture(_files),
    "search": Picture(_search),
    "transfers": Picture(_transfers),
    "transfers-small": Picture(_transfers, NARROW),
    "shares": Picture(_shares),
    "chat": Picture(_chat),
    "inbox": Picture(_inbox, NARROW),
    "help": Picture(_help),
}


async def draw(name: str) -> str:
    """Return a picture as SVG that needs nothing from elsewhere, fonts included."""
    async with program(PicturedEngine(), PICTURES[name].size) as screen:
        await PICTURES[name].show(screen)
        await screen.pilot.pause()
        drawn = screen.app.export_screenshot(title="peerterm")
    drawn = re.sub(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", "", drawn, flags=re.DOTALL)
    return drawn.replace("Fira Code, monospace", FONTS)


def main(folder: Path) -> None:
    """Draw all pictures into a folder."""
    folder.mkdir(exist_ok=True)
    for name in PICTURES:
        (folder / f"{name}.svg").write_text(asyncio.run(draw(name)))


if __name__ == "__main__":
    os.environ["TZ"] = "UTC"  # dates are local ones
    time.tzset()
    main(Path(sys.argv[1]))
