"""Facts the engine announces to its clients, one frozen class each; a JSON line is ``{"event": NAME, ...}``.

A subscription starts with a ``Snapshot`` and goes on with what changed after it. State events carry a
``coalesce_key``: of several queued with the same key a slow client receives only the newest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from peerterm.api.views import (
    ConversationView,
    MessageView,
    OfferView,
    PeerView,
    ShareView,
    StatusView,
    StreamView,
    TransferView,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything a client shows, as of one moment. Sent first, and again after a client fell behind."""

    event: ClassVar[str] = "snapshot"
    status: StatusView
    peers: list[PeerView]
    shares: list[ShareView]
    transfers: list[TransferView]
    streams: list[StreamView] = field(default_factory=list)
    conversations: list[ConversationView] = field(default_factory=list)
    offers: list[OfferView] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerJoined:
    """A peer is online: TLS and HELLO are done."""

    event: ClassVar[str] = "peer_joined"
    peer: PeerView


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerLeft:
    """A peer is offline. ``reason`` is ``bye``, ``lost`` or an error code."""

    event: ClassVar[str] = "peer_left"
    peer: PeerView
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRestarted:
    """A peer that was online came back as a new process."""

    event: ClassVar[str] = "peer_restarted"
    peer: PeerView


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRenamed:
    """A peer goes by another name now."""

    event: ClassVar[str] = "peer_renamed"
    peer: PeerView
    old_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerAddressChanged:
    """A peer is reached at another address now."""

    event: ClassVar[str] = "peer_address_changed"
    peer: PeerView
    old_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerChanged:
    """What a peer says it offers changed."""

    event: ClassVar[str] = "peer_changed"
    peer: PeerView


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareChanged:
    """A share was added, is being indexed, or changed."""

    event: ClassVar[str] = "share_changed"
    share: ShareView


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareRemoved:
    """A share is offered no longer; its files stay where they are."""

    event: ClassVar[str] = "share_removed"
    share_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferChanged:
    """A transfer started, moved on or ended."""

    event: ClassVar[str] = "transfer_changed"
    transfer: TransferView


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRemoved:
    """An upload has ended, or a download was cleared off the list."""

    event: ClassVar[str] = "transfer_removed"
    transfer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamChanged:
    """A stream was opened, or moved on."""

    event: ClassVar[str] = "stream_changed"
    stream: StreamView


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRemoved:
    """A stream has ended."""

    event: ClassVar[str] = "stream_removed"
    stream_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageAdded:
    """Somebody said something, here or elsewhere."""

    event: ClassVar[str] = "message_added"
    message: MessageView


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesMoved:
    """Lines of ours got further: those whose ``MessageView.id`` is ``LOG:NUMBER`` with numbers up to ``seq``.

    Those that got as far or further before stay what they are: ``delivered``, then ``read``.
    """

    event: ClassVar[str] = "messages_moved"
    conversation: str
    log: str
    seq: int
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationChanged:
    """A conversation is new, was read, muted, joined or left, or has other members."""

    event: ClassVar[str] = "conversation_changed"
    conversation: ConversationView


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferIndexing:
    """A path given to ``send`` is being read: ``done_bytes`` of ``bytes``; ``eta`` seconds remain."""

    event: ClassVar[str] = "offer_indexing"
    path: str
    files: int
    bytes: int
    done_bytes: int
    eta: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferChanged:
    """Something was offered, by us or to us, or something became of it."""

    event: ClassVar[str] = "offer_changed"
    offer: OfferView


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDropped:
    """A source is not used by a transfer any more. ``strikes`` is how many bad chunks it sent."""

    event: ClassVar[str] = "source_dropped"
    transfer_id: str
    peer_id: str
    name: str
    reason: str
    strikes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something a user should read. ``level`` is ``info``, ``warning`` or ``error``."""

    event: ClassVar[str] = "notice"
    level: str
    text: str


Event: TypeAlias = (
    Snapshot
    | PeerJoined
    | PeerLeft
    | PeerRestarted
    | PeerRenamed
    | PeerAddressChanged
    | PeerChanged
    | ShareChanged
    | ShareRemoved
    | TransferChanged
    | TransferRemoved
    | StreamChanged
    | StreamRemoved
    | MessageAdded
    | MessagesMoved
    | ConversationChanged
    | OfferIndexing
    | OfferChanged
    | SourceDropped
    | Notice
)


def coalesce_key(event: Event) -> tuple[str, str] | None:
    """Return what a newer event of the same key replaces in a queue; ``None`` for facts, which all arrive."""
    match event:
        case PeerChanged(peer=peer):
            return event.event, peer.peer_id
        case ShareChanged(share=share):
            return event.event, share.share_id
        case TransferChanged(transfer=transfer):
            return event.event, transfer.transfer_id
        case StreamChanged(stream=stream):
            return event.event, stream.stream_id
        case ConversationChanged(conversation=conversation):
            return event.event, conversation.conversation
        case OfferIndexing(path=path):
            return event.event, path
        case OfferChanged(offer=offer):
            return event.event, offer.offer_id
        case _:
            return None
