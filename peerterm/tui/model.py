"""What the screen shows of the engine: the newest view of everything, kept by its events. Pure; no Textual.

Text in views is as peers gave it: the engine must get it back unchanged. Widgets make it safe when they show it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from peerterm.api.events import (
    ConversationChanged,
    MessageAdded,
    MessagesMoved,
    Notice,
    OfferChanged,
    OfferIndexing,
    PeerAddressChanged,
    PeerChanged,
    PeerJoined,
    PeerLeft,
    PeerRenamed,
    PeerRestarted,
    ShareChanged,
    ShareRemoved,
    Snapshot,
    SourceDropped,
    StreamChanged,
    StreamRemoved,
    TransferChanged,
    TransferRemoved,
)
from peerterm.api.views import ENDED
from peerterm.tui.conversations import Conversations
from peerterm.tui.offers import Offers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from peerterm.api.events import Event
    from peerterm.api.views import PeerView, ShareView, StatusView, StreamView, TransferView

MAX_NEWS = 100
"""Most lines kept for the user who was not looking."""

MAX_TOLD = 200
"""Most characters of what somebody says that are news; the conversation has all of it."""


@dataclass(slots=True)
class Changes:
    """What is different since it was last shown; ``everything`` after a new snapshot.

    ``calls`` are conversations in which somebody spoke to us, ``talk`` are all in which something changed.
    """

    everything: bool = False
    status: bool = False
    peers: set[str] = field(default_factory=set)
    shares: set[str] = field(default_factory=set)
    transfers: set[str] = field(default_factory=set)
    streams: set[str] = field(default_factory=set)
    offers: set[str] = field(default_factory=set)
    talk: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    news: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Rates:
    """What moves now, each way and in bytes a second; what waits or failed; seconds until all is done."""

    down: int
    down_rate: float
    up: int
    up_rate: float
    queued: int
    failed: int
    eta: float | None


class Model:
    """Peers, shares, transfers and streams by id, and what is said; transfers in the engine's order.

    That is: downloads as their turns come.

    Attributes:
        status: ``None`` before the first snapshot.
        talk: Conversations, and the lines of the one that is open.
        offers: What peers offer us and we offer them.
        seen_failures: Failed transfers that the user went to.
        is_lost: Whether the engine that told all this is gone.
    """

    def __init__(self) -> None:
        self.status: StatusView | None = None
        self.peers: dict[str, PeerView] = {}
        self.shares: dict[str, ShareView] = {}
        self.transfers: dict[str, TransferView] = {}
        self.streams: dict[str, StreamView] = {}
        self.talk = Conversations()
        self.offers = Offers()
        self.seen_failures: set[str] = set()
        self.is_lost = False
        self._places: dict[str, int] = {}
        self._next_place = 0
        self._changes = Changes()

    def take_changes(self) -> Changes:
        """Return what changed since the last call."""
        changes, self._changes = self._changes, Changes()
        return changes

    def apply(self, event: Event) -> None:
        """Take an event of the engine."""
        match event:
            case Snapshot():
                self._reset(event)
            case (
                PeerJoined(peer=peer)
                | PeerLeft(peer=peer)
                | PeerRestarted(peer=peer)
                | PeerRenamed(peer=peer)
                | PeerAddressChanged(peer=peer)
                | PeerChanged(peer=peer)
            ):
                self._peer_told(event, peer)
            case ShareChanged() | ShareRemoved():
                self._share_told(event)
            case TransferChanged() | TransferRemoved():
                self._transfer_told(event)
            case StreamChanged() | StreamRemoved():
                self._stream_told(event)
            case MessageAdded() | MessagesMoved() | ConversationChanged():
                self._talk_told(event)
            case OfferChanged() | OfferIndexing():
                self._offer_told(event)
            case SourceDropped(name=name, reason=reason):
                self._tell("warning", f"{name} is not asked any more: {reason}")
            case Notice(level=level, text=text):
                self._tell(level, text)

    def lose_engine(self) -> None:
        """Take it that nothing moves and nobody is seen as long as there is no engine that would tell."""
        self.is_lost = self.status is not None
        for key, peer in self.peers.items():
            self.peers[key] = replace(peer, state="offline")
        for key, transfer in self.transfers.items():
            sources = [replace(source, rate=0.0) for source in transfer.sources]
            self.transfers[key] = replace(transfer, rate=0.0, eta=None, sources=sources)
        self._changes.peers |= self.peers.keys()
        self._changes.transfers |= self.transfers.keys()
        self._changes.streams |= self.streams.keys()
        self.streams.clear()

    def _peer_told(self, event: Event, peer: PeerView) -> None:
        self.peers[peer.peer_id] = peer
        self._changes.peers.add(peer.peer_id)
        if text := _peer_news(event):
            self._tell("info", text)
        if room := self.talk.apply(event, self.status):
            self._changes.talk.add(room)

    def _offer_told(self, event: OfferChanged | OfferIndexing) -> None:
        if isinstance(event, OfferChanged):
            self._changes.offers.add(event.offer.offer_id)
            if news := self.offers.changed(event.offer):
                self._tell(*news)
        elif self.offers.read_on(event):
            self._changes.status = True

    def _share_told(self, event: ShareChanged | ShareRemoved) -> None:
        if isinstance(event, ShareChanged):
            self.shares[event.share.share_id] = event.share
            self._changes.shares.add(event.share.share_id)
        else:
            self.shares.pop(event.share_id, None)
            self._changes.shares.add(event.share_id)

    def _transfer_told(self, event: TransferChanged | TransferRemoved) -> None:
        if isinstance(event, TransferChanged):
            self._transfer_changed(event.transfer)
        else:
            self.forget_transfer(event.transfer_id)

    def _stream_told(self, event: StreamChanged | StreamRemoved) -> None:
        if isinstance(event, StreamChanged):
            self.streams[event.stream.stream_id] = event.stream
            self.note_stream(event.stream.stream_id)
        elif self.streams.pop(event.stream_id, None):
            self.note_stream(event.stream_id)

    def _talk_told(self, event: MessageAdded | MessagesMoved | ConversationChanged) -> None:
        conversation = self.talk.apply(event, self.status)
        self._changes.talk.add(conversation)
        if not isinstance(event, MessageAdded) or conversation in self._changes.calls:
            return  # of several lines that come together one is told
        if self.talk.is_call(event.message, self.status):
            self._changes.calls.add(conversation)
            if event.message.offer_id:
                return  # what becomes of offers is told by itself
            place = f" in {conversation}" if conversation.startswith("#") else ""
            self._tell("info", f"{event.message.sender_name}{place}: {event.message.text[:MAX_TOLD]}")

    def note_stream(self, stream_id: str) -> None:
        """Take note that a stream looks different: the engine said so, or the player that shows it moved."""
        self._changes.streams.add(stream_id)

    def forget_transfer(self, transfer_id: str) -> None:
        """Take a transfer off the list."""
        if self.transfers.pop(transfer_id, None):
            self._places.pop(transfer_id, None)
            self._changes.transfers.add(transfer_id)
            self.seen_failures.discard(transfer_id)

    def order(self, transfers: Iterable[TransferView]) -> None:
        """Take all transfers in the order that the engine has them in now."""
        before, self.transfers = self.transfers, {}
        self._places.clear()
        for transfer in transfers:
            self.transfers[transfer.transfer_id] = transfer
            self._give_last_place(transfer.transfer_id)
        self._changes.transfers |= before.keys() | self.transfers.keys()

    def place_of(self, transfer_id: str) -> int:
        """Return a number that is less for what stands further in front."""
        return self._places.get(transfer_id, 0)

    def _give_last_place(self, transfer_id: str) -> None:
        self._next_place += 1
        self._places[transfer_id] = self._next_place

    def _reset(self, snapshot: Snapshot) -> None:
        self.status, self.is_lost = snapshot.status, False
        self.peers = {peer.peer_id: peer for peer in snapshot.peers}
        self.shares = {share.share_id: share for share in snapshot.shares}
        self.order(snapshot.transfers)
        self.streams = {stream.stream_id: stream for stream in snapshot.streams}
        self.talk.reset(snapshot.conversations)
        self.offers.reset(snapshot.offers)
        self.seen_failures &= {key for key, each in self.transfers.items() if each.state == "failed"}
        self._changes.everything = True

    def _transfer_changed(self, transfer: TransferView) -> None:
        before = self.transfers.get(transfer.transfer_id)
        self.transfers[transfer.transfer_id] = transfer
        if before is None or (before.state in ENDED) != (transfer.state in ENDED):
            self._give_last_place(transfer.transfer_id)  # what ends or begins again stands behind its like
        self._changes.transfers.add(transfer.transfer_id)
        if transfer.state != "failed":
            self.seen_failures.discard(transfer.transfer_id)
        if before and before.state != transfer.state and transfer.direction == "down":
            if transfer.state == "done":
                self._tell("info", f"{transfer.name} is here")
            elif transfer.state == "failed":
                error = transfer.error or "failed"
                self._tell("error", error if error.startswith(transfer.name) else f"{transfer.name}: {error}")

    def _tell(self, level: str, text: str) -> None:
        self._changes.news.append((level, text))
        del self._changes.news[:-MAX_NEWS]

    def next_alarm(self) -> tuple[str, str] | None:
        """Return where something needs attention next, if it does: a pane or ``inbox``, and the row.

        A failure does so once, unread lines until they are read; an offer until it is answered, but once it was
        looked at only after all others.
        """
        failed = [key for key, each in self.transfers.items() if each.state == "failed"]
        if unseen := [key for key in failed if key not in self.seen_failures]:
            self.seen_failures.add(unseen[0])
            return "transfers", unseen[0]
        if offered := self.offers.next_unseen():
            return "inbox", offered
        if waiting := self.talk.waiting:
            return "chat", waiting[0].conversation
        if broken := [key for key, each in self.shares.items() if each.state in {"missing", "failed"}]:
            return "shares", broken[0]
        return ("inbox", left[0].offer_id) if (left := self.offers.waiting) else None

    @property
    def rates(self) -> Rates:
        """Sum up what moves."""
        running = [each for each in self.transfers.values() if each.state == "running" and not self.is_lost]
        down = [each for each in running if each.direction == "down"]
        up = [each for each in running if each.direction == "up"]
        queued = [each for each in self.transfers.values() if each.state in {"queued", "connecting", "waiting"}]
        failed = [
            key for key, each in self.transfers.items() if each.state == "failed" and key not in self.seen_failures
        ]
        down_rate = sum(each.rate for each in down)
        left = sum(each.total - each.bytes for each in down)
        return Rates(
            down=len(down),
            down_rate=down_rate,
            up=len(up),
            up_rate=sum(each.rate for each in up),
            queued=len(queued),
            failed=len(failed),
            eta=left / down_rate if down_rate else None,
        )

    @property
    def online(self) -> list[PeerView]:
        """The peers that are online."""
        return [peer for peer in self.peers.values() if peer.state == "online"]


def _peer_news(event: Event) -> str:
    match event:
        case PeerJoined(peer=peer):
            return f"{peer.name} is online"
        case PeerLeft(peer=peer, reason=reason):
            return f"{peer.name} is offline" + ("" if reason == "bye" else f" ({reason})")
        case PeerRenamed(peer=peer, old_name=old_name):
            return f"{old_name} is called {peer.name} now"
        case _:
            return ""
