"""One conversation and the linked peers that take part in it: whom a line is pushed to, when heads are told.

Part of ``core.talk``, which judges what comes in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerterm.core.conversation import Conversation
from peerterm.core.lines import is_room
from peerterm.core.members import Members
from peerterm.core.pulls import NEVER, Pulls
from peerterm.core.talk_messages import Heads, Push, Send, Want

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet
    from random import Random

    from peerterm.core.ids import PeerId
    from peerterm.core.lines import ConversationId, Line, LogId
    from peerterm.core.talk_messages import Effect, Head

FANOUT = 4
"""To how many members a line is pushed at once; the others learn of it by heads."""

CHOICE_SECONDS = 10.0
"""How long these are the same members, so that lines mostly come in their order."""

HEADS_SECONDS = (0.1, 0.4)
"""When the members of a room are told of what is new, at random: those told meanwhile by others need not be."""


class Circle:
    """A conversation, its linked members, and what is on the way between them.

    Attributes:
        is_open: Whether we take part: of a room that we left, lines are only kept.
    """

    def __init__(
        self, conversation: ConversationId, own: PeerId, blocked: AbstractSet[PeerId], rng: Random, *, is_open: bool
    ) -> None:
        self.conversation = Conversation(conversation, own, blocked)
        self.is_open = is_open
        self._rng = rng
        self._changed: dict[LogId, None] = {}
        self._due = NEVER
        self.part()

    def part(self) -> None:
        """Forget all members and what is on the way."""
        self.members = Members(self.conversation)
        self.pulls = Pulls(self.conversation, self.members, self._rng)
        self._chosen: list[PeerId] = []
        self._chosen_until = 0.0

    def deadline(self) -> float:
        """Return when ``tick`` is due."""
        return min(self._due, self.pulls.deadline())

    def tick(self, now: float) -> list[Effect]:
        """Do what is due, and ask for what is missing."""
        effects: list[Effect] = []
        if self._due <= now:
            changed, self._changed, self._due = list(self._changed), {}, NEVER
            effects += [send for peer in self.members for send in self.news(peer, changed)]
        return [*effects, *self.pulls.tick(now)]

    def add(self, peer: PeerId) -> bool:
        """Add a linked peer that takes part; ``False`` if there are too many."""
        self._chosen_until = 0.0
        return self.members.add(peer)

    def remove(self, peer: PeerId) -> None:
        """Forget a peer that takes part no longer."""
        self.members.remove(peer)
        self.pulls.remove(peer)
        self._chosen_until = 0.0

    def news(self, peer: PeerId, log_ids: Iterable[LogId]) -> list[Send]:
        """Return what a member must be told of these logs."""
        return [Send(peer, heads) for heads in self.members.news(peer, log_ids)]

    def changed(self, log_id: LogId, now: float) -> None:
        """Note that there is more of a log: the members are told soon, the one of a direct conversation at once."""
        self._changed[log_id] = None
        later = self._rng.uniform(*HEADS_SECONDS) if is_room(self.conversation.id) else 0.0
        self._due = min(self._due, now + later)

    def push(self, line: Line, hops: int, whence: PeerId, now: float) -> list[Send]:
        """Return to whom a new line goes at once.

        Args:
            line: Held by now.
            hops: How often the receivers may pass it on.
            whence: Who gave it to us; ourselves if we said it.
            now: The time.
        """
        if now >= self._chosen_until:
            self._chosen = self._rng.sample(list(self.members), min(FANOUT + 2, len(self.members)))
            self._chosen_until = now + CHOICE_SECONDS
        head = self.conversation.head(line.log_id)
        others = [peer for peer in self._chosen if peer not in (whence, line.author)]
        targets = [peer for peer in others if self.members.needs(peer, head)][:FANOUT]
        for peer in targets:
            self.members.made_aware(peer, head.log_id, head.seq)
        return [Send(peer, Push(line, hops)) for peer in targets]

    def supply(self, peer: PeerId, wants: Iterable[Want]) -> tuple[tuple[Want, ...], list[Send]]:
        """Return what a member can be given of what it wants, and what it must be told of the rest."""
        logs = self.conversation.logs
        given: list[Want] = []
        stale: list[Head] = []
        for want in wants:
            log = logs.get(want.log_id)
            if log is not None and log.first <= want.start <= log.seq:
                given.append(want)
            elif log is not None:
                stale.append(self.conversation.head(want.log_id))
        corrections = [Send(peer, Heads(self.conversation.id, tuple(stale)))] if stale else []
        return tuple(given), corrections
