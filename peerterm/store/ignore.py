"""What of a share is left out: gitignore patterns, in the order built-in, configured, the share's own file.

Called by the scanner for every file and folder it meets. The last pattern that fits decides, so ``!`` in a later
one brings back what an earlier one left out. Nothing below an ignored folder is looked at.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

from pathspec import GitIgnoreSpec

from peerterm.core.names import PART_SUFFIX
from peerterm.errors import ConfigError, InvalidPath

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

IGNORE_FILE = ".peertermignore"
MAX_IGNORE_FILE_BYTES = 64 * 1024

HIDDEN = (".*",)
LITTER = (
    ".DS_Store",
    "._*",
    ".Trash-*/",
    "$RECYCLE.BIN/",
    "System Volume Information/",
    "Thumbs.db",
    "desktop.ini",
    "lost+found/",
    f"*{PART_SUFFIX}",
    "*.part",
    "*.crdownload",
)
"""What operating systems and unfinished downloads leave lying about."""


class IgnoreRules:
    """Decides what a share leaves out."""

    def __init__(self, patterns: Iterable[str] = (), *, share_hidden: bool = False) -> None:
        """Build rules from the built-in patterns and these.

        Raises:
            ConfigError: A pattern cannot be understood.
        """
        lines = [*(() if share_hidden else HIDDEN), *LITTER, *patterns]
        self._spec = compile_patterns(lines)

    @classmethod
    def from_share(cls, top: Path, patterns: tuple[str, ...], share_hidden: bool) -> IgnoreRules:
        """Build the rules of the share at ``top`` from the configured patterns and its own ``.peertermignore``.

        Raises:
            ConfigError: A pattern cannot be understood: better share nothing than too much.
            InvalidPath: The share's own file is there but cannot be read.
        """
        own = _read_patterns(top / IGNORE_FILE)
        return cls((*patterns, *own), share_hidden=share_hidden)

    def ignores(self, relative: str, is_folder: bool) -> bool:
        """Return whether the entry at ``relative``, a path with slashes from the share's top, is left out."""
        return self._spec.match_file(f"{relative}/" if is_folder else relative)


def compile_patterns(lines: Sequence[str]) -> GitIgnoreSpec:
    """Compile patterns as in a ``.gitignore`` file.

    Raises:
        ConfigError: One cannot be understood.
    """
    try:
        return GitIgnoreSpec.from_lines(lines)
    except (ValueError, re.error) as error:
        broken = next(line for line in lines if not _is_pattern(line))
        raise ConfigError(f"{broken!r} is no pattern", "patterns are written as in a .gitignore file") from error


def _is_pattern(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except (ValueError, re.error):
        return False
    return True


def _read_patterns(path: Path) -> list[str]:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):  # none, or the share is a single file
        return []
    except OSError as error:
        raise InvalidPath(f"{path}: {error.strerror}", "make it readable, or remove it") from error
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise InvalidPath(f"{path}: not a regular file", "remove it")
    with os.fdopen(file, "rb") as stream:
        data = stream.read(MAX_IGNORE_FILE_BYTES + 1)
    if len(data) > MAX_IGNORE_FILE_BYTES:
        raise InvalidPath(f"{path}: longer than {MAX_IGNORE_FILE_BYTES} bytes")
    try:
        return data.decode().splitlines()
    except UnicodeDecodeError as error:
        raise InvalidPath(f"{path}: not valid UTF-8") from error
