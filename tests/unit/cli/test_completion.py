"""Completion by Tab, as the shell does it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the home folder of somebody new."""
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    (tmp_path / "user").mkdir()
    return tmp_path / "user"


def complete(user: Path, *words: str) -> list[str]:
    """Press Tab behind words in a new bash."""
    asked = f"COMP_WORDS=({' '.join(map(repr, words))}) COMP_CWORD={len(words) - 1}"
    script = f'source ~/.bashrc; {asked}; _peerterm; printf "%s\\n" "${{COMPREPLY[@]}}"; complete -p peerterm'
    done = subprocess.run(
        ["bash", "--norc", "-c", script], check=True, capture_output=True, text=True, env={"HOME": str(user)}
    )
    return done.stdout.split("\n")[:-1]


def test_bash_completes_verbs_options_and_choices(user: Path, run: Callable[..., Any]) -> None:
    """File names are left to bash, which knows of blanks and folders."""
    (user / "film.mkv").touch()
    done = run("--install-completion", "--shell", "bash", "--json")

    assert done.json == {"path": str(user / ".local/share/bash-completion/completions/peerterm")}
    assert complete(user, "peerterm", "unsh")[0] == "unshare"
    assert complete(user, "peerterm", "search", "--ty")[0] == "--type"
    assert complete(user, "peerterm", "search", "--type", "vi")[0] == "video"
    assert complete(user, "peerterm", "pau")[0] == "pause"
    assert complete(user, "peerterm", "pause", "--a")[0] == "--all"
    assert complete(user, "peerterm", "get", "--on")[0] == "--only"
    assert complete(user, "peerterm", "limit", "--d")[0] == "--down"
    assert complete(user, "peerterm", "share", "fi") == [
        "",
        "complete -o bashdefault -o default -F _peerterm peerterm",
    ]


def test_unknown_shell_and_unwritable_home_are_told(
    user: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with a next step and its exit code."""
    (user / ".local").touch()
    blocked = run("--install-completion", "--shell", "bash")
    monkeypatch.setattr("cyclopts.completion.detect.detect_shell", _no_shell)
    unknown = run("--install-completion")

    assert (blocked.code, "cannot be installed" in blocked.err) == (6, True)
    assert (unknown.code, "--shell bash" in unknown.err) == (2, True)


def _no_shell() -> str:
    from cyclopts.completion.detect import ShellDetectionError

    raise ShellDetectionError
