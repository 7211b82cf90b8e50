"""What linked peers tell each other about conversations, and what the talk machine wants done.

Plain values between ``core.talk``, ``wire.talk`` (which brings messages to the wire) and the engine's driver.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from peerterm.core.lines import LogId

if TYPE_CHECKING:
    from peerterm.core.ids import PeerId
    from peerterm.core.lines import ConversationId, Line

MAX_HEADS = 256
"""Most logs told of in one message."""

MAX_WANTS = 64
"""Most logs asked for in one pull."""

MAX_PULLED_LINES = 64
MAX_PULLED_BYTES = 48 * 1024
"""Most that answers one pull: lines, and bytes on the wire."""

MAX_HOPS = 8
"""How often a pushed line is passed on at most."""

LineState: TypeAlias = Literal["queued", "sent", "delivered", "read"]
MarkKind: TypeAlias = Literal["delivered", "read", "seen"]
RefusalReason: TypeAlias = Literal[
    "forged", "foreign", "replayed", "not asked for", "too many authors", "too many conversations"
]

# Messages


class Head(NamedTuple):
    """Says that the lines ``first`` to ``seq`` of a log are held."""

    log_id: LogId
    first: int
    seq: int


class Want(NamedTuple):
    """Asks for a log from the line ``start`` on."""

    log_id: LogId
    start: int


@dataclass(frozen=True, slots=True)
class Heads:
    """How far the sender holds some logs of a conversation; of a room it also says: I am a member."""

    conversation: ConversationId
    heads: tuple[Head, ...]


@dataclass(frozen=True, slots=True)
class Pull:
    """Asks for lines, answered by ``Pulled``."""

    conversation: ConversationId
    wants: tuple[Want, ...]


@dataclass(frozen=True, slots=True)
class Pulled:
    """Lines that were asked for, each log's in order. ``more``: they were cut at the bounds of one answer."""

    lines: tuple[Line, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Push:
    """A new line. ``hops``: how often it may be passed on."""

    line: Line
    hops: int


@dataclass(frozen=True, slots=True)
class Read:
    """The sender's user has read the receiver's log of their conversation up to ``seq``."""

    conversation: ConversationId
    log: bytes
    seq: int


@dataclass(frozen=True, slots=True)
class Leave:
    """The sender is no longer a member of a room."""

    conversation: ConversationId


Told: TypeAlias = Heads | Push | Read | Leave
"""Messages that want no answer."""

# Effects: for the store


@dataclass(frozen=True, slots=True)
class Keep:
    """Keep a line for good before anything that follows is sent."""

    line: Line


@dataclass(frozen=True, slots=True)
class Forget:
    """Keep the lines of a log before ``first`` no longer."""

    conversation: ConversationId
    log_id: LogId
    first: int


@dataclass(frozen=True, slots=True)
class Mark:
    """Note how far a log got. Marks only rise.

    Attributes:
        kind: ``delivered``: another peer holds our line (in a room: some member); ``read``: the other one has read
            it; ``seen``: our user has read this log.
        seq: Up to this line.
    """

    conversation: ConversationId
    log_id: LogId
    kind: MarkKind
    seq: int


@dataclass(frozen=True, slots=True)
class Enter:
    """Note that we are a member of a room from now on, or no longer."""

    room: ConversationId
    is_member: bool


@dataclass(frozen=True, slots=True)
class Renew:
    """Note that what we say from now on stands in this log."""

    log: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """What the machine must know of a line that the store has."""

    conversation: ConversationId
    log_id: LogId
    seq: int
    hash: bytes
    kind: str


@dataclass(frozen=True, slots=True)
class Saved:
    """What the machine is built from: all that ``Stored`` effects left.

    Attributes:
        log: In which log what we say stands.
        rooms: Those we are a member of.
        kept: In the order they were kept.
        marks: In any order.
        blocked: Authors of whom nothing is taken.
    """

    log: bytes
    rooms: tuple[ConversationId, ...] = ()
    kept: tuple[Kept, ...] = ()
    marks: tuple[Mark, ...] = ()
    blocked: frozenset[PeerId] = frozenset()


Stored: TypeAlias = Keep | Forget | Mark | Enter | Renew

# Effects: for the links


@dataclass(frozen=True, slots=True)
class Send:
    """Tell a peer something."""

    peer: PeerId
    message: Told


@dataclass(frozen=True, slots=True)
class Ask:
    """Put a pull to a peer, then call ``Talk.answered`` or ``Talk.unanswered`` with both."""

    peer: PeerId
    pull: Pull


@dataclass(frozen=True, slots=True)
class Supply:
    """Answer a peer's pull with what the store has of these logs, within the bounds of one answer."""

    peer: PeerId
    conversation: ConversationId
    wants: tuple[Want, ...]


# Effects: for the user


@dataclass(frozen=True, slots=True)
class Show:
    """There is a new line, ours or another's. It comes once for each line that is kept."""

    line: Line


@dataclass(frozen=True, slots=True)
class Member:
    """A linked peer is a member of a room that we are in, or no longer."""

    room: ConversationId
    peer: PeerId
    is_member: bool


@dataclass(frozen=True, slots=True)
class Fork:
    """An author signed two different lines in one place: its profile was copied, or it cheats. Told once a log.

    Of that log we go on with the lines that came first. If the author is ourselves, another device has our key.
    """

    conversation: ConversationId
    log_id: LogId
    seq: int
    via: PeerId


@dataclass(frozen=True, slots=True)
class Refused:
    """A peer passed on what cannot be taken. Told once for each peer, reason and author while its link lasts."""

    peer: PeerId
    conversation: ConversationId
    author: PeerId
    reason: RefusalReason


Shown: TypeAlias = Show | Member | Fork | Refused | Mark
Effect: TypeAlias = Stored | Send | Ask | Supply | Shown
