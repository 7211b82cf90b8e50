"""The log: one line an event, to a rotating file, to memory for clients, and to stderr when asked.

``setup`` is called once by the process that runs an engine. Modules log with ``logging.getLogger(__name__)`` and
``event(logger, level, "peer joined", name=..., address=...)``. Values are quoted, so that nothing a peer says can
forge or break a line, and never hold secrets.
"""

from __future__ import annotations

import logging
import os
import sys
from collections import deque
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING, NamedTuple

from peerterm.errors import StorageError

if TYPE_CHECKING:
    from io import TextIOWrapper
    from pathlib import Path

MAX_VALUE_CHARACTERS = 1000
"""Longest value in a line; the rest is cut."""

MAX_LINE_CHARACTERS = 8000
RECENT_LINES = 1000
"""Lines kept in memory for clients."""

FILE_BYTES = 5 * 1024 * 1024
FILES_KEPT = 3

ROOT = "peerterm"


class Line(NamedTuple):
    """A logged line. ``at`` is Unix time in seconds; ``source`` is the module below ``peerterm``."""

    at: float
    level: str
    source: str
    text: str


def event(logger: logging.Logger, level: int, what: str, **values: object) -> None:
    """Log one fact: a fixed phrase, then ``key=value`` pairs with quoted values."""
    if logger.isEnabledFor(level):
        pairs = "".join(f" {key}={quoted(value)}" for key, value in values.items())
        logger.log(level, "%s%s", what, pairs)


def quoted(value: object) -> str:
    """Write a value on one line in ASCII, at most ``MAX_VALUE_CHARACTERS`` of it; plain numbers stay bare."""
    if value is None or isinstance(value, bool | int | float):
        return str(value)
    text = str(value)
    cut = "…" if len(text) > MAX_VALUE_CHARACTERS else ""
    return ascii(text[:MAX_VALUE_CHARACTERS] + cut)


class LineFormatter(logging.Formatter):
    """Writes ``TIME LEVEL SOURCE text``, with anything that could break a line escaped; tracebacks included."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03d"

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        return f"{self.formatTime(record)} {record.levelname:7} {_source(record)} {text_of(record)}"


def text_of(record: logging.LogRecord) -> str:
    """Return a record's text on one line, with its traceback if it has one."""
    text = record.getMessage()
    if record.exc_info:
        text += "\n" + logging.Formatter().formatException(record.exc_info)
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= MAX_LINE_CHARACTERS else text[:MAX_LINE_CHARACTERS] + "…"


def _source(record: logging.LogRecord) -> str:
    return record.name.removeprefix(ROOT + ".")


class PrivateFile(RotatingFileHandler):
    """A rotating file that only this user can read."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        return os.fdopen(descriptor, "a", encoding=self.encoding, errors=self.errors)


class RecentLines(logging.Handler):
    """Keeps the newest lines in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[Line] = deque(maxlen=RECENT_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line, in place of the oldest if there are too many."""
        self.lines.append(Line(record.created, record.levelname.lower(), _source(record), text_of(record)))


_recent = RecentLines()


def recent(count: int = 100) -> list[Line]:
    """Return the newest lines, oldest first; at most ``RECENT_LINES``."""
    return list(_recent.lines)[-count:] if count > 0 else []


def setup(
    file: Path,
    *,
    level: str = "info",
    size_bytes: int = FILE_BYTES,
    keep: int = FILES_KEPT,
    to_stderr: bool = False,
) -> None:
    """Start logging to a file and to memory; a second call replaces the first.

    Args:
        file: Readable by this user only; rotated before it exceeds ``size_bytes``.
        level: Least level written: debug, info, warning or error.
        size_bytes: Size of one file.
        keep: Files kept, the current one included; at least 2.
        to_stderr: Write to stderr too.

    Raises:
        StorageError: The file cannot be opened.
    """
    try:
        file_lines = PrivateFile(
            file, maxBytes=size_bytes, backupCount=keep - 1, encoding="ascii", errors="backslashreplace"
        )
    except OSError as error:
        raise StorageError(f"{file}: the log cannot be written: {error.strerror}", "check the folder") from error
    shutdown()
    handlers: list[logging.Handler] = [file_lines, _recent]
    if to_stderr:
        handlers.append(logging.StreamHandler(sys.stderr))
    logger = logging.getLogger(ROOT)
    logger.setLevel(level.upper())
    logger.propagate = False
    for handler in handlers:
        handler.setFormatter(LineFormatter())
        logger.addHandler(handler)
    logging.getLogger("asyncio").addHandler(file_lines)  # an exception nobody awaited is a bug that must be seen


def shutdown() -> None:
    """Close the files and forget the lines in memory."""
    logger = logging.getLogger(ROOT)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        logging.getLogger("asyncio").removeHandler(handler)
        handler.close()
    logger.propagate = True
    _recent.lines.clear()
