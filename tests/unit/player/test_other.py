"""peerterm.player.other: programs that get the address as an argument."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from peerterm.player.base import Item
from peerterm.player.formats import FORMATS
from peerterm.player.other import FFPLAY_ARGUMENTS, VLC_ARGUMENTS, CommandPlayer
from tests.unit.player.conftest import TOKEN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.player.conftest import Canary, Served

ITEM = Item(f"http://127.0.0.1:4711/{TOKEN}/a%20film.mkv", "-x {url} \x1b[31m")


def python(script: str, *arguments: str) -> CommandPlayer:
    return CommandPlayer("python", sys.executable, ("-c", script, *arguments))


@pytest.fixture
def ffplay(monkeypatch: pytest.MonkeyPatch) -> CommandPlayer:
    """Return the real ffplay without screen and sound."""
    program = shutil.which("ffplay")
    if program is None:
        pytest.skip("needs ffplay")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")
    return CommandPlayer("ffplay", program, FFPLAY_ARGUMENTS)


async def test_address_and_title_are_filled_in_once(tmp_path: Path) -> None:
    """A title cannot bring the address, a control character or another argument in."""
    script = f"import json, sys; json.dump(sys.argv[1:], open({str(tmp_path / 'out')!r}, 'w'))"
    async with python(script, "--title={title}", "<{url}>", "{other}").play(ITEM) as playback:
        ending = await playback.wait()

    assert ending.status == 0
    assert json.loads((tmp_path / "out").read_text()) == ["--title=-x {url} [31m", f"<{ITEM.url}>", "{other}"]


async def test_what_it_says_last_holds_no_token() -> None:
    """A program that complains about the address does not bring it into a log."""
    script = f"import sys; sys.exit('cannot open ' + sys.argv[1] + ', GET /{TOKEN}/a film.mkv')"
    async with python(script, "{url}").play(ITEM) as playback:
        ending = await playback.wait()

    assert ending.status == 1
    assert ending.message == "cannot open the stream, GET /.../a film.mkv"


async def test_address_without_a_path_is_taken_out_too() -> None:
    """An address need not have a token."""
    script = "import sys; sys.exit('no ' + sys.argv[1])"
    async with python(script, "{url}").play(Item("http://127.0.0.1:1", "film")) as playback:
        ending = await playback.wait()

    assert ending.message == "no the stream"


async def test_program_ends_when_asked() -> None:
    """Stopping ends it, and says so."""
    async with python("import signal; signal.pause()", "{url}").play(ITEM) as playback:
        await playback.stop()
        ending = await playback.wait()

    assert ending.status == -15
    assert ending.message == "ended by SIGTERM"


async def test_ffplay_plays(served: Served, ffplay: CommandPlayer) -> None:
    """The real ffplay takes its arguments, plays to the end and ends."""
    async with ffplay.play(served.item("film.mkv")) as playback:
        ending = await playback.wait()

    assert served.requests
    assert (ending.status, ending.message) == (0, "")


async def test_ffplay_follows_no_playlist(served: Served, canary: Canary, ffplay: CommandPlayer) -> None:
    """A playlist called a film makes it contact nobody."""
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{canary.url}.ts\n#EXT-X-ENDLIST\n"
    async with ffplay.play(served.write("evil.mkv", text)) as playback:
        await playback.wait()

    assert served.requests == ["evil.mkv"]
    assert canary.contacts == 0


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs ffmpeg")
def test_formats_are_those_of_ffmpeg() -> None:
    """Each format that may be opened is known to FFmpeg by that name, and none refers to other files."""
    out = subprocess.run(["ffmpeg", "-hide_banner", "-demuxers"], check=True, capture_output=True, text=True).stdout
    known = {name for line in out.splitlines() if line[1:2] == "D" for name in line.split()[1].split(",")}
    allowed = FORMATS.split(",")

    assert set(allowed) <= known
    assert allowed == sorted(set(allowed))
    assert not set(allowed) & {"concat", "dash", "hls", "imf", "sdp", "rtsp", "image2", "lavfi"}


def test_vlc_ends_after_the_film() -> None:
    """VLC is told to be a program of its own that ends, with the address as its last argument."""
    assert {"--play-and-exit", "--no-one-instance"} < set(VLC_ARGUMENTS)
    assert VLC_ARGUMENTS[-1] == "{url}"
