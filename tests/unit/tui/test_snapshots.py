"""Every pane as it looks, empty and full, at both sizes: compared with the screens in ``screens``.

``PEERTERM_UPDATE_SCREENS=1`` writes them anew; look at what changed before it is kept.
"""

from __future__ import annotations

import os
import time
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from peerterm.tui.keys import PANES
from tests.fakes.fake_engine import FakeEngine
from tests.fakes.programs import Program, offering, populated, running, text_of, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.pilot import Pilot

SCREENS = Path(__file__).parent / "screens"
SIZES = ((80, 24), (120, 36))
KINDS = ("", "-empty")
IS_UPDATE = os.environ.get("PEERTERM_UPDATE_SCREENS") == "1"

KEYS: dict[str, tuple[str, ...]] = {
    "files": ("enter", "j", "enter"),
    "search": ("slash", *"live", "enter"),
}
"""What is pressed in a pane before it is full."""

DIALOGS: dict[str, tuple[str, ...]] = {
    "help": ("question_mark",),
    "palette": ("colon",),
    "jumper": ("ctrl+o",),
    "limits": ("4", "b"),
    "sort": ("4", "s"),
    "copy": ("y",),
    "info": ("4", "i"),
    "unshare": ("6", "x"),
    "share": ("6", "a"),
    "leaving": ("q",),
    "send": ("S",),
    "whom": ("6", "S"),
}


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times are those of one zone."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


async def settled(program: Program, pilot: Pilot[None]) -> str:
    """Return the screen once it has stood still."""
    shown = ""

    def stands_still() -> bool:
        nonlocal shown
        before, shown = shown, text_of(program)
        return before == shown and not program._is_dirty

    for _ in range(2):
        await pilot.pause(0.05)
        await until(pilot, stands_still)
    return shown


def difference(name: str, size: tuple[int, int], shown: str) -> list[str]:
    """Return what is other than in the screen that is stored, or store it."""
    path = SCREENS / f"{name}-{size[0]}x{size[1]}.txt"
    if IS_UPDATE:
        SCREENS.mkdir(exist_ok=True)
        path.write_text(f"{shown}\n")
    stored = path.read_text().splitlines()
    return list(unified_diff(stored, shown.splitlines(), path.name, "now", n=0, lineterm=""))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("kind", KINDS, ids=["full", "empty"])
async def test_panes_look_as_they_did(kind: str, size: tuple[int, int]) -> None:
    """With something in them; and with nothing, when they say what helps."""
    program = Program(FakeEngine() if kind else populated())
    found: list[str] = []
    async with running(program, size) as pilot:
        for pane in PANES:
            await program.action_show_pane(pane)
            for key in KEYS.get(pane, ()):
                await pilot.press(key)
            found += difference(f"{pane}{kind}", size, await settled(program, pilot))

    assert not found, "\n".join(found)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("kind", KINDS, ids=["full", "empty"])
async def test_inbox_looks_as_it_did(kind: str, size: tuple[int, int]) -> None:
    """What waits for an answer first; or how to send something."""
    program = Program(FakeEngine() if kind else offering())
    async with running(program, size) as pilot:
        await pilot.press("I")
        found = difference(f"inbox{kind}", size, await settled(program, pilot))
        if not kind:
            await pilot.press("enter")
            found += difference("offer", size, await settled(program, pilot))

    assert not found, "\n".join(found)


async def test_dialogs_look_as_they_did() -> None:
    """Over the screen they are opened on."""
    program = Program(populated())
    found: list[str] = []
    async with running(program) as pilot:
        for dialog, keys in DIALOGS.items():
            await pilot.press("1")
            for key in keys:
                await pilot.press(key)
                await pilot.pause()
            found += difference(dialog, SIZES[0], await settled(program, pilot))
            while len(program.screen_stack) > 1:
                await pilot.press("escape")

    assert not found, "\n".join(found)


def test_every_screen_that_is_stored_is_compared() -> None:
    """None is left over from a pane that is gone."""
    full = {
        f"{pane}{kind}-{width}x{height}" for pane in (*PANES, "inbox") for kind in KINDS for width, height in SIZES
    }
    full |= {f"offer-{width}x{height}" for width, height in SIZES}
    known = full | {f"{dialog}-80x24" for dialog in DIALOGS}

    assert {path.stem for path in SCREENS.iterdir()} <= known
