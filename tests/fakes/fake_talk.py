"""The conversations of the fake engine: what is said stays in memory, and reaches who is online a moment later."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from peerterm.api.events import ConversationChanged, MessageAdded, MessagesMoved
from peerterm.api.views import ConversationView, HolderView, MessageView
from peerterm.core.lines import check_text, room_name
from peerterm.errors import NotFound, UsageError
from tests.fakes.fake_base import OWN_ID, OWN_NAME, FakeBase, pick

if TYPE_CHECKING:
    from peerterm.api.views import PeerView

State: TypeAlias = Literal["queued", "sent", "delivered", "read", "received"]

LOBBY = "#lan"
FIRST_SENT_AT = 1_600_000_000.0
"""When the first line is said; each later one a second after it."""

_ORDER: tuple[State, ...] = ("queued", "sent", "delivered", "read")


def make_conversation(conversation: str, **fields: Any) -> ConversationView:
    """Return a room without members."""
    known: dict[str, Any] = {
        "conversation": conversation,
        "kind": "room",
        "name": conversation,
        "unread": 0,
        "last_at": 0.0,
        "is_member": True,
        "is_muted": False,
        "members": [],
    }
    return ConversationView(**known | fields)


class FakeTalk(FakeBase):
    """Set what was said by ``hear`` and ``say``.

    Attributes:
        talk: Every conversation, by what names it.
        said: The lines of each, oldest first.
    """

    def __init__(self) -> None:
        super().__init__()
        self.talk: dict[str, ConversationView] = {LOBBY: make_conversation(LOBBY)}
        self.said: dict[str, list[MessageView]] = {}

    # What a test lets happen

    def hear(self, conversation: str, peer: PeerView, text: str, **fields: Any) -> MessageView:
        """Let a peer say something; ``conversation`` is a room's name, or empty for the direct one."""
        place = conversation or peer.peer_id
        if not conversation:
            self._open_direct(peer)
        message = self._add(place, peer.peer_id, peer.name, text, state="received", **fields)
        view = self.talk[place]
        self._change_talk(place, last_at=message.kept_at, unread=view.unread + (not view.is_muted))
        return message

    def reach(self, conversation: str, state: State) -> None:
        """Let all lines of ours in a conversation get as far as ``state``."""
        place = self._place(conversation)
        lines = self.said.get(place, [])
        moved = [x for x in lines if x.sender == OWN_ID and _ORDER.index(x.state) < _ORDER.index(state)]
        self.said[place] = [replace(line, state=state) if line in moved else line for line in lines]
        if moved:
            log, _, seq = moved[-1].id.rpartition(":")
            self.announce(MessagesMoved(conversation=place, log=log, seq=int(seq), state=state))

    def peer_joined(self, peer: PeerView) -> None:
        """Let a peer come online; what waits for it gets there."""
        super().peer_joined(peer)
        if peer.peer_id in self.talk:
            self._change_talk(peer.peer_id)
            self.reach(peer.peer_id, "delivered")

    # What clients ask for; see ``EngineApi``

    async def say(self, conversation: str, text: str, kind: str = "text") -> MessageView:
        """Keep a line; if somebody is online it is delivered in the next turn of the loop."""
        self.asked.append(("say", conversation, text, kind))
        place = self._place(conversation)
        if place not in self.talk and not place.startswith("#"):
            self._open_direct(pick(self.known_peers, place, lambda x: (x.peer_id,)))
        if place not in self.talk or not self.talk[place].is_member:
            raise NotFound(f"{place}: not a member of this room", "join it first")
        check_text(text)
        is_heard = bool(self._members(place))
        message = self._add(place, OWN_ID, OWN_NAME, text, kind=kind, state="sent" if is_heard else "queued")
        self._change_talk(place, last_at=message.kept_at)

        async def arrive() -> None:
            await asyncio.sleep(0)
            self.reach(place, "delivered")

        if is_heard:
            self.start(arrive())
        return message

    async def messages(self, conversation: str, limit: int = 100, before: str = "") -> list[MessageView]:
        """Return the newest of what was said."""
        self.asked.append(("messages", conversation, limit, before))
        lines = self.said.get(self._place(conversation), [])
        if before:
            ids = [line.id for line in lines]
            if before not in ids:
                raise UsageError(f"{before!r} is not the id of a message", "take it from peerterm chat log --json")
            lines = lines[: ids.index(before)]
        return lines[-limit:]

    async def conversations(self) -> list[ConversationView]:
        """Return all conversations, that with the newest line first."""
        return sorted(self.talk.values(), key=lambda x: (-x.last_at, x.name))

    async def join(self, room: str) -> ConversationView:
        """Enter a room, a new one if there is none."""
        self.asked.append(("join", room))
        place = room_name(room)
        self.talk.setdefault(place, make_conversation(place, is_member=False))
        return self._change_talk(place, is_member=True)

    async def leave(self, room: str) -> ConversationView:
        """Leave a room."""
        self.asked.append(("leave", room))
        place = room_name(room)
        if place not in self.talk or not self.talk[place].is_member:
            raise NotFound(f"{place}: not a member of this room", "peerterm chat rooms lists them")
        return self._change_talk(place, is_member=False)

    async def mute(self, conversation: str, *, is_muted: bool = True) -> ConversationView:
        """Note whether a conversation is muted."""
        self.asked.append(("mute", conversation, is_muted))
        return self._change_talk(self._place(conversation), is_muted=is_muted, unread=0)

    async def read(self, conversation: str) -> ConversationView:
        """Note that all is read."""
        self.asked.append(("read", conversation))
        return self._change_talk(self._place(conversation), unread=0)

    # Details

    def _place(self, conversation: str) -> str:
        if conversation.startswith("#"):
            return room_name(conversation)
        if conversation in (OWN_ID, OWN_NAME):
            raise UsageError("that is this machine itself", "name a peer: peerterm peers lists them")
        known = {peer.peer_id: peer.name for peer in self.known_peers}
        known |= {x.conversation: x.name for x in self.talk.values() if x.kind == "direct"}
        peer_id, _ = pick(known.items(), conversation, lambda x: x)
        return str(peer_id)

    def _open_direct(self, peer: PeerView) -> None:
        if peer.peer_id not in self.talk:
            self.talk[peer.peer_id] = make_conversation(peer.peer_id, kind="direct", name=peer.name)

    def _members(self, place: str) -> list[HolderView]:
        """Return who is there: in a room everybody who is online."""
        online = [peer for peer in self.known_peers if peer.state == "online"]
        here = [peer for peer in online if place in (peer.peer_id, LOBBY) or place.startswith("#")]
        return [HolderView(peer_id=peer.peer_id, name=peer.name) for peer in here]

    def _change_talk(self, place: str, **fields: Any) -> ConversationView:
        if place not in self.talk:
            raise NotFound(f"{place}: nothing was said there yet")
        before = self.talk[place]
        self.talk[place] = replace(before, members=self._members(place), **fields)
        if self.talk[place] != before:
            self.announce(ConversationChanged(conversation=self.talk[place]))
        return self.talk[place]

    def _add(
        self, place: str, sender: str, name: str, text: str, *, state: State, kind: str = "text", **fields: Any
    ) -> MessageView:
        lines = self.said.setdefault(place, [])
        number = sum(line.sender == sender for line in lines) + 1
        at = FIRST_SENT_AT + sum(map(len, self.said.values()))
        known: dict[str, Any] = {
            "id": f"{hashlib.sha256(f'{place} {sender}'.encode()).hexdigest()[:16]}:{number}",
            "conversation": place,
            "sender": sender,
            "sender_name": name,
            "text": text,
            "kind": kind,
            "sent_at": at,
            "kept_at": at,
            "state": state,
        }
        message = MessageView(**known | fields)
        lines.append(message)
        self.announce(MessageAdded(message=message))
        return message
