"""Progress on a terminal and without one."""

from __future__ import annotations

import io
import sys

import pytest

from peerterm.cli.progress import Bars


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        """Claim to be one."""
        return True


def test_without_a_terminal_a_line_is_printed_each_step(capsys: pytest.CaptureFixture[str]) -> None:
    """A log file is not filled with progress."""
    with Bars(quiet=False) as bars:
        for done in range(101):
            bars.show("k", "film\x1b[2J", done=done, total=100, detail="fast")
        bars.show("empty", "empty", done=0, total=0, detail="")

    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "film[2J: 0% fast"
    assert lines[10] == "film[2J: 100% fast"
    assert len(lines) == 12


def test_quiet_prints_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither bars nor lines."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with Bars(quiet=True) as bars:
        bars.show("k", "film", done=1, total=1, detail="")

    assert terminal.getvalue() == ""


def test_terminal_gets_a_bar_that_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text from a peer in a label cannot carry markup or escapes."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with Bars(quiet=False) as bars:
        bars.show("k", "[red]film\x1b]0;t\x07", done=1, total=2, detail="3 MB/s")
        bars.show("k", "[red]film", done=2, total=2, detail="4 MB/s")

    shown = terminal.getvalue()
    assert "[red]film" in shown
    assert "\x1b]0" not in shown
    assert "100%" in shown
