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


def test_without_a_terminal_a_line_is_printed_every_few_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    """A log file is not filled with progress, however many things move and however fast."""
    now = [0.0]
    with Bars(quiet=False, clock=lambda: now[0]) as bars:
        for tenth in range(200):
            now[0] = tenth / 10
            bars.show("k", "film\x1b[2J", done=tenth, total=200, detail="fast")
            bars.show("unknown", "folder", done=0, total=0, detail="looking")

    assert capsys.readouterr().err.splitlines() == [
        "film[2J: 25% fast",
        "folder: looking",
        "film[2J: 75% fast",
    ]


def test_news_is_told_at_once_and_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With bars or without, unless nobody wants to hear."""
    with Bars(quiet=False) as bars, Bars(quiet=True) as mute:
        for _ in range(3):
            bars.say("film: waits\x1b[2J")
            mute.say("never")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with Bars(quiet=False) as bars:
        bars.say("film: waits")
        bars.say("film: waits")

    assert capsys.readouterr().err == "film: waits[2J\n"
    assert terminal.getvalue().count("film: waits") == 1


@pytest.mark.parametrize("columns", ["80", "120"])
def test_bar_fits_its_line(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is cut first; rate, time left and sources stay readable."""
    detail = "of 999.9 MB, 99.9 MB/s, 1 min 59 s left, 12 sources"
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", columns)
    with Bars(quiet=False) as bars:
        bars.show("k", "x" * 255, done=1, total=2, detail=detail)

    shown = terminal.getvalue()
    assert f"50% {detail}" in shown.replace("\x1b[0m", "")
    assert "xxxxxxxx…" in shown


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
