"""Watching in the whole program: real HTTP, a real mpv without picture and sound, and no end left open."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from peerterm.api.events import StreamRemoved
from peerterm.errors import EngineBusy, UsageError
from peerterm.paths import Paths
from peerterm.player.finding import Choice
from peerterm.player.mpv import Mpv
from peerterm.player.other import CommandPlayer
from peerterm.tui.local_player import chooser
from tests.fakes.fake_engine import FakeEngine, make_transfer
from tests.fakes.playable import MemoryMedia
from tests.fakes.programs import Program, running, text_of, until, until_shown
from tests.fakes.pty_screen import XTERM, Screen
from tests.fakes.serving import served
from tests.fakes.streamed import StreamingEngine, make_stream, program, searched_first, song

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from peerterm.api.views import StreamView
    from tests.fakes.programs import Hand

needs_mpv = pytest.mark.skipif(not shutil.which("mpv"), reason="needs mpv")
QUIET = ("--vo=null", "--ao=null")
MPV = Choice(Mpv("mpv", QUIET))
FILM, ALBUM = "a" * 64, "b" * 64


def players() -> list[psutil.Process]:
    """Return the mpvs that run below this process."""
    return [child for child in psutil.Process().children(recursive=True) if child.name() == "mpv"]


def asked(engine: FakeEngine, what: str) -> list[tuple[object, ...]]:
    """Return what was asked of this kind."""
    return [wish for wish in engine.asked if wish[0] == what]


@asynccontextmanager
async def cinema(
    choice: Choice = MPV, engine: StreamingEngine | None = None, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[Program, Hand, StreamingEngine]]:
    """Run a program in front of a list with a film, an album and a text."""
    engine = engine or StreamingEngine()
    engine.media[FILM] = [song("film.wav", 60)]
    engine.media[ALBUM] = [song(f"{number}.wav", 60) for number in (1, 2, 3)]
    engine.known_transfers = [
        make_transfer("film.wav", transfer_id="1", root=FILM, state="done"),
        make_transfer("album", transfer_id="2", root=ALBUM, state="done", kind="folder"),
        make_transfer("notes.txt", transfer_id="3", state="done"),
        make_transfer("new.mkv", transfer_id="4", root="", state="paused"),
        make_transfer("gone.mkv", transfer_id="5", root="c" * 64, state="done"),
    ]
    shown = Program(engine)
    shown.watching.player.choose = lambda: choice
    try:
        async with running(shown, size) as pilot:
            await pilot.press("4")
            yield shown, pilot, engine
            await shown.watching.close()
    finally:
        await engine.stop()
        await engine.run_until_stopped()

    assert players() == []


async def watch(shown: Program, pilot: Hand, transfer: str) -> None:
    """Press the key on a row of the transfers."""
    await pilot.press("4")
    shown.pane.point_at(transfer)
    await pilot.pause()
    await pilot.press("w")


async def watch_film(shown: Program, pilot: Hand) -> None:
    """Press the key on the film, and wait until it plays."""
    await watch(shown, pilot, "1")
    await until_shown(pilot, "of 1:00")


@needs_mpv
async def test_film_plays_and_is_steered() -> None:
    """The pane comes to the front; it pauses, goes on and back, is kept and closed, and says what happens."""
    async with cinema() as (shown, pilot, engine):
        await watch(shown, pilot, "1")
        await until_shown(pilot, "mpv plays film.wav")
        await until_shown(pilot, "of 1:00")
        await until_shown(pilot, "▶ playing")
        assert "http://" not in text_of(shown)  # whoever looks on need not know it
        await pilot.press("right", "right")
        await until_shown(pilot, "0:2")
        await pilot.press("p")
        await until_shown(pilot, "= paused")
        await pilot.press("left")
        await until_shown(pilot, "0:1")
        await pilot.press("enter")
        await until_shown(pilot, "playing by mpv")
        await pilot.press("d")
        await until_shown(pilot, "film.wav will stay; 4 shows it")
        await until_shown(pilot, "running, 0%")
        await pilot.press("x")
        await until_shown(pilot, "mpv plays it, and ends.")
        await pilot.press("y")
        await until_shown(pilot, "plays it:")

        assert players() == []
        assert engine.known_streams == []
        assert [wish[0] for wish in engine.asked if wish[0] in {"stream", "keep", "close_stream"}] == [
            "stream", "keep", "close_stream",
        ]  # fmt: skip


@needs_mpv
async def test_album_plays_from_any_item_to_any_other() -> None:
    """Its items stand below it; there is none before the first and none after the last."""
    async with cinema() as (shown, pilot, _):
        await watch(shown, pilot, "2")
        await until_shown(pilot, "mpv plays 1.wav")
        await until_shown(pilot, "of 1:00")
        await pilot.press("N")
        await until_shown(pilot, "this is the first")
        await pilot.press("n")
        await until_shown(pilot, "mpv plays 2.wav")
        await until_shown(pilot, "2 of 3")
        await pilot.press("j", "j", "j", "enter")
        await until_shown(pilot, "mpv plays 3.wav")
        await pilot.press("n")
        await until_shown(pilot, "this is the last")
        await pilot.press("N")
        await until_shown(pilot, "mpv plays 2.wav")

        assert len(players()) == 1


@needs_mpv
async def test_one_player_plays_at_a_time() -> None:
    """The other stream stays open; the same film is opened but once, and goes on where its player ended."""
    async with cinema() as (shown, pilot, engine):
        for transfer, title in (("1", "film.wav"), ("2", "1.wav"), ("1", "film.wav"), ("1", "film.wav")):
            await watch(shown, pilot, transfer)
            await until_shown(pilot, f"mpv plays {title}")
            await until(pilot, lambda: shown.watching.player.showing and shown.watching.player.showing.playback)

        assert len(players()) == 1
        assert [wish[1] for wish in asked(engine, "stream")] == [FILM, ALBUM]
        assert "2 streams; mpv" in text_of(shown)


@needs_mpv
@pytest.mark.parametrize("key", ["q", "ctrl+q"])
async def test_leaving_asks_and_leaves_no_player_behind(key: str) -> None:
    """Streams that were played here are closed, another client's stays."""
    async with cinema() as (shown, pilot, engine):
        engine.known_streams.append(make_stream("of another client"))
        await watch_film(shown, pilot)
        await pilot.press(key)
        await until_shown(pilot, "mpv plays film.wav")
        await until_shown(pilot, "leave; mpv and its stream end")
        await pilot.press("n")
        assert not shown._exit
        await pilot.press(key, "y")
        await until(pilot, lambda: shown._exit and not players())
        await until(pilot, lambda: len(engine.known_streams) == 1)

        assert [view.name for view in engine.known_streams] == ["of another client"]


@needs_mpv
async def test_leaving_with_transfers_says_that_the_player_ends() -> None:
    """There is one question, not two."""
    async with cinema() as (shown, pilot, engine):
        await watch_film(shown, pilot)
        await engine.keep(engine.known_streams[0].stream_id)
        await until_shown(pilot, "running, 0%")
        await pilot.press("q")
        await until_shown(pilot, "Transfers are under way: 1 down, 0 up; mpv ends")
        await pilot.press("y")

        await until(pilot, lambda: shown._exit and not players())


@needs_mpv
async def test_stream_that_somebody_closes_ends_its_player() -> None:
    """And the user is told why."""
    async with cinema() as (shown, pilot, engine):
        await watch_film(shown, pilot)
        await engine.close_stream(engine.known_streams[0].stream_id)
        await until_shown(pilot, "the stream was closed")
        await until(pilot, lambda: not players())

        assert shown.watching.player.showing is None


@needs_mpv
async def test_what_cannot_be_played_is_told() -> None:
    """By the player's own words; the stream stays, and can be kept."""
    async with cinema() as (shown, pilot, engine):
        engine.media[FILM] = [MemoryMedia(b"no sound " * 1000, name="film.wav")]
        await watch(shown, pilot, "1")
        await until_shown(pilot, "mpv: film.wav: ")

        assert len(engine.known_streams) == 1
        await until(pilot, lambda: shown.watching.player.showing is None)


@pytest.mark.parametrize(
    ("transfer", "said"),
    [
        ("3", "notes.txt is no film and no song"),
        ("4", "new.mkv is not ready yet"),
        ("5", "gone.mkv: nobody who is online has it (try again later)"),
    ],
)
async def test_what_cannot_be_opened_is_told(transfer: str, said: str) -> None:
    """And the user stays where they are."""
    async with cinema(Choice(None)) as (shown, pilot, engine):
        await watch(shown, pilot, transfer)
        await until_shown(pilot, said)

        assert shown.pane.SCOPE == "transfers"
        assert engine.known_streams == []


async def test_without_a_player_the_address_is_shown_and_what_to_do() -> None:
    """It is copied like any other, or drawn for the camera of another device."""
    async with cinema(Choice(None, "no player is installed; install mpv: sudo apt install mpv")) as (
        shown, pilot, engine,
    ):  # fmt: skip
        await watch(shown, pilot, "1")
        await until_shown(pilot, "no player is installed; install mpv: sudo apt install mpv")
        url = engine.known_streams[0].url
        await until_shown(pilot, url)
        assert "ssh" not in text_of(shown)
        await pilot.press("y", "l")
        await until(pilot, lambda: shown.copied == [url])
        await pilot.press("y", "q")
        await until_shown(pilot, "█▀")


async def test_over_ssh_the_tunnel_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exact line to run on the laptop, which can be copied."""
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.1 50000 10.0.0.2 2222")
    monkeypatch.setenv("USER", "alice")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("DISPLAY", raising=False)
    async with cinema() as (shown, pilot, engine):
        shown.watching.player.choose = chooser(None)
        await watch(shown, pilot, "1")
        await until_shown(pilot, "no player is started here; y copies the address")
        port = engine.known_streams[0].url.split(":")[2].partition("/")[0]
        line = f"ssh -L {port}:127.0.0.1:{port} -p 2222 alice@10.0.0.2"
        await until_shown(pilot, line)
        await pilot.press("y", "s")

        await until(pilot, lambda: shown.copied == [line])


def test_player_is_chosen_by_the_settings_of_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change is heard without a restart; a variable wins."""
    config = tmp_path / "config.toml"
    path = program(tmp_path / "bin", "mine", "exit 0")
    monkeypatch.setenv("PATH", searched_first(path.parent))
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.delenv("PEERTERM_PLAYER", raising=False)
    choose = chooser(config)
    config.write_text('[stream]\nplayer = "none"\n')
    before = choose()
    config.write_text('[stream]\nplayer = "mine {url}"\n')
    after = choose()
    monkeypatch.setenv("PEERTERM_PLAYER", "none")

    assert before == Choice(None)
    assert after.player == CommandPlayer("mine", str(path), ("{url}",))
    assert choose() == Choice(None)


async def test_player_that_takes_no_keys_says_so(tmp_path: Path) -> None:
    """It shows the address to others, and that is said, too; closing its stream ends it."""
    path = program(tmp_path, "vlc", "exec sleep 60")
    async with cinema(Choice(CommandPlayer("vlc", str(path), ("{url}",)))) as (shown, pilot, engine):
        await watch(shown, pilot, "2")
        await until_shown(pilot, "vlc plays 1.wav")
        await until_shown(pilot, "vlc shows the stream's address to other users")
        await until_shown(pilot, "playing by vlc")
        for key in ("p", "left", "n"):
            await pilot.press(key)
            await until_shown(pilot, "vlc takes no keys from here")
        await pilot.press("w")
        await pilot.press("x", "y")

        await until(pilot, lambda: shown.watching.player.showing is None and not engine.known_streams)


@pytest.mark.parametrize("key", ["p", "left", "right", "n", "N"])
async def test_keys_of_the_player_say_that_nothing_plays(key: str) -> None:
    """On a stream that no player of this program shows."""
    async with cinema(Choice(None)) as (shown, pilot, _):
        await watch(shown, pilot, "1")
        await until_shown(pilot, "7*Stream")
        await pilot.press(key)

        await until_shown(pilot, "nothing is played here (Enter plays a row)")


async def test_wish_for_a_player_that_cannot_be_read_is_told() -> None:
    """The stream is open all the same."""
    async with cinema() as (shown, pilot, engine):

        def refuse() -> Choice:
            raise UsageError("the player 'x' is not known", "use mpv")

        shown.watching.player.choose = refuse
        await watch(shown, pilot, "1")
        await until_shown(pilot, "the player 'x' is not known (use mpv)")

        assert len(engine.known_streams) == 1


class Busy(StreamingEngine):
    """Has room for one stream."""

    async def stream(self, reference: str) -> StreamView:
        """Refuse a second one."""
        if self.known_streams:
            raise EngineBusy("1 streams are open", "close one")
        return await super().stream(reference)


async def test_oldest_stream_makes_room() -> None:
    """One that was opened here; another client's does not."""
    async with cinema(Choice(None), Busy()) as (shown, pilot, engine):
        await watch(shown, pilot, "1")
        await until_shown(pilot, "7*Stream")
        await watch(shown, pilot, "2")
        await until_shown(pilot, "1 of 3")
        await until(pilot, lambda: [view.name for view in engine.known_streams] == [ALBUM])
        engine.known_streams = [make_stream("of another client")]
        engine.announce(StreamRemoved(stream_id=next(iter(shown.model.streams))))
        await watch(shown, pilot, "1")

        await until_shown(pilot, "1 streams are open (close one)")


async def test_opening_can_be_given_up() -> None:
    """Esc, while nobody answers."""

    class Slow(StreamingEngine):
        async def stream(self, reference: str) -> StreamView:
            await self._stopped.wait()
            return await super().stream(reference)

    async with cinema(Choice(None), Slow()) as (shown, pilot, _):
        await watch(shown, pilot, "1")
        await until_shown(pilot, "opening film.wav ...; Esc gives up")
        await pilot.press("escape")
        await until_shown(pilot, "given up")

        assert shown.pane.SCOPE == "transfers"


@needs_mpv
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGKILL])
def test_signal_leaves_no_player_behind(number: signal.Signals, tmp_path: Path) -> None:
    """In a real process on a real terminal; but for a kill its stream is closed, too."""
    mpv = program(tmp_path / "bin", "mpv", f'exec {shutil.which("mpv")} "$@" {" ".join(QUIET)}')
    paths = Paths.resolve(str(tmp_path / "profile"), {})
    paths.config.write_text("")
    engine = StreamingEngine()
    engine.media[FILM] = [song("film.wav", 60)]
    engine.known_transfers = [make_transfer("film.wav", root=FILM, state="done")]
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PEERTERM_", "SSH_"))}
    variables |= {"PEERTERM_HOME": str(paths.home), "PYTHONPATH": str(Path(__file__).parents[3])}
    variables |= XTERM | {"PATH": searched_first(mpv.parent)}
    command = [sys.executable, "-m", "peerterm"]
    with served(engine, paths.socket), Screen(command, variables) as screen:
        screen.wait_for("1*Peers", "help")
        screen.send("4w")
        screen.wait_for("mpv plays film.wav", "of 1:00", seconds=20)
        (player,) = players()
        screen.kill(number)
        player.wait(5)

        assert players() == []
        if number != signal.SIGKILL:
            screen.end(5)
            assert engine.known_streams == []
