"""Paths as a user types them: the home folder, completion, and what is wrong with one."""

from __future__ import annotations

import os
from pathlib import Path

from peerterm.display import clean

MAX_WAYS = 200
"""Most ways to go on that are returned; the first and the last, which tell what all share, are among them."""


def _at_home(text: str) -> Path:
    """Put the home folder for a leading ``~``; nobody's home is left as it is.

    Whoever types a path from the root behind a ``~/`` that stands there already means that path.
    """
    text = text.removeprefix("~/") if text.startswith("~//") else text
    return Path(os.path.expanduser(text))  # noqa: PTH111 - Path.expanduser raises for a user who does not exist


def expanded(text: str) -> str:
    """Return a typed path as the engine must be told it.

    Raises:
        OSError: It is relative, and the folder that the program is in was deleted.
    """
    return os.path.abspath(_at_home(text))  # noqa: PTH100 - Path.absolute keeps ".."


def complete_path(text: str) -> list[str]:
    """Return the paths that begin as typed, folders with a slash; hidden ones only when asked for.

    A name that a line of text cannot hold, as one with an escape in it, is not among them.
    """
    if text == "~":
        return ["~/"]
    head, _, tail = text.rpartition("/")
    folder = _at_home(f"{head}/") if "/" in text else Path()
    prefix = f"{head}/" if "/" in text else ""
    try:
        with os.scandir(folder) as entries:
            found = [
                f"{prefix}{entry.name}{'/' if entry.is_dir() else ''}"
                for entry in entries
                if entry.name.startswith(tail)
                and (tail or not entry.name.startswith("."))
                and clean(entry.name) == entry.name
            ]
    except (OSError, ValueError):
        return []
    found.sort()
    return found if len(found) <= MAX_WAYS else [*found[: MAX_WAYS - 1], found[-1]]


def fault_of_share(text: str) -> str:
    """Return what is wrong with a path to share; nothing if it can be."""
    if not text.strip():
        return "type the path of a file or folder"
    try:
        path = Path(expanded(text))
        if not path.exists():
            return f"{path} does not exist"
    except (OSError, ValueError) as error:
        return _reason(text, error)
    return "" if os.access(path, os.R_OK) else f"{path} may not be read"


def fault_of_folder(text: str) -> str:
    """Return what is wrong with a folder to download into; one that does not exist is made."""
    if not text.strip():
        return "type the path of a folder"
    try:
        path = Path(expanded(text))
        while not path.exists() and path != path.parent:
            path = path.parent
        if not path.is_dir():
            return f"{path} is not a folder"
    except (OSError, ValueError) as error:
        return _reason(text, error)
    return "" if os.access(path, os.W_OK | os.X_OK) else f"{path} may not be written"


def _reason(text: str, error: OSError | ValueError) -> str:
    return f"{text}: {(isinstance(error, OSError) and error.strerror) or error}"
