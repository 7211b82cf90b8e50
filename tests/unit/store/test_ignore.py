"""peerterm.store.ignore: what a share leaves out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from peerterm.errors import ConfigError, InvalidPath
from peerterm.store.ignore import IGNORE_FILE, MAX_IGNORE_FILE_BYTES, IgnoreRules

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("relative", "is_folder"),
    [
        (".git", True),
        ("a/.hidden", False),
        (".DS_Store", False),
        ("photos/Thumbs.db", False),
        ("desktop.ini", False),
        ("film.mkv.peerterm-part", False),
        ("album.peerterm-part", True),
        ("lost+found", True),
        (".Trash-1000", True),
        ("setup.iso.part", False),
    ],
)
def test_litter_and_hidden_files_are_left_out(relative: str, is_folder: bool) -> None:
    """Nobody wants to share these."""
    assert IgnoreRules().ignores(relative, is_folder)


@pytest.mark.parametrize("relative", ["film.mkv", "a/b.c", "archive.part1.rar", "x..y", "lost+found.txt"])
def test_ordinary_files_are_shared(relative: str) -> None:
    """What only resembles litter stays."""
    assert not IgnoreRules().ignores(relative, is_folder=False)


def test_hidden_files_are_shared_on_request() -> None:
    """``share_hidden`` brings back what starts with a dot, but not litter."""
    rules = IgnoreRules(share_hidden=True)

    assert not rules.ignores(".bashrc", is_folder=False)
    assert rules.ignores(".DS_Store", is_folder=False)


def test_patterns_of_the_share_come_last(tmp_path: Path) -> None:
    """The share's own file overrules configured patterns, and those the built-in ones."""
    (tmp_path / IGNORE_FILE).write_text("# mine\n*.iso\n!keep.tmp\n/build/\n")

    rules = IgnoreRules.from_share(tmp_path, ("*.tmp", "!.well-known"), share_hidden=False)

    assert rules.ignores("a/b.iso", is_folder=False)
    assert rules.ignores("x.tmp", is_folder=False)
    assert not rules.ignores("keep.tmp", is_folder=False)
    assert not rules.ignores(".well-known", is_folder=True)
    assert rules.ignores("build", is_folder=True)
    assert not rules.ignores("build", is_folder=False)
    assert not rules.ignores("a/build", is_folder=True)


def test_share_without_a_file_of_its_own(tmp_path: Path) -> None:
    """No ignore file, or a share that is a single file, means the other patterns alone."""
    single = tmp_path / "film.mkv"
    single.touch()

    for top in (tmp_path, single):
        assert IgnoreRules.from_share(top, ("*.iso",), share_hidden=False).ignores("x.iso", is_folder=False)


@pytest.mark.parametrize("pattern", ["!", "\\", "[z-a]"])
def test_pattern_that_means_nothing_is_named(pattern: str) -> None:
    """A broken pattern is an error that shows it: better share nothing than too much."""
    with pytest.raises(ConfigError) as caught:
        IgnoreRules(("*.ok", pattern))

    assert repr(pattern) in caught.value.message


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * (MAX_IGNORE_FILE_BYTES + 1)])
def test_ignore_file_that_cannot_be_read_is_an_error(tmp_path: Path, content: bytes) -> None:
    """A file that is no text, or endless, is refused."""
    (tmp_path / IGNORE_FILE).write_bytes(content)

    with pytest.raises(InvalidPath, match=IGNORE_FILE):
        IgnoreRules.from_share(tmp_path, (), share_hidden=False)


def test_ignore_file_must_be_a_regular_file(tmp_path: Path) -> None:
    """A FIFO does not block, and a link is not followed."""
    fifo, link = tmp_path / "fifo", tmp_path / "link"
    fifo.mkdir()
    link.mkdir()
    os.mkfifo(fifo / IGNORE_FILE)
    (link / IGNORE_FILE).symlink_to("/etc/hostname")

    for top in (fifo, link):
        with pytest.raises(InvalidPath):
            IgnoreRules.from_share(top, (), share_hidden=False)
