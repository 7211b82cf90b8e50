"""Preferences: what the terminal becomes by them, and what is said of a setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from peerterm.api.views import SettingView
from peerterm.config import Settings, UiSettings
from peerterm.tui.preferences import effect_of, explained, read_preferences, terminal_for, waits_for_engine

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

LOCAL = {"TERM": "xterm-256color", "LANG": "de_DE.UTF-8"}


def setting(
    value: str, source: Literal["default", "file", "environment", "flag"] = "default", name: str = "node.port"
) -> SettingView:
    """Return a setting."""
    return SettingView(name=name, value=value, default="0", source=source, help="")


def test_file_without_fault_is_taken(tmp_path: Path) -> None:
    """Section ui is read; a variable wins."""
    (tmp_path / "c").write_text('[ui]\ntheme = "ansi-dark"\nmouse = "on"\n[ui.keymap]\n"files.get" = "g"\n')

    wanted, fault = read_preferences(tmp_path / "c", {"PEERTERM_MOUSE": "off"})

    look = wanted.ui
    assert (look.theme, look.mouse, look.keymap, fault) == ("ansi-dark", "off", {"files.get": "g"}, "")


def test_file_with_a_fault_is_told_and_not_taken(tmp_path: Path) -> None:
    """The program starts all the same."""
    (tmp_path / "c").write_text('[ui]\ntheme = "ansi-dark"\nmouse = "perhaps"\n')

    wanted, fault = read_preferences(tmp_path / "c", {})

    assert wanted == Settings()
    assert "ui.mouse" in fault


def test_auto_asks_the_terminal() -> None:
    """Without wishes everything is as the terminal suggests."""
    near, far = terminal_for(LOCAL, UiSettings()), terminal_for(LOCAL | {"SSH_CONNECTION": "x"}, UiSettings())

    assert (near.has_mouse, near.is_ascii, near.theme) == (True, False, "peerterm-dark")
    assert not far.has_mouse


def test_wishes_win_over_the_terminal() -> None:
    """Mouse, characters and theme are the user's; NO_COLOR stays."""
    wishes = UiSettings(theme="peerterm-light", mouse="on", ascii="on")
    far = terminal_for(LOCAL | {"SSH_CONNECTION": "x"}, wishes)
    plain = terminal_for({"TERM": "linux", "LANG": "C"}, UiSettings(mouse="off", ascii="off"))

    assert (far.has_mouse, far.is_ascii, far.encoding, far.theme) == (True, True, "ascii", "peerterm-light")
    assert (plain.has_mouse, plain.is_ascii, plain.encoding) == (False, False, "utf-8")
    assert terminal_for(LOCAL | {"NO_COLOR": "1"}, wishes).theme == "ansi-dark"


def test_every_setting_has_a_time_of_effect() -> None:
    """What the engine reads at its start waits for that; the rest is now, or this program's next start."""
    effects = {view.name: effect_of(view.name) for view in Settings().views()}

    assert {name for name, effect in effects.items() if effect == "now"} == {
        "transfers.down_limit", "transfers.up_limit", "stream.player", "chat.bell", "chat.notices", "ui.theme",
        "ui.keymap",
    }  # fmt: skip
    assert {name for name, effect in effects.items() if effect == "program"} == {"ui.mouse", "ui.ascii"}


@pytest.mark.parametrize(
    ("running", "waits", "told"),
    [
        (None, False, "when the engine starts next"),
        (setting("5", "file"), False, "when the engine starts next"),
        (setting("4", "file"), True, "The engine that runs has 4; F5 restarts it."),
        (setting("", "default"), True, "The engine that runs has none; F5"),
        (setting("4", "flag"), False, "has 4, given by a flag; F5"),
        (setting("4", "environment"), False, "has 4, given by a variable; F5"),
    ],
)
def test_what_the_engine_has_is_compared(running: SettingView | None, waits: bool, told: str) -> None:
    """A value waits for the engine if that has another one which nobody forced on it."""
    wanted = setting("5", "file")

    assert waits_for_engine(wanted, running) is waits
    assert told in explained(wanted, running)[1]


def test_origin_and_effect_are_said() -> None:
    """Default, file, variable and flag; now and at the next opening."""
    origins = [explained(setting("1", source), None)[0] for source in ("default", "file", "environment", "flag")]

    assert origins == [
        "This is the default.",
        "It is set in config.toml; the default is 0.",
        "PEERTERM_PORT gives it, and wins over config.toml.",
        "A flag gives it.",
    ]
    assert "at once" in explained(setting("x", name="ui.theme"), None)[1]
    assert "opened next" in explained(setting("x", name="ui.mouse"), None)[1]
