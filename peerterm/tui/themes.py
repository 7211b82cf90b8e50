"""The program's own themes; Textual's others can be chosen, too. Widgets use their variables, never a colour."""

from __future__ import annotations

from typing import Any

from textual.theme import Theme

_NAMES = ("peerterm-dark", "peerterm-light", "peerterm-contrast")
_VARIABLES: dict[str, tuple[Any, Any, Any]] = {  # a column for each theme
    "dark": (True, False, True),
    "primary": ("#5fafd7", "#005f87", "#00ffff"),
    "secondary": ("#87afaf", "#5f5f87", "#ffffff"),
    "accent": ("#d7af5f", "#875f00", "#ffff00"),
    "warning": ("#d7875f", "#9c5200", "#ffaf00"),
    "error": ("#d75f5f", "#af0000", "#ff5f5f"),
    "success": ("#87af5f", "#005f00", "#00ff00"),
    "foreground": ("#d0d0d0", "#1c1c1c", "#ffffff"),
    "background": ("#121212", "#ffffff", "#000000"),
    "surface": ("#1c1c1c", "#f4f4f4", "#000000"),
    "panel": ("#262626", "#e4e4e4", "#303030"),
}

THEMES = tuple(
    Theme(name=name, **{variable: values[column] for variable, values in _VARIABLES.items()})
    for column, name in enumerate(_NAMES)
)
"""Beside Textual's own, among which ``ansi-dark`` and ``ansi-light`` keep the terminal's colours."""
