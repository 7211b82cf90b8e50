"""What the terminal can do, found out before anything is drawn: characters, colours, mouse, how far away it is.

Reads the environment only; ``driver`` does what it says. Must not import Textual, which ``prepare`` tells first.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from textual.driver import Driver

DEFAULT_THEME = "peerterm-dark"
SIMPLE_THEME = "ansi-dark"
"""For terminals of 16 colours, or of none: their own colours are chosen to be read, approximations are not."""

MIN_COLUMNS, MIN_ROWS = 40, 12
"""The smallest screen that shows anything but its own size."""

ROOMY_COLUMNS, ROOMY_ROWS = 100, 30
"""The smallest screen that shows more than one thing at a time."""

LOCAL_TICK_SECONDS, REMOTE_TICK_SECONDS = 0.25, 0.5
"""Time between two looks of the screen while things change, on this machine and over SSH."""

MANY_COLOURS = ("256color", "direct", "kitty", "ghostty", "alacritty", "wezterm", "foot")
"""Parts of ``TERM`` that tell of more than 16 colours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """The terminal and what suits it.

    Attributes:
        is_ascii: No glyph beyond ASCII is sure to be drawn; widgets choose plain ones.
        encoding: What bytes to send: ``utf-8`` or ``ascii``.
        is_colourless: The user wants no colours (https://no-color.org).
        is_remote: It is reached over SSH: fewer looks, and the mouse stays the terminal's.
        is_console: It is the system's own console, which prints questions that it does not understand.
        has_mouse: The mouse is taken; if not, it stays the terminal's, to select text with.
        theme: Name of the theme to start with.
        driver_class: What writes to it; ``None`` leaves it to Textual.
    """

    is_ascii: bool = False
    encoding: str = "utf-8"
    is_colourless: bool = False
    is_remote: bool = False
    is_console: bool = False
    has_mouse: bool = True
    theme: str = DEFAULT_THEME
    driver_class: type[Driver] | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str], theme: str = "", *, has_mouse: bool | None = None) -> Self:
        """Look at an environment.

        Args:
            environment: The variables of this process.
            theme: The theme that the user chose; empty to choose by the terminal.
            has_mouse: Whether the user wants the mouse; ``None`` takes it except over SSH, and in GNU screen, which
                then holds every Escape back until another key comes.
        """
        speaks_utf8 = _speaks_utf8(environment)
        is_console = environment.get("TERM") == "linux"
        is_remote = any(environment.get(name) for name in ("SSH_CONNECTION", "SSH_TTY"))
        is_colourless = bool(environment.get("NO_COLOR"))
        usual = DEFAULT_THEME if _has_many_colours(environment) else SIMPLE_THEME
        return cls(
            is_ascii=is_console or not speaks_utf8,
            encoding="utf-8" if speaks_utf8 else "ascii",
            is_colourless=is_colourless,
            is_remote=is_remote,
            is_console=is_console,
            has_mouse=not (is_remote or environment.get("STY")) if has_mouse is None else has_mouse,
            theme=SIMPLE_THEME if is_colourless else theme or usual,
        )

    @property
    def tick_seconds(self) -> float:
        """Time between two looks of the screen while things change."""
        return REMOTE_TICK_SECONDS if self.is_remote else LOCAL_TICK_SECONDS

    def prepare(self, environment: MutableMapping[str, str]) -> None:
        """Tell Textual what suits the terminal; before it is imported, because it looks only then."""
        environment.setdefault("TEXTUAL_ANIMATIONS", "none")
        environment.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
        environment.setdefault("TEXTUAL_FPS", "20" if self.is_remote else "60")
        if self.is_console:
            environment.setdefault("TEXTUAL_DISABLE_KITTY_KEY", "1")
        if not self.is_colourless:
            environment.pop("NO_COLOR", None)  # empty means nothing, yet Textual would take it
        for name in ("COLUMNS", "LINES"):  # what a shell exported hides every later change of size
            environment.pop(name, None)

    def is_stalled(self, driver: Driver | None) -> bool:
        """Whether the terminal has not taken what it was sent already."""
        return bool(getattr(driver, "is_stalled", False))


def has_screen() -> bool:
    """Whether this process has a terminal that a full-screen program can use."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "") not in {"", "dumb"}


def _speaks_utf8(environment: Mapping[str, str]) -> bool:
    """Ask the locale, not Python, which in a C locale sets ``LC_CTYPE`` and its streams to UTF-8 (PEP 538, 540)."""
    is_own = sys.flags.utf8_mode and environment.get("LC_CTYPE") == "C.UTF-8"
    names = ("LC_ALL", "LANG") if is_own else ("LC_ALL", "LC_CTYPE", "LANG")
    locale = next((environment[name] for name in names if environment.get(name)), "")
    return "utf8" in locale.lower().replace("-", "")


def _has_many_colours(environment: Mapping[str, str]) -> bool:
    name = environment.get("TERM", "")
    return environment.get("COLORTERM") in {"truecolor", "24bit"} or any(part in name for part in MANY_COLOURS)
