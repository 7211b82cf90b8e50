"""All conversations and all links: which circles a peer takes part in, and since when. Part of ``core.talk``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerterm.core.circle import Circle
from peerterm.core.lines import direct, is_room, is_room_name
from peerterm.core.members import told
from peerterm.core.talk_messages import Heads, Member, Read, Send

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Set as AbstractSet
    from random import Random

    from peerterm.core.ids import PeerId
    from peerterm.core.lines import ConversationId, LogId

MAX_ROOMS = 64
"""Most rooms we are a member of, and most that are noted of a peer."""

MAX_UNANSWERED = 64
"""Most direct conversations kept in which our user has said nothing that asks for more."""


class Circles:
    """The circles by conversation, and the linked peers.

    Args:
        own: Ourselves.
        blocked: Authors of whom nothing is taken; may change.
        rng: See ``Talk``.
    """

    def __init__(self, own: PeerId, blocked: AbstractSet[PeerId], rng: Random) -> None:
        self._own = own
        self._blocked = blocked
        self._rng = rng
        self._circles: dict[ConversationId, Circle] = {}
        self._links: dict[PeerId, dict[ConversationId, None]] = {}  # the rooms each says it is a member of

    def __getitem__(self, conversation: ConversationId) -> Circle:
        """Return a conversation's circle, a new one if there was none."""
        if conversation not in self._circles:
            is_open = not is_room(conversation)
            self._circles[conversation] = Circle(conversation, self._own, self._blocked, self._rng, is_open=is_open)
        return self._circles[conversation]

    def __iter__(self) -> Iterator[Circle]:
        return iter(list(self._circles.values()))

    @property
    def links(self) -> list[PeerId]:
        """The linked peers."""
        return list(self._links)

    def is_linked(self, peer: PeerId) -> bool:
        """Whether there is a link to a peer."""
        return peer in self._links

    def rooms(self) -> list[ConversationId]:
        """Return the rooms we are a member of."""
        return [room for room, circle in self._circles.items() if is_room(room) and circle.is_open]

    def members(self, room: ConversationId) -> list[PeerId]:
        """Return the linked peers that say they are members of a room."""
        return [peer for peer, rooms in self._links.items() if room in rooms]

    def heard_of(self) -> set[ConversationId]:
        """Return the rooms that linked peers are members of."""
        return {room for rooms in self._links.values() for room in rooms}

    def part(self, conversation: ConversationId, peer: PeerId) -> Circle | None:
        """Return the circle in which a linked peer takes part, if it does."""
        circle = self._circles.get(conversation)
        return circle if circle is not None and peer in circle.members else None

    # Who comes and goes

    def opened(self, peer: PeerId) -> list[Send]:
        """Take a link: the peer is told of our rooms, and what is between us."""
        self._links[peer] = {}
        sends = [send for room in self.rooms() for send in self.introduce(room, peer)]
        between = direct(self._own, peer)
        if between in self._circles:
            circle = self._circles[between]
            circle.add(peer)
            sends += self.tell_all(circle, peer)
        return sends

    def introduce(self, room: ConversationId, peer: PeerId) -> list[Send]:
        """Tell a peer that we are a member, and what we hold."""
        conversation = self[room].conversation
        return [Send(peer, heads) for heads in told(conversation, conversation.heads()) or [Heads(room, ())]]

    def tell_all(self, circle: Circle, peer: PeerId) -> list[Send]:
        """Tell a member all that is news to it."""
        logs = list(circle.conversation.logs)
        return [*circle.news(peer, logs), *self.receipts(circle, logs)]

    def receipts(self, circle: Circle, log_ids: Iterable[LogId]) -> list[Send]:
        """Tell the one of a direct conversation how far our user has seen its logs."""
        held = circle.conversation
        if is_room(held.id):
            return []
        seen = [(log_id, held.marked(log_id, "seen")) for log_id in log_ids]
        return [
            Send(peer, Read(held.id, log_id.log, seq))
            for peer in circle.members
            for log_id, seq in seen
            if seq and log_id.author == peer
        ]

    def admit(self, circle: Circle, peer: PeerId) -> list[Member]:
        """Let a peer take part in a room, if there is room."""
        return [Member(circle.conversation.id, peer, is_member=True)] if circle.add(peer) else []

    def enter(self, conversation: ConversationId, peer: PeerId) -> Circle | None:
        """Let a linked peer take part, if it may: in a room of which it says it is a member, or with us alone.

        Returns:
            The circle; ``None`` if we take no part in it.
        """
        if (joined := self.part(conversation, peer)) is not None:
            return joined
        if is_room(conversation):
            rooms = self._links[peer]
            if conversation not in rooms and (len(rooms) >= MAX_ROOMS or not is_room_name(conversation)):
                return None
            rooms[conversation] = None
            circle = self._circles.get(conversation)
            is_welcome = circle is not None and circle.is_open
        else:
            is_welcome = self._is_welcome(conversation)
        if not is_welcome:
            return None
        circle = self[conversation]
        return circle if circle.add(peer) else None

    def leave(self, room: ConversationId, peer: PeerId) -> list[Member]:
        """Take that a linked peer is a member of a room no longer."""
        self._links[peer].pop(room, None)
        return self._gone(room, peer)

    def closed(self, peer: PeerId) -> list[Member]:
        """Take the end of a peer's link, if there was one."""
        gone = [member for room in self._links.pop(peer, {}) for member in self._gone(room, peer)]
        between = direct(self._own, peer)
        self._gone(between, peer)
        if between in self._circles and not self._circles[between].conversation.logs:
            del self._circles[between]
        return gone

    def _gone(self, conversation: ConversationId, peer: PeerId) -> list[Member]:
        circle = self.part(conversation, peer)
        if circle is None:
            return []
        circle.remove(peer)
        return [Member(conversation, peer, is_member=False)]

    def _is_welcome(self, conversation: ConversationId) -> bool:
        """Whether a direct conversation is there, or there is room for one that somebody else begins."""
        if conversation in self._circles and self._circles[conversation].conversation.logs:
            return True
        held = [circle.conversation for circle in self._circles.values() if not is_room(circle.conversation.id)]
        unanswered = sum(1 for each in held if each.logs and not each.is_answered)
        return unanswered < MAX_UNANSWERED
