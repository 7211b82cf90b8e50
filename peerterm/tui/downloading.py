"""Downloads, many at a time: asks for each of them, pauses and resumes all.

Asks the engine, one after the other, and tells the user; the program runs it beside the keyboard.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from peerterm.api.views import ENDED
from peerterm.display import counted, some
from peerterm.errors import PeertermError, UsageError
from peerterm.tui import format as f
from peerterm.tui.keys import PANES
from peerterm.tui.modals.dialogs import Confirm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerterm.api.engine import EngineApi
    from peerterm.api.views import EntryView, PeerView, TransferView
    from peerterm.tui.app import PeertermApp

MAX_SHARES = 10_000
"""Most shares of a peer that are downloaded at once; it may say that more follow for ever."""

DOWNLOAD_SETTING = "files.download_dir"

PROGRESS_SECONDS = 1.0
"""How often it is said how many were asked for."""


async def everything_of(engine: EngineApi, peer_id: str) -> list[EntryView]:
    """Return all shares of a peer, of which it may have more than a page has.

    Raises:
        PeertermError: It does not say what it shares.
    """
    entries: list[EntryView] = []
    after = ""
    while len(entries) < MAX_SHARES:
        page = await engine.browse(peer_id, "", after)
        entries += page.entries
        after = page.next
        if not after:
            break
    return entries


async def usual_folder(program: PeertermApp) -> str:
    """Return where downloads go unless the user says otherwise, as a suggestion."""
    try:
        settings = await program.attachment.engine.settings()
    except PeertermError:
        return "~/"
    return next((each.value for each in settings if each.name == DOWNLOAD_SETTING), "~/")


def ask_for_everything(peers: Sequence[PeerView]) -> Confirm:
    """Return the question before all that peers share is downloaded."""
    shares, size = sum(peer.shares for peer in peers), sum(peer.bytes for peer in peers)
    names = some([peer.name for peer in peers])
    return Confirm(f"Download everything that {names} shares?", f"{counted(shares, 'share')}, {f.size(size)}")


async def download(
    program: PeertermApp, roots: Sequence[str], directory: str, only: Sequence[str] | None = None
) -> None:
    """Ask for contents by their roots; say what is queued, and what was refused.

    Args:
        program: Asks, and says it.
        roots: Of what.
        directory: Where to; empty is the configured folder.
        only: Patterns of the files that are wanted of a folder.

    Raises:
        PeertermError: The only one was refused; of several all were asked for, and that is said.

    Cancel: What was asked for goes on.
    """
    views: list[TransferView] = []
    refusals: list[PeertermError] = []
    said_at = time.monotonic()
    for count, root in enumerate(roots):
        if time.monotonic() - said_at > PROGRESS_SECONDS:
            said_at = time.monotonic()
            program.say(f"asked for {count:,} of {len(roots):,}; Esc stops", "progress")
        try:
            views.append(await program.attachment.engine.get(root, directory, list(only) if only else None))
        except PeertermError as error:
            refusals.append(error)
    if refusals and not views:
        raise refusals[0]
    said = _said_of(views)
    if refusals:
        program.say(f"{said}; {len(refusals):,} refused: {refusals[0].advice}", "warning")
    elif views:
        program.say(f"{said}; {PANES.index('transfers') + 1} shows {'it' if len(views) == 1 else 'them'}")


def _said_of(views: Sequence[TransferView]) -> str:
    here = [view for view in views if view.state == "done"]
    if len(views) == 1:
        return f"{views[0].name} {'is here already' if here else 'queued'}"
    queued = counted(len(views) - len(here), "download")
    return f"{queued} queued" + (f", {len(here):,} here already" if here else "")


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
