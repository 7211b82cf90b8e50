"""Where mpv is, put together from the events it sends. Called by ``player.mpv`` alone; sends nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from peerterm.display import clean

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

STEP_SECONDS = 0.2
"""How far a position moves before it is told again."""

OBSERVED = ("time-pos", "duration", "pause", "paused-for-cache", "eof-reached", "idle-active")
"""The properties of mpv that must be observed."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where mpv is.

    Attributes:
        item: Which item is open, counted from 0 as they were added; ``None`` if none of them is.
        seconds: Where in the item; ``None`` before it is open.
        duration: Seconds of the item, if known.
        is_started: Whether the first frame or sound is out, of the item or of what was sought to.
        is_paused: Whether the user paused it.
        is_stalled: Whether it waits for bytes.
        is_at_end: Whether the item has been played to its end.
        is_idle: Whether nothing is open.
    """

    item: int | None = None
    seconds: float | None = None
    duration: float | None = None
    is_started: bool = False
    is_paused: bool = False
    is_stalled: bool = False
    is_at_end: bool = False
    is_idle: bool = False


class Tracker:
    """Hears mpv's events and tells what they come to.

    Attributes:
        position: The last that is known.
        entry: mpv's number for what is open or was last; 0 before the first.
        failure: What could not be played last, by mpv's number, and why.
    """

    def __init__(self) -> None:
        self.position = Position()
        self.entry = 0
        self.failure: tuple[int, str] | None = None
        self._items: dict[int, int] = {}
        self._told = self.position
        self._changed = asyncio.Event()
        self._loaded = asyncio.Event()
        self._is_over = False

    def added(self, entry: int) -> None:
        """Take note of the number that mpv gave the next item."""
        self._items[entry] = len(self._items)
        self._move(replace(self.position, item=self._items.get(self.entry)))

    def heard(self, event: dict[str, Any]) -> None:
        """Take in an event of mpv."""
        match event:
            case {"event": "property-change", "name": str(name)}:
                self._observe(name, event.get("data"))
            case {"event": "start-file", "playlist_entry_id": int(entry)}:
                self.entry = entry
                self._move(replace(self.position, item=self._items.get(entry), is_started=False))
            case {"event": "file-loaded"}:
                self._loaded.set()
            case {"event": "playback-restart"}:
                self._move(replace(self.position, is_started=True))
            case {"event": "seek"}:
                self._move(replace(self.position, is_started=False))
            case {"event": "end-file", "reason": "error", "playlist_entry_id": int(entry)}:
                self.failure = entry, clean(str(event.get("file_error", "")))

    def over(self) -> None:
        """Take note that nothing more will be heard."""
        self._is_over = True
        self._tell()

    async def begun(self) -> None:
        """Wait until something was opened for the first time, or mpv has ended.

        Cancel: safe.
        """
        while not (self.entry or self._is_over):
            await self._changed.wait()

    async def loaded(self) -> None:
        """Wait until something has been opened since the last call.

        Cancel: safe.
        """
        await self._loaded.wait()
        self._loaded.clear()

    async def positions(self) -> AsyncIterator[Position]:
        """Yield the position, and again whenever it has changed; ends when mpv does.

        Playing on counts as a change every ``STEP_SECONDS``. Who reads slowly misses what lies between.

        Cancel: safe.
        """
        shown: Position | None = None
        while True:
            changed = self._changed
            if self._told != shown:
                yield (shown := self._told)
            elif self._is_over:
                return
            else:
                await changed.wait()

    def _observe(self, name: str, value: object) -> None:
        seconds = float(value) if isinstance(value, int | float) else None
        is_so = value is True  # mpv leaves the value out while there is none
        match name:
            case "time-pos":
                self._move(replace(self.position, seconds=seconds))
            case "duration":
                self._move(replace(self.position, duration=seconds))
            case "pause":
                self._move(replace(self.position, is_paused=is_so))
            case "paused-for-cache":
                self._move(replace(self.position, is_stalled=is_so))
            case "eof-reached":
                self._move(replace(self.position, is_at_end=is_so))
            case "idle-active":
                self._move(replace(self.position, is_idle=is_so))

    def _move(self, position: Position) -> None:
        self.position = position
        told, now = self._told.seconds, position.seconds
        is_step = told is None or now is None or abs(now - told) >= STEP_SECONDS
        if is_step or replace(position, seconds=told) != self._told:
            self._tell()

    def _tell(self) -> None:
        self._told = self.position
        self._changed.set()
        self._changed = asyncio.Event()
