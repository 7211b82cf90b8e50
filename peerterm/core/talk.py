"""The machine of all conversations: what we say and hear, whom it is passed on to, who is behind on what.

Inputs are plain values and ``now``; effects come back in the order in which they must be performed. Owns no socket,
no database and no clock. Driven by the engine's talk service, which keeps three promises:

- The effects of all inputs are performed in the order in which they came back, and nothing is sent before each
  ``Keep`` ahead of it is on disk. Only so is no line lost that somebody was told we hold, and no number used twice.
- If the store fails, the machine is built anew from it, as after a crash.
- ``link_opened`` is called only for peers whose HELLO has the feature ``talk``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerterm.core.buckets import KeyedBuckets
from peerterm.core.circles import MAX_ROOMS, Circles
from peerterm.core.hearing import Hearing
from peerterm.core.intake import Intake
from peerterm.core.lines import is_room, other_of
from peerterm.core.pen import Pen
from peerterm.core.pulls import NEVER
from peerterm.core.talk_messages import MAX_HOPS, Enter, Leave, Send, Supply
from peerterm.errors import EngineBusy, NotFound

if TYPE_CHECKING:
    from random import Random

    from peerterm.core.ids import PeerId
    from peerterm.core.lines import ConversationId, Item, Line, Sign, Verify
    from peerterm.core.talk_messages import Effect, LineState, Pull, Pulled, Saved, Told

PULLS_PER_SECOND = 20.0
PULL_BURST = 64
"""How many pulls of one peer are answered."""

MAX_BUCKETS = 1024
"""Most peers whose pulls are counted."""


class Talk:
    """All conversations of one device.

    Args:
        saved: What the store has.
        key: Our raw public key.
        name: What we call ourselves.
        rng: Chooses whom to push to and to ask; makes the id of a new log.
        sign: Signs bytes with our key.
        verify: Judges a signature of anybody.
    """

    def __init__(self, saved: Saved, *, key: bytes, name: str, rng: Random, sign: Sign, verify: Verify) -> None:
        pen = Pen(key, name, saved.log, sign, rng)
        self.own = pen.own
        self._blocked = set(saved.blocked)
        self._intake = Intake(verify, self._blocked)
        self._circles = Circles(self.own, self._blocked, rng)
        self._hearing = Hearing(self._circles, self._intake, pen)
        self._pen = pen
        self._pulls = KeyedBuckets(PULLS_PER_SECOND, PULL_BURST, max_keys=MAX_BUCKETS)
        for room in saved.rooms:
            self._circles[room].is_open = True
        for kept in saved.kept:
            self._circles[kept.conversation].conversation.load(kept.log_id, kept.seq, kept.hash, kept.kind)
        for mark in saved.marks:
            self._circles[mark.conversation].conversation.mark(mark.log_id, mark.kind, mark.seq)

    # What is known

    def rooms(self) -> list[ConversationId]:
        """Return the rooms we are a member of."""
        return self._circles.rooms()

    def members(self, room: ConversationId) -> list[PeerId]:
        """Return the linked peers that say they are members of a room, ours or not."""
        return self._circles.members(room)

    def heard_of(self) -> set[ConversationId]:
        """Return the rooms that linked peers are members of."""
        return self._circles.heard_of()

    def state_of(self, line: Line) -> LineState:
        """Return how far a line of ours got. In a room ``delivered`` means: some member holds it."""
        circle = self._circles[line.conversation]
        if line.seq <= circle.conversation.marked(line.log_id, "read"):
            return "read"
        if line.seq <= circle.conversation.marked(line.log_id, "delivered"):
            return "delivered"
        return "sent" if circle.members.is_any_told(line.log_id, line.seq) else "queued"

    def deadline(self) -> float | None:
        """Return when ``tick`` is due; ``None`` while nothing waits for time to pass."""
        due = min((circle.deadline() for circle in self._circles), default=NEVER)
        return None if due == NEVER else due

    def tick(self, now: float) -> list[Effect]:
        """Do what is due."""
        return [effect for circle in self._circles if circle.deadline() <= now for effect in circle.tick(now)]

    # Links

    def link_opened(self, peer: PeerId, now: float) -> list[Effect]:
        """Take a link to a peer that knows the feature ``talk``."""
        return [*self.link_closed(peer, now), *self._circles.opened(peer)]

    def link_closed(self, peer: PeerId, now: float) -> list[Effect]:
        """Take the end of a peer's link, if there was one."""
        gone = self._circles.closed(peer)
        self._intake.reports.forget(peer)
        return [*gone, *(effect for each in gone for effect in self._circles[each.room].tick(now))]

    # What our user does

    def said(
        self,
        conversation: ConversationId,
        text: str,
        *,
        kind: str = "text",
        about: bytes = b"",
        items: tuple[Item, ...] = (),
        sent_at: int,
        now: float,
    ) -> list[Effect]:
        """Say a line. The first effect is its ``Keep``.

        Args:
            conversation: A room we are a member of, or a direct one of ours, whether the other is linked or not.
            text: What it says.
            kind: See ``Line``.
            about: Likewise.
            items: Likewise.
            sent_at: Unix time in milliseconds.
            now: The time.

        Raises:
            UsageError: The text, or what is offered, is not allowed.
            NotFound: We are not a member of the room.
            EngineBusy: Too many lines wait to be taken.
        """
        if is_room(conversation) and conversation not in self.rooms():
            raise NotFound(
                f"{conversation}: not a member of this room",
                "join it first: /join in the Chat pane, or peerterm chat join",
            )
        circle = self._circles[conversation]
        line = self._pen.write(circle.conversation, text, kind, sent_at, about=about, items=items)
        effects = self._hearing.keep(circle, line, circle.conversation.judge(line)[0], now)
        if not is_room(conversation) and self._circles.is_linked(other_of(conversation, self.own)):
            self._circles.enter(conversation, other_of(conversation, self.own))
        if self._intake.may_push(self.own, now):
            effects += circle.push(line, MAX_HOPS, self.own, now)
        return [*effects, *circle.tick(now)]

    def joined(self, room: ConversationId, now: float) -> list[Effect]:
        """Become a member of a room.

        Args:
            room: From ``room_name``.
            now: The time.

        Raises:
            EngineBusy: We are a member of too many.
        """
        if room in self.rooms():
            return []
        if len(self.rooms()) >= MAX_ROOMS:
            raise EngineBusy(f"member of {MAX_ROOMS} rooms", "leave one first")
        circle = self._circles[room]
        circle.is_open = True
        effects: list[Effect] = [Enter(room, is_member=True)]
        for peer in self._circles.links:
            effects += self._circles.introduce(room, peer)
        for peer in self.members(room):
            effects += self._circles.admit(circle, peer)
        return [*effects, *circle.tick(now)]

    def left(self, room: ConversationId) -> list[Effect]:
        """Be a member of a room no longer. What was said there stays in the store."""
        if room not in self.rooms():
            return []
        circle = self._circles[room]
        circle.is_open = False
        circle.part()
        return [Enter(room, is_member=False), *(Send(peer, Leave(room)) for peer in self._circles.links)]

    def read(self, conversation: ConversationId) -> list[Effect]:
        """Take that our user has seen all there is of a conversation."""
        circle = self._circles[conversation]
        held = circle.conversation
        logs = [log_id for log_id in held.logs if log_id.author != self.own]
        marks = [mark for log_id in logs for mark in held.mark(log_id, "seen", held.seq(log_id))]
        return [*marks, *self._circles.receipts(circle, [mark.log_id for mark in marks])]

    def blocked(self, author: PeerId) -> None:
        """Take nothing more of an author, whoever passes it on."""
        self._blocked.add(author)

    def unblocked(self, author: PeerId, now: float) -> list[Effect]:
        """Take an author's lines again, those missed meanwhile too."""
        self._blocked.discard(author)
        for circle in self._circles:
            circle.members.look_again()
        return [effect for circle in self._circles for effect in circle.tick(now)]

    # What peers say

    def heard(self, peer: PeerId, message: Told, now: float) -> list[Effect]:
        """Take what a linked peer tells. Nothing it may say is an error."""
        return self._hearing.heard(peer, message, now)

    def asked(self, peer: PeerId, pull: Pull, now: float) -> list[Effect]:
        """Take a pull of a linked peer. The last effect is the ``Supply`` that answers it.

        Raises:
            NotFound: It takes no part in that conversation, or we do not.
            EngineBusy: It pulls too often.
        """
        circle = self._circles.part(pull.conversation, peer)
        if circle is None:
            raise NotFound("not a member of that conversation")
        if not self._pulls.take(peer, now):
            raise EngineBusy("too many pulls")
        wants, corrections = circle.supply(peer, pull.wants)
        return [*corrections, Supply(peer, pull.conversation, wants)]

    def answered(self, peer: PeerId, pull: Pull, pulled: Pulled, now: float) -> list[Effect]:
        """Take the answer to a pull; ignored if it comes too late."""
        return self._hearing.answered(peer, pull, pulled, now)

    def unanswered(self, peer: PeerId, pull: Pull, now: float) -> list[Effect]:
        """Take that a pull failed, for whatever reason."""
        circle = self._circles.part(pull.conversation, peer)
        if circle is None:
            return []
        circle.pulls.failed(peer, pull, now)
        return [*circle.tick(now)]
