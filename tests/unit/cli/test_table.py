"""Rows for people."""

from __future__ import annotations

import sys

import pytest
from rich.cells import cell_len

from peerterm.cli.table import Table


def test_table_cells_are_literal(capsys: pytest.CaptureFixture[str]) -> None:
    """Markup and escapes in a cell are shown or dropped, never obeyed; a pipe cuts nothing."""
    Table(("name", "n>"), [("[red]x[/red] :smile: \x1b[31m", "y" * 300)]).print()

    shown = capsys.readouterr().out
    assert "[red]x[/red] :smile: [31m" in shown
    assert "y" * 300 in shown
    assert "\x1b" not in shown


ROWS = [("3fa9c21b", "日本" * 60, "10.0 GB", "", "a/" * 50), ("00000001", "b", "1 byte", "", "c")]
COLUMNS = ("root", "name~", "size>", "error", "in~")


def test_only_long_columns_are_cut() -> None:
    """What is typed or compared stays whole; a column without anything in it is left out."""
    heading, first, second = Table(COLUMNS, ROWS).lines(60)

    assert heading.split() == ["root", "name", "size", "in"]
    assert first.startswith("3fa9c21b  日本")
    assert first.count("…") == 2
    assert "10.0 GB" in first
    assert second.split() == ["00000001", "b", "1", "byte", "c"]


@pytest.mark.parametrize("width", [0, 1, 7, 20, 40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """However narrow it is, nothing wraps, and no line ends in blanks."""
    lines = Table(COLUMNS, ROWS).lines(width)

    assert len(lines) == 3
    assert max(map(cell_len, lines)) <= width
    assert not any(line.endswith(" ") for line in lines)


def test_terminal_has_its_width_and_a_bold_heading(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unless the user, or the terminal, wants no escapes."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    Table(COLUMNS, ROWS).print()
    bold = capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    Table(COLUMNS, ROWS).print()
    plain = capsys.readouterr().out

    assert bold.startswith("\x1b[1mroot")
    assert "\x1b" not in plain
    assert plain.splitlines() == Table(COLUMNS, ROWS).lines(60)


def test_empty_table_says_so_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing on stdout: that is data."""
    Table(("name",), [], "nothing here").print()
    Table(("name",), []).print()

    assert capsys.readouterr() == ("", "nothing here\n")
