"""Every message of a control link, with the bounds a peer must keep.

A message travels as one frame: its kind, then a MessagePack map of its fields. Fields a peer does not know are
ignored, so fields may be added with a default; removing one or changing its meaning needs a new kind. Every text
and every number here is hostile: decoding proves type, range and length (of text: in characters), nothing else.
Names are judged by ``core.names`` before they are used.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from peerterm.core.lines import (
    KEY_BYTES,
    LOG_BYTES,
    MAX_ITEM_SIZE,
    MAX_ITEMS,
    MAX_ROOM_CHARACTERS,
    MAX_TEXT,
    OFFER,
    SIGNATURE_BYTES,
)
from peerterm.core.names import MAX_NAME_BYTES, check_display_name
from peerterm.core.talk_messages import MAX_HEADS, MAX_HOPS, MAX_PULLED_LINES, MAX_WANTS
from peerterm.errors import InvalidName

PROTOCOL_VERSION = 1

TALK = "talk"
"""The feature of peers that know the messages of conversations; no other peer is sent any."""

MAX_NAME = 96
MAX_COMPONENT = 255
MAX_DEPTH = 64
MAX_QUERY = 256
MAX_PAGE_ENTRIES = 500
MAX_HITS = 200
MAX_ROOTS = 64
MAX_HAVE_BYTES = 32 * 1024
MAX_GOSSIP = 64

Uint = Annotated[int, Meta(ge=0, le=2**63 - 1)]
RequestId = Annotated[int, Meta(ge=1, le=2**32 - 1)]
Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
Component = Annotated[str, Meta(min_length=1, max_length=MAX_COMPONENT)]
Path = Annotated[list[Component], Meta(min_length=1, max_length=MAX_DEPTH)]
Port = Annotated[int, Meta(ge=1, le=65535)]
Feature = Annotated[str, Meta(min_length=1, max_length=32)]
Features = Annotated[list[Feature], Meta(max_length=32)]
Kind: TypeAlias = Literal["file", "folder"]
Seq = Annotated[int, Meta(ge=1, le=2**63 - 1)]
LogBytes = Annotated[bytes, Meta(min_length=LOG_BYTES, max_length=LOG_BYTES)]
Room = Annotated[str, Meta(max_length=MAX_ROOM_CHARACTERS + 1)]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all messages."""


class Request(Message, frozen=True, kw_only=True):
    """A message that wants answers.

    ``request`` is unique among the asker's open requests on this link; whoever sends the request sets it.
    """

    request: RequestId = 1


class Answer(Message, frozen=True, kw_only=True):
    """Part of an answer; the last part has ``done``."""

    request: RequestId
    done: bool = True


class Hello(Message, frozen=True, kw_only=True):
    """The first message of either side; nothing else is allowed before both have come.

    Attributes:
        protocol: ``PROTOCOL_VERSION`` of the sender.
        features: What the sender can do beyond the base protocol.
        required: What the receiver must know, or close.
        name: What the sender calls itself; identifies nothing.
        instance: Random for each start of the engine; tells a restart from a reconnect.
        port: Where the sender listens.
        version: Program version, for display.
        shares: Number of shares offered.
        size: Bytes offered.
        seq: Newest sequence number of the sender's catalog.
    """

    protocol: Annotated[int, Meta(ge=1, le=65535)]
    features: Features = []
    required: Features = []
    name: Name
    instance: Annotated[bytes, Meta(min_length=8, max_length=8)]
    port: Port
    version: Annotated[str, Meta(max_length=32)] = ""
    shares: Uint = 0
    size: Uint = 0
    seq: Uint = 0


class Close(Message, frozen=True, kw_only=True):
    """The last message of a link. ``code`` is one of ``session.CloseCode``."""

    code: Annotated[str, Meta(max_length=32)]
    reason: Annotated[str, Meta(max_length=200)] = ""


class Ping(Message, frozen=True, kw_only=True):
    """Asks for a ``Pong`` with the same nonce."""

    nonce: Uint


class Pong(Message, frozen=True, kw_only=True):
    """Answers a ``Ping``."""

    nonce: Uint


class Status(Message, frozen=True, kw_only=True):
    """Says what changed of a HELLO: the name, or what is offered."""

    name: Name
    shares: Uint
    size: Uint
    seq: Uint


class PeerAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a peer was reached. ``host`` is an IP address in text."""

    peer: Hash
    host: Annotated[str, Meta(min_length=2, max_length=64)]
    port: Port


class Gossip(Message, frozen=True, kw_only=True):
    """Peers the sender is linked to, for those whom beacons do not reach."""

    peers: Annotated[list[PeerAddress], Meta(max_length=MAX_GOSSIP)]


class Failure(Answer, frozen=True, kw_only=True):
    """A request failed. ``code`` is a code of ``peerterm.errors``."""

    code: Annotated[str, Meta(max_length=32)]
    reason: Annotated[str, Meta(max_length=200)] = ""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A file or folder of a catalog.

    Attributes:
        path: Components from the share's name on.
        size: Bytes; of a folder, all below it.
        files: Files below a folder; 1 for a file.
        sha256: Flat SHA-256 of a file; ``None`` for a folder.
        executable: Whether the owner may execute it.
        mtime_ns: Last change, Unix time in nanoseconds; 0 for a folder.
        seq: The owner's sequence number when this entry last changed.
        private: Whether it is offered to the receiver by a grant, and not to be served on.
    """

    path: Path
    kind: Kind
    size: Uint
    files: Uint = 1
    root: Hash
    sha256: Hash | None = None
    executable: bool = False
    mtime_ns: Annotated[int, Meta(ge=-(2**62), le=2**62)] = 0
    seq: Uint = 0
    private: bool = False


class SearchRequest(Request, frozen=True, kw_only=True):
    """Asks for entries that match; see ``peerterm.core.catalog.Query``."""

    text: Annotated[str, Meta(min_length=1, max_length=MAX_QUERY)]
    kind: Annotated[str, Meta(max_length=16)] = "any"
    min_size: Uint = 0
    max_size: Uint | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_HITS)] = MAX_HITS


class SearchAnswer(Answer, frozen=True, kw_only=True):
    """Some of the hits."""

    hits: Annotated[list[Entry], Meta(max_length=MAX_HITS)]


class BrowseRequest(Request, frozen=True, kw_only=True):
    """Asks for one folder's entries, by name, after the name ``after``. An empty path lists the shares."""

    path: Annotated[list[Component], Meta(max_length=MAX_DEPTH)] = []
    after: Annotated[str, Meta(max_length=MAX_COMPONENT)] = ""
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE_ENTRIES)] = MAX_PAGE_ENTRIES


class BrowseAnswer(Answer, frozen=True, kw_only=True):
    """One page of a folder. ``more`` says that entries follow the last one."""

    entries: Annotated[list[Entry], Meta(max_length=MAX_PAGE_ENTRIES)]
    more: bool = False


class FindRequest(Request, frozen=True, kw_only=True):
    """Asks for contents by the start of their root or flat SHA-256, in lower-case hex."""

    by: Literal["root", "sha256"]
    prefix: Annotated[str, Meta(pattern=r"\A[0-9a-f]{8,64}\Z")]


class FindAnswer(Answer, frozen=True, kw_only=True):
    """The contents that fit; several entries may bear one root."""

    hits: Annotated[list[Entry], Meta(max_length=MAX_HITS)]


class LocateRequest(Request, frozen=True, kw_only=True):
    """Asks for the one entry at a path."""

    path: Path


class LocateAnswer(Answer, frozen=True, kw_only=True):
    """The entry."""

    entry: Entry


class Have(msgspec.Struct, frozen=True, kw_only=True):
    """Which chunks of one content the sender has.

    Attributes:
        complete: All of them; then ``bits`` is empty.
        first: Number of the first chunk that ``bits`` speaks of; a multiple of 8.
        bits: One bit a chunk, most significant first. Empty and not complete: nothing.
    """

    root: Hash
    complete: bool = False
    first: Uint = 0
    bits: Annotated[bytes, Meta(max_length=MAX_HAVE_BYTES)] = b""


class InterestRequest(Request, frozen=True, kw_only=True):
    """Asks for what the receiver has of these contents, and for a ``HaveUpdate`` whenever that grows."""

    roots: Annotated[list[Hash], Meta(min_length=1, max_length=MAX_ROOTS)]


class InterestAnswer(Answer, frozen=True, kw_only=True):
    """What the sender has of the contents asked for; those not named it has nothing of."""

    haves: Annotated[list[Have], Meta(max_length=MAX_ROOTS)]


class HaveUpdate(Message, frozen=True, kw_only=True):
    """Further chunks of a content that the receiver asked about; or that it is offered no longer."""

    root: Hash
    chunks: Annotated[list[Uint], Meta(max_length=2048)] = []
    complete: bool = False
    gone: bool = False


class TalkHead(msgspec.Struct, frozen=True, kw_only=True):
    """Says that the lines ``first`` to ``seq`` of a log are held; see ``peerterm.core.lines``."""

    author: Hash
    log: LogBytes
    first: Seq
    seq: Seq


class TalkHeads(Message, frozen=True, kw_only=True):
    """How far the sender holds some logs of a conversation; of a room also: I am a member.

    Here and below, ``room`` is empty for the direct conversation of the two peers of the link.
    """

    room: Room
    heads: Annotated[list[TalkHead], Meta(max_length=MAX_HEADS)] = []


class TalkItem(msgspec.Struct, frozen=True, kw_only=True):
    """What a line offers; see ``peerterm.core.lines.Item``. The name has at most 255 bytes, too."""

    name: Component
    kind: Kind
    root: Hash
    size: Annotated[int, Meta(ge=0, le=MAX_ITEM_SIZE)]
    files: Annotated[int, Meta(ge=0, le=MAX_ITEM_SIZE)]

    def __post_init__(self) -> None:
        if len(self.name.encode()) > MAX_NAME_BYTES:
            raise ValueError(f"a name of more than {MAX_NAME_BYTES} bytes")


class TalkLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line; see ``peerterm.core.lines.Line``. Its name is as in HELLO; only an offer has items."""

    key: Annotated[bytes, Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]
    log: LogBytes
    seq: Seq
    prev: Hash
    sent_at: Uint
    name: Name
    kind: Annotated[str, Meta(pattern=r"\A[a-z]{1,16}\Z")]
    text: Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
    about: Hash | None = None
    items: Annotated[list[TalkItem], Meta(max_length=MAX_ITEMS)] = []
    signature: Annotated[bytes, Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]

    def __post_init__(self) -> None:
        try:
            check_display_name(self.name)
        except InvalidName as error:
            raise ValueError(error.message) from error
        if self.items and self.kind != OFFER:
            raise ValueError("items in a line that is no offer")


class TalkWant(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for a log from the line ``start`` on."""

    author: Hash
    log: LogBytes
    start: Seq


class TalkPullRequest(Request, frozen=True, kw_only=True):
    """Asks for lines."""

    room: Room
    wants: Annotated[list[TalkWant], Meta(min_length=1, max_length=MAX_WANTS)]


class TalkPullAnswer(Answer, frozen=True, kw_only=True):
    """Lines that were asked for, each log's in order. ``more`` says that they were cut."""

    lines: Annotated[list[TalkLine], Meta(max_length=MAX_PULLED_LINES)]
    more: bool = False


class TalkPush(Message, frozen=True, kw_only=True):
    """A new line. ``hops`` says how often it may be passed on."""

    room: Room
    line: TalkLine
    hops: Annotated[int, Meta(ge=0, le=MAX_HOPS)]


class TalkRead(Message, frozen=True, kw_only=True):
    """The sender's user has read this log of the receiver up to ``seq``, in their direct conversation."""

    log: LogBytes
    seq: Seq


class TalkLeave(Message, frozen=True, kw_only=True):
    """The sender is no longer a member of a room."""

    room: Annotated[str, Meta(min_length=1, max_length=MAX_ROOM_CHARACTERS + 1)]


KINDS: dict[int, type[Message]] = {
    1: Hello,
    2: Close,
    3: Ping,
    4: Pong,
    5: Status,
    6: Gossip,
    7: Failure,
    10: SearchRequest,
    11: SearchAnswer,
    12: BrowseRequest,
    13: BrowseAnswer,
    14: FindRequest,
    15: FindAnswer,
    16: LocateRequest,
    17: LocateAnswer,
    18: InterestRequest,
    19: InterestAnswer,
    20: HaveUpdate,
    30: TalkHeads,
    31: TalkPullRequest,
    32: TalkPullAnswer,
    33: TalkPush,
    34: TalkRead,
    35: TalkLeave,
}
