"""How amounts look in a row: short, of bounded width, comparable down a column. Pure."""

from __future__ import annotations

import time

_UNITS = "BKMGTPE"


def size(count: float) -> str:
    """Write bytes in at most 5 cells, units of 1000: ``0B``, ``999B``, ``4.1M``, ``412G``."""
    value = float(max(count, 0))
    for unit in _UNITS:
        if value < 999.5 or unit == _UNITS[-1]:
            is_short = unit != "B" and value < 9.95
            return f"{value:.1f}{unit}" if is_short else f"{value:.0f}{unit}"
        value /= 1000
    raise AssertionError("unreachable")


def rate(count: float) -> str:
    """Write bytes a second in at most 7 cells; ``-`` for none."""
    return f"{size(count)}/s" if count >= 1 else "-"


def duration(seconds: float | None) -> str:
    """Write a time to wait in at most 6 cells: ``43s``, ``15:10``, ``3h 20``, ``12d``; ``-`` if unknown."""
    if seconds is None or not 0 <= seconds < 86_400 * 1000:
        return "-"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02}"
    if whole < 86_400:
        return f"{whole // 3600}h {whole % 3600 // 60:02}"
    return f"{whole // 86_400}d"


def bar(fraction: float, width: int, *, ascii_only: bool = False) -> str:
    """Draw progress in ``width`` cells; full only when everything is there."""
    if width < 3:
        return ""
    inner = width - 2
    filled = inner if fraction >= 1 else min(int(max(fraction, 0) * inner), inner - 1)
    full, empty = ("#", "-") if ascii_only else ("█", "░")
    return f"[{full * filled}{empty * (inner - filled)}]"


def percent(done: int, total: int) -> str:
    """Write how much of it is done, in 4 cells; 100% only when everything is there."""
    if total <= 0:
        return "100%" if done >= total else "0%"
    return "100%" if done >= total else f"{min(done * 100 // total, 99)}%"


def age(at: float, now: float | None = None) -> str:
    """Write how long ago a Unix time was, in at most 6 cells: ``<1min``, ``12min``, ``3h``, ``5d``."""
    seconds = (time.time() if now is None else now) - at
    if at <= 0:
        return "-"
    for unit, length, least in (("d", 86_400, 2), ("h", 3600, 1), ("min", 60, 1)):
        if seconds >= length * least:
            return f"{int(seconds // length)}{unit}"
    return "<1min"


def date(at: float) -> str:
    """Write a Unix time as a local date; ``-`` for none, or one that no calendar has."""
    try:
        return time.strftime("%Y-%m-%d", time.localtime(at)) if at > 0 else "-"
    except (OverflowError, ValueError, OSError):
        return "-"


def clock(at: float) -> str:
    """Write a Unix time as local hours, minutes and seconds."""
    try:
        return time.strftime("%H:%M:%S", time.localtime(at))
    except (OverflowError, ValueError, OSError):
        return "--:--:--"
