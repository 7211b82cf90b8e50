"""stream, streams, keep, close: what is printed, and what plays."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest

from peerterm.api.views import SubtitleView
from peerterm.cli import watching
from peerterm.player import mpv
from tests.fakes.fake_engine import make_transfer
from tests.fakes.streamed import ANNA, StreamingEngine, make_item, make_stream, program, searched_first, song

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.serving import ServedEngine

OVER_SSH = "10.0.0.9 50000 10.0.0.2 22"


@pytest.fixture
def fake() -> StreamingEngine:
    """Return the engine, which has a song and an album."""
    engine = StreamingEngine()
    engine.media = {"abc": [song("a b.wav")], "album": [song("1.wav"), song("2.wav"), song("3.wav")]}
    return engine


@pytest.fixture(autouse=True)
def _at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sit at this machine."""
    for name in ("SSH_CONNECTION", "PEERTERM_PLAYER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder whose programs are found first."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", searched_first(folder))
    return folder


@pytest.fixture
def silent_mpv(programs: Path) -> Path:
    """Let the real mpv neither show nor sound; returns where it notes its arguments."""
    if (real := shutil.which("mpv", path="/usr/bin:/usr/local/bin:/opt/homebrew/bin")) is None:
        pytest.skip("needs mpv")
    noted = programs / "noted"
    program(programs, "mpv", f'echo "$@" >> {noted}; exec {real} "$@" --vo=null --ao=null')
    return noted


def player(folder: Path, script: str = "") -> str:
    """Return a player that notes what it is given, and then does something."""
    path = program(folder, "player", f'echo "$2|$1" >> {folder}/played\n{script}')
    return f"{path} {{url}} {{title}}"


def test_address_is_printed_and_stays_open(
    fake: StreamingEngine, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """Scripts get all there is to know, people the address alone and how to end it."""
    data = run("stream", "abc", "--print-url", "--json")
    plain = run("stream", "abc", "--player", "none")
    with urlopen(data.json["url"]) as answer:
        read = answer.read()

    assert (data.code, plain.code) == (0, 0)
    assert read[:4] == b"RIFF"
    assert {"url", "mime", "size", "stream_id", "name", "items"} <= set(data.json)
    assert data.json["items"][0]["name"] == "a b.wav"
    assert plain.out == f"{fake.known_streams[1].url}\n"
    end = f"to end it: peerterm close {data.json['stream_id']}; it ends by itself after an hour without a reader\n"
    assert (data.err, plain.err) == (end, end)


def test_all_addresses_of_a_folder_are_printed(
    fake: StreamingEngine, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """One a line, in order; ``--quiet`` leaves the talk out."""
    done = run("stream", "album", "--print-url", "--quiet")

    assert done.out.splitlines() == [item.url for item in fake.known_streams[0].items]
    assert done.err == ""


def test_stream_of_what_nobody_has_is_not_found(serving: ServedEngine, run: Callable[..., Any]) -> None:
    """The engine's error and its exit code."""
    done = run("stream", "nothing", "--print-url")

    assert (done.code, done.out) == (4, "")
    assert "nobody who is online has it" in done.err


def test_player_that_is_none_is_refused_before_anything_is_opened(
    fake: StreamingEngine, serving: ServedEngine, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says where it came from and what could be there."""
    flag = run("stream", "abc", "--player", "winamp")
    broken = run("stream", "abc", "--player", "player '{url}")
    monkeypatch.setenv("PEERTERM_PLAYER", "winamp")
    variable = run("stream", "abc")

    assert (flag.code, broken.code, variable.code) == (2, 2, 2)
    assert "--player: 'winamp' must be one of auto, none, mpv, vlc, ffplay, or a command with {url}" in flag.err
    assert "is no command" in broken.err
    assert "PEERTERM_PLAYER" in variable.err
    assert fake.asked == []


def test_without_a_player_it_is_told_what_to_install(
    fake: StreamingEngine, serving: ServedEngine, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address is printed all the same; on a terminal with a code for a camera."""
    monkeypatch.setenv("PATH", "/nowhere")
    plain, named = run("stream", "abc"), run("stream", "abc", "--player", "vlc")
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda _: True)
    shown, data = run("stream", "abc"), run("stream", "abc", "--json")

    assert (plain.code, named.code, shown.code) == (0, 0, 0)
    assert plain.out.startswith("http://127.0.0.1:")
    assert plain.err.startswith("no player is installed; install mpv: ")
    assert named.err.startswith("vlc is not installed; install mpv: ")
    assert "▄" not in plain.err
    assert "▄" in shown.err
    assert "▄" not in data.err


def test_over_ssh_the_way_from_the_other_machine_is_told(
    fake: StreamingEngine,
    serving: ServedEngine,
    run: Callable[..., Any],
    programs: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No player is started where nobody could see it, unless one is named."""
    monkeypatch.setenv("SSH_CONNECTION", OVER_SSH)
    monkeypatch.setenv("USER", "alice")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PEERTERM_PLAYER", player(programs))

    unseen = run("stream", "abc")
    named = run("stream", "abc", "--player", player(programs), "--json")

    port = unseen.out.split(":")[2].split("/")[0]
    assert unseen.code == 0
    assert f"run there: ssh -L {port}:127.0.0.1:{port} alice@10.0.0.2\n" in unseen.err
    assert named.json["status"] == 0


def test_player_plays_every_item_and_the_stream_ends_with_it(
    fake: StreamingEngine, serving: ServedEngine, run: Callable[..., Any], programs: Path
) -> None:
    """One after the other; that others can read the address is said once."""
    done = run("stream", "album", "--player", player(programs), "--json")

    played = (programs / "played").read_text().splitlines()
    assert done.code == 0
    assert [line.partition("|")[0] for line in played] == ["1.wav", "2.wav", "3.wav"]
    assert {name: done.json[name] for name in ("name", "mime", "status", "player")} == {
        "name": "album", "mime": "audio/wav", "status": 0, "player": str(programs / "player"),
    }  # fmt: skip
    assert set(done.json) == {"stream_id", "name", "url", "mime", "size", "player", "status"}
    assert done.json["url"] == played[0].partition("|")[2]
    assert done.err.count("shows the stream's address to other users of this machine") == 1
    assert fake.known_streams == []


def test_player_that_fails_is_told_with_its_last_words(
    fake: StreamingEngine, serving: ServedEngine, run: Callable[..., Any], programs: Path
) -> None:
    """What would come after it is not played; the stream ends all the same."""
    told = run("stream", "album", "--player", player(programs, "echo 'no\x1b[2J sound' >&2; exit 3"))
    mute = run("stream", "abc", "--player", player(programs, "exit 4"), "--json")

    assert (told.code, told.out) == (1, "")
    assert told.err.endswith("player: no[2J sound\n")
    assert (mute.code, mute.json["status"]) == (1, 4)
    assert "player: ended with status 4" in mute.err
    assert len((programs / "played").read_text().splitlines()) == 2
    assert fake.known_streams == []


def test_mpv_plays_an_album_at_one_go(
    fake: StreamingEngine, serving: ServedEngine, run: Callable[..., Any], silent_mpv: Path
) -> None:
    """The real one is started once, is told of every item and its subtitles, and no address is in its arguments."""
    fake.subtitles["1.wav"] = [SubtitleView(name="1.srt", url="http://127.0.0.1:9/secret/1.srt", language="en")]

    done = run("stream", "album", "--json")

    assert (done.code, done.json["player"], done.json["status"]) == (0, "mpv", 0)
    assert done.err == ""
    assert all(media.reads for media in fake.media["album"])
    assert len(silent_mpv.read_text().splitlines()) == 1
    assert "127.0.0.1" not in silent_mpv.read_text()
    assert fake.known_streams == []


def test_folder_that_is_too_long_for_mpv_is_played_in_part(
    fake: StreamingEngine,
    serving: ServedEngine,
    run: Callable[..., Any],
    silent_mpv: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is left out is told."""
    monkeypatch.setattr(mpv, "MAX_ITEMS", 2)

    done = run("stream", "album")

    assert done.code == 0
    assert done.err == "not all is played: a playlist has at most 2 items\n"
    assert [bool(media.reads) for media in fake.media["album"]] == [True, True, False]


def test_mpv_says_what_it_cannot_play(
    fake: StreamingEngine, serving: ServedEngine, run: Callable[..., Any], silent_mpv: Path
) -> None:
    """Exit code 1, with the name of the item."""
    fake.media["abc"][0]._content = memoryview(b"#EXTM3U\nhttp://127.0.0.1:9/\n".ljust(5000))

    done = run("stream", "abc", "--player", "mpv")

    assert (done.code, done.out) == (1, "")
    assert "peerterm: mpv: a b.wav: " in done.err


def test_stream_that_is_closed_elsewhere_ends_its_player(
    fake: StreamingEngine, serving: ServedEngine, run: Callable[..., Any], programs: Path
) -> None:
    """It would wait for bytes that never come."""
    script = f"{sys.executable} -m peerterm close {sum(b'abc'):08x} > /dev/null; exec sleep 60"

    done = run("stream", "abc", "--player", player(programs, script))

    assert done.code == 1
    assert "the stream was closed\n" in done.err


def test_end_of_the_engine_ends_the_player(
    fake: StreamingEngine, serving: ServedEngine, run: Callable[..., Any], programs: Path
) -> None:
    """With exit code 3."""
    script = f"{sys.executable} -m peerterm stop > /dev/null 2>&1 & exec sleep 60"

    done = run("stream", "abc", "--player", player(programs, script))

    assert (done.code, done.out) == (3, "")
    assert "the engine" in done.err


def test_stream_that_cannot_be_closed_is_told(
    fake: StreamingEngine,
    serving: ServedEngine,
    run: Callable[..., Any],
    programs: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was played was played: the exit code is the player's."""
    fake.is_stuck = True
    monkeypatch.setattr(watching, "CLOSE_SECONDS", 0.05)

    done = run("stream", "abc", "--player", player(programs))

    assert done.code == 0
    assert "the stream was not closed: no answer; it ends by itself after an hour without a reader\n" in done.err


def test_streams_are_listed_without_their_addresses(
    fake: StreamingEngine, serving: ServedEngine, run: Callable[..., Any]
) -> None:
    """Who looks over a shoulder must not be able to read along; scripts get everything."""
    album = [make_item("1.mp3"), make_item("2.mp3")]
    fake.known_streams = [
        make_stream("film\x1b[2J", ahead=2_000_000, rate=5e6, sources=[ANNA, ANNA]),
        make_stream("album", *album, state="local", item=1),
    ]

    data, table = run("streams", "--json"), run("streams")

    assert [view["url"] for view in data.json] == [view.url for view in fake.known_streams]
    assert "http" not in table.out
    assert "\x1b" not in table.out
    heading, film, songs = (line.split() for line in table.out.splitlines())
    assert heading == ["id", "name", "state", "item", "ahead", "rate", "sources"]
    assert film[1:] == ["film[2J", "streaming", "1/1", "2.0", "MB", "5.0", "MB/s", "2"]
    assert songs[1:] == ["album", "local", "2/2"]


def test_no_streams_is_an_empty_list(serving: ServedEngine, run: Callable[..., Any]) -> None:
    """A person hears what to do next."""
    data, table = run("streams", "--json"), run("streams")

    assert (data.json, table.out) == ([], "")
    assert table.err == "no streams; watch something: peerterm stream REF\n"


def test_keep_makes_a_download(
    fake: StreamingEngine, serving: ServedEngine, run: Callable[..., Any], tmp_path: Path
) -> None:
    """Its id is printed, as by ``get --detach``; of what is here already, its path."""
    fake.known_streams = [make_stream("film", make_item("film.mkv"))]
    stream = fake.known_streams[0].stream_id
    transfer = make_transfer("film.mkv")

    plain = run("keep", stream[:6])
    data = run("keep", stream, "-o", str(tmp_path), "--json")
    fake.kept = make_transfer("film.mkv", state="done", path="/d/film.mkv")
    here, none = run("keep", stream), run("keep", "ffff")

    assert plain.out == f"{transfer.transfer_id}\n"
    assert "film.mkv: the engine fetches it in the background (to see it: peerterm transfers" in plain.err
    assert data.json["transfer_id"] == transfer.transfer_id
    assert [asked[1:] for asked in fake.asked] == [
        (stream[:6], ""),
        (stream, str(tmp_path)),
        (stream, ""),
        ("ffff", ""),
    ]
    assert none.code == 4
    assert (here.out, here.err) == ("/d/film.mkv\n", "")


def test_close_ends_streams(fake: StreamingEngine, serving: ServedEngine, run: Callable[..., Any]) -> None:
    """A prefix is enough; one that is not there does not keep the others."""
    fake.known_streams = [make_stream("x"), make_stream("y"), make_stream("z")]
    ids = [view.stream_id for view in fake.known_streams]

    plain = run("close", ids[0])
    data = run("close", "ffff", *ids[1:], "--json")
    none = run("close", "ffff")

    assert (plain.code, plain.out) == (0, "x: closed\n")
    assert [view["name"] for view in data.json] == ["y", "z"]
    assert (data.code, "ffff" in data.err) == (4, True)
    assert (none.code, none.out) == (4, "")
    assert fake.known_streams == []
