"""Whether a line that a peer passed on is taken: limits, signature, place in its log. Part of ``core.talk``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from peerterm.core.buckets import KeyedBuckets
from peerterm.core.line_log import Verdict
from peerterm.core.reports import Reports
from peerterm.core.talk_messages import Fork

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from peerterm.core.circle import Circle
    from peerterm.core.ids import PeerId
    from peerterm.core.line_log import LineLog
    from peerterm.core.lines import Line, Verify
    from peerterm.core.talk_messages import Refused

PUSHES_PER_SECOND = 5.0
PUSH_BURST = 20
"""How many pushed lines are taken of one link, and of one author; the rest is asked for at our own pace."""

MAX_BUCKETS = 1024
"""Most links and authors whose bursts are remembered."""


class Judged(NamedTuple):
    """What is to be done with a line: append it to ``log`` if that is not ``None``, and report."""

    line: Line
    via: PeerId
    log: LineLog | None
    reports: list[Fork | Refused]


class Intake:
    """Judges lines of others.

    Args:
        verify: Judges a signature of anybody.
        blocked: Authors of whom nothing is taken; may change.
    """

    def __init__(self, verify: Verify, blocked: AbstractSet[PeerId]) -> None:
        self.reports = Reports()
        self._verify = verify
        self._blocked = blocked
        self._links = KeyedBuckets(PUSHES_PER_SECOND, PUSH_BURST, max_keys=MAX_BUCKETS)
        self._authors = KeyedBuckets(PUSHES_PER_SECOND, PUSH_BURST, max_keys=MAX_BUCKETS)

    def pushed(self, circle: Circle, line: Line, via: PeerId, now: float) -> Judged:
        """Judge a line that came unasked."""
        log, verdict = circle.conversation.judge(line)
        is_again, is_late = circle.members.repeats(via, line), verdict is Verdict.LATER
        if is_again and verdict is Verdict.KNOWN:
            return Judged(line, via, None, [*self.reports.refused(via, line.conversation, line.author, "replayed")])
        if is_late or (verdict is not Verdict.KNOWN and not self.may_push(line.author, now, via=via)):
            if circle.members.showed(via, line):
                circle.pulls.look(now)
            return Judged(line, via, None, [])
        return Judged(line, via, *self._outcome(circle, line, via, log, verdict))

    def pulled(self, circle: Circle, line: Line, via: PeerId, *, begins: bool) -> Judged:
        """Judge a line that was asked for; see ``pushed``, and ``Conversation.judge`` for ``begins``."""
        log, verdict = circle.conversation.judge(line, begins=begins)
        return Judged(line, via, *self._outcome(circle, line, via, log, verdict))

    def may_push(self, author: PeerId, now: float, *, via: PeerId | None = None) -> bool:
        """Whether one more pushed line of an author is within bounds, and of the link it came over."""
        return (via is None or self._links.take(via, now)) and self._authors.take(author, now)

    def _outcome(
        self, circle: Circle, line: Line, via: PeerId, log: LineLog, verdict: Verdict
    ) -> tuple[LineLog | None, list[Fork | Refused]]:
        conversation, author = circle.conversation, line.author
        if verdict in (Verdict.KNOWN, Verdict.LATER) or author in self._blocked:
            return None, []
        if not conversation.may_speak(author):
            return None, [*self.reports.refused(via, conversation.id, author, "foreign")]
        if not conversation.takes(line.log_id):
            return None, [*self.reports.refused(via, conversation.id, author, "too many authors")]
        is_first_wrong = verdict is Verdict.FORK and line.log_id not in conversation.logs
        if is_first_wrong or not line.is_genuine(self._verify):
            return None, [*self.reports.refused(via, conversation.id, author, "forged")]
        if verdict is Verdict.FORK:
            conversation.forked(line.log_id)
            return None, [Fork(conversation.id, line.log_id, line.seq, via)]
        return log, []
