"""One offer as one side knows it, and what the machine of ``core.offers`` wants done.

Plain values between that machine, ``store.offers`` and ``engine.sending``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from peerterm.core.ids import PeerId
from peerterm.core.lines import Item

if TYPE_CHECKING:
    from collections.abc import Sequence

ID_DIGITS = 16

AnswerKind: TypeAlias = Literal["accept", "decline", "withdraw", "landed"]
OfferState: TypeAlias = Literal["queued", "offered", "accepted", "withdrawn", "declined", "landed"]
Outcome: TypeAlias = Literal["", "landed", "given up"]

_OPEN = ("queued", "offered", "accepted")


class Draft(NamedTuple):
    """An offer of ours of which no line is said yet.

    Attributes:
        grant: The id under which ``peer`` may have the items already.
    """

    grant: str
    peer: PeerId
    items: tuple[Item, ...]


class Fetch(NamedTuple):
    """What became of one item that our user accepted.

    Attributes:
        number: Of the item, from 1.
        transfer: What fetches it; empty until something does.
        outcome: Empty until it is settled.
    """

    number: int
    transfer: str = ""
    outcome: Outcome = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One offer.

    Attributes:
        hash: Of its line.
        peer: The other: whom it was made to, or who made it.
        is_own: Whether we made it.
        log: Its line's log, ``seq`` its number there.
        sent_at: Unix time in milliseconds by the offerer's clock.
        state: ``queued`` and ``offered`` tell whether the other has it.
        grant: See ``Draft``; empty if it is not our own.
        fetches: What our user accepted of it.
        directory: Where that goes.
    """

    hash: bytes
    peer: PeerId
    is_own: bool
    log: bytes
    seq: int
    sent_at: int
    items: tuple[Item, ...]
    state: OfferState
    grant: str = ""
    fetches: tuple[Fetch, ...] = ()
    directory: str = ""

    @property
    def id(self) -> str:
        """What users call it."""
        return self.hash.hex()[:ID_DIGITS]

    @property
    def name(self) -> str:
        """The first item, and how many more there are."""
        return title(self.items)

    @property
    def is_open(self) -> bool:
        """Whether anything may still become of it."""
        return self.state in _OPEN

    @property
    def unsettled(self) -> list[Fetch]:
        """What is being fetched of it."""
        return [each for each in self.fetches if not each.outcome]

    def with_fetch(self, fetch: Fetch) -> Offer:
        """Return the offer with news of one item."""
        fetches = tuple(fetch if each.number == fetch.number else each for each in self.fetches)
        return replace(self, fetches=fetches)


def title(items: Sequence[Item]) -> str:
    """Return what some items are called together: the first, and how many more there are."""
    more = f" and {len(items) - 1} more" if len(items) > 1 else ""
    return f"{items[0].name}{more}"


# Effects


@dataclass(frozen=True, slots=True)
class Save:
    """Keep an offer as it is now, and tell clients. Its draft is none any more."""

    offer: Offer


@dataclass(frozen=True, slots=True)
class Drop:
    """Keep an offer no longer."""

    offer: Offer


@dataclass(frozen=True, slots=True)
class Say:
    """Say a line to a peer. Nothing of it is so before it is kept."""

    peer: PeerId
    kind: AnswerKind
    about: bytes
    text: str


@dataclass(frozen=True, slots=True)
class Revoke:
    """Let a peer have what was granted to it no longer; of a draft, forget that, too."""

    grant: str
    peer: PeerId


@dataclass(frozen=True, slots=True)
class Download:
    """Fetch what has no transfer yet of an offer, and tell ``Offers.fetching``."""

    offer: Offer


@dataclass(frozen=True, slots=True)
class Cancel:
    """Give up what is unsettled of an offer, and tell ``Offers.settled``."""

    offer: Offer


Effect: TypeAlias = Save | Drop | Say | Revoke | Download | Cancel
