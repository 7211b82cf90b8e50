"""Watching: streams are opened for the user, shown, and closed with the program if it played them.

Knows which streams were opened here. Called by the panes that list films, that of streams, and the program.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from peerterm.api.events import StreamChanged
from peerterm.core.playlist import is_playable
from peerterm.errors import EngineBusy, PeertermError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from peerterm.api.views import EntryKind, StreamView
    from peerterm.tui.app import PeertermApp
    from peerterm.tui.local_player import LocalPlayer

CLOSE_SECONDS = 2.0
"""How long the player and its streams may take to end when the program ends."""


class Watching:
    """The streams that were opened here.

    Args:
        program: Shows them.
        player: Plays them.

    Attributes:
        player: As given.
    """

    def __init__(self, program: PeertermApp, player: LocalPlayer) -> None:
        self._program = program
        self.player = player
        self._opened: dict[str, str] = {}  # streams by what they were opened for, oldest first

    def watch(self, name: str, kind: EntryKind, root: str) -> None:
        """Open a stream of a file or folder, show it and play it; Esc gives up meanwhile."""
        if kind == "file" and not is_playable(name):
            self._program.say(f"{name} is no film and no song; w plays those, and folders of them", "warning")
        elif not root:
            self._program.say(f"{name} is not ready yet", "warning")
        else:
            self._program.run_worker(self._watch(name, root), group="watching", exclusive=True)

    async def _watch(self, name: str, root: str) -> None:
        self._program.say(f"opening {name} ...; Esc gives up", "progress")
        try:
            view = await self._open(root)
        except PeertermError as error:
            self._program.say(error.advice.replace(root, name), "error")
            return
        self._program.say(f"{view.name} is open")
        self._program.show_pane("stream").point_at(view.stream_id)
        await self.player.play(view)

    async def _open(self, root: str) -> StreamView:
        """Return the stream that was opened for this, or a new one; the oldest that does not play makes room.

        Raises:
            PeertermError: It cannot be opened.
        """
        model, engine = self._program.model, self._program.attachment.engine
        if view := model.streams.get(self._opened.get(root, "")):
            return view
        try:
            view = await engine.stream(root)
        except EngineBusy:
            if (idle := self._idle()) is None:
                raise
            await engine.close_stream(idle)
            view = await engine.stream(root)
        self._opened = {key: each for key, each in self._opened.items() if each in model.streams and key != root}
        self._opened[root] = view.stream_id
        model.apply(StreamChanged(stream=view))  # the engine tells, too, and perhaps later
        return view

    def _idle(self) -> str | None:
        """Return the oldest stream that was opened here and that the player does not show."""
        shown = self.player.showing.stream_id if self.player.showing else ""
        here = (key for key in self._opened.values() if key in self._program.model.streams)
        return next((key for key in here if key != shown), None)

    async def close_stream(self, stream_id: str) -> None:
        """Close a stream, and the player that shows it.

        Raises:
            PeertermError: The engine does not.
        """
        if self.player.showing and self.player.showing.stream_id == stream_id:
            await self.player.stop()
        await self._program.attachment.engine.close_stream(stream_id)

    async def close(self) -> None:
        """End the player, and the streams that were opened and played here; the others end by themselves."""
        self._program.workers.cancel_group(self._program, "watching")
        streams = self.player.played & {*self._opened.values()} & self._program.model.streams.keys()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await asyncio.gather(self._close_all(streams), self.player.stop())  # there may be little time

    async def _close_all(self, streams: Iterable[str]) -> None:
        for stream_id in streams:
            with suppress(PeertermError):  # it is gone, or the engine is
                await self._program.attachment.engine.close_stream(stream_id)
