"""What is played, what plays it, and what became of it: the words that all players share.

Starts nothing. Used by the other modules of this package and by those who start a stream.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager


@dataclass(frozen=True, slots=True)
class Subtitle:
    """Subtitles that belong to an item.

    Attributes:
        url: Where they are served; a secret, for it bears the stream's token.
        title: What the player's menu calls them.
        language: Its tag, such as ``en`` or ``pt-BR``; empty if not known.
    """

    url: str = field(repr=False)
    title: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One film or song.

    Attributes:
        url: Where it is served; a secret, for it bears the stream's token.
        title: What the player calls it. May come from a peer.
        subtitles: The first is shown, the others are offered.
    """

    url: str = field(repr=False)
    title: str
    subtitles: tuple[Subtitle, ...] = ()


@dataclass(frozen=True, slots=True)
class Ending:
    """How a player ended.

    Attributes:
        status: What its process returned; the negative number of the signal that ended it.
        message: What went wrong or was said last, safe to show, without any URL; may be empty.
    """

    status: int
    message: str = ""


class Playback(Protocol):
    """A player that runs."""

    async def wait(self) -> Ending:
        """Wait until the player has ended, by itself or because it was stopped.

        Cancel: safe; it plays on.
        """
        ...

    async def stop(self) -> None:
        """End the player, and return once it has ended; it is killed if it does not end soon.

        Cancel: safe; leaving the context ends it.
        """
        ...


class Player(Protocol):
    """A program that can play."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def shows_url(self) -> bool:
        """Whether other users of this machine can read the URL, token and all, while it plays."""
        ...

    def play(self, item: Item) -> AbstractAsyncContextManager[Playback]:
        """Start the program and play; it has ended when the context is left.

        Raises:
            PeertermError: The program does not start.
        """
        ...
