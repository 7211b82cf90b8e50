"""The program's own themes; Textual's others can be chosen, too. Widgets use their variables, never a colour."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="peerterm-dark",
    primary="#5fafd7",
    secondary="#87afaf",
    accent="#d7af5f",
    warning="#d7875f",
    error="#d75f5f",
    success="#87af5f",
    foreground="#d0d0d0",
    background="#121212",
    surface="#1c1c1c",
    panel="#262626",
    dark=True,
)
LIGHT = Theme(
    name="peerterm-light",
    primary="#005f87",
    secondary="#5f5f87",
    accent="#875f00",
    warning="#9c5200",
    error="#af0000",
    success="#005f00",
    foreground="#1c1c1c",
    background="#ffffff",
    surface="#f4f4f4",
    panel="#e4e4e4",
    dark=False,
)
HIGH_CONTRAST = Theme(
    name="peerterm-contrast",
    primary="#00ffff",
    secondary="#ffffff",
    accent="#ffff00",
    warning="#ffaf00",
    error="#ff5f5f",
    success="#00ff00",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#303030",
    dark=True,
)
THEMES = (DARK, LIGHT, HIGH_CONTRAST)
"""Beside Textual's own, among which ``ansi-dark`` and ``ansi-light`` keep the terminal's colours."""
