"""Paths as a user types them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from peerterm.tui import paths
from peerterm.tui.paths import complete_path, expanded, fault_of_folder, fault_of_share


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with two folders, a file and a hidden file, which is also where we stand."""
    for name in ("Pictures", "Private"):
        (tmp_path / name).mkdir()
    (tmp_path / "Pictures" / "a.jpg").touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / ".secret").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_engine_is_told_absolute_paths(home: Path) -> None:
    """It stands elsewhere: home, dots and relative paths are resolved here."""
    assert expanded("~/Pictures/../x") == f"{home}/x"
    assert expanded("x") == f"{home}/x"
    assert expanded("/a//b/") == "/a/b"
    assert expanded("~//srv/x") == "/srv/x"
    assert expanded("~//srv/x") == "/srv/x"


def test_home_of_nobody_is_a_name_like_any_other(home: Path) -> None:
    """A tilde before a name that is no user's raises nothing, in no place."""
    assert expanded("~no-such-user/x") == f"{home}/~no-such-user/x"
    assert complete_path("~no-such-user/x") == []
    assert fault_of_share("~no-such-user/x").endswith("does not exist")
    assert fault_of_folder("~no-such-user/x") == ""


@pytest.mark.parametrize(
    ("typed", "ways"),
    [
        ("~", ["~/"]),
        ("~/P", ["~/Pictures/", "~/Private/"]),
        ("~/Pictures/", ["~/Pictures/a.jpg"]),
        ("", ["Pictures/", "Private/", "notes.txt"]),
        ("no", ["notes.txt"]),
        (".", [".secret"]),
        ("~/.s", ["~/.secret"]),
        ("~/x", []),
        ("~/notes.txt/", []),
        ("a\0/b", []),
        ("~//no-such-folder/", []),
    ],
)
def test_path_goes_on_as_its_folder_has_it(typed: str, ways: list[str]) -> None:
    """Folders end in a slash; hidden names come only when asked for; what cannot be read has no way on."""
    assert complete_path(typed) == ways


def test_name_that_would_harm_the_terminal_is_not_offered(home: Path) -> None:
    """An input draws what it holds: an escape, a bidi override or a broken name never gets there."""
    for name in (b"Pic\x1b[31m", "Pic\u202egpj".encode(), b"Pic\xff", b"Pic\nb"):
        (home / "Pictures" / name.decode(errors="surrogateescape")).touch()

    assert complete_path("~/Pictures/P") == []


def test_large_folder_keeps_what_all_names_share(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first and the last name tell it, however many are left out between."""
    monkeypatch.setattr(paths, "MAX_WAYS", 5)
    for number in range(20):
        (home / "Pictures" / f"img{number:02}").touch()

    ways = complete_path("Pictures/i")

    assert len(ways) == 5
    assert (ways[0], ways[-1]) == ("Pictures/img00", "Pictures/img19")


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        (" ", "type the path of a file or folder"),
        ("~/Pictures", ""),
        ("notes.txt", ""),
        ("~/gone", "/gone does not exist"),
        ("a\0b", "does not exist"),
        ("~/" + "x" * 300, "File name too long"),
    ],
)
def test_what_cannot_be_shared_is_told(typed: str, fault: str) -> None:
    """Before the engine is asked."""
    assert fault in fault_of_share(typed)
    assert bool(fault) == bool(fault_of_share(typed))


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        ("", "type the path of a folder"),
        ("~/Pictures", ""),
        ("~/new/deep", ""),
        ("notes.txt", "is not a folder"),
        ("notes.txt/x", "is not a folder"),
        ("~/" + "x" * 300, "File name too long"),
        ("a\0b", ""),
    ],
)
def test_what_cannot_hold_downloads_is_told(typed: str, fault: str) -> None:
    """A folder that does not exist is made; a file is none."""
    assert fault in fault_of_folder(typed)
    assert bool(fault) == bool(fault_of_folder(typed))


def test_what_may_not_be_touched_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user may lack the right to read or to write."""
    monkeypatch.setattr(os, "access", lambda *_: False)

    assert fault_of_share("~/Pictures").endswith("may not be read")
    assert fault_of_folder("~/Pictures").endswith("may not be written")


def test_folder_that_is_gone_ends_nothing(home: Path) -> None:
    """Where the program stands may be deleted; a relative path then leads nowhere."""
    (home / "gone").mkdir()
    os.chdir(home / "gone")
    (home / "gone").rmdir()

    assert fault_of_folder("x") == "x: No such file or directory"
    assert fault_of_share("x") == "x: No such file or directory"


def test_folder_that_may_not_be_entered_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program goes on."""

    def refuse(_path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuse)

    assert fault_of_folder("~/x") == "~/x: Permission denied"
    assert fault_of_share("~/x") == "~/x: Permission denied"
