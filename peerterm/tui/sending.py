"""Sending files to peers: asks what and to whom, offers it, tells how far it is read and what came of it.

Asks the engine and tells the user; the program runs it beside the keyboard. Called by panes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from peerterm.display import clean, counted, some
from peerterm.tui.modals.dialogs import Prompt
from peerterm.tui.paths import complete_path, expanded, fault_of_share
from peerterm.tui.recipients import SEPARATOR, complete_peers, fault_of_peers, handles_of, peers_in

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from peerterm.api.views import OfferView, PeerView
    from peerterm.tui.app import PeertermApp

MAX_NAMED = 8
"""Most peers that are named where one types to whom something is sent."""

_NAME_CELLS = 40


async def ask_what(program: PeertermApp, peers: Sequence[PeerView]) -> bool:
    """Ask for a path, and send that to some peers; return whether the user did. Call it in a worker."""
    names = some([clean(peer.name, width=_NAME_CELLS) for peer in peers])
    prompt = Prompt(
        f"Send a file or folder to {names}",
        "~/",
        check=fault_of_share,
        complete=complete_path,
        note="Its path; Tab completes. Nobody else can have it.",
    )
    if path := await program.push_screen_wait(prompt):
        program.send([peer.peer_id for peer in peers], [expanded(path)])
    return bool(path)


async def ask_whom(program: PeertermApp, paths: Sequence[str]) -> bool:
    """Ask for peers, and send them what absolute paths name; as ``ask_what``."""
    handles = handles_of(program.model.peers.values())
    if not handles:
        program.say("nobody is known to whom it could be sent")
        return False
    what = clean(_name(paths[0]), width=_NAME_CELLS) if len(paths) == 1 else f"{len(paths)} entries"
    prompt = Prompt(
        f"Send {what} to",
        check=lambda text: fault_of_peers(text, handles),
        complete=lambda text: complete_peers(text, handles),
        note=f"Names, with commas between them; Tab completes. Known: {some(list(handles), MAX_NAMED)}.",
        mark=SEPARATOR,
    )
    if typed := await program.push_screen_wait(prompt):
        program.send(peers_in(typed, handles), paths)
    return bool(typed)


async def send(program: PeertermApp, peers: Sequence[str], paths: Sequence[str]) -> None:
    """Offer what paths name to peers by their ids; say what came of it.

    Raises:
        PeertermError: It cannot be sent.

    Cancel: Nothing is sent.
    """
    reading = program.model.offers.reading
    mine = [path for path in paths if path not in reading]
    reading |= dict.fromkeys(mine)
    program.main.refresh_frame()
    try:
        made = await program.attachment.engine.send(list(peers), list(paths))
    except asyncio.CancelledError:
        if program.screen_stack:  # else the program ends
            program.say("given up; nothing was sent")
        raise
    finally:
        for path in mine:
            reading.pop(path, None)
        if program.screen_stack:
            program.main.refresh_frame()
    here = {peer.peer_id for peer in program.model.peers.values() if peer.state == "online"}
    program.say(_said_of(made, here))


def _said_of(made: Sequence[OfferView], here: Collection[str]) -> str:
    absent = [view.peer_name for view in made if view.state == "queued" and view.peer_id not in here]
    whom = some([view.peer_name for view in made])
    told = f"{made[0].name} is offered to {whom}; I shows what becomes of it"
    if len(made) == 1 and absent:
        return f"{told}, once {absent[0]} is here"
    return f"{told} ({counted(len(absent), 'peer')} not here yet)" if absent else told


def _name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2] or path
