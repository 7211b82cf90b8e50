"""Verbs about other machines: peers, browse."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from peerterm.api.events import PeerJoined, PeerLeft, Snapshot
from peerterm.cli.common import COMMON, SECONDS, Common, between, stream
from peerterm.cli.table import Table
from peerterm.display import human_bytes, short_id
from peerterm.errors import ControlError, PeerUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from peerterm.api.events import Event
    from peerterm.api.views import EntryView, PeerView

MAX_BROWSE_ENTRIES = 200_000
"""Most entries of one folder that are listed; the listing comes from a peer."""


def register(app: App) -> None:
    """Add the verbs."""
    app.command(
        peers,
        help_epilogue="Examples:\n  peerterm peers\n  peerterm peers --wait 3 --timeout 60 --json",
    )
    app.command(
        browse,
        help_epilogue="Examples:\n  peerterm browse anna\n  peerterm browse anna/Videos/2024\n"
        "  peerterm browse 3fa9c21b --json",
    )


async def peers(
    *,
    wait: Annotated[int, Parameter(validator=between(0, 1_000_000), help="Return once this many are online.")] = 0,
    timeout: Annotated[
        float, SECONDS, Parameter(help="Seconds to wait; then the exit code is 4.", show_default=True)
    ] = 30.0,
    common: Common = COMMON,
) -> None:
    """List the machines on this network."""
    async with common.engine() as engine:
        if wait > 0:
            async with stream(engine.events()) as events:
                await _wait_for(events, wait, timeout)
        found = await engine.peers()
    common.emit(found, peers_table(found))


async def _wait_for(events: AsyncIterator[Event], wanted: int, seconds: float) -> None:
    online: set[str] = set()
    try:
        async with asyncio.timeout(seconds):
            async for event in events:
                match event:
                    case Snapshot(peers=known):
                        online = {peer.peer_id for peer in known if peer.state == "online"}
                    case PeerJoined(peer=peer):
                        online.add(peer.peer_id)
                    case PeerLeft(peer=peer):
                        online.discard(peer.peer_id)
                if len(online) >= wanted:
                    return
    except TimeoutError as error:
        raise PeerUnavailable(
            f"{len(online)} of {wanted} peers are online after {seconds:g} s",
            "are they on the same network and interface? add one: peerterm --peer HOST:PORT",
        ) from error
    raise ControlError("the engine ended", "see why: peerterm log")


def peers_table(peers: Sequence[PeerView]) -> Table:
    """Return peers for people."""
    rows = [
        (short_id(x.peer_id), x.name, x.state, x.shares, human_bytes(x.bytes), x.address, x.trust) for x in peers
    ]
    columns = ("id", "name~", "state", "shares>", "size>", "address~", "trust")
    return Table(columns, rows, "nobody else is here yet; start peerterm on another machine of this network")


async def browse(
    peer: Annotated[str, Parameter(help="Name, id or unique id prefix; your own name lists your own shares.")],
    path: Annotated[str, Parameter(help="Share and folders, joined by /; may also follow PEER and a /.")] = "",
    /,
    *,
    common: Common = COMMON,
) -> None:
    """List a folder of a peer's shares, or its shares."""
    peer, _, start = peer.partition("/")
    path = "/".join(filter(None, (start.strip("/"), path.strip("/"))))
    entries: list[EntryView] = []
    async with common.engine() as engine:
        page = await engine.browse(peer, path)
        entries += page.entries
        while page.next and page.entries and len(entries) < MAX_BROWSE_ENTRIES:
            page = await engine.browse(peer, path, after=page.next)
            entries += page.entries
    if page.next:
        common.talk(f"only the first {len(entries)} entries are listed")
    rows = [(short_id(x.root), x.name + "/" * (x.kind == "folder"), human_bytes(x.size), x.files) for x in entries]
    empty = f"{peer}/{path} is empty" if path else f"{peer} shares nothing"
    common.emit(entries, Table(("root", "name~", "size>", "files>"), rows, empty))
