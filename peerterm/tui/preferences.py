"""What the user wants of the screen, as the settings say it, and how settings are explained to him.

Reads the settings' file, never writes it, and must not import Textual: it is asked before Textual may be imported.
Called by ``program`` at the start, and by the settings screen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from peerterm.config import Settings, variable_name
from peerterm.errors import ConfigError
from peerterm.tui.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from peerterm.api.views import SettingView
    from peerterm.config import UiSettings

Effect = Literal["now", "engine", "program"]
"""When a change takes effect: at once, or when the engine or this program starts next."""

LIVE = frozenset(
    {
        "transfers.down_limit",
        "transfers.up_limit",
        "stream.player",
        "chat.bell",
        "chat.notices",
        "ui.theme",
        "ui.keymap",
    }
)


def read_preferences(file: Path, environment: Mapping[str, str]) -> tuple[Settings, str]:
    """Return what the user wants, and what is wrong with the settings, of which then none is taken."""
    try:
        return Settings.load(file, env=environment), ""
    except ConfigError as error:
        return Settings(), error.advice


def terminal_for(environment: Mapping[str, str], wanted: UiSettings) -> Terminal:
    """Return what the terminal can do, as far as the user wants it."""
    theme = "" if wanted.theme == "auto" else wanted.theme
    has_mouse = None if wanted.mouse == "auto" else wanted.mouse == "on"
    terminal = Terminal.of(environment, theme, has_mouse=has_mouse)
    if wanted.ascii == "auto":
        return terminal
    is_ascii = wanted.ascii == "on"
    return replace(terminal, is_ascii=is_ascii, encoding="ascii" if is_ascii else "utf-8")


def effect_of(name: str) -> Effect:
    """Return when a change of a setting takes effect."""
    if name in LIVE:
        return "now"
    return "program" if name.startswith("ui.") else "engine"


def waits_for_engine(setting: SettingView, running: SettingView | None) -> bool:
    """Return whether the engine that runs has another value, which nobody gave it by flag or variable."""
    if running is None or effect_of(setting.name) != "engine" or running.source in {"flag", "environment"}:
        return False
    return running.value != setting.value


def explained(setting: SettingView, running: SettingView | None) -> tuple[str, str]:
    """Say where a setting's value comes from, and when a change takes effect.

    Args:
        setting: As the file has it.
        running: As the engine that runs has it; ``None`` without one.
    """
    default = setting.default or "none"
    origin = {
        "default": "This is the default.",
        "file": f"It is set in config.toml; the default is {default}.",
        "environment": f"{variable_name(setting.name)} gives it, and wins over config.toml.",
        "flag": "A flag gives it.",
    }[setting.source]
    match effect_of(setting.name):
        case "now":
            effect = "A change takes effect at once."
        case "program":
            effect = "A change takes effect when this program is opened next."
        case _ if running is None or running.value == setting.value:
            effect = "A change takes effect when the engine starts next."
        case _:
            effect = f"The engine that runs has {running.value or 'none'}{_given(running)}; F5 restarts it."
    return origin, effect


def _given(running: SettingView) -> str:
    return {"flag": ", given by a flag", "environment": ", given by a variable"}.get(running.source, "")
