"""Watching in the full-screen program as a newcomer does: real engines, tmux, the real mpv without a screen."""

from __future__ import annotations

import os
import shlex
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.streamed import program, searched_first, song

from .clips import make_film
from .lan import Lan, run, wait_until
from .load import meet, until
from .tmux import Tmux, has_tmux
from .trees import sha256

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .lan import Host

MPV = "/usr/bin/mpv"
FILM_SECONDS = 120


@dataclass
class Cinema:
    """Two machines: alice, at whose terminal the newcomer sits, and bob, who shares films and songs."""

    lan: Lan
    alice: Host
    bob: Host
    film: Path
    home: Path
    size: tuple[int, int]
    programs: Path

    @contextmanager
    def terminal(self, **variables: str) -> Iterator[Tmux]:
        """Run a terminal of alice's; with variables, as if she came from elsewhere."""
        with Tmux(self.alice, *self.size, self.home) as screen:
            for name, value in (variables | {"PATH": searched_first(self.programs)}).items():
                screen.command(f"export {name}={shlex.quote(value)}; clear")
                screen.prompts()
            yield screen

    def players(self) -> list[int]:
        """Return the players that run on alice's machine."""
        pids = run("ip", "netns", "pids", self.lan.namespace(0)).stdout.split()
        programs = {pid: Path(f"/proc/{pid}/comm") for pid in pids}
        return [int(pid) for pid, path in programs.items() if path.exists() and path.read_text() == "mpv\n"]

    def streams(self) -> list[Any]:
        """Return the open streams of alice's engine."""
        found: list[Any] = self.alice.json("streams", "--no-start")
        return found


@pytest.fixture(params=[(80, 24), (120, 36)], ids=["80x24", "120x36"])
def cinema(work: Path, request: pytest.FixtureRequest) -> Iterator[Cinema]:
    """Make the machines, and an mpv for alice that neither shows nor sounds."""
    if missing := [name for name in ("mpv", "ffmpeg") if not shutil.which(name)] + ["tmux"] * (not has_tmux()):
        assert not os.environ.get("CI"), f"CI must have {missing}"
        pytest.skip(f"needs {missing}")
    film = make_film(work / "files" / "Films" / "lighthouse.mkv", FILM_SECONDS, 2_000_000)
    songs = work / "files" / "Songs"
    songs.mkdir()
    for number in range(1, 4):
        (songs / f"{number}.wav").write_bytes(bytes(song(f"{number}.wav", 60 + number / 10)._content))
    (songs / "cover.txt").write_text("a cover\n")
    wrapper = program(work / "here", "mpv", f'exec {MPV} "$@" --vo=null --ao=null')
    home = work / "home"
    home.mkdir()
    with Lan(2) as lan:
        alice, bob = (lan.host(number, work / name, name=name) for number, name in enumerate(("alice", "bob")))
        meet(alice, bob)
        bob.run("share", film.parent, songs)
        yield Cinema(lan, alice, bob, film, home, request.param, wrapper.parent)


def browse(screen: Tmux, share: str) -> None:
    """Start the program and go into a share of bob's."""
    screen.command("peerterm")
    screen.row("bob", "online")
    screen.follow("Enter browse")
    screen.shows("bob:/", "2 entries")
    if share == "Songs":
        screen.press("Down")
    screen.row(f"> {share}/")
    screen.follow("Enter open")
    screen.shows(f"bob:/{share}/")


def test_film_is_watched_steered_kept_and_closed(cinema: Cinema) -> None:
    """One key plays it; what was watched of it is not fetched again; nothing is left of the player."""
    with cinema.terminal() as screen:
        browse(screen, "Films")
        screen.row("> lighthouse.mkv")
        screen.follow("w watch")
        screen.shows("7*Stream", "mpv plays lighthouse.mkv")
        screen.row("▶ lighthouse.mkv", "playing", "of 2:00")
        (stream,) = cinema.streams()
        (player,) = cinema.players()
        for part in ("cmdline", "environ"):
            assert stream["url"].encode() not in Path(f"/proc/{player}/{part}").read_bytes()

        screen.follow("p pause")
        screen.row("= lighthouse.mkv", "paused")
        screen.press("Right", "Right", "Right", "Right", "Right", "Right")
        screen.row("= lighthouse.mkv", "1:0")
        screen.follow("p pause")
        screen.row("▶ lighthouse.mkv", "playing", "1:0")
        screen.press("Left", "Left", "Left")
        screen.row("▶ lighthouse.mkv", "playing", "0:3")

        screen.follow("d keep")
        screen.shows("kept    done, 100%")
        (transfer,) = cinema.alice.json("transfers", "--no-start")
        copy = until(cinema.alice, transfer["transfer_id"], "done", timeout=20)["path"]
        assert sha256(Path(copy)) == sha256(cinema.film)

        screen.follow("x close")
        screen.shows("Close lighthouse.mkv?", "mpv plays it, and ends.")
        screen.follow("y yes")
        screen.shows("lighthouse.mkv closed", "plays it:")
        wait_until(lambda: cinema.players() == [], 5, "the end of mpv")
        assert cinema.streams() == []

        screen.follow("4 ")
        screen.row("> ✓ lighthouse.mkv", "done")
        screen.press("w")
        screen.row("▶ lighthouse.mkv", "playing", "of 2:00")
        assert cinema.streams()[0]["state"] == "local"
        screen.press("q")
        screen.shows("mpv plays lighthouse.mkv", "leave; mpv and its stream end")
        screen.press("y")
        screen.prompts()
        wait_until(lambda: cinema.players() == [], 5, "the end of mpv")
        assert cinema.streams() == []


def test_folder_is_a_playlist_and_ends_with_its_terminal(cinema: Cinema) -> None:
    """Songs in their order, one after the other by a key; a terminal that goes away leaves no player behind."""
    with cinema.terminal() as screen:
        browse(screen, "Songs")
        screen.row("> 1.wav")
        screen.press("G")
        screen.row("> cover.txt")
        screen.follow("w watch")
        screen.shows("cover.txt is no film and no song")
        screen.follow("h up")
        screen.row("> Songs/")
        screen.follow("w watch")
        screen.shows("mpv plays 1.wav")
        screen.row("Songs/", "1 of 3")
        screen.row("▶   1.wav", "playing", "of 1:00")
        screen.press("n")
        screen.row("▶   2.wav", "playing")
        screen.press("n")
        screen.row("▶   3.wav", "playing")
        screen.press("N")
        screen.row("▶   2.wav", "playing")
        assert len(cinema.players()) == 1

    wait_until(lambda: cinema.players() == [], 10, "the end of mpv")
    wait_until(lambda: cinema.streams() == [], 10, "the end of its stream")


def test_over_ssh_the_tunnel_is_shown_and_copied(cinema: Cinema) -> None:
    """No player is started where nobody could see it; the line for the laptop stands there whole."""
    with cinema.terminal(SSH_CONNECTION="10.0.0.9 50000 10.0.0.2 22", USER="alice") as screen:
        browse(screen, "Films")
        screen.follow("w watch")
        screen.shows("7*Stream", "no player is started here")
        (stream,) = cinema.streams()
        port = stream["url"].split(":")[2].partition("/")[0]
        line = f"ssh -L {port}:127.0.0.1:{port} alice@10.0.0.2"
        screen.shows(line, stream["url"])
        screen.look_up("Copy the address")
        screen.follow("s  ssh command")
        screen.shows("sent to the terminal's clipboard")
        assert screen.clipboard == line
        assert cinema.players() == []

        screen.press("q")
        screen.prompts()
    assert len(cinema.streams()) == 1  # somebody may watch it on the laptop
