"""The pane of transfers on an engine in memory, for its tests."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from peerterm.api.views import SourceView
from peerterm.tui.app import PeertermApp
from peerterm.tui.terminal import Terminal
from tests.fakes.fake_engine import FakeEngine, make_transfer
from tests.fakes.programs import Program, text_of, until, until_shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from textual.pilot import Pilot

    from peerterm.api.views import TransferView

SMALL, LARGE = (80, 24), (120, 36)


def source(name: str, **fields: Any) -> SourceView:
    """Return a source that gives."""
    known: dict[str, Any] = {"peer_id": name, "name": name, "bytes": 1000, "rate": 500.0}
    return SourceView(**known | fields)


def film(name: str = "film.mkv", **fields: Any) -> TransferView:
    """Return a download that runs."""
    known: dict[str, Any] = {
        "transfer_id": name[0] * 8,
        "bytes": 4_200_000,
        "total": 6_000_000,
        "rate": 41_200_000.0,
        "eta": 43.0,
        "sources": [source("bob")],
    }
    return make_transfer(name, **known | fields)


@asynccontextmanager
async def shown(
    *transfers: TransferView, size: tuple[int, int] = SMALL, ascii_only: bool = False
) -> AsyncIterator[tuple[Pilot[None], Program, FakeEngine]]:
    """Run the program with its pane of transfers in front."""
    fake = FakeEngine()
    fake.known_transfers = list(transfers)
    program = Program(fake, terminal=Terminal(is_ascii=ascii_only))
    async with program.run_test(size=size) as pilot:
        await until(pilot, lambda: program.model.status)
        await pilot.press("4")
        await until_shown(pilot, transfers[0].name[:8] if transfers else "Nothing yet")
        yield pilot, program, fake


def line_of(program: PeertermApp, text: str) -> str:
    """Return the first line of the screen that has a text."""
    return next(line for line in text_of(program).splitlines() if text in line)


def names(program: PeertermApp, *known: str) -> list[str]:
    """Return which of the names are shown, from above."""
    lines = text_of(program).splitlines()[3:-2]
    return [name for line in lines for name in known if name in line]


def wishes(fake: FakeEngine) -> list[tuple[Any, ...]]:
    """Return what was asked of the engine, but for chunk maps."""
    return [asked for asked in fake.asked if asked[0] != "chunk_map"]


async def asked(pilot: Pilot[None], fake: FakeEngine, *expected: tuple[Any, ...]) -> None:
    """Wait until the engine was asked for exactly this."""
    await until(pilot, lambda: len(wishes(fake)) >= len(expected))

    assert wishes(fake) == list(expected)
