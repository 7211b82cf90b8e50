"""Playing a stream to its end: its items go to a player, and whoever looks on is told how far it is.

Called by all who start a player: the verb ``stream`` and the full-screen program. Opens and closes no stream.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from peerterm.errors import PeertermError
from peerterm.player.base import Ending, Item, Subtitle
from peerterm.player.mpv import Mpv

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerterm.api.views import StreamItemView, StreamView
    from peerterm.player.base import Playback
    from peerterm.player.finding import Found
    from peerterm.player.other import CommandPlayer
    from peerterm.player.tracking import Position


class Spectator(Protocol):
    """Whoever looks on."""

    def begun(self, playback: Playback, number: int) -> None:
        """Take note of a player that runs, and the item it begins with; one that is not mpv has one item only."""
        ...

    def moved(self, position: Position) -> None:
        """Take note of where mpv is; its ``item`` is the number in the stream."""
        ...

    def told(self, text: str) -> None:
        """Tell the user something."""
        ...


async def play(player: Found, view: StreamView, spectator: Spectator, first: int = 0) -> Ending:
    """Play a stream from one of its items on; returns how the player ended.

    Raises:
        PeertermError: The player does not start.

    Cancel: ends the player.
    """
    items = [_item(item) for item in view.items]
    if player.shows_url:
        spectator.told(f"{player.name} shows the stream's address to other users of this machine; mpv does not")
    if isinstance(player, Mpv):
        return await _play_list(player, items, spectator, first)
    return await _play_each(player, items, spectator, first)


def _item(item: StreamItemView) -> Item:
    subtitles = (Subtitle(found.url, found.name, found.language) for found in item.subtitles)
    return Item(item.url, item.name, tuple(subtitles))


async def _play_list(player: Mpv, items: Sequence[Item], spectator: Spectator, first: int) -> Ending:
    order = [*range(first, len(items)), *range(first)]  # as mpv is told of them: nothing but what plays is opened
    async with player.play(items[first]) as playback:
        try:
            for number in order[1:]:
                await playback.append(items[number], number if number < first else None)
        except PeertermError as error:  # what it has, it plays
            spectator.told(f"not all is played: {error.message}")
        spectator.begun(playback, first)
        async for position in playback.positions():
            number = None if position.item is None else order[position.item]
            spectator.moved(replace(position, item=number))
        return await playback.wait()


async def _play_each(player: CommandPlayer, items: Sequence[Item], spectator: Spectator, first: int) -> Ending:
    """Play one item after the other, up to one that fails."""
    ending = Ending(0)
    for number, item in enumerate(items[first:], first):
        async with player.play(item) as playback:
            spectator.begun(playback, number)
            ending = await playback.wait()
        if ending.status:
            break
    return ending


def clock(seconds: float) -> str:
    """Write a place in a film as players do: ``4:05``, ``1:02:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
