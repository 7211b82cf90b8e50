"""peerterm.player.mpv: the real mpv plays, is steered, and contacts nobody but the stream."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from peerterm.display import clean
from peerterm.errors import PeertermError
from peerterm.player import mpv as module
from peerterm.player.base import Subtitle
from peerterm.player.mpv import Mpv
from peerterm.player.process import STOP_SECONDS
from tests.unit.player.conftest import SECONDS, TOKEN, until

if TYPE_CHECKING:
    from peerterm.player.mpv import MpvPlayback
    from peerterm.player.tracking import Position
    from tests.unit.player.conftest import Canary, Served

pytestmark = pytest.mark.skipif(not shutil.which("mpv"), reason="needs mpv")

HEADLESS = ("--vo=null", "--ao=null")
PLAYER = Mpv("mpv", HEADLESS)
PAUSED = Mpv("mpv", (*HEADLESS, "--pause"))
UNGUARDED = Mpv("mpv", (*HEADLESS, "--access-references=yes", "--demuxer-lavf-o="))

REFERRING = {
    "hls.mkv": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:2,\n{url}.ts\n#EXT-X-ENDLIST\n",
    "m3u.mkv": "#EXTM3U\n#EXTINF:2,a\n{url}.mp3\n",
    "plain.m3u": "{url}\n",
    "pls.mkv": "[playlist]\nFile1={url}.mp3\nNumberOfEntries=1\n",
    "edl.mkv": "# mpv EDL v0\n{url}.mkv,0,1\n",
    "asf.mkv": "[Reference]\nRef1={url}\n",
    "dash.mkv": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT2S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period>'
    '<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>{url}.mp4</BaseURL>'
    '<SegmentBase indexRange="0-100"><Initialization range="0-50"/></SegmentBase></Representation>'
    "</AdaptationSet></Period></MPD>",
}


def processes() -> list[psutil.Process]:
    """Return the mpvs that we started."""
    return [child for child in psutil.Process().children() if child.name() == "mpv"]


def told_to_others(secret: str) -> list[int]:
    """Return the processes whose arguments or environment hold a secret."""
    found = []
    for process in psutil.process_iter():
        try:
            texts = [*process.cmdline(), *process.environ().values()]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if any(secret in text for text in texts):
            found.append(process.pid)
    return found


async def reached(playback: MpvPlayback, **values: object) -> Position:
    """Wait until the position has some values, and return it."""
    async with asyncio.timeout(SECONDS):
        async for position in playback.positions():
            if all(getattr(position, name) == value for name, value in values.items()):
                return position
    raise AssertionError(f"mpv ended before {values}")


async def test_film_plays_to_its_end(served: Served) -> None:
    """The player ends by itself, with success, having told where it was; nothing of it is left."""
    descriptors = psutil.Process().num_fds()
    async with PLAYER.play(served.item("film.mkv")) as playback:
        positions = [position async for position in playback.positions()]
        ending = await playback.wait()

    assert (ending.status, ending.message) == (0, "")
    seconds = [position.seconds for position in positions if position.seconds is not None]
    assert seconds == sorted(seconds)
    assert 5 <= len(seconds) <= 20
    assert max(seconds) > 1.5
    assert any(position.is_started and position.item == 0 for position in positions)
    assert positions[-1].duration == pytest.approx(2.0, abs=0.1)
    assert not processes()
    await until(lambda: psutil.Process().num_fds() <= descriptors)  # the server's end closes later


async def test_no_process_shows_the_token(served: Served) -> None:
    """While it plays, neither arguments nor environment of any process hold the token."""
    subtitled = replace(served.item("film.mkv"), subtitles=(Subtitle(served.url("film.srt")),))
    async with PAUSED.play(subtitled) as playback:
        await reached(playback, is_started=True)
        await until(lambda: "film.srt" in served.requests)
        found = told_to_others(TOKEN)

    assert TOKEN in subtitled.url
    assert found == []
    with subprocess.Popen([sys.executable, "-c", "input()", TOKEN], stdin=subprocess.PIPE) as careless:
        assert told_to_others(TOKEN) == [careless.pid]


@pytest.mark.parametrize("name", REFERRING)
async def test_playlist_called_film_contacts_nobody(served: Served, canary: Canary, name: str) -> None:
    """A file that refers to others is not followed, whatever it is called, and is reported as no film."""
    async with PLAYER.play(served.write(name, REFERRING[name].format(url=canary.url))) as playback:
        ending = await playback.wait()

    assert canary.contacts == 0
    assert ending.status == 2
    assert ending.message == f"{name}: unrecognized file format"


async def test_playlist_would_be_followed_without_the_guards(served: Served, canary: Canary) -> None:
    """What proves that the playlists of these tests would work."""
    async with UNGUARDED.play(served.write("hls.mkv", REFERRING["hls.mkv"].format(url=canary.url))) as playback:
        await playback.wait()

    assert canary.contacts > 0


async def test_subtitles_that_are_a_playlist_contact_nobody(served: Served, canary: Canary) -> None:
    """Subtitles are no way around."""
    evil = served.write("evil.srt", REFERRING["hls.mkv"].format(url=canary.url))
    async with PLAYER.play(replace(served.item("film.mkv"), subtitles=(Subtitle(evil.url),))) as playback:
        ending = await playback.wait()

    assert "evil.srt" in served.requests
    assert canary.contacts == 0
    assert ending.status == 0


async def test_file_that_refers_to_itself_ends(served: Served) -> None:
    """FFmpeg's concat format, which mpv's own guard lets pass, is not opened again and again."""
    async with PLAYER.play(served.write("self.mkv", "ffconcat version 1.0\nfile self.mkv\n")) as playback:
        ending = await playback.wait()

    assert ending.status == 2
    assert len(served.requests) < 5


async def test_proxy_is_not_told(served: Served, canary: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the user's environment does not get to see the stream's address."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, canary.url)
    monkeypatch.delenv("no_proxy", raising=False)
    async with PLAYER.play(served.item("film.mkv")) as playback:
        ending = await playback.wait()

    assert canary.contacts == 0
    assert ending.status == 0


async def test_configuration_of_the_user_is_not_read(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither options nor scripts of the user's own mpv are used."""
    home, sign = tmp_path / "home", tmp_path / "sign"
    (home / "scripts").mkdir(parents=True)
    (home / "mpv.conf").write_text(f"log-file={sign}\n")
    (home / "scripts" / "tell.lua").write_text(f"io.open('{sign}', 'w'):write('here')\n")
    monkeypatch.setenv("MPV_HOME", str(home))
    async with PLAYER.play(served.item("film.mkv")) as playback:
        await reached(playback, is_started=True)

    assert not sign.exists()
    subprocess.run(["mpv", *HEADLESS, "--frames=1", served.folder / "film.mkv"], check=True, capture_output=True)
    assert sign.exists()


async def test_killed_player_is_reported(served: Served) -> None:
    """A player that is killed ends with the signal's number, and who follows it is told."""
    async with PAUSED.play(served.item("film.mkv")) as playback:
        await reached(playback, is_started=True)
        processes()[0].kill()
        ending = await playback.wait()
        left = [position async for position in playback.positions()]
        with pytest.raises(PeertermError, match="mpv has ended"):
            await playback.pause()

    assert ending.status == -9
    assert ending.message == "ended by SIGKILL"
    assert len(left) == 1


async def test_stop_ends_a_player_that_waits_for_bytes(served: Served) -> None:
    """A stream that does not come on does not keep mpv from ending at once, and well."""
    async with PLAYER.play(served.item("half.mkv")) as playback:
        await until(lambda: "half.mkv" in served.requests)
        async with asyncio.timeout(STOP_SECONDS):
            await playback.stop()
        ending = await playback.wait()

    assert (ending.status, ending.message) == (0, "")
    assert not processes()


async def test_cancelled_caller_leaves_no_player(served: Served) -> None:
    """The player ends with who started it."""

    async def watch() -> None:
        async with PAUSED.play(served.item("film.mkv")) as playback:
            await playback.wait()

    watching = asyncio.create_task(watch())
    await until(lambda: "film.mkv" in served.requests)
    watching.cancel()
    await asyncio.wait([watching])

    assert watching.cancelled()
    assert not processes()


async def test_player_does_not_outlive_a_killed_program(served: Served) -> None:
    """The player quits when who started it is killed."""
    script = f"""
import asyncio
from peerterm.player.base import Item
from peerterm.player.mpv import Mpv
from peerterm.player.process import STOP_SECONDS
async def main():
    async with Mpv("mpv", ("--vo=null", "--ao=null", "--pause")).play(Item(input(), "film")) as playback:
        print(flush=True)
        await asyncio.sleep({SECONDS})
asyncio.run(main())
"""
    command = [sys.executable, "-c", script]
    root = Path(module.__file__).parents[2]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as starter:
        assert starter.stdin is not None
        assert starter.stdout is not None
        starter.stdin.write(served.url("film.mkv") + "\n")
        starter.stdin.flush()
        starter.stdout.readline()
        (player,) = psutil.Process(starter.pid).children()
        starter.kill()
    _, alive = psutil.wait_procs([player], timeout=SECONDS)

    assert not alive


async def test_what_cannot_be_played_is_named(served: Served) -> None:
    """The ending says which item failed and why, without its address; the others are played."""
    async with PAUSED.play(served.item("film.mkv")) as playback:
        await playback.append(served.item("none.mkv", "Lost\x1b[2Jfilm"))
        await playback.pause(False)
        ending = await playback.wait()

    assert ending.status == 3
    assert ending.message == "Lost[2Jfilm: loading failed"


async def test_title_is_shown_as_it_is(served: Served) -> None:
    """What a peer calls a film is no instruction to mpv and holds nothing that steers a terminal."""
    title = "%3%a ${path}\x1b[31m,b=c\n\ud800"
    async with PAUSED.play(served.item("film.mkv", title)) as playback:
        await reached(playback, is_started=True)
        shown = await playback._ipc.command(["get_property", "media-title"])

    assert shown == clean(title)


async def test_player_is_steered(served: Served) -> None:
    """Pausing, seeking to and by, and going to the next and the previous item do what they say."""
    async with PAUSED.play(served.item("film.mkv")) as playback:
        await playback.append(served.item("film.mkv", "Again"))
        await reached(playback, is_started=True, is_paused=True)
        await playback.seek(1.5)
        await until(lambda: playback.position.seconds == pytest.approx(1.5, abs=0.1))
        await playback.seek(-1.0, is_relative=True)
        await until(lambda: playback.position.seconds == pytest.approx(0.5, abs=0.15))
        with pytest.raises(PeertermError, match="mpv refused"):
            await playback.previous()
        await playback.next()
        await reached(playback, item=1, is_started=True)
        with pytest.raises(PeertermError, match="mpv refused"):
            await playback.next()
        await playback.previous()
        await reached(playback, item=0, is_started=True)
        await playback.pause(False)
        await reached(playback, is_paused=False)
        ending = await playback.wait()

    assert ending.status == 0


async def test_stall_is_told(served: Served) -> None:
    """Waiting for bytes shows, and so does going on."""
    async with PLAYER.play(served.item("half.mkv")) as playback:
        stalled = await reached(playback, is_stalled=True)
        served.may_go_on.set()
        await reached(playback, is_stalled=False)
        ending = await playback.wait()

    assert stalled.is_started
    assert ending.status == 0


async def test_subtitles_are_offered(served: Served) -> None:
    """The first are shown, the others are there with title and language."""
    subtitles = (Subtitle(served.url("film.srt"), "film.srt"), Subtitle(served.url("film.de.srt"), "German", "de"))
    async with PAUSED.play(replace(served.item("film.mkv"), subtitles=subtitles)) as playback:
        async with asyncio.timeout(SECONDS):
            while len(tracks := await playback._ipc.command(["get_property", "track-list"])) < 4:
                await asyncio.sleep(0.01)

    found = [
        (track["title"], track.get("lang", ""), track["selected"]) for track in tracks if track["type"] == "sub"
    ]
    assert found == [("film.srt", "", True), ("German", "de", False)]


async def test_slow_subtitles_hold_nothing_up(served: Served) -> None:
    """While subtitles do not come, the film plays and is steered."""
    shutil.copy(served.folder / "film.srt", served.folder / "half.srt")
    subtitled = replace(served.item("film.mkv"), subtitles=(Subtitle(served.url("half.srt")),))
    async with PLAYER.play(subtitled) as playback:
        await until(lambda: "half.srt" in served.requests)
        await playback.pause()
        await reached(playback, is_paused=True)
        await playback.pause(False)
        ending = await playback.wait()

    assert not served.may_go_on.is_set()
    assert ending.status == 0


async def test_missing_subtitles_do_no_harm(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    """The film plays without them, and the log says so without an address."""
    subtitled = replace(served.item("film.mkv"), subtitles=(Subtitle(served.url("none.srt"), "none.srt"),))
    async with PLAYER.play(subtitled) as playback:
        ending = await playback.wait()

    assert ending.status == 0
    assert "subtitles not loaded title='none.srt'" in caplog.text
    assert TOKEN not in caplog.text


async def test_playlist_is_bounded(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """One item too many is refused."""
    monkeypatch.setattr(module, "MAX_ITEMS", 1)
    async with PAUSED.play(served.item("film.mkv")) as playback:
        with pytest.raises(PeertermError, match="at most 1 items"):
            await playback.append(served.item("film.mkv"))


async def test_secret_is_in_no_representation(served: Served) -> None:
    """What is logged of an item does not hold its address."""
    item = replace(served.item("film.mkv"), subtitles=(Subtitle(served.url("film.srt")),))

    assert TOKEN not in repr(item)
