"""Bare ``peerterm``: the full-screen program; without a screen, the engine at a glance, with what to type next."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from peerterm.tui.terminal import has_screen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from peerterm.cli.common import Common
    from peerterm.control.client import RemoteEngine


def run(common: Common, flags: Mapping[str, object], *, is_plain: bool = False) -> int:
    """Run the program, or show the engine on a few lines; an engine that is started takes the flags.

    Args:
        common: The common options.
        flags: Settings given on the command line, by name.
        is_plain: Whether lines are wanted although there is a screen.
    """
    if is_plain or common.json or not has_screen():
        asyncio.run(_show(common, flags))
        return 0
    from peerterm.tui import program

    if flags or common.no_start:  # told before the screen is taken
        asyncio.run(_prepare(common, flags))
    return program.run(common.paths(), may_start=not common.no_start)


async def _prepare(common: Common, flags: Mapping[str, object]) -> None:
    async with common.engine(stays=False, extra_args=_arguments(flags)) as engine:
        await _give(common, engine, flags)


async def _give(common: Common, engine: RemoteEngine, flags: Mapping[str, object]) -> None:
    """Give an engine that ran already what it can take of the flags; say what it cannot."""
    from peerterm.config import flag_name

    if engine.is_new or not flags:
        return
    shared = flags.get("files.share") or []
    assert isinstance(shared, list)
    for path in shared:
        await engine.share(path)
    if ignored := " ".join(flag_name(name) for name in flags if name != "files.share"):
        common.talk(f"the engine already runs, without {ignored}; to change that: peerterm stop, then again")


async def _show(common: Common, flags: Mapping[str, object]) -> None:
    from peerterm.api.views import ENDED
    from peerterm.cli.verbs_peers import peers_table
    from peerterm.cli.verbs_shares import shares_table
    from peerterm.cli.verbs_transfers import transfers_table

    async with common.engine(extra_args=_arguments(flags)) as engine:
        await _give(common, engine, flags)
        status, peers, shares = await engine.status(), await engine.peers(), await engine.shares()
        running = [view for view in await engine.transfers() if view.state not in ENDED]
    if common.json:
        common.emit(status, [])
        return
    common.emit(status, [f"{status.name} is {status.state} on port {status.port}", ""])
    tables = {"Peers": peers_table(peers), "Shares": shares_table(shares), "Transfers": transfers_table(running)}
    for title, table in tables.items():
        if table.rows:
            common.emit(None, [title])
            table.print()
            common.emit(None, [""])
        elif title != "Transfers":
            common.emit(None, [title, table.empty, ""])
    common.emit(None, ["Next: peerterm share PATH, search WORDS, get REF, or --help for all"])


def _arguments(flags: Mapping[str, object]) -> list[str]:
    """Return flags as arguments for an engine that is started."""
    from peerterm.config import flag_name

    return [
        f"{flag_name(name)}={item}"
        for name, value in flags.items()
        for item in (value if isinstance(value, list) else [value])
    ]
