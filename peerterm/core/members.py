"""Which linked peers take part in one conversation, what each says it holds, and what each knows that we hold.

What peers say is a claim: it decides whom to ask, and nothing else. Part of ``core.talk``.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from peerterm.core.conversation import MAX_LOGS
from peerterm.core.lines import is_room
from peerterm.core.talk_messages import MAX_HEADS, Head, Heads

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from peerterm.core.conversation import Conversation
    from peerterm.core.ids import PeerId
    from peerterm.core.lines import Line, LogId

MAX_MEMBERS = 256
"""Most linked members of one room."""

MAX_CLAIMS = MAX_LOGS
"""Most logs of one conversation that one peer is believed to hold."""

LATE_LINES = 200
"""How far back a log of a room is asked for of which we hold nothing; a direct one is asked for whole."""


@dataclass(slots=True)
class _Member:
    claims: dict[LogId, Head] = field(default_factory=dict)
    told: dict[LogId, int] = field(default_factory=dict)  # what it knows that we hold
    pushed: dict[LogId, int] = field(default_factory=dict)  # the last line of each log that it pushed


class Members:
    """The linked members of one conversation.

    Attributes:
        behind: Logs of which somebody may hold more than we do, in the order in which they are to be asked for.
    """

    def __init__(self, conversation: Conversation) -> None:
        self.behind: OrderedDict[LogId, None] = OrderedDict()
        self._conversation = conversation
        self._members: dict[PeerId, _Member] = {}
        self._holders: dict[LogId, dict[PeerId, None]] = {}  # who says it holds something of each log

    def __contains__(self, peer: PeerId) -> bool:
        return peer in self._members

    def __iter__(self) -> Iterator[PeerId]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def add(self, peer: PeerId) -> bool:
        """Add a linked peer; ``False`` if there are too many."""
        if len(self._members) >= MAX_MEMBERS:
            return False
        self._members[peer] = _Member()
        return True

    def remove(self, peer: PeerId) -> None:
        """Forget a member and all it said."""
        for log_id in self._members.pop(peer).claims:
            self._unclaimed(peer, log_id)

    # What they hold

    def claimed(self, peer: PeerId, heads: Iterable[Head]) -> bool:
        """Take what a member says it holds; return whether there is more to ask it for than before."""
        claims = self._members[peer].claims
        news: list[Head] = []
        for head in heads:
            is_known = head.log_id in claims
            if head.first > head.seq or not (is_known or len(claims) < MAX_CLAIMS):
                continue
            if head != claims.get(head.log_id):
                claims[head.log_id] = head
                self._holders.setdefault(head.log_id, {})[peer] = None
                news.append(head)
        return self._compare(news)

    def showed(self, peer: PeerId, line: Line) -> bool:
        """Take that a member has a line that we could not take, and so some before it; see ``claimed``."""
        claim = self.claim(peer, line.log_id)
        if claim is None:
            claim = Head(line.log_id, self.earliest(line.seq), line.seq)
        return self.claimed(peer, [claim._replace(seq=max(claim.seq, line.seq))])

    def repeats(self, peer: PeerId, line: Line) -> bool:
        """Take that a member pushed a line; return whether it did so before, or pushed a later one of that log."""
        pushed = self._members[peer].pushed
        is_again = line.seq <= pushed.get(line.log_id, 0)
        if not is_again and (line.log_id in pushed or len(pushed) < MAX_CLAIMS):
            pushed[line.log_id] = line.seq
        return is_again

    def earliest(self, seq: int) -> int:
        """Return from which line on a log is wanted of which somebody holds ``seq``, and we nothing."""
        return max(1, seq - LATE_LINES + 1) if is_room(self._conversation.id) else 1

    def claim(self, peer: PeerId, log_id: LogId) -> Head | None:
        """Return what a member says it holds of a log."""
        return self._members[peer].claims.get(log_id)

    def claims(self, log_id: LogId) -> list[tuple[PeerId, Head]]:
        """Return all who say they hold something of a log."""
        return [(peer, self._members[peer].claims[log_id]) for peer in self._holders.get(log_id, ())]

    def disprove(self, peer: PeerId, claim: Head) -> None:
        """Believe a claim no longer, unless the member has said something else since."""
        member = self._members[peer]
        if member.claims.get(claim.log_id) == claim:
            del member.claims[claim.log_id]
            self._unclaimed(peer, claim.log_id)

    def look_again(self) -> None:
        """Find anew where we are behind."""
        for member in self._members.values():
            self._compare(member.claims.values())

    def _compare(self, heads: Iterable[Head]) -> bool:
        """Note which of these logs we are behind on; return whether there are any."""
        ahead = [head.log_id for head in heads if head.seq > self._conversation.seq(head.log_id)]
        self.behind.update(dict.fromkeys(ahead))
        return bool(ahead)

    def _unclaimed(self, peer: PeerId, log_id: LogId) -> None:
        holders = self._holders[log_id]
        del holders[peer]
        if not holders:
            del self._holders[log_id]

    # What they know of us

    def is_any_told(self, log_id: LogId, seq: int) -> bool:
        """Whether a member was told that we hold a line."""
        return any(member.told.get(log_id, 0) >= seq for member in self._members.values())

    def made_aware(self, peer: PeerId, log_id: LogId, seq: int) -> None:
        """Note that a member knows how far we hold a log."""
        self._members[peer].told[log_id] = seq

    def needs(self, peer: PeerId, head: Head) -> bool:
        """Whether a member should be told how far we hold a log.

        Not if it knows, nor if it holds as much itself; but authors are told that their lines came.
        """
        member = self._members[peer]
        if member.told.get(head.log_id, 0) >= head.seq:
            return False
        claim = member.claims.get(head.log_id)
        return claim is None or claim.seq < head.seq or head.log_id.author == peer

    def news(self, peer: PeerId, log_ids: Iterable[LogId]) -> list[Heads]:
        """Return what to tell a member of these logs, and take it as told."""
        heads = [head for head in map(self._conversation.head, log_ids) if self.needs(peer, head)]
        for head in heads:
            self.made_aware(peer, head.log_id, head.seq)
        return told(self._conversation, heads)


def told(conversation: Conversation, heads: Sequence[Head]) -> list[Heads]:
    """Put heads into messages; none at all into none."""
    parts = range(0, len(heads), MAX_HEADS)
    return [Heads(conversation.id, tuple(heads[start : start + MAX_HEADS])) for start in parts]
