"""What was said, as people read it in a terminal. Used by the ``chat`` verbs, which apply ``display.clean``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from peerterm.display import clean

if TYPE_CHECKING:
    from peerterm.api.views import MessageView

MAX_SHOWN_LINES = 40
"""Most lines that one message takes; a message of more ends in one long line, so that nothing of it is missing."""

NAME_CELLS = 24
DEEDS = ("me", "offer", "accept", "decline", "withdraw", "landed")
"""Kinds of messages that say what their sender does."""

NOTICE = "notice"
"""Kind of a message that nobody said: its sender came or went."""

_INDENT = " " * 4


def spoken(message: MessageView, place: str = "") -> list[str]:
    """Return the lines of a message; only its first can begin at the margin, whatever it says.

    Args:
        message: By anybody.
        place: Where it was said, if that is not clear.
    """
    name = clean(message.sender_name, width=NAME_CELLS)
    head = f"* {name} " if message.kind in DEEDS else f"-- {name} " if message.kind == NOTICE else f"{name}: "
    where = f"[{clean(place, width=NAME_CELLS)}] " if place else ""
    first, *rest = message.text.split("\n", MAX_SHOWN_LINES - 1)
    lines = [f"{moment(message.sent_at)}  {where}{head}{first}", *(f"{_INDENT}{line}" for line in rest)]
    if message.state != "received":
        lines[-1] += f" ({message.state})"
    return lines


def moment(at: float) -> str:
    """Write a Unix time, by whatever clock, as a local day and time."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
    except (OverflowError, ValueError, OSError):
        return "at no known time"
