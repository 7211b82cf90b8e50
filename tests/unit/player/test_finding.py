"""peerterm.player.finding: what is asked for, or the best that is installed."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING

import pytest

from peerterm.errors import UsageError
from peerterm.player.finding import Choice, choose, find, how_to_install
from peerterm.player.mpv import Mpv
from peerterm.player.other import FFPLAY_ARGUMENTS, VLC_ARGUMENTS, CommandPlayer

if TYPE_CHECKING:
    from pathlib import Path

    from peerterm.player.base import Player


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder where programs are found."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def install(folder: Path, name: str) -> str:
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


def test_best_player_is_taken(installed: Path) -> None:
    """The order is mpv, VLC, ffplay; none if there is none."""
    found = [find()]
    programs = []
    for name in ("ffplay", "vlc", "mpv"):
        programs.append(install(installed, name))
        found.append(find("auto"))

    assert found == [
        None,
        CommandPlayer("ffplay", programs[0], FFPLAY_ARGUMENTS),
        CommandPlayer("vlc", programs[1], VLC_ARGUMENTS),
        Mpv(programs[2]),
    ]


def test_named_player_is_taken_or_none(installed: Path) -> None:
    """What is asked for is not replaced by something else."""
    program = install(installed, "vlc")

    assert find("none") is None
    assert find("mpv") is None
    assert find("vlc") == CommandPlayer("vlc", program, VLC_ARGUMENTS)
    assert find("vlc --fullscreen {url}") == CommandPlayer("vlc", program, ("--fullscreen", "{url}"))


def test_command_is_split_as_a_shell_would(installed: Path) -> None:
    """Quotes keep words together; a program that is not there is none."""
    program = install(installed, "my player")

    assert find("'my player' -t '{title} here' --open={url}") == CommandPlayer(
        "my player", program, ("-t", "{title} here", "--open={url}")
    )
    assert find("other {url}") is None


def test_only_mpv_keeps_the_address(installed: Path) -> None:
    """Who shows the address to others says so."""
    install(installed, "mpv")
    install(installed, "vlc")
    players: list[Player | None] = [find("mpv"), find("vlc")]

    assert [player.shows_url for player in players if player] == [False, True]
    assert [player.name for player in players if player] == ["mpv", "vlc"]


@pytest.mark.parametrize("preference", ["mvp", "", "{url}", "mpv --fs", "mpv '{url}"])
def test_preference_that_cannot_be_meant_is_refused(preference: str) -> None:
    """A name that is not known, or a command without a place for the address."""
    with pytest.raises(UsageError, match="the player"):
        find(preference)


@pytest.mark.parametrize(
    ("system", "command"), [("debian", "apt"), ("fedora", "dnf"), ("macos", "brew"), ("", "https://mpv.io")]
)
def test_advice_fits_the_system(system: str, command: str) -> None:
    """Each system has its own command."""
    assert command in how_to_install(system)


@pytest.mark.parametrize(
    ("release", "command"),
    [
        ({"ID": "debian"}, "apt"),
        ({"ID": "mint", "ID_LIKE": "ubuntu debian"}, "apt"),
        ({"ID": "slackware"}, "mpv.io"),
    ],
)
def test_this_system_is_recognised(release: dict[str, str], command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that is like another is advised like that one."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: release)

    assert command in how_to_install()


def test_system_that_does_not_say_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Mac is known by its platform; without a release file the advice is general."""

    def missing() -> dict[str, str]:
        raise FileNotFoundError

    monkeypatch.setattr(platform, "freedesktop_os_release", missing)
    monkeypatch.setattr(sys, "platform", "linux")
    general = how_to_install()
    monkeypatch.setattr(sys, "platform", "darwin")

    assert "mpv.io" in general
    assert "brew" in how_to_install()


SSH = {"SSH_CONNECTION": "10.0.0.1 50000 10.0.0.2 22"}


def test_missed_player_comes_with_what_to_do(installed: Path) -> None:
    """One that is not wanted is not missed."""
    assert choose("auto", {}).player is None
    assert choose("auto", {}).advice == f"no player is installed; {how_to_install()}"
    assert choose("cel\x1bluloid {url}", {}).advice.startswith("cel")
    assert choose("vlc", {}).advice == f"vlc is not installed; {how_to_install()}"
    assert choose("none", {}) == Choice(None)


def test_no_player_is_started_where_nobody_could_see_it(installed: Path) -> None:
    """Unless that is demanded; and nothing is missed there."""
    program = install(installed, "mpv")

    assert choose("auto", {}) == Choice(Mpv(program))
    assert choose("mpv", SSH) == Choice(None)
    assert choose("mpv", SSH, is_demanded=True) == Choice(Mpv(program))
    assert choose("auto", SSH | {"DISPLAY": ":0"}) == Choice(Mpv(program))
