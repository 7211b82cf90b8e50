"""Asks for one type, or for sizes, to search for only; what is chosen is written into the line that was typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerterm.errors import UsageError
from peerterm.tui.modals.dialogs import Choice, Prompt
from peerterm.tui.query import parse_line, values_of, with_values

if TYPE_CHECKING:
    from peerterm.tui.app import PeertermApp

_KINDS = [
    ("0", "everything", "any"),
    ("f", "files", "file"),
    ("d", "folders", "folder"),
    ("v", "videos", "video"),
    ("a", "audio", "audio"),
    ("i", "images", "image"),
    ("t", "documents", "document"),
    ("z", "archives and disk images", "archive"),
    ("c", "code", "code"),
    ("s", "some sizes only ...", "size"),
]


async def edit_limits(program: PeertermApp, line: str) -> str:
    """Ask, and return the line with the answer in it; as it was, if the user turned away. Call it in a worker."""
    present = (values_of(line, "type") or ["any"])[-1]
    chosen = await program.push_screen_wait(Choice("Search for", _KINDS, present))
    if chosen == "size":
        sizes = await program.push_screen_wait(_size_prompt(line))
        if sizes is not None:
            line = with_values(line, "size", sizes.split())
    elif chosen is not None:
        line = with_values(line, "type", [chosen] if chosen != "any" else [])
    return line


def _size_prompt(line: str) -> Prompt:
    return Prompt(
        "Search for which sizes?",
        " ".join(values_of(line, "size")),
        check=_fault_of_sizes,
        note="Such as >10M, <2G, or 10M..2G; nothing is any size.",
    )


def _fault_of_sizes(text: str) -> str:
    try:
        parse_line(with_values("word", "size", text.split()))
    except UsageError as error:
        return error.advice
    return ""
