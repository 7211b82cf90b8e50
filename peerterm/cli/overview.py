"""Bare ``peerterm``: attaches to the engine and shows it at a glance, with what to type next."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from peerterm.cli.verbs_peers import peers_table
from peerterm.cli.verbs_shares import shares_table
from peerterm.cli.verbs_transfers import ENDED, transfers_table
from peerterm.config import flag_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from peerterm.cli.common import Common


def run(common: Common, flags: Mapping[str, object]) -> int:
    """Show the engine; one that is started takes the flags."""
    asyncio.run(_show(common, flags))
    return 0


async def _show(common: Common, flags: Mapping[str, object]) -> None:
    async with common.engine(extra_args=_arguments(flags)) as engine:
        if not engine.is_new and flags:
            shared = flags.get("files.share") or []
            assert isinstance(shared, list)
            for path in shared:
                await engine.share(path)
            if ignored := " ".join(flag_name(name) for name in flags if name != "files.share"):
                common.talk(
                    f"the engine already runs, without {ignored}; to change that: peerterm stop, then again"
                )
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
    return [
        f"{flag_name(name)}={item}"
        for name, value in flags.items()
        for item in (value if isinstance(value, list) else [value])
    ]
