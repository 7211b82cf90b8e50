"""Helpers of the verbs."""

from __future__ import annotations

from pathlib import Path

import pytest

from peerterm.cli.common import Table, absolute, parse_size
from peerterm.errors import InvalidPath, UsageError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (None, None),
        ("0", 0),
        ("700", 700),
        ("700b", 700),
        ("10M", 10**7),
        ("1.5 kB", 1500),
        ("4GiB", 2**32),
        ("1t", 10**12),
    ],
)
def test_size_is_read(text: str | None, size: int | None) -> None:
    """Units are those of the tables, or binary with an i."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "1X", "-1", "nan", "inf", "1e30", "9" * 400, "M"])
def test_other_text_is_no_size(text: str) -> None:
    """The error shows how to write one."""
    with pytest.raises(UsageError):
        parse_size(text)


def test_paths_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's current folder is another one."""
    monkeypatch.chdir(tmp_path)

    assert absolute("a/../b") == str(tmp_path / "b")
    assert absolute("~") == str(Path.home())
    for bad in ("", "a\0b"):
        with pytest.raises(InvalidPath):
            absolute(bad)


def test_table_cells_are_literal(capsys: pytest.CaptureFixture[str]) -> None:
    """Markup and escapes in a cell are shown or dropped, never obeyed; a pipe cuts nothing."""
    Table(("name", "n>"), [("[red]x[/red] :smile: \x1b[31m", "y" * 300)]).print()

    shown = capsys.readouterr().out
    assert "[red]x[/red] :smile: [31m" in shown
    assert "y" * 300 in shown
    assert "\x1b" not in shown


def test_empty_table_says_so_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing on stdout: that is data."""
    Table(("name",), [], "nothing here").print()
    Table(("name",), []).print()

    assert capsys.readouterr() == ("", "nothing here\n")
