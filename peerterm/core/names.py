"""Which names may exist: the one judge of every name, whether a peer sent it or a disk holds it.

Called by the scanner, by the decoder of listings and by every path that writes. A name is one path component;
nothing here splits paths. Whether a name is safe to *show* is another matter (``peerterm.display``).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING

from peerterm.errors import InvalidName

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_NAME_BYTES = 255
MAX_DEPTH = 64
MAX_PATH_BYTES = 4096
MAX_DISPLAY_BYTES = 96
MAX_DISPLAY_CHARACTERS = 32

PART_SUFFIX = ".peerterm-part"
"""Ends the name of every unfinished download; no finished file may bear it."""

_TAG_DIGITS = 12  # of a hash: tells apart long names that are cut to the same start

_FORBIDDEN = re.compile(r"[/\\\x00-\x1f\x7f-\x9f]")
_WINDOWS_FORBIDDEN = re.compile(r'[<>:"|?*]')
_WINDOWS_DEVICE = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[1-9¹²³]) *(?:\.|$)", re.IGNORECASE)
_STEM_AND_SUFFIX = re.compile(r"(.+?)((?:\.tar)?\.[^.\s]{1,16})?", re.IGNORECASE)


def check_name(name: str, *, windows: bool = False) -> None:
    """Accept one path component, or say what is wrong with it.

    Args:
        name: The component.
        windows: Also refuse what a Windows file system cannot hold.

    Raises:
        InvalidName: It could leave its folder, cannot be a file's name, or is kept for unfinished downloads.
    """
    if name in {"", ".", ".."}:
        raise InvalidName(f"{_shown(name)} is not a name")
    if found := _FORBIDDEN.search(name):
        raise InvalidName(f"{_shown(name)} contains {_shown(found[0])}, which no name may")
    if len(name) > MAX_NAME_BYTES or len(_encoded(name)) > MAX_NAME_BYTES:
        raise InvalidName(f"{_shown(name)} is longer than {MAX_NAME_BYTES} bytes")
    if name.lower().endswith(PART_SUFFIX):
        raise InvalidName(f"{_shown(name)} ends in {PART_SUFFIX}, which marks unfinished downloads")
    if windows:
        _check_windows(name)


def check_path(components: Sequence[str]) -> None:
    """Accept the components of a relative path; none at all mean the top itself.

    Raises:
        InvalidName: A component is refused, or the path is too deep or too long.
    """
    if len(components) > MAX_DEPTH:
        raise InvalidName(f"a path of {len(components)} levels; at most {MAX_DEPTH} are allowed")
    for name in components:
        check_name(name)
    if len("/".join(components).encode()) > MAX_PATH_BYTES:
        raise InvalidName(f"{_shown('/'.join(components))} is longer than {MAX_PATH_BYTES} bytes")


def check_display_name(name: str) -> None:
    """Accept what a peer or a share is called.

    Raises:
        InvalidName: It is no valid name, or too long for a list.
    """
    check_name(name)
    if len(name) > MAX_DISPLAY_CHARACTERS or len(name.encode()) > MAX_DISPLAY_BYTES:
        raise InvalidName(
            f"{_shown(name)} is too long",
            f"use at most {MAX_DISPLAY_CHARACTERS} characters ({MAX_DISPLAY_BYTES} bytes)",
        )


def landing_name(name: str) -> str:
    """Return the name that something fetched gets at the top of the download folder: never a hidden one.

    Raises:
        InvalidName: The name is refused as it is.
    """
    check_name(name)
    stem = name.lstrip(".")
    return "_" * (len(name) - len(stem)) + stem


def numbered(name: str, number: int, *, is_folder: bool = False) -> str:
    """Return ``name`` with a number before its suffix: "film (2).mkv". The stem is cut to stay a valid name.

    Args:
        name: A valid name.
        number: What to put in brackets.
        is_folder: Put the number last, for a folder's dots start no suffix.
    """
    match = None if is_folder else _STEM_AND_SUFFIX.fullmatch(name)
    stem, suffix = (match[1], match[2] or "") if match else (name, "")
    suffix = f" ({number}){suffix}"
    return _cut(stem, MAX_NAME_BYTES - len(suffix.encode())) + suffix


def part_name(name: str) -> str:
    """Return what ``name`` is called while it is fetched. Different names get different part names."""
    room = MAX_NAME_BYTES - len(PART_SUFFIX)
    encoded = name.encode()
    if len(encoded) <= room:
        return name + PART_SUFFIX
    tag = "~" + hashlib.sha256(encoded).hexdigest()[:_TAG_DIGITS]
    return _cut(name, room - len(tag)) + tag + PART_SUFFIX


def collision_key(name: str) -> str:
    """Return what is equal for names that a case-insensitive file system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _check_windows(name: str) -> None:
    if found := _WINDOWS_FORBIDDEN.search(name):
        raise InvalidName(f"{_shown(name)} contains {_shown(found[0])}, which Windows does not allow")
    if name.endswith((".", " ")):
        raise InvalidName(f"{_shown(name)} ends in a dot or a space, which Windows drops")
    if _WINDOWS_DEVICE.match(name):
        raise InvalidName(f"{_shown(name)} is the name of a Windows device")


def _encoded(name: str) -> bytes:
    try:
        return name.encode()
    except UnicodeEncodeError as error:  # a lone surrogate: the disk's bytes are not UTF-8
        raise InvalidName(f"{_shown(name)} is not valid UTF-8") from error


def _cut(text: str, limit: int) -> str:
    """Return the longest start of ``text`` that has at most ``limit`` bytes."""
    return text.encode()[:limit].decode(errors="ignore")


def _shown(name: str) -> str:
    """Return a hostile name for an error message: quoted, without controls, not endless."""
    return ascii(name) if len(name) <= 64 else ascii(name[:64]) + "..."
