"""The log: one event is one line, whatever is in it."""

from __future__ import annotations

import logging
import stat
from typing import TYPE_CHECKING

import pytest

from peerterm import logs
from peerterm.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOGGER = logging.getLogger("peerterm.net.link")


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """Log to a file while the test runs."""
    logs.setup(tmp_path / "peerterm.log")
    yield tmp_path / "peerterm.log"
    logs.shutdown()


def test_event_is_a_phrase_and_quoted_values(file: Path) -> None:
    """Texts are quoted, numbers stay bare."""
    logs.event(LOGGER, logging.INFO, "peer joined", name="anna b", port=7, known=True, rate=None)

    assert file.read_text().endswith("INFO    net.link peer joined name='anna b' port=7 known=True rate=None\n")


def test_hostile_value_stays_on_its_line(file: Path) -> None:
    """Neither values nor messages nor tracebacks can forge a second line."""
    logs.event(LOGGER, logging.WARNING, "x", name="a\n2026-01-01 ERROR forged\r\u2028\x1b[2J\udcff")
    LOGGER.warning("raw %s", "b\nforged\x85")
    LOGGER.error("bug", exc_info=ValueError("c\nforged"))

    lines = file.read_bytes().split(b"\n")
    assert len(lines) == 4
    assert all(32 <= byte < 127 for line in lines for byte in line)
    assert b"ValueError: c\\nforged" in lines[2]
    assert all("\n" not in line.text for line in logs.recent())


def test_long_values_are_cut(file: Path) -> None:
    """One event cannot fill the disk."""
    logs.event(LOGGER, logging.INFO, "x", name="y" * 100_000)
    LOGGER.info("z" * 100_000)

    first, second = file.read_text().splitlines()
    assert len(first) < logs.MAX_VALUE_CHARACTERS + 200
    assert len(second) < logs.MAX_LINE_CHARACTERS + 200


def test_recent_lines_are_the_newest_in_order(file: Path) -> None:
    """Memory keeps a fixed number of lines."""
    for number in range(logs.RECENT_LINES + 5):
        logs.event(LOGGER, logging.INFO, "n", number=number)

    assert len(logs.recent(5000)) == logs.RECENT_LINES
    assert [line.text for line in logs.recent(2)] == ["n number=1003", "n number=1004"]
    assert logs.recent(0) == []
    assert logs.recent(1)[0]._replace(at=0) == (0, "info", "net.link", "n number=1004")


def test_level_is_kept_to(file: Path) -> None:
    """What is below the level costs nothing and leaves nothing."""
    logs.event(LOGGER, logging.DEBUG, "quiet")

    assert file.read_text() == ""


def test_file_is_private_and_rotates(tmp_path: Path) -> None:
    """Every file of the log is for this user only, and their number is bounded."""
    path = tmp_path / "small.log"
    logs.setup(path, size_bytes=2000, keep=3)
    for _ in range(100):
        logs.event(LOGGER, logging.INFO, "x", name="y" * 100)
    logs.shutdown()

    files = sorted(found.name for found in tmp_path.iterdir())
    assert files == ["small.log", "small.log.1", "small.log.2"]
    assert {stat.S_IMODE(found.stat().st_mode) for found in tmp_path.iterdir()} == {0o600}


def test_second_setup_replaces_the_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line is written once, to stderr only when asked."""
    logs.setup(tmp_path / "a")
    logs.setup(tmp_path / "b", to_stderr=True)
    logs.event(LOGGER, logging.INFO, "hello")
    logs.shutdown()

    assert (tmp_path / "a").read_text() == ""
    assert (tmp_path / "b").read_text().count("hello") == 1
    assert capsys.readouterr().err.count("hello") == 1
    assert logs.recent() == []


def test_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """The user learns which file."""
    with pytest.raises(StorageError, match="absent"):
        logs.setup(tmp_path / "absent" / "log")
