"""peerterm.player.playing: streams go to players item by item, and whoever looks on is told."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from peerterm.errors import PeertermError
from peerterm.player import mpv
from peerterm.player.mpv import Mpv
from peerterm.player.other import CommandPlayer
from peerterm.player.playing import clock, play
from tests.fakes.streamed import make_item, make_stream, program

if TYPE_CHECKING:
    from pathlib import Path

    from peerterm.api.views import StreamView
    from peerterm.player.base import Playback
    from peerterm.player.tracking import Position
    from tests.unit.player.conftest import Served

needs_mpv = pytest.mark.skipif(not shutil.which("mpv"), reason="needs mpv")
PLAYER = Mpv("mpv", ("--vo=null", "--ao=null", "--speed=20"))


class Notes:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.begun_at: list[int] = []
        self.items: list[int] = []
        self.said: list[str] = []

    def begun(self, playback: Playback, number: int) -> None:
        """Note it."""
        self.begun_at.append(number)

    def moved(self, position: Position) -> None:
        """Note another item."""
        if position.item is not None and self.items[-1:] != [position.item]:
            self.items.append(position.item)

    def told(self, text: str) -> None:
        """Note it."""
        self.said.append(text)


def album(served: Served, count: int) -> StreamView:
    """Return a stream of a film several times over."""
    items = [make_item(f"{number}.mkv", url=served.url("film.mkv") + f"?{number}") for number in range(count)]
    return make_stream("album", *items)


@needs_mpv
@pytest.mark.parametrize("first", [0, 1, 2])
async def test_playlist_begins_where_it_is_to(served: Served, first: int) -> None:
    """It goes on from there to its end; what lies before is in the playlist, but not opened."""
    notes = Notes()
    ending = await play(PLAYER, album(served, 3), notes, first)

    assert ending.status == 0
    assert notes.begun_at == [first]
    assert notes.items == [*range(first, 3)]
    assert {name.partition("?")[2] for name in served.requests} == {str(number) for number in range(first, 3)}
    assert notes.said == []


@needs_mpv
async def test_any_place_of_a_playlist_can_be_jumped_to(served: Served) -> None:
    """What was put in front of the first has its place there."""
    player = Mpv("mpv", ("--vo=null", "--ao=null"))
    opened: list[int] = []
    async with player.play(served.item("film.mkv")) as playback:
        for place in (0, 1):  # before what plays
            await playback.append(served.item("film.mkv"), place)
        await playback.jump(1)
        async for position in playback.positions():
            if position.item is not None and position.item not in opened:
                opened.append(position.item)
            if position.item == 2:
                await playback.jump(0)
            elif position.item == 1:
                break

    assert opened[-2:] == [2, 1]


async def test_other_players_play_item_by_item(tmp_path: Path) -> None:
    """Up to one that fails; it is said that they show the address."""
    path = program(tmp_path, "player", 'case "$1" in *1.mkv) echo "bad file" >&2; exit 3;; esac')
    player = CommandPlayer("player", str(path), ("{url}",))
    stream = make_stream("album", *(make_item(f"{number}.mkv") for number in (0, 1, 2)))
    notes, alone = Notes(), Notes()

    failed = await play(player, stream, notes)
    ended = await play(player, stream, alone, 2)

    assert (failed.status, failed.message) == (3, "bad file")
    assert notes.begun_at == [0, 1]
    assert notes.said == ["player shows the stream's address to other users of this machine; mpv does not"]
    assert (ended.status, alone.begun_at) == (0, [2])


async def test_player_that_does_not_start_is_an_error(tmp_path: Path) -> None:
    """Nobody is told that it began."""
    notes = Notes()
    with pytest.raises(PeertermError, match="cannot be started"):
        await play(Mpv(str(tmp_path / "none")), make_stream("film"), notes)

    assert notes.begun_at == []


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.9, "0:59"), (245, "4:05"), (3723, "1:02:03"), (36000, "10:00:00")]
)
def test_clock_is_that_of_players(seconds: float, text: str) -> None:
    """Hours are shown where there are any."""
    assert clock(seconds) == text


@needs_mpv
async def test_playlist_that_is_too_long_is_played_as_far_as_it_goes(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And that is said."""
    monkeypatch.setattr(mpv, "MAX_ITEMS", 2)
    notes = Notes()
    ending = await play(PLAYER, album(served, 3), notes)

    assert (ending.status, notes.items) == (0, [0, 1])
    assert notes.said == ["not all is played: a playlist has at most 2 items"]
