"""Leaving: what becomes of transfers that are under way, and of what plays."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from peerterm.api.views import ENDED
from peerterm.errors import PeertermError, UsageError
from peerterm.tui.modals.dialogs import Choice
from peerterm.tui.modals.too_small import TooSmall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerterm.api.engine import EngineApi
    from peerterm.tui.app import PeertermApp


class Leaving(Choice):
    """Asks what becomes of transfers."""


async def leave(program: PeertermApp) -> None:
    """End the program; ask first if something plays or is under way and could go on. Belongs in a worker."""
    if isinstance(program.screen, Leaving):
        return
    active = [t for t in program.model.transfers.values() if t.state not in ENDED | {"paused"}]
    may_ask = program.attachment.is_attached and not isinstance(program.screen, TooSmall)
    may_go_on = bool(active) and program.engine_stays
    player = program.watching.player.showing.player if program.watching.player.showing else ""
    if not may_ask or not (may_go_on or player):
        program.exit()
        return
    if not may_go_on:
        options = [("y", f"leave; {player} and its stream end", "keep"), ("n", "stay here", "")]
        if await program.push_screen_wait(Leaving(f"{player} plays {program.watching.player.title}", options)):
            program.exit()
        return
    downloads = [transfer for transfer in active if transfer.direction == "down"]
    number = f"{len(downloads)} down, {len(active) - len(downloads)} up" + f"; {player} ends" * bool(player)
    options = [
        ("y", "leave; they go on, and peerterm shows them again", "keep"),
        ("s", "leave and stop the engine; downloads go on when it starts again", "stop"),
        ("p", "leave and pause all downloads", "pause"),
        ("x", "leave and cancel all downloads; what has come stays on disk", "cancel"),
        ("n", "stay here", ""),
    ]
    chosen = await program.push_screen_wait(Leaving(f"Transfers are under way: {number}", options))
    try:
        await _settle(program.attachment.engine, chosen or "", [each.transfer_id for each in downloads])
    except PeertermError as error:
        program.say(error.advice, "error")
        return
    if chosen:
        program.exit()


async def _settle(engine: EngineApi, chosen: str, downloads: Sequence[str]) -> None:
    """Do as the user chose.

    Raises:
        PeertermError: The engine does not.
    """
    if chosen == "stop":
        await engine.stop()
    elif chosen in {"pause", "cancel"}:
        for transfer in downloads:
            with suppress(UsageError):  # it ended meanwhile
                await (engine.pause if chosen == "pause" else engine.cancel)(transfer)
