"""What somebody typed into the field of a conversation: something to say, or a command. Pure."""

from __future__ import annotations

from dataclasses import dataclass

COMMANDS = {
    "me": ("/me waves", "say what you do"),
    "nick": ("/nick NAME", "be called so from the engine's next start on"),
    "send": ("/send PATH", "offer a file or folder to whom you write, and to nobody else"),
    "join": ("/join #ROOM", "enter a room; it comes to be by that"),
    "leave": ("/leave", "leave this room, or the one you name"),
    "help": ("/help", "show these commands"),
}
"""How each is typed, and what it does."""


@dataclass(frozen=True, slots=True)
class Typed:
    """What is meant.

    Attributes:
        command: Its name; empty for something to say.
        text: What is to be said, or what stood after the command.
    """

    command: str
    text: str


def read_typed(text: str) -> Typed:
    """Read what was typed; two slashes begin a line that begins with one."""
    text = text.strip()
    if text.startswith("//"):
        return Typed("", text[1:])
    if not text.startswith("/"):
        return Typed("", text)
    command, *rest = text[1:].split(maxsplit=1) or [""]
    return Typed(command.casefold() or "/", rest[0] if rest else "")


def endings_of(text: str, names: list[str]) -> tuple[str, list[str]]:
    """Return the last word of a text, and what it may become: a command, or a name of somebody.

    Args:
        text: What stands before the cursor.
        names: Of those who may be meant.
    """
    head, _, word = text.rpartition(" ")
    if not word:
        return "", []
    if word.startswith("/") and not head:
        return word, [f"/{name} " for name in COMMANDS if name.startswith(word[1:].casefold())]
    end = ": " if not head else " "
    return word, [f"{name}{end}" for name in names if name.casefold().startswith(word.casefold())]
