"""The player of this program: it shows one stream at a time, keys steer it, and it ends with the program.

Opens and closes no stream. Called by ``watching`` and by the pane of streams; tells the program what moved.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from textual.worker import WorkerCancelled

from peerterm.errors import PeertermError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from textual.worker import Worker

    from peerterm.api.views import StreamView
    from peerterm.player.base import Playback
    from peerterm.player.finding import Choice, Found
    from peerterm.player.mpv import MpvPlayback
    from peerterm.player.tracking import Position
    from peerterm.tui.app import PeertermApp


@dataclass(slots=True)
class Showing:
    """What the player of this program shows.

    Attributes:
        stream_id: The stream.
        player: The player's name.
        number: The item, counted from 0.
        playback: The player, once it runs.
        position: Where it is; ``None`` if it does not say.
    """

    stream_id: str
    player: str
    number: int
    playback: Playback | None = None
    position: Position | None = None


class LocalPlayer:
    """At most one player at a time; a ``Spectator`` of it.

    Args:
        program: Shows what it plays.
        choose: Returns which player to use; raises ``PeertermError`` if the wish for one cannot be read.

    Attributes:
        choose: As given.
        showing: ``None`` while no player runs.
        advice: Why the last time nothing was played here; empty if it was, or none was wanted.
        played: The streams that were shown, by id.
    """

    def __init__(self, program: PeertermApp, choose: Callable[[], Choice]) -> None:
        self._program = program
        self.choose = choose
        self.showing: Showing | None = None
        self.advice = ""
        self.played: set[str] = set()
        self._worker: Worker[None] | None = None
        self._seen: Position | None = None
        self._turn = asyncio.Lock()

    @property
    def title(self) -> str:
        """The name of what the player shows; empty while there is none."""
        view = self._program.model.streams.get(self.showing.stream_id) if self.showing else None
        return view.items[self.showing.number].name if view and self.showing else ""

    # Playing

    async def play(self, view: StreamView, number: int | None = None) -> None:
        """Play a stream, or let it go on; the player leaves what it showed.

        Args:
            view: The stream.
            number: The item; ``None`` is the one that is read.
        """
        try:
            async with self._turn:
                if not await self._goes_on(view, number):
                    await self._begin(view, view.item if number is None else number)
        except PeertermError as error:
            self._program.say(error.advice, "error")

    async def _goes_on(self, view: StreamView, number: int | None) -> bool:
        """Let a player that shows the stream already play on; return whether there is one that can."""
        showing = self.showing
        if showing is None or showing.stream_id != view.stream_id:
            return False
        is_other = number is not None and number != showing.number
        if (mpv := self._mpv) is not None:
            if is_other and number is not None:
                await mpv.jump(number)
            await mpv.pause(is_paused=False)
            return True
        return not is_other

    async def _begin(self, view: StreamView, number: int) -> None:
        chosen = self.choose()
        self.advice = chosen.advice
        self._program.stream_moved(view.stream_id)
        if chosen.player is None:
            said = chosen.advice or "no player is started here; y copies the address"
            self._program.say(said, "warning" if chosen.advice else "info")
            return
        await self.stop()
        self.played = (self.played & self._program.model.streams.keys()) | {view.stream_id}
        self.showing = Showing(view.stream_id, chosen.player.name, number)
        self._worker = self._program.run_worker(self._show(chosen.player, view, self.showing), group="player")

    async def _show(self, player: Found, view: StreamView, showing: Showing) -> None:
        from peerterm.player.playing import play  # noqa: PLC0415 - few sessions play

        self._program.stream_moved(view.stream_id)
        try:
            ending = await play(player, view, self, showing.number)
        except PeertermError as error:
            self._program.say(error.advice, "error")
        else:
            if ending.status:
                reason = ending.message or f"ended with status {ending.status}"
                self._program.say(f"{player.name}: {reason}", "error")
        finally:
            if self.showing is showing:
                self.showing = None
            self._program.stream_moved(view.stream_id)

    def begun(self, playback: Playback, number: int) -> None:
        """See ``Spectator``."""
        if self.showing:
            self.showing.playback, self.showing.number = playback, number
            self._program.stream_moved(self.showing.stream_id)

    def moved(self, position: Position) -> None:
        """See ``Spectator``."""
        if not self.showing:
            return
        self.showing.position = position
        if position.item is not None:
            self.showing.number = position.item
        seen = replace(position, seconds=int(position.seconds or 0))  # the rest of it is not on the screen
        if seen != self._seen:
            self._seen = seen
            self._program.stream_moved(self.showing.stream_id)

    def told(self, text: str) -> None:
        """See ``Spectator``."""
        self._program.say(text, "warning")

    # Steering

    @property
    def _mpv(self) -> MpvPlayback | None:
        from peerterm.player.mpv import MpvPlayback  # noqa: PLC0415 - as above

        playback = self.showing.playback if self.showing else None
        return playback if isinstance(playback, MpvPlayback) else None

    def _steered(self) -> MpvPlayback:
        """Return the player that keys steer.

        Raises:
            UsageError: There is none.
        """
        if mpv := self._mpv:
            return mpv
        if self.showing is None:
            raise UsageError("nothing is played here", "Enter plays a row")
        if self.showing.playback is None:
            raise UsageError(f"{self.showing.player} is only starting")
        raise UsageError(f"{self.showing.player} takes no keys from here", "its own window does; mpv takes them")

    async def pause(self) -> None:
        """Pause, or play on.

        Raises:
            PeertermError: Nothing is played that can be paused.
        """
        mpv = self._steered()
        await mpv.pause(not mpv.position.is_paused)

    async def seek(self, seconds: float) -> None:
        """Go on, or back.

        Raises:
            PeertermError: Nothing is played that can be sought in.
        """
        mpv = self._steered()
        if mpv.position.seconds is None:
            raise UsageError("it is only opening")
        await mpv.seek(seconds, is_relative=True)

    async def skip(self, items: int) -> None:
        """Play another item.

        Raises:
            UsageError: There is none, or nothing is played.
            PeertermError: The player has ended.
        """
        mpv = self._steered()
        assert self.showing is not None
        view = self._program.model.streams.get(self.showing.stream_id)
        number = self.showing.number + items
        if view is None or not 0 <= number < len(view.items):
            raise UsageError("this is the last" if items > 0 else "this is the first")
        await mpv.jump(number)

    # Ending

    async def stop(self) -> None:
        """End the player, and return once it has ended."""
        if self._worker is not None:
            self._worker.cancel()
            with suppress(WorkerCancelled):
                await self._worker.wait()
            self._worker = None

    def follow(self) -> None:
        """End a player whose stream is gone."""
        showing, model = self.showing, self._program.model
        if showing and self._worker and showing.stream_id not in model.streams:
            self.showing = None
            self._worker.cancel()
            self._program.say("what was played is no longer streamed: the stream was closed", "warning")


def chooser(config: Path | None) -> Callable[[], Choice]:
    """Return what chooses the player that the user wants now, by settings and environment.

    Args:
        config: The profile's ``config.toml``; ``None`` has no settings.
    """
    return partial(_choose, config)


def _choose(config: Path | None) -> Choice:
    from pathlib import Path  # noqa: PLC0415 - as above

    from peerterm.config import Settings  # noqa: PLC0415
    from peerterm.player.finding import choose  # noqa: PLC0415

    settings = Settings.load(config or Path(os.devnull), env=os.environ)
    return choose(settings.stream.player, os.environ)
