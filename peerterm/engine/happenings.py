"""What a command of the user is told of what happens: which events, and what of them.

Reads the events that clients get; runs nothing. Called by ``engine.hooks``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from peerterm.api.events import (
    ConversationChanged,
    MessageAdded,
    OfferChanged,
    PeerJoined,
    PeerLeft,
    Snapshot,
    TransferChanged,
    TransferRemoved,
)
from peerterm.api.views import ENDED
from peerterm.core import offers
from peerterm.core.mentions import is_mention
from peerterm.display import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from peerterm.api.events import Event
    from peerterm.api.views import MessageView, OfferView, PeerView, StatusView, TransferView

    View = PeerView | TransferView | OfferView | MessageView

_EXACT = frozenset({"path", "directory"})
"""Fields a command may open files by. They are ours, and what peers add is judged by ``core.names``."""

_ENDINGS = {"done": "transfer_done", "failed": "transfer_failed"}


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that a command is told.

    Attributes:
        kind: One of ``config_values.EVENT_KINDS``.
        origin: Whose doing it is, or which room's, for there anybody has as many names as it likes; or which
            transfer's.
        view: What happened to.
        more: What the view does not say of it.
    """

    kind: str
    origin: str
    view: View
    more: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """Write it as one line of ASCII; text of peers is safe to show on one line."""
        facts = {"event": self.kind, **asdict(self.view), **self.more}
        return json.dumps({name: _safe(name, value) for name, value in facts.items()}).encode() + b"\n"


def _safe(name: str, value: Any) -> Any:
    match value:
        case str():
            return value if name in _EXACT else clean(value)
        case list():
            return [_safe(name, item) for item in value]
        case dict():
            return {key: _safe(key, item) for key, item in value.items()}
    return value


class Happenings:
    """Picks what is to be told from the events of one engine.

    Args:
        wanted: Kinds that are told.
    """

    def __init__(self, wanted: Iterable[str]) -> None:
        self._wanted = frozenset(wanted)
        self._own: StatusView | None = None
        self._muted: set[str] = set()
        self._ended: set[str] = set()  # transfers
        self._waiting: set[str] = set()  # offers to us without an answer

    def take(self, event: Event) -> list[Happening]:
        """Take an event; return what is to be told of it."""
        return [each for each in self._found(event) if each.kind in self._wanted]

    def _found(self, event: Event) -> list[Happening]:
        match event:
            case Snapshot():
                return self._compared(event)
            case PeerJoined(peer=peer):
                return [Happening("peer_joined", peer.peer_id, peer)]
            case PeerLeft(peer=peer, reason=reason):
                return [Happening("peer_left", peer.peer_id, peer, {"reason": reason})]
            case TransferChanged(transfer=transfer):
                return self._moved(transfer)
            case TransferRemoved(transfer_id=transfer_id):
                self._ended.discard(transfer_id)
            case OfferChanged(offer=offer):
                return self._offered(offer)
            case ConversationChanged(conversation=view):
                (self._muted.add if view.is_muted else self._muted.discard)(view.conversation)
            case MessageAdded(message=message):
                return self._said(message)
        return []

    def _compared(self, snapshot: Snapshot) -> list[Happening]:
        """Take how all is now; only what ended or came since the last time has happened."""
        is_first, self._own = self._own is None, snapshot.status
        self._muted = {view.conversation for view in snapshot.conversations if view.is_muted}
        self._ended &= {transfer.transfer_id for transfer in snapshot.transfers}
        self._waiting &= {offer.offer_id for offer in snapshot.offers}
        found = [each for transfer in snapshot.transfers for each in self._moved(transfer)]
        found += [each for offer in snapshot.offers for each in self._offered(offer)]
        return [] if is_first else found

    def _moved(self, transfer: TransferView) -> list[Happening]:
        if transfer.state not in ENDED:
            self._ended.discard(transfer.transfer_id)
        elif transfer.direction == "down" and transfer.transfer_id not in self._ended:
            self._ended.add(transfer.transfer_id)
            if kind := _ENDINGS.get(transfer.state):
                return [Happening(kind, transfer.transfer_id, transfer)]
        return []

    def _offered(self, offer: OfferView) -> list[Happening]:
        if offer.direction == "out" or offer.state != "offered":
            self._waiting.discard(offer.offer_id)
        elif offer.offer_id not in self._waiting:
            self._waiting.add(offer.offer_id)
            return [Happening("offer_received", offer.peer_id, offer)]
        return []

    def _said(self, message: MessageView) -> list[Happening]:
        """Return what a line is told as: the first of its kinds that is wanted."""
        if self._own is None or message.sender == self._own.peer_id:
            return []
        if message.conversation in self._muted or message.kind in offers.KINDS:
            return []
        kinds = ["message_received"]
        if is_mention(message.text, self._own.name):
            kinds.insert(0, "mention")
        if not message.conversation.startswith("#"):
            kinds.insert(0, "direct_message")
        kind = next((kind for kind in kinds if kind in self._wanted), kinds[0])
        return [Happening(kind, message.conversation, message)]
