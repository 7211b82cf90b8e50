"""Leaving: what becomes of transfers that are under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerterm.errors import PeertermError
from peerterm.tui.modals.dialogs import Choice
from peerterm.tui.modals.too_small import TooSmall
from peerterm.tui.model import ENDED

if TYPE_CHECKING:
    from peerterm.tui.app import PeertermApp


class Leaving(Choice):
    """Asks what becomes of transfers."""


async def leave(program: PeertermApp) -> None:
    """End the program; ask first if transfers are under way and could go on. Belongs in a worker."""
    if isinstance(program.screen, Leaving):
        return
    active = [t for t in program.model.transfers.values() if t.state not in ENDED | {"paused"}]
    may_ask = program.attachment.is_attached and not isinstance(program.screen, TooSmall)
    if not active or not program.engine_stays or not may_ask:
        program.exit()
        return
    downloads = [transfer for transfer in active if transfer.direction == "down"]
    number = f"{len(downloads)} down, {len(active) - len(downloads)} up"
    options = [
        ("y", "leave; they go on, and peerterm shows them again", "keep"),
        ("s", "leave and stop the engine; downloads go on when it starts again", "stop"),
        ("n", "stay here", ""),
    ]
    chosen = await program.push_screen_wait(Leaving(f"Transfers are under way: {number}", options))
    if chosen == "stop":
        try:
            await program.attachment.engine.stop()
        except PeertermError as error:
            program.say(error.advice, "error")
            return
    if chosen:
        program.exit()
