"""Conversations as users know them: rooms and peers by name, lines with their state, what is unread.

The machine and its promises are ``engine.talk_driver``'s.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from peerterm.api.events import ConversationChanged, MessageAdded, MessagesMoved, Notice
from peerterm.api.views import ConversationView, HolderView, MessageView
from peerterm.core.ids import PeerId
from peerterm.core.lines import OFFER, direct, is_room, other_of, room_name
from peerterm.core.offer import ID_DIGITS
from peerterm.core.talk_messages import Enter, Fork
from peerterm.engine.tasks import tolerate
from peerterm.errors import NotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerterm.core.lines import ConversationId, LogId
    from peerterm.core.talk_messages import Mark, Member, Refused
    from peerterm.engine.bus import Bus
    from peerterm.engine.peers import Peers
    from peerterm.engine.talk_driver import TalkDriver
    from peerterm.engine.tasks import Tasks
    from peerterm.store.talk import ConversationRecord, KeptLine, TalkStore

log = logging.getLogger("peerterm.talking")

LOBBY = room_name("#lan")
"""The room everybody is a member of, until they leave it."""

KINDS = ("text", "me")
MAX_MESSAGES = 1000
AUTHOR_SECONDS = 3600.0
"""How long somebody counts as a member of a room after a line that came through others."""

LOOK_SECONDS = 0.1
"""How long a conversation that clients were told of stays as it was told, however many lines come meanwhile."""

_MESSAGE_ID = re.compile(r"([0-9a-f]{16}):([0-9]{1,18})")


class Talking:
    """Every conversation of this engine; implements ``talk_driver.Audience``.

    Attributes:
        on_kept: Called for every line that is kept, before clients are told.
        on_moved: Called when lines of a log got further.
    """

    def __init__(
        self, store: TalkStore, own_id: PeerId, own_name: str, *, peers: Peers, bus: Bus, tasks: Tasks
    ) -> None:
        self.driver: TalkDriver
        self.on_kept: Callable[[KeptLine], None] = lambda kept: None
        self.on_moved: Callable[[Mark], None] = lambda mark: None
        self._store = store
        self._own_id = own_id
        self._own_name = own_name
        self._peers = peers
        self._bus = bus
        self._tasks = tasks
        self._shown: dict[str, ConversationView] = {}  # as clients were told
        self._looking: set[ConversationId] = set()
        self._stale: set[ConversationId] = set()

    async def load(self) -> None:
        """Build the machine from the store, and enter the lobby unless it was left.

        Raises:
            StorageError: The disk refused.
        """
        if LOBBY not in {record.name for record in await self._store.conversations(self._own_id)}:
            await self._store.perform([Enter(LOBBY, is_member=True)], time.time())
        await self.driver.load()
        self._shown = {view.conversation: view for view in await self.conversations()}

    # What users wish; see ``EngineApi``

    async def say(self, conversation: str, text: str, kind: str) -> MessageView:
        """See ``EngineApi.say``."""
        if kind not in KINDS:
            raise UsageError(f"{kind!r} is no kind of message", f"use one of {', '.join(KINDS)}")
        place = await self._place(conversation)
        sent_at = int(time.time() * 1000)
        effects = self.driver.talk.said(place, text, kind=kind, sent_at=sent_at, now=time.monotonic())
        [kept] = await self.driver.performed(effects)
        return self._message(kept)

    async def messages(self, conversation: str, limit: int, before: str) -> list[MessageView]:
        """See ``EngineApi.messages``."""
        place = await self._place(conversation)
        number = None
        if before and (number := await self._number(place, before)) is None:
            return []
        lines = await self._store.history(place, max(1, min(limit, MAX_MESSAGES)), before=number)
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
        place = await self._place(conversation)
        await self._store.mute(place, is_muted=is_muted)
        return await self._changed(place)

    async def read(self, conversation: str) -> ConversationView:
        """See ``EngineApi.read``."""
        place = await self._place(conversation)
        await self.driver.performed(self.driver.talk.read(place))
        return await self._changed(place)

    def views(self) -> list[ConversationView]:
        """Return all conversations as they were told last."""
        return list(self._shown.values())

    # What happens; see ``talk_driver.Audience``

    def line_kept(self, kept: KeptLine) -> None:
        """See ``Audience``."""
        self.on_kept(kept)
        self._bus.publish(MessageAdded(message=self._message(kept)))
        self._look_again(kept.line.conversation)

    def line_moved(self, mark: Mark) -> None:
        """See ``Audience``."""
        self.on_moved(mark)
        if mark.kind != "seen" and mark.log_id.author == self._own_id:
            self._bus.publish(
                MessagesMoved(
                    conversation=self._name(mark.conversation),
                    log=_log_name(mark.conversation, mark.log_id),
                    seq=mark.seq,
                    state=mark.kind,
                )
            )

    def member_moved(self, member: Member) -> None:
        """See ``Audience``."""
        self._look_again(member.room)

    def presence_moved(self, peer: PeerId) -> None:
        """Take that a peer may be online now, or offline, or called otherwise."""
        if view := self._shown.get(peer):
            self._show(replace(view, name=self._peer_name(peer), members=self._online([peer])))

    def warned(self, trouble: Fork | Refused) -> None:
        """See ``Audience``."""
        if isinstance(trouble, Fork):
            if trouble.log_id.author == self._own_id:
                text = "a copy of this profile talks too; start one of the two with another --profile"
            else:
                name = self._peer_name(trouble.log_id.author)
                text = f"{name} said two different things at once: its profile runs twice, or it cheats"
            self._bus.publish(Notice(level="warning", text=text))
            log.warning("fork author=%s via=%s", trouble.log_id.author[:8], trouble.via[:8])
        else:
            log.warning(
                "line refused peer=%s author=%s reason=%r", trouble.peer[:8], trouble.author[:8], trouble.reason
            )

    # Names and views

    async def _place(self, conversation: str) -> ConversationId:
        """Return the id of what a user calls a conversation; a young engine waits for a peer to appear.

        Raises:
            InvalidName: It begins like a room and can be none.
            NotFound: No such peer is known.
            AmbiguousReference: Several peers are called so.
            UsageError: It is this machine.
        """
        if conversation.startswith("#"):
            return room_name(conversation)
        if conversation in (self._own_id, self._own_name):
            raise UsageError("that is this machine itself", "name a peer by its id: peerterm peers lists them")
        if conversation in self._shown:  # with somebody who may be forgotten otherwise
            return direct(self._own_id, PeerId(conversation))
        return direct(self._own_id, await self._peers.wait_for_known(conversation))

    def _name(self, place: ConversationId) -> str:
        return place if is_room(place) else other_of(place, self._own_id)

    def _peer_name(self, peer: PeerId) -> str:
        return self._own_name if peer == self._own_id else self._peers.name_of(peer)

    def _author_name(self, author: PeerId, name: str) -> str:
        """Return what an author is called: now, if we can know that, else as it called itself in a line."""
        if author == self._own_id or self._peers.is_online(author):
            return self._peer_name(author)
        return self._peers.told_apart(author, name, self._own_name)

    def _message(self, kept: KeptLine) -> MessageView:
        line = kept.line
        return MessageView(
            id=f"{_log_name(line.conversation, line.log_id)}:{line.seq}",
            conversation=self._name(line.conversation),
            sender=line.author,
            sender_name=self._author_name(line.author, line.name),
            text=line.text,
            kind=line.kind,
            sent_at=line.sent_at / 1000,
            kept_at=kept.kept_at,
            state=self.driver.talk.state_of(line) if line.author == self._own_id else "received",
            offer_id=(line.hash if line.kind == OFFER else line.about).hex()[:ID_DIGITS],
        )

    async def _number(self, place: ConversationId, message_id: str) -> int | None:
        """Return the ``KeptLine.id`` of a line; ``None`` if that is kept no longer.

        Raises:
            UsageError: No line of this conversation ever had such an id.
        """
        if parts := _MESSAGE_ID.fullmatch(message_id):
            for log_id in await self._store.logs(place):
                if _log_name(place, log_id) == parts[1]:
                    return await self._store.number(place, log_id, int(parts[2]))
        raise UsageError(
            f"{message_id!r} is not the id of a message there", "take it from peerterm chat log --json"
        )

    async def _view(self, record: ConversationRecord) -> ConversationView:
        place = record.name
        if is_room(place):
            authors = await self._store.authors(place, time.time() - AUTHOR_SECONDS)
            names = {author: self._author_name(author, name) for author, name in authors.items()}
            names |= {peer: self._peer_name(peer) for peer in self.driver.talk.members(place)}
            names.pop(self._own_id, None)
            name, members = str(place), _holders(dict(sorted(names.items(), key=lambda named: named[1])))
        else:
            other = other_of(place, self._own_id)
            name, members = self._peer_name(other), self._online([other])
        return ConversationView(
            conversation=self._name(place),
            kind="room" if is_room(place) else "direct",
            name=name,
            unread=0 if record.is_muted else record.unread,
            last_at=record.last_at,
            is_member=record.is_member or not is_room(place),
            is_muted=record.is_muted,
            members=members,
        )

    def _online(self, peers: list[PeerId]) -> list[HolderView]:
        return _holders({peer: self._peer_name(peer) for peer in peers if self._peers.is_online(peer)})

    # What clients are told

    def _look_again(self, place: ConversationId) -> None:
        """Look at a conversation soon, once for all that happens until then."""
        self._stale.add(place)
        if place not in self._looking:
            self._looking.add(place)
            self._tasks.start(self._look(place))

    async def _look(self, place: ConversationId) -> None:
        while place in self._stale:
            if self._name(place) in self._shown:
                await asyncio.sleep(LOOK_SECONDS)  # an answer that follows at once shall not wait for this
            self._stale.remove(place)
            await tolerate("look at a conversation", self._tell, place)
        self._looking.remove(place)

    async def _tell(self, place: ConversationId) -> None:
        await self._changed(place)

    async def _changed(self, place: ConversationId) -> ConversationView:
        """Return a conversation as it is now, and tell clients if it is another than they know.

        Raises:
            NotFound: There is none.
        """
        record = await self._store.conversation(place, self._own_id)
        if record is None:
            raise NotFound(
                f"{self._name(place)}: nothing was said there yet", "peerterm chat rooms lists the others"
            )
        view = await self._view(record)
        self._show(view)
        return view

    def _show(self, view: ConversationView) -> None:
        if self._shown.get(view.conversation) != view:
            self._shown[view.conversation] = view
            self._bus.publish(ConversationChanged(conversation=view))


def _holders(names: dict[PeerId, str]) -> list[HolderView]:
    return [HolderView(peer_id=peer, name=name) for peer, name in names.items()]


def _log_name(conversation: ConversationId, log_id: LogId) -> str:
    """Return what names a log of one conversation to clients, the same on every machine."""
    return hashlib.sha256(f"{conversation} {log_id.author} {log_id.log.hex()}".encode()).hexdigest()[:16]
