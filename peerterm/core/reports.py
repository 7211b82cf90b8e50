"""Which refusals were told already: each once for a peer, its reason and an author. Part of ``core.talk``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerterm.core.talk_messages import Refused

if TYPE_CHECKING:
    from peerterm.core.ids import PeerId
    from peerterm.core.lines import ConversationId
    from peerterm.core.talk_messages import RefusalReason

MAX_REPORTS = 64
"""Most refusals told of one peer while its link lasts."""


class Reports:
    """Keeps a peer from flooding the log by what we refuse."""

    def __init__(self) -> None:
        self._told: dict[PeerId, set[Refused]] = {}

    def refused(
        self, peer: PeerId, conversation: ConversationId, author: PeerId, reason: RefusalReason
    ) -> list[Refused]:
        """Return the report, if it is due."""
        told = self._told.setdefault(peer, set())
        report = Refused(peer, conversation, author, reason)
        if report in told or len(told) >= MAX_REPORTS:
            return []
        told.add(report)
        return [report]

    def forget(self, peer: PeerId) -> None:
        """Begin anew with a peer whose link ended."""
        self._told.pop(peer, None)
