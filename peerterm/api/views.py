"""Frozen snapshots of what the engine knows, as its clients see them. Field names are a contract (``--json``).

Text that came from a peer is *not* yet safe to show: pass it through ``peerterm.display.clean``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

EntryKind = Literal["file", "folder"]
ShareState = Literal["indexing", "ready", "missing", "failed"]
PeerState = Literal["online", "connecting", "offline"]
TransferState = Literal[
    "queued", "connecting", "running", "waiting", "paused", "verifying", "done", "failed", "cancelled"
]
OfferState = Literal["queued", "offered", "accepted", "declined", "withdrawn", "landed", "failed"]
ENDED: frozenset[TransferState] = frozenset({"done", "failed", "cancelled"})
"""States in which a transfer stays unless the user wants it otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
    """The engine at a glance. ``transfers`` counts unfinished ones; ``started_at`` is Unix time in seconds."""

    state: Literal["starting", "ready", "stopping"]
    peer_id: str
    name: str
    port: int
    version: str
    profile: str
    interfaces: list[str]
    peers: int
    shares: int
    transfers: int
    started_at: float
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerView:
    """A peer. ``shares`` and ``bytes`` are what it says it offers; ``last_seen`` is Unix time in seconds."""

    peer_id: str
    name: str
    address: str
    state: PeerState
    trust: Literal["new", "known", "verified", "blocked"]
    shares: int
    bytes: int
    version: str
    last_seen: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareView:
    """One of our shares.

    ``root`` and ``sha256`` are hex, empty until indexed; ``sha256`` is set for a single file. ``skipped`` names
    what was left out and why. While ``indexing``: ``done_bytes`` of ``bytes`` are read, ``eta`` seconds remain.
    """

    share_id: str
    name: str
    path: str
    kind: EntryKind
    root: str
    sha256: str
    files: int
    bytes: int
    visibility: str
    state: ShareState
    seq: int = 0
    done_files: int = 0
    done_bytes: int = 0
    eta: float | None = None
    skipped: list[str] = field(default_factory=list)
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """A file or folder in a peer's share. ``size`` counts bytes below a folder; ``mtime`` is Unix seconds."""

    name: str
    kind: EntryKind
    size: int
    root: str
    mtime: float
    files: int = 1
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowsePage:
    """Part of one folder of a peer. ``next`` continues the listing; empty at its end."""

    peer_id: str
    path: str
    entries: list[EntryView]
    next: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderView:
    """A peer that has a content."""

    peer_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """One content that matched, with everyone who has it. ``path`` is where one holder keeps it.

    ``more`` says that contents may match that the search leaves out; only the last hit it yields bears that.
    """

    name: str
    path: str
    kind: EntryKind
    size: int
    root: str
    sha256: str
    mtime: float
    files: int
    peers: list[HolderView]
    more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """What to look for.

    Attributes:
        text: Words, all of which must occur in the path; or a root or sha256 in hex.
        kind: ``any``, ``file``, ``folder`` or a type of file (``video``, ``audio``, ``image``, ``document``,
            ``archive``, ``code``).
        min_size: Least bytes.
        max_size: Most bytes; ``None`` is no bound.
        timeout: Seconds to wait for peers.
    """

    text: str
    kind: str = "any"
    min_size: int = 0
    max_size: int | None = None
    timeout: float = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceView:
    """A peer that a transfer gets bytes from. ``bytes`` were verified, ``rate`` of them a second."""

    peer_id: str
    name: str
    bytes: int
    rate: float = 0.0
    state: str = "active"
    strikes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferView:
    """A download or an upload.

    ``bytes`` of ``total`` are verified and on disk, ``local_bytes`` of them copied from what was here already;
    ``rate`` is bytes per second; ``eta`` is seconds left, ``seconds`` how long it was under way; ``path`` is where
    it ended up, in ``directory``, and empty before; ``error`` says what failed or what it waits for, and what to
    do; ``limit`` is bytes a second, 0 for none.
    """

    transfer_id: str
    direction: Literal["down", "up"]
    name: str
    kind: EntryKind
    root: str
    state: TransferState
    bytes: int
    total: int
    rate: float
    eta: float | None
    seconds: float
    files: int
    done_files: int
    path: str
    sources: list[SourceView]
    error: str = ""
    error_code: str = ""
    priority: int = 0
    limit: int = 0
    directory: str = ""
    local_bytes: int = 0
    wasted_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkMapView:
    """Which parts of a download are held.

    ``held`` of ``chunks`` of 1 MiB are; ``cells`` are percent held of equal parts of its bytes, in the order of its
    listing. There are none while that is not known: before a download runs, and while that of a folder rests.
    """

    transfer_id: str
    chunks: int
    held: int
    cells: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubtitleView:
    """Subtitles that belong to an item. ``language`` is a tag such as ``en``; empty if not known."""

    name: str
    url: str
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamItemView:
    """One film or song of a stream.

    Whoever knows ``url`` can read it: it never belongs into arguments, logs or other people's sight. ``size`` is
    proven once ``is_open``, and what its holder says before.
    """

    name: str
    root: str
    url: str
    mime: str
    size: int
    is_open: bool = False
    subtitles: list[SubtitleView] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamView:
    """Something that players on the engine's machine can read while it comes in.

    ``url``, ``mime`` and ``size`` are those of the first item. ``item`` is the number of the one read last; of that
    item ``position`` bytes are passed, and the ``ahead`` bytes after them are here already. ``rate`` is bytes per
    second that come in, ``bytes`` how many came. ``state`` is ``local`` where nothing has to come, ``waiting``
    while nobody who is online has what is read. ``transfer_id`` is the download that keeps the item, if any.
    """

    stream_id: str
    name: str
    kind: EntryKind
    url: str
    mime: str
    size: int
    items: list[StreamItemView]
    state: Literal["streaming", "waiting", "local"]
    item: int
    position: int
    ahead: int
    bytes: int
    rate: float
    sources: list[SourceView]
    started_at: float
    transfer_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    """One line of a conversation.

    ``id`` is ``LOG:SEQ``: a name for what the sender says in this conversation, and the line's number in it: 1, 2,
    3. It is the same on every machine, and no other line of any conversation has it. ``conversation`` is a room's
    name, or the id of the peer we talk with. ``sent_at`` is by the sender's clock, ``kept_at`` by ours, both Unix
    time in seconds. ``kind`` is ``text``, ``me`` (``/me waves``), or one that a later version knows. ``state`` of a
    line of ours says how far it got; in a room ``delivered`` means that some member has it. ``offer_id`` is the
    offer that the line makes, or is about.
    """

    id: str
    conversation: str
    sender: str
    sender_name: str
    text: str
    kind: str
    sent_at: float
    kept_at: float
    state: Literal["queued", "sent", "delivered", "read", "received"]
    offer_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationView:
    """A room, or the conversation with one peer.

    ``conversation`` is what names it: a room's name, or a peer's id. ``members`` of a room are linked members and
    who said something there within the last hour; of a direct one, the other if online. ``last_at`` is Unix time in
    seconds, 0 if nothing was said.
    """

    conversation: str
    kind: Literal["room", "direct"]
    name: str
    unread: int
    last_at: float
    is_member: bool
    is_muted: bool
    members: list[HolderView]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferItemView:
    """A file or folder that is offered. ``size`` and ``files`` of a folder count all below it."""

    name: str
    kind: EntryKind
    root: str
    size: int
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferView:
    """Something that a peer offered us (``in``), or we offered a peer (``out``).

    ``name`` is the first item's, and says how many more there are; the items are numbered from 1. ``queued`` means
    that the peer has not heard of it, ``landed`` that all it wanted of it is there. ``failed`` is only known to who
    fetches it, and may end by ``retry`` of the transfers. ``transfer_ids`` are those by which it is fetched into
    ``directory``; ``error`` says what went wrong, and what to do. ``sent_at`` is by the offerer's clock, Unix time
    in seconds.
    """

    offer_id: str
    direction: Literal["in", "out"]
    peer_id: str
    peer_name: str
    name: str
    items: list[OfferItemView]
    files: int
    bytes: int
    state: OfferState
    sent_at: float
    transfer_ids: list[str] = field(default_factory=list)
    directory: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsView:
    """Rate limits of the engine, or of one transfer (``transfer_id``), in bytes per second; 0 is none."""

    down: int
    up: int
    transfer_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityView:
    """Who this machine is to its peers."""

    peer_id: str
    tag: str
    name: str
    port: int
    addresses: list[str]
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingView:
    """One setting, its value, where it comes from and what it does."""

    name: str
    value: str
    default: str
    source: Literal["default", "file", "environment", "flag"]
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of the engine's log. ``at`` is Unix time in seconds."""

    at: float
    level: str
    source: str
    text: str
