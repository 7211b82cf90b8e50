"""Downloads, many at a time: asks for each of them, pauses and resumes all.

Asks the engine, one after the other, and tells the user; the program runs it beside the keyboard.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from peerterm.display import counted
from peerterm.errors import PeertermError, UsageError
from peerterm.tui.keys import PANES
from peerterm.tui.model import ENDED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerterm.tui.app import PeertermApp

PROGRESS_SECONDS = 1.0
"""How often it is said how many were asked for."""


async def download(program: PeertermApp, roots: Sequence[str], directory: str) -> None:
    """Ask for contents by their roots; say what is queued.

    Raises:
        PeertermError: One was refused; all others were asked for.

    Cancel: What was asked for goes on.
    """
    names: list[str] = []
    refusal: PeertermError | None = None
    said_at = time.monotonic()
    for count, root in enumerate(roots):
        if time.monotonic() - said_at > PROGRESS_SECONDS:
            said_at = time.monotonic()
            program.say(f"asked for {count:,} of {len(roots):,}; Esc stops", "progress")
        try:
            names.append((await program.attachment.engine.get(root, directory)).name)
        except PeertermError as error:
            refusal = refusal or error
    if names:
        what, it = (names[0], "it") if len(names) == 1 else (counted(len(names), "download"), "them")
        program.say(f"{what} queued; {PANES.index('transfers') + 1} shows {it}")
    if refusal:
        raise refusal


async def pause_all(program: PeertermApp) -> None:
    """Pause every download; if all are paused, resume all.

    Raises:
        PeertermError: The engine is gone.
    """
    downloads = [t for t in program.model.transfers.values() if t.direction == "down" and t.state not in ENDED]
    if not downloads:
        program.say("nothing to pause")
        return
    engine, done = program.attachment.engine, 0
    moving = [transfer for transfer in downloads if transfer.state != "paused"]
    for transfer in moving or downloads:
        with suppress(UsageError):  # it ended meanwhile
            await (engine.pause if moving else engine.resume)(transfer.transfer_id)
            done += 1
    program.say(f"{'paused' if moving else 'resumed'} {counted(done, 'download')}")
