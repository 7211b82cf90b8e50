"""Conversations as users know them: rooms and peers by name, lines with their state, what is unread.

The machine and its promises are ``engine.talk_driver``'s.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from peerterm.api.events import ConversationChanged, MessageAdded, MessagesMoved, Notice
from peerterm.api.views import ConversationView, HolderView, MessageView
from peerterm.core.lines import direct, is_room, other_of, room_name
from peerterm.core.talk_messages import Fork
from peerterm.engine.tasks import tolerate
from peerterm.errors import NotFound, UsageError

if TYPE_CHECKING:
    from peerterm.core.ids import PeerId
    from peerterm.core.lines import ConversationId, LogId
    from peerterm.core.talk_messages import Mark, Member, Refused
    from peerterm.engine.bus import Bus
    from peerterm.engine.peers import Peers
    from peerterm.engine.talk_driver import TalkDriver
    from peerterm.engine.tasks import Tasks
    from peerterm.store.talk import ConversationRecord, KeptLine, TalkStore

log = logging.getLogger("peerterm.talking")

LOBBY = "#lan"
"""The room everybody is a member of, until they leave it."""

KINDS = ("text", "me")
MAX_MESSAGES = 1000
AUTHOR_SECONDS = 3600.0
"""How long somebody counts as a member of a room after a line that came through others."""


class Talking:
    """Every conversation of this engine; implements ``talk_driver.Audience``."""

    def __init__(
        self, store: TalkStore, own_id: PeerId, own_name: str, *, peers: Peers, bus: Bus, tasks: Tasks
    ) -> None:
        self.driver: TalkDriver
        self._store = store
        self._own_id = own_id
        self._own_name = own_name
        self._peers = peers
        self._bus = bus
        self._tasks = tasks
        self._shown: dict[str, ConversationView] = {}

    async def load(self) -> None:
        """Build the machine from the store, and enter the lobby unless it was left."""
        await self.driver.load()
        if LOBBY not in {record.name for record in await self._store.conversations(self._own_id)}:
            self.driver.perform(self.driver.talk.joined(room_name(LOBBY), time.monotonic()))

    # What users wish; see ``EngineApi``

    async def say(self, conversation: str, text: str, kind: str) -> MessageView:
        """See ``EngineApi.say``."""
        if kind not in KINDS:
            raise UsageError(f"{kind!r} is no kind of message", f"use one of {', '.join(KINDS)}")
        place, now = self._place(conversation), time.monotonic()
        sent_at = int(time.time() * 1000)
        effects = self.driver.talk.said(place, text, kind=kind, sent_at=sent_at, now=now)
        [kept] = await self.driver.performed(effects)
        return self._message(kept)

    async def messages(self, conversation: str, limit: int, before: str) -> list[MessageView]:
        """See ``EngineApi.messages``."""
        place = self._place(conversation)
        lines = await self._store.history(place, max(1, min(limit, MAX_MESSAGES)), before=_number(before))
        return [self._message(kept) for kept in lines]

    async def conversations(self) -> list[ConversationView]:
        """See ``EngineApi.conversations``."""
        return [await self._view(record) for record in await self._store.conversations(self._own_id)]

    async def join(self, room: str) -> ConversationView:
        """See ``EngineApi.join``."""
        place = room_name(room)
        await self.driver.performed(self.driver.talk.joined(place, time.monotonic()))
        return await self._changed(place)

    async def leave(self, room: str) -> ConversationView:
        """See ``EngineApi.leave``."""
        place = room_name(room)
        if place not in self.driver.talk.rooms():
            raise NotFound(f"{place}: not a member of this room", "peerterm chat rooms lists them")
        await self.driver.performed(self.driver.talk.left(place))
        return await self._changed(place)

    async def mute(self, conversation: str, *, is_muted: bool) -> ConversationView:
        """See ``EngineApi.mute``."""
        place = self._place(conversation)
        await self._store.mute(place, is_muted=is_muted)
        return await self._changed(place)

    async def read(self, conversation: str) -> ConversationView:
        """See ``EngineApi.read``."""
        place = self._place(conversation)
        await self.driver.performed(self.driver.talk.read(place))
        return await self._changed(place)

    def views(self) -> list[ConversationView]:
        """Return all conversations as they were told last."""
        return list(self._shown.values())

    # What happens; see ``talk_driver.Audience``

    def line_kept(self, kept: KeptLine) -> None:
        """See ``Audience``."""
        self._bus.publish(MessageAdded(message=self._message(kept)))
        self._look_again(kept.line.conversation)

    def line_moved(self, mark: Mark) -> None:
        """See ``Audience``."""
        if mark.kind != "seen" and mark.log_id.author == self._own_id:
            self._bus.publish(
                MessagesMoved(
                    conversation=self._name(mark.conversation),
                    log=_log_name(mark.log_id),
                    seq=mark.seq,
                    state=mark.kind,
                )
            )

    def member_moved(self, member: Member) -> None:
        """See ``Audience``."""
        self._look_again(member.room)

    def warned(self, trouble: Fork | Refused) -> None:
        """See ``Audience``."""
        if isinstance(trouble, Fork):
            name = self._peer_name(trouble.log_id.author)
            text = f"{name} said two different things at once: its profile runs twice, or it cheats"
            self._bus.publish(Notice(level="warning", text=text))
            log.warning("fork author=%s via=%s", trouble.log_id.author[:8], trouble.via[:8])
        else:
            log.warning(
                "line refused peer=%s author=%s reason=%r", trouble.peer[:8], trouble.author[:8], trouble.reason
            )

    # Names and views

    def _place(self, conversation: str) -> ConversationId:
        """Return the id of what a user calls a conversation.

        Raises:
            InvalidName: It begins like a room and can be none.
            NotFound: No such peer is known.
            AmbiguousReference: Several peers are called so.
        """
        if conversation.startswith("#"):
            return room_name(conversation)
        if conversation in (self._own_id, self._own_name):
            raise UsageError("that is this machine itself", "name a peer: peerterm peers lists them")
        return direct(self._own_id, self._peers.resolve(conversation))

    def _name(self, place: ConversationId) -> str:
        return place if is_room(place) else other_of(place, self._own_id)

    def _peer_name(self, peer: PeerId) -> str:
        return self._own_name if peer == self._own_id else self._peers.name_of(peer)

    def _message(self, kept: KeptLine) -> MessageView:
        line = kept.line
        return MessageView(
            id=f"{_log_name(line.log_id)}:{kept.id}",
            conversation=self._name(line.conversation),
            sender=line.author,
            sender_name=self._peer_name(line.author),
            text=line.text,
            kind=line.kind,
            sent_at=line.sent_at / 1000,
            kept_at=kept.kept_at,
            state=self.driver.talk.state_of(line) if line.author == self._own_id else "received",
        )

    async def _view(self, record: ConversationRecord) -> ConversationView:
        place = record.name
        if is_room(place):
            present = {
                *self.driver.talk.members(place),
                *await self._store.authors(place, time.time() - AUTHOR_SECONDS),
            }
            members = sorted(present - {self._own_id}, key=self._peer_name)
        else:
            members = [other for other in (other_of(place, self._own_id),) if self._peers.is_online(other)]
        return ConversationView(
            conversation=self._name(place),
            kind="room" if is_room(place) else "direct",
            name=place if is_room(place) else self._peer_name(other_of(place, self._own_id)),
            unread=0 if record.is_muted else record.unread,
            last_at=record.last_at,
            is_member=record.is_member or not is_room(place),
            is_muted=record.is_muted,
            members=[HolderView(peer_id=peer, name=self._peer_name(peer)) for peer in members],
        )

    def _look_again(self, place: ConversationId) -> None:
        self._tasks.start(tolerate("look at a conversation", self._tell, place))

    async def _tell(self, place: ConversationId) -> None:
        await self._changed(place)

    async def _changed(self, place: ConversationId) -> ConversationView:
        """Return a conversation as it is now, and tell clients if it is another than they know."""
        records = await self._store.conversations(self._own_id)
        record = next((record for record in records if record.name == place), None)
        if record is None:
            raise NotFound(f"{self._name(place)}: nothing was said there yet")
        view = await self._view(record)
        if self._shown.get(view.conversation) != view:
            self._shown[view.conversation] = view
            self._bus.publish(ConversationChanged(conversation=view))
        return view


def _log_name(log_id: LogId) -> str:
    return f"{log_id.author[:16]}{log_id.log.hex()}"


def _number(message_id: str) -> int | None:
    """Return where a line stands among those kept; ``None`` for none.

    Raises:
        UsageError: No message has such an id.
    """
    if not message_id:
        return None
    number = message_id.rpartition(":")[2]
    if not number.isdecimal():
        raise UsageError(f"{message_id!r} is not the id of a message", "take it from peerterm chat log --json")
    return int(number)
