"""What suits a terminal."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from peerterm.tui.terminal import (
    DEFAULT_THEME,
    LOCAL_TICK_SECONDS,
    REMOTE_TICK_SECONDS,
    SIMPLE_THEME,
    Terminal,
    has_screen,
)

UTF8 = {"LANG": "en_US.UTF-8", "TERM": "xterm-256color"}


@pytest.mark.parametrize(
    ("variables", "encoding"),
    [
        ({"LANG": "C.UTF-8"}, "utf-8"),
        ({"LANG": "de_DE.utf8"}, "utf-8"),
        ({"LANG": "C", "LC_CTYPE": "en_US.UTF-8"}, "utf-8"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, "ascii"),
        ({"LANG": "en_US.UTF-8", "LC_CTYPE": "POSIX"}, "ascii"),
        ({"LANG": "de_DE.ISO-8859-1"}, "ascii"),
        ({"LANG": "", "LC_ALL": ""}, "ascii"),
    ],
)
def test_characters_are_those_of_the_locale(variables: dict[str, str], encoding: str) -> None:
    """The first of three variables that is set decides, as in every other program."""
    terminal = Terminal.of(variables)

    assert terminal.encoding == encoding
    assert terminal.is_ascii == (encoding == "ascii")


def test_what_python_makes_of_a_c_locale_is_not_believed() -> None:
    """Python tells itself that a C locale is UTF-8, and sets a variable; the terminal is none the wiser."""
    script = "import os; from peerterm.tui.terminal import Terminal; print(Terminal.of(os.environ).encoding)"
    found = [
        subprocess.run(
            [sys.executable, "-c", script], env=variables, check=True, capture_output=True, text=True
        ).stdout.strip()
        for variables in ({"LANG": "C"}, {"LANG": "en_US.UTF-8"}, {"LC_CTYPE": "C.UTF-8"})
    ]

    assert found == ["ascii", "utf-8", "utf-8"]


@pytest.mark.parametrize(
    ("variables", "theme"),
    [
        ({"TERM": "xterm-256color"}, DEFAULT_THEME),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, DEFAULT_THEME),
        ({"TERM": "tmux-256color"}, DEFAULT_THEME),
        ({"TERM": "xterm-kitty"}, DEFAULT_THEME),
        ({"TERM": "xterm"}, SIMPLE_THEME),
        ({"TERM": "linux"}, SIMPLE_THEME),
        ({"TERM": "screen"}, SIMPLE_THEME),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, SIMPLE_THEME),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, DEFAULT_THEME),
    ],
)
def test_theme_suits_the_number_of_colours(variables: dict[str, str], theme: str) -> None:
    """Few colours, or none: the terminal's own; an empty ``NO_COLOR`` means nothing."""
    assert Terminal.of(variables).theme == theme


def test_user_chooses_the_theme_and_the_mouse() -> None:
    """What the user wants wins, except over wanting no colours."""
    chosen = Terminal.of(UTF8, "peerterm-light", has_mouse=False)

    assert (chosen.theme, chosen.has_mouse) == ("peerterm-light", False)
    assert Terminal.of(UTF8 | {"TERM": "linux"}, "peerterm-light").theme == "peerterm-light"
    assert Terminal.of(UTF8 | {"NO_COLOR": "1"}, "peerterm-light").theme == SIMPLE_THEME


@pytest.mark.parametrize("name", ["SSH_CONNECTION", "SSH_TTY"])
def test_far_terminal_gets_less(name: str) -> None:
    """Over SSH: fewer looks, and the mouse only if it is asked for."""
    near, far = Terminal.of(UTF8), Terminal.of(UTF8 | {name: "10.0.0.1"})

    assert (near.has_mouse, near.tick_seconds) == (True, LOCAL_TICK_SECONDS)
    assert (far.has_mouse, far.tick_seconds) == (False, REMOTE_TICK_SECONDS)
    assert Terminal.of(UTF8 | {name: "10.0.0.1"}, has_mouse=True).has_mouse


def test_mouse_is_left_alone_in_gnu_screen() -> None:
    """It would hold back every Escape, to see whether the mouse follows."""
    inside = UTF8 | {"TERM": "screen", "STY": "4711.pts-0.host"}

    assert not Terminal.of(inside).has_mouse
    assert Terminal.of(inside, has_mouse=True).has_mouse
    assert Terminal.of(UTF8 | {"TERM": "screen"}).has_mouse


def test_console_draws_ascii_and_is_asked_nothing() -> None:
    """The system's console has few glyphs, though its text may be UTF-8."""
    terminal = Terminal.of(UTF8 | {"TERM": "linux"})
    variables: dict[str, str] = {}
    terminal.prepare(variables)

    assert (terminal.is_ascii, terminal.encoding, terminal.is_console) == (True, "utf-8", True)
    assert variables["TEXTUAL_DISABLE_KITTY_KEY"] == "1"


def test_textual_is_told_what_suits() -> None:
    """No animation; a choice of the user stays; an exported size, which would hide every change, goes."""
    variables = {"TEXTUAL_FPS": "5", "COLUMNS": "80", "LINES": "24", "NO_COLOR": ""}
    Terminal.of(variables).prepare(variables)

    assert variables == {"TEXTUAL_FPS": "5", "TEXTUAL_ANIMATIONS": "none", "TEXTUAL_SMOOTH_SCROLL": "0"}


def test_no_colour_stays() -> None:
    """Textual reads the variable itself."""
    variables = {"NO_COLOR": "1"}
    Terminal.of(variables).prepare(variables)

    assert variables["NO_COLOR"] == "1"


class Tty:
    """A stream that is a terminal, or is none."""

    def __init__(self, is_terminal: bool) -> None:
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        """Say which."""
        return self._is_terminal


@pytest.mark.parametrize(
    ("reads", "writes", "name", "expected"),
    [
        (True, True, "xterm", True),
        (False, True, "xterm", False),
        (True, False, "xterm", False),
        (True, True, "dumb", False),
        (True, True, "", False),
    ],
)
def test_screen_needs_a_terminal_both_ways(
    reads: bool, writes: bool, name: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One to read from, one to write to, and one that knows more than lines."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", Tty(reads))
        patch.setattr(sys, "stdout", Tty(writes))
        patch.setitem(os.environ, "TERM", name)
        found = has_screen()

    assert found == expected


def test_stall_is_the_drivers_to_know() -> None:
    """A driver that does not say is never stalled."""
    assert not Terminal().is_stalled(None)
