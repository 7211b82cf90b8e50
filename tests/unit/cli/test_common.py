"""Helpers of the verbs."""

from __future__ import annotations

from pathlib import Path

import pytest

from peerterm.cli.common import Common, absolute, each, parse_rate, parse_size
from peerterm.errors import ControlError, InvalidPath, NotFound, UsageError


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
    with pytest.raises(UsageError, match="must be bytes, "):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "rate"),
    [(None, None), ("0", 0), ("none", 0), ("700k", 700_000), ("10MiB", 10 * 2**20), ("1 MB/s", 10**6)],
)
def test_rate_is_read(text: str | None, rate: int | None) -> None:
    """As a size, and as the tables write it."""
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "fast", "-1", "2TiB", "1/s/s", "M/s"])
def test_other_text_is_no_rate(text: str) -> None:
    """The error shows how to write one, or how much is too much."""
    with pytest.raises(UsageError, match="must be "):
        parse_rate(text)


def test_paths_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's current folder is another one."""
    monkeypatch.chdir(tmp_path)

    assert absolute("a/../b") == str(tmp_path / "b")
    assert absolute("~") == str(Path.home())
    for bad in ("", "a\0b"):
        with pytest.raises(InvalidPath):
            absolute(bad)


async def test_refused_thing_does_not_keep_the_others() -> None:
    """Only the loss of the engine ends all."""

    async def ask(thing: str) -> str:
        if thing == "absent":
            raise NotFound(thing)
        if thing == "ended":
            raise ControlError(thing)
        return thing.upper()

    answers, refused = await each(["a", "absent", "b"], ask)

    assert answers == ["A", "B"]
    assert [error.message for error in refused] == ["absent"]
    with pytest.raises(ControlError):
        await each(["ended"], ask)


def test_exact_lines_reach_a_script_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """A path with a direction override is the path on stdout, or a script would name another file."""
    Common().emit(None, ["/downloads/\u202egpj.exe"], exact=True)
    Common().emit(None, ["/downloads/\u202egpj.exe"])

    assert capsys.readouterr().out == "/downloads/\u202egpj.exe\n/downloads/gpj.exe\n"
