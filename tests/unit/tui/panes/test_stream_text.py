"""How streams read: state, place, buffer, sources and facts of what plays and of what does not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from peerterm.player.tracking import Position
from peerterm.tui.local_player import Showing
from peerterm.tui.panes.stream_details import lines_of
from peerterm.tui.panes.stream_text import (
    StreamRow,
    ahead_of,
    buffer_of,
    copies,
    facts,
    kept_of,
    look_of,
    place_of,
    row_cells,
    rows_of,
    sources_of,
)
from tests.fakes.fake_engine import make_transfer
from tests.fakes.streamed import ANNA, make_item, make_stream

if TYPE_CHECKING:
    from peerterm.player.base import Playback

RUNNING = cast("Playback", object())
SIZE = 6_000_000
FILM = make_stream("film.mkv", make_item("film.mkv", size=SIZE), position=1_000_000, ahead=500_000, rate=2e6)
ALBUM = make_stream("album", make_item("1.flac"), make_item("2.flac"), make_item("3.flac"), item=1)
AT = Position(item=0, seconds=8.0, duration=60.0, is_started=True)
SSH = {"SSH_CONNECTION": "10.0.0.1 5 10.0.0.2 22", "USER": "alice"}


def shown(position: Position | None = AT, number: int = 0, **fields: Any) -> Showing:
    """Return what a player shows that runs."""
    known: dict[str, Any] = {"stream_id": FILM.stream_id, "playback": RUNNING}
    return Showing(**known | {"player": "mpv", "number": number, "position": position} | fields)


@pytest.mark.parametrize(
    ("view", "showing", "word"),
    [
        (FILM, None, "coming"),
        (replace(FILM, rate=0.0), None, "open"),
        (replace(FILM, state="local"), None, "here"),
        (replace(FILM, state="waiting"), None, "waiting"),
        (FILM, shown(playback=None), "opening"),
        (FILM, shown(None), "playing"),
        (FILM, shown(), "playing"),
        (FILM, shown(replace(AT, is_paused=True, is_stalled=True)), "paused"),
        (FILM, shown(replace(AT, is_stalled=True)), "buffering"),
        (FILM, shown(replace(AT, is_started=False)), "opening"),
        (replace(FILM, state="waiting"), shown(replace(AT, is_stalled=True)), "waiting"),
        (replace(FILM, state="waiting"), shown(), "playing"),
    ],
)
def test_state_is_a_glyph_and_a_word(view: Any, showing: Showing | None, word: str) -> None:
    """What the player says wins over what the engine says, while it can go on."""
    glyph, plain, said, _ = look_of(StreamRow(view, None, showing))

    assert said == word
    assert len(glyph) == len(plain) == 1
    assert plain.isascii()


def test_folder_has_a_row_for_itself_and_for_each_item() -> None:
    """Their ids differ; only what plays says so."""
    rows = rows_of([FILM, ALBUM], shown(number=2, stream_id=ALBUM.stream_id, position=replace(AT, item=2)))
    cells = [[cell.text.strip() for cell in row_cells(row, ascii_only=True)] for row in rows]

    assert len({row.key for row in rows}) == 5
    assert [cell[1] for cell in cells] == ["film.mkv", "album/", "1.flac", "2.flac", "3.flac"]
    assert [cell[0] for cell in cells] == ["v", ">", "", "", ">"]
    assert [cell[3] for cell in cells] == ["", "3 of 3", "", "", "0:08 of 1:00"]
    assert [row.showing is not None for row in rows] == [False, True, True, True, True]


def test_item_that_another_player_reads_is_marked() -> None:
    """Once something of it was read."""
    read = replace(ALBUM, position=7, rate=1.0)

    assert [look_of(row)[2] for row in rows_of([ALBUM], None)] == ["open", "", "", ""]
    assert [look_of(row)[2] for row in rows_of([read], None)] == ["coming", "", "coming", ""]


def test_buffer_is_in_seconds_of_the_film_where_that_is_known() -> None:
    """What the player holds already counts; full is a minute ahead, or all that is left."""
    playing = StreamRow(FILM, None, shown())

    assert ahead_of(playing) == pytest.approx((7.0, 52.0))
    full = replace(FILM, position=5_000_000, ahead=1_000_000)
    assert buffer_of(StreamRow(full, None, shown()), ascii_only=True) == "[########] 52s"
    assert buffer_of(playing, ascii_only=True) == "[#-------] 7s"
    assert ahead_of(StreamRow(FILM)) is None
    assert buffer_of(StreamRow(FILM), ascii_only=True) == "[--------] 500K"
    assert buffer_of(StreamRow(replace(FILM, ahead=5_000_000)), ascii_only=True) == "[########] 5.0M"
    assert buffer_of(StreamRow(replace(FILM, state="local")), ascii_only=True) == ""
    assert ahead_of(StreamRow(replace(FILM, position=0, ahead=0), None, shown())) == pytest.approx((0.0, 52.0))
    assert buffer_of(StreamRow(replace(FILM, position=SIZE, ahead=0)), ascii_only=True) == "[########] 0B"


def test_seconds_are_not_guessed_while_another_item_is_read() -> None:
    """The engine fetches the head of the next one before it plays."""
    showing = shown(replace(AT, item=0), stream_id=ALBUM.stream_id)

    assert ahead_of(StreamRow(ALBUM, None, showing)) is None


@pytest.mark.parametrize(
    ("position", "text"),
    [
        (AT, "0:08 of 1:00"),
        (replace(AT, duration=None), "0:08"),
        (replace(AT, seconds=None), ""),
        (None, ""),
    ],
)
def test_place_is_said_as_far_as_it_is_known(position: Position | None, text: str) -> None:
    """As players write it."""
    assert place_of(StreamRow(FILM, None, shown(position))) == text


def test_sources_are_named_by_use() -> None:
    """Those that give come first; without one it is this machine, or nobody."""
    gone = replace(ANNA, name="bob", state="gone")

    assert sources_of(replace(FILM, sources=[gone, ANNA])) == "anna"
    assert sources_of(replace(FILM, sources=[gone])) == "bob"
    assert sources_of(replace(FILM, sources=[ANNA, replace(ANNA, name="bob")])) == "anna +1"
    assert sources_of(replace(FILM, state="local")) == "this machine"
    assert sources_of(FILM) == "-"


def test_kept_is_the_download_of_the_item() -> None:
    """By its root; one that was cancelled keeps nothing."""
    transfer = make_transfer("film.mkv", root=FILM.items[0].root, bytes=400, path="/d/film.mkv")

    assert kept_of(StreamRow(FILM), {}) == ""
    assert kept_of(StreamRow(FILM), {"1": transfer}) == "running, 40% in /d/film.mkv"
    assert kept_of(StreamRow(FILM), {"1": replace(transfer, state="cancelled")}) == ""
    assert kept_of(StreamRow(FILM), {"1": replace(transfer, direction="up")}) == ""


def test_tunnel_can_be_copied_over_ssh_alone() -> None:
    """Elsewhere there is none."""
    here, there = copies(StreamRow(FILM), {}), copies(StreamRow(FILM), SSH)

    assert [text for _, what, text in here if what == "ssh command"] == [""]
    assert [text for _, what, text in there if what == "ssh command"] == ["ssh -L 9:127.0.0.1:9 alice@10.0.0.2"]
    assert here[0] == ("l", "link", FILM.items[0].url)
    assert here[2][2].startswith("peerterm:fff")


def test_facts_say_everything() -> None:
    """Of an album the item that plays."""
    bad = replace(ANNA, strikes=2)
    view = replace(ALBUM, sources=[bad], bytes=5)
    told = dict(facts(StreamRow(view, None, shown(number=1, stream_id=view.stream_id)), {}, SSH))

    assert told["items"] == "2 of 3: 2.flac"
    assert told["state"] == "playing"
    assert told["at"] == "0:08 of 1:00"
    assert told["peer"].startswith("anna: active 5 bytes/s, 1.0 kB, 2 strikes")
    assert told["ssh command"].startswith("ssh -L")
    assert told["kept"] == "no; d keeps it"
    assert dict(facts(StreamRow(view, 2), {}, {}))["state"] == "not played yet"


def details(
    row: StreamRow, advice: str = "", environment: dict[str, str] | None = None, height: int = 8
) -> list[str]:
    """Return the lines of the details."""
    lines = lines_of(row, {}, environment or {}, advice=advice, width=78, height=height, ascii_only=True)
    return ["".join(cell.text for cell in line).rstrip() for line in lines]


def test_details_of_what_plays_need_no_address() -> None:
    """They say how it plays."""
    lines = details(StreamRow(replace(FILM, sources=[ANNA]), None, shown()))

    assert lines == [
        "state   > playing by mpv  0:08 of 1:00",
        "buffer  [#-------] 7s ahead  2.0M/s needs 100K/s",
        "kept    not yet; d keeps it",
        "from    anna             active      5B/s   1.0K",
    ]


def test_details_of_what_does_not_play_here_say_where_it_can_be_read() -> None:
    """And how that is reached; a long address is wrapped, not cut."""
    url = f"http://127.0.0.1:9/{'s' * 90}/film.mkv"
    view = replace(FILM, items=[replace(FILM.items[0], url=url)])
    lines = details(StreamRow(view), "install mpv", SSH, height=12)

    assert lines[1] == "no play install mpv"
    assert (lines[2] + lines[3]).replace(" ", "") == f"address{url}"
    assert lines[4] == "on your ssh -L 9:127.0.0.1:9 alice@10.0.0.2"


def test_sources_without_a_place_are_named_in_the_last_line() -> None:
    """As many lines as there are."""
    many = replace(FILM, sources=[replace(ANNA, name=f"peer{number}") for number in range(9)])
    lines = details(StreamRow(many, None, shown()), height=5)

    assert len(lines) == 5
    assert lines[-1].strip().endswith("i lists all")
