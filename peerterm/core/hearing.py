"""What linked peers say of conversations, and what comes of it. Part of ``core.talk``.

Lines are judged by ``core.intake``; here they are held, passed on and reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerterm.core.lines import LogId, is_room
from peerterm.core.talk_messages import Fork, Heads, Keep, Leave, Member, Push, Send, Show

if TYPE_CHECKING:
    from peerterm.core.circle import Circle
    from peerterm.core.circles import Circles
    from peerterm.core.ids import PeerId
    from peerterm.core.intake import Intake, Judged
    from peerterm.core.line_log import LineLog
    from peerterm.core.lines import ConversationId, Line
    from peerterm.core.pen import Pen
    from peerterm.core.talk_messages import Effect, Pull, Pulled, Told


class Hearing:
    """Takes what peers say."""

    def __init__(self, circles: Circles, intake: Intake, pen: Pen) -> None:
        self._circles = circles
        self._intake = intake
        self._pen = pen

    def keep(self, circle: Circle, line: Line, log: LineLog, now: float) -> list[Effect]:
        """Hold the next line of a log."""
        circle.changed(line.log_id, now)
        return [Keep(line), *circle.conversation.append(line, log), Show(line)]

    def heard(self, peer: PeerId, message: Told, now: float) -> list[Effect]:
        """Take what a linked peer tells. Nothing it may say is an error.

        What follows of it is left to ``Circle.tick``, so that many messages at once cost that once.
        """
        if not self._circles.is_linked(peer):
            return []
        match message:
            case Heads():
                return self._heard_heads(peer, message, now)
            case Push():
                return self._heard_push(peer, message, now)
            case Leave(room):
                gone = self._circles.leave(room, peer)
                for each in gone:
                    self._circles[each.room].pulls.look(now)
                return [*gone]
        circle = self._circles.part(message.conversation, peer)
        if circle is None:
            return []
        return self._taken(circle, LogId(self._pen.own, message.log), message.seq, is_read=True)

    def answered(self, peer: PeerId, pull: Pull, pulled: Pulled, now: float) -> list[Effect]:
        """Take the answer to a pull; ignored if it comes too late."""
        circle = self._circles.part(pull.conversation, peer)
        if circle is None or not circle.pulls.awaits(peer, pull):
            return []
        starts = dict(pull.wants)
        effects: list[Effect] = []
        for line in pulled.lines:
            start = starts.get(line.log_id) if line.conversation == pull.conversation else None
            if start is None:
                effects += self._intake.reports.refused(peer, pull.conversation, line.author, "not asked for")
                continue
            judged = self._intake.pulled(circle, line, peer, begins=line.seq == start)
            effects += self._judged(circle, judged, now)
        served = {log_id for log_id, start in starts.items() if circle.conversation.seq(log_id) >= start}
        circle.pulls.settle(peer, served, now, more=pulled.more)
        return [*effects, *circle.tick(now)]

    def _heard_heads(self, peer: PeerId, message: Heads, now: float) -> list[Effect]:
        is_new = self._circles.part(message.conversation, peer) is None
        circle = self._circles.enter(message.conversation, peer)
        if circle is None:
            return self._declined(peer, message.conversation)
        if circle.members.claimed(peer, message.heads):
            circle.pulls.look(now)
        effects: list[Effect] = []
        if is_new:
            effects += self._circles.tell_all(circle, peer)
            effects += [Member(message.conversation, peer, is_member=True)] if is_room(message.conversation) else []
        for head in message.heads:
            effects += self._taken(circle, head.log_id, head.seq) if head.log_id.author == self._pen.own else []
        return effects

    def _heard_push(self, peer: PeerId, message: Push, now: float) -> list[Effect]:
        line = message.line
        if is_room(line.conversation):
            circle = self._circles.part(line.conversation, peer)
        else:
            circle = self._circles.enter(line.conversation, peer)
        if circle is None:
            return self._declined(peer, line.conversation)
        judged = self._intake.pushed(circle, line, peer, now)
        effects = self._judged(circle, judged, now)
        if judged.log is not None and message.hops:
            effects += circle.push(line, message.hops - 1, peer, now)
        return effects

    def _declined(self, peer: PeerId, conversation: ConversationId) -> list[Effect]:
        if is_room(conversation):
            return []  # one that we are not in, or left a moment ago
        return [*self._intake.reports.refused(peer, conversation, peer, "too many conversations")]

    def _taken(self, circle: Circle, log_id: LogId, seq: int, *, is_read: bool = False) -> list[Effect]:
        """Note that a member holds, or has read, our lines up to ``seq``."""
        marks = circle.conversation.mark(log_id, "delivered", seq)
        return [*marks, *(circle.conversation.mark(log_id, "read", seq) if is_read else [])]

    def _judged(self, circle: Circle, judged: Judged, now: float) -> list[Effect]:
        """Do what ``Intake`` says of a line."""
        line = judged.line
        if judged.log is not None:
            kept = self.keep(circle, line, judged.log, now)
            marks = self._taken(circle, line.log_id, line.seq) if line.author == self._pen.own else []
            return [*kept, *marks, *self._pen.renewed(line)]
        effects: list[Effect] = [*judged.reports]
        if any(isinstance(report, Fork) for report in judged.reports):
            effects += self._pen.renewed(line)
            if line.author in circle.members and line.author != judged.via:
                effects.append(Send(line.author, Push(line, 0)))  # so that it learns of its copy
        return effects
